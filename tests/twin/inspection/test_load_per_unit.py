"""Quotas that follow the load: what explains the performance is the load per unit, and what was offered is known."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

from twin import inspect_log, read_log
from twin.data.logs import LogMapping, LogWarning
from twin.inspection import to_check

OFFERED, SENT = "DL_VOL_OFFERED_KBIT", "DL_VOL_SENT_KBIT"
MBIT_PER_UNIT = np.array([0.53, 0.71, 0.36])


@cache
def cell(lag, days=7, seed=3):
    """Quarters of hours of a cell whose quotas follow the day's course, by the hour.

    Args:
        lag: rows from the one that has a quota to the one that is measured under it; None: quotas change nothing.
    """
    rng = np.random.default_rng(seed)
    number = 96 * days
    hour = np.arange(number) / 4 % 24
    course = np.stack(
        [6 + 14 * np.exp(-(((hour - 13) / 4.5) ** 2)), 4 + 20 * np.exp(-(((hour - 21) / 3) ** 2)), 2 + 5 * (hour > 6)],
        axis=1,
    )
    load = course * rng.lognormal(0.0, 0.25, course.shape)
    wanted = (course / MBIT_PER_UNIT)[::4]
    wanted = 0.6 * wanted / wanted.sum(axis=1, keepdims=True) + 0.4 * rng.dirichlet([3, 3, 2], len(wanted))
    held = np.maximum(4, (100 * wanted).round()).astype(int)
    held[:, 0] += 100 - held.sum(axis=1)
    held = held.repeat(4, axis=0)
    capacity = MBIT_PER_UNIT * (33.0 if lag is None else np.roll(held, lag, axis=0))
    delay = 10.0 / (1.0 - np.minimum(load / capacity, 0.96)) * rng.lognormal(0.0, 0.08, load.shape)
    return pd.DataFrame(
        {
            "PERIOD": np.repeat(pd.date_range("2026-10-05", periods=number, freq="15min").astype(str), 3),
            "SNSSAI": np.tile(["eMBB", "FWA", "URLLC"], number),
            OFFERED: (900e3 * load).ravel().round(),
            SENT: (900e3 * np.minimum(load, capacity)).ravel().round(),
            "DL_DELAY_MS": delay.ravel().round(1),
            "PRB_QUOTA_PCT": held.ravel(),
        }
    )


def said(found, key):
    return [str(each) for each in found.findings if each.key == key]


@pytest.mark.parametrize(("lag", "truth", "other"), [(0, "in_force", "decided"), (1, "decided", "in_force")])
@pytest.mark.filterwarnings("ignore:units of the log")
def test_the_load_per_unit_tells_where_units_do_not(lag, truth, other):
    found = inspect_log(cell(lag))
    alignment = found.facts.alignment
    assert alignment.by_load
    assert found.facts.allocation_is == found.keys["allocation_is"] == truth
    (line,) = said(found, "alignment")
    assert "where it changed, the load per unit of the row before explains" in line
    assert f"of the variance of {alignment.column}, that of the same row" in line
    assert not [line for line in to_check(found.mapping_yaml()) if line.startswith("allocation_is")]
    for given in (truth, other):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", LogWarning)
            read_log(cell(lag), LogMapping.from_dict({**found.keys, "allocation_is": given}))
        warned = [str(each.message) for each in caught if "explained far better" in str(each.message)]
        assert len(warned) == (given == other)
        assert all(f"better by {truth}: where units changed, the load per unit explains" in each for each in warned)


def test_what_the_load_alone_explains_tells_nothing():
    """Whatever the quotas are, which leave marks in the load per unit."""
    found = inspect_log(cell(None))
    assert found.facts.allocation_is == ""
    assert not found.facts.alignment.by_load
    (line,) = said(found, "alignment")
    assert "cannot be told: the units of the row before explain" in line
    assert found.keys["allocation_is"] == "decided"
    marked = {line.partition(": ")[0]: line.partition(": ")[2] for line in to_check(found.mapping_yaml())}
    assert marked["allocation_is"].startswith("the log does not tell. decided: at a row's end")


@pytest.mark.parametrize(
    ("names", "says_so"),
    [
        ({}, False),
        ({OFFERED: "DL_VOL_KBIT"}, False),
        ({OFFERED: "DL_VOL_KBIT", SENT: "UL_VOL_SENT_KBIT"}, True),
        ({OFFERED: "DL_VOL_KBIT", SENT: "DL_VOL_DROPPED_KBIT"}, True),
        ({OFFERED: "DL_VOL_KBIT", SENT: "DL_VOL_SENT_MBIT"}, True),
    ],
    ids=["named", "shown", "uplink", "lost", "above"],
)
def test_volumes_are_of_what_was_carried_unless_the_log_shows_the_rest(names, says_so):
    found = inspect_log(cell(0).rename(columns=names))
    assert found.facts.arrivals == names.get(OFFERED, OFFERED)
    assert bool(said(found, "carried")) == says_so


def test_a_volume_that_is_always_less_is_not_what_was_carried_of_another():
    table = cell(0).rename(columns={OFFERED: "DL_VOL_KBIT"})
    table[SENT] = table["DL_VOL_KBIT"] * 0.4
    assert said(inspect_log(table), "carried")
    table[SENT] = table["DL_VOL_KBIT"]
    assert said(inspect_log(table), "carried")
    assert said(inspect_log(table.drop(columns=SENT).rename(columns={"DL_VOL_KBIT": OFFERED})), "carried") == []
