"""Times that several decisions of a history have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.what_if import find_moment
from experiments.what_if.moment import seconds_of
from tests.helpers.twins import history_of
from twin import History

START = 1_791_000_000.0  # 2026-10-03 04:00
MINUTE = 60.0


def several(*starts: float, minutes: int = 4) -> History:
    """Runs of a few decisions, a quarter of an hour each."""
    rows, runs = np.arange(minutes * len(starts)), np.repeat(np.arange(len(starts)), minutes)
    time = np.concatenate([start + 15 * MINUTE * np.arange(minutes) for start in starts])
    found = history_of("paper-1mhz", len(rows)).take(rows)
    return replace(found, run=runs, interval=np.tile(np.arange(minutes), len(starts)), time=time)


def test_a_time_that_several_runs_have_is_refused_and_each_is_named():
    """Cells of a log, whose stamps may differ by less than an interval."""
    history = several(START, START + 1.0, START + 86_400.0)
    given = {"history": history, "at": "2026-10-03 04:15"}
    wanted = (
        "^at: '2026-10-03 04:15' given, which 2 decisions fit, allowed is one of them: "
        r"interval=1 \(run 0, 2026-10-03 04:15\), interval=5 \(run 1, 2026-10-03 04:15:01\)$"
    )
    with pytest.raises(ValueError, match=wanted):
        find_moment(**given)
    assert str(find_moment(history, interval=5)) == "decision 5 of 0 to 11 (run 1), from 2026-10-03 04:15:01 on"
    assert find_moment(history, "2026-10-04 04:15").row == 9
    with pytest.raises(
        ValueError, match=r"which 20 decisions fit, .* interval=28 \(run 7, [^,]*\), or one of 12 more$"
    ):
        find_moment(several(*[START] * 20), "2026-10-03 04:00")


def test_runs_are_named_as_the_log_does():
    history = replace(several(START, START), run_names={0: "BER001_1", 1: "BER001_2"})
    wanted = r"interval=1 \(run 0 of BER001_1, 2026-10-03 04:15\), interval=5 \(run 1 of BER001_2, 2026-10-03 04:15\)$"
    with pytest.raises(ValueError, match=wanted):
        find_moment(history, "2026-10-03 04:15")
    assert " (run 1 of BER001_2), from" in str(find_moment(history, interval=6))


def test_an_hour_that_stands_twice_is_refused_and_a_date_of_two_meanings():
    twice = several(START, minutes=12)
    twice = replace(twice, time=twice.time - 3600.0 * (np.arange(12) >= 8))  # 04:00 to 05:45, and 05:00 to 05:45 again
    with pytest.raises(
        ValueError,
        match=r"interval=5 \(run 0, 2026-10-03 05:15, before the clock was set back\), "
        r"interval=9 \(run 0, 2026-10-03 05:15, after the clock was set back\)$",
    ):
        find_moment(twice, "2026-10-03 05:15")
    assert find_moment(twice, "2026-10-03 04:45").row == 3
    year = several(*(seconds_of(f"2027-{day} 04:00")[0] for day in ("05-07", "07-05")))
    with pytest.raises(ValueError, match="which may be 2027-05-07 04:00 or 2027-07-05 04:00, allowed are"):
        find_moment(year, "05/07/2027 04:00")
    assert (find_moment(year, "05.07.2027 04:00").row, find_moment(year, "2027-05-07 04:00").row) == (4, 0)
