"""Whose arrivals a what-if has: those of the log or the twin's, and shown once."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from agents import ProportionalPolicy
from experiments.what_if import Alternative, Settings, find_moment, what_if
from experiments.what_if.demand import Demand, same_as_arrivals
from experiments.what_if.notes import demand_lines
from slicing_gym.allocation import share_out
from tests.helpers.twins import cold_twin, history_of
from tests.twin.data.logs.conftest import CASES, mapping_of, quietly
from twin import Column, History
from twin.data.columns import PRESENT

LOGGED = Settings(samples=100, threads=1)
FREE = replace(LOGGED, arrivals="twin")
ROW = 350
UNITS = "7-7-6"


@pytest.fixture(scope="module")
def history() -> History:
    return history_of("paper-1mhz")


@pytest.fixture(scope="module")
def twin(history):
    return cold_twin(history.take(np.arange(300)))


def changed(history: History, row: int, arrivals: np.ndarray) -> History:
    """A history in which other traffic met a decision."""
    after, before = history.next_arrivals.copy(), history.arrivals.copy()
    after[row], before[row + 1] = arrivals, arrivals
    return replace(history, next_arrivals=after, arrivals=before)


def of_volumes(history: History, **changes) -> History:
    """A history that has its arrivals as volumes, too, of which packets of 1500 byte were made."""
    volume = history.next_arrivals * 0.012
    column = Column("volume", unit="Mbit", transform="log1p", resolution=1e-3, **changes)
    measured = {**history.performance, "volume": volume}
    return replace(history, performance=measured, columns=(*history.columns, column))


def test_arrivals_are_those_of_the_log_whatever_is_allocated(twin, history):
    given = replace(LOGGED, ahead=3)
    result = what_if(twin, history, ["logged", UNITS], given, interval=ROW)
    for each in result.alternatives:
        for n, name in enumerate(history.scenario.slice_names):
            assert (each.values[f"arrivals_{name}"] == history.next_arrivals[ROW : ROW + 3, n].mean()).all()
    report = result.report()
    row = next(line for line in report.splitlines() if line.startswith("arrivals_video [packets]"))
    assert row.split()[-4:] == ["as", "measured", "as", "measured"]
    assert "arrivals are those of the log for all (arrivals=twin: the twin's); from the second interval on" in report
    assert f" of {len(result.measured) - 3} measured values lie in the 90 % intervals of logged" in report


def test_the_demand_that_there_was_is_what_later_intervals_come_after(twin, history):
    """A peak in the first interval changes the utility of the second, unless the arrivals are the twin's."""
    peak = changed(history, ROW, history.next_arrivals.max(axis=0))
    calm = changed(history, ROW, history.next_arrivals.min(axis=0))

    def utilities(settings):
        return [
            what_if(twin, past, [UNITS], settings, interval=ROW).alternatives[0].values["utility"]
            for past in (peak, calm)
        ]

    at_peak, when_calm = utilities(replace(LOGGED, ahead=2))
    assert (at_peak != when_calm).mean() > 0.9
    for settings in (LOGGED, replace(FREE, ahead=2)):  # the first interval is predicted from what was before it
        np.testing.assert_array_equal(*utilities(settings))
    np.testing.assert_array_equal(
        *[
            what_if(twin, history, [UNITS], each, interval=ROW).alternatives[0].values["utility"]
            for each in (LOGGED, FREE)
        ]
    )


def test_an_agent_sees_the_arrivals_of_the_log(twin, history):
    given = {"rule": ProportionalPolicy(twin.scenario)}
    (rule,) = what_if(twin, history, given, replace(LOGGED, ahead=3), interval=ROW).alternatives
    wanted = share_out(history.arrivals[ROW : ROW + 3], twin.scenario.num_units)
    assert (rule.units == wanted[:, None]).all()


def test_a_slice_that_the_log_has_not_is_not_there():
    """Who is there is no more of the allocation's making than what arrives."""
    log, _ = quietly(CASES / "01_decided.csv", mapping_of())
    there = np.ones(log.ssr.shape)
    there[60:70, 2] = 0.0
    past = replace(log, performance={**log.performance, "present": there}, columns=(*log.columns, PRESENT))
    for row, wanted in ((65, 0.0), (80, 1.0)):
        result = what_if(cold_twin(past), past, ["logged"], LOGGED, interval=row)
        assert (result.alternatives[0].values["present_urllc"] == wanted).all()


def test_arrivals_that_the_log_has_as_volumes_are_shown_once(history, tmp_path):
    past = of_volumes(history)
    assert same_as_arrivals(past) == {"volume": pytest.approx(1.0 / 0.012)}
    twin = cold_twin(past.take(np.arange(300)))
    result = what_if(twin, past, ["logged"], LOGGED, tmp_path, interval=ROW)
    report = result.report()
    assert "arrivals_video" not in report
    assert "\narrivals are shown as volume, of which the mapping made packets\n" in report
    before = ", ".join(
        f"{name} {n * 0.012:,.0f}" for name, n in zip(past.scenario.slice_names, past.arrivals[ROW], strict=True)
    )
    assert report.splitlines()[1] == f"volume before it [Mbit]: {before}"
    with (tmp_path / "what_if.csv").open() as file:
        rows = {row["variable"]: row for row in csv.DictReader(file)}
    assert not any(name.startswith("arrivals") for name in rows)
    video = rows["volume_video"]
    assert video["mean"] == video["measured"] == f"{past.performance['volume'][ROW, 1]:.6g}"
    free = what_if(twin, past, ["logged"], FREE, interval=ROW).alternatives[0].values["volume_video"]
    packets = free / 0.012
    np.testing.assert_allclose(packets, np.rint(packets), atol=1e-3)  # those of the transition
    assert np.ptp(packets) > 0


def test_a_column_that_is_nearly_the_arrivals_is_another(history):
    past = of_volumes(history)
    other = past.performance["volume"].copy()
    other[7, 1] *= 0.9  # of this interval something was not carried
    assert same_as_arrivals(replace(past, performance={**past.performance, "volume": other})) == {}
    assert same_as_arrivals(history) == {}


def test_arrivals_that_follow_the_allocation_are_named(history):
    moment = find_moment(history, interval=ROW)
    noise = np.random.default_rng(0).normal(size=400)
    names = history.scenario.slice_names
    units = np.tile(np.array([7, 7, 6]), (1, 400, 1))

    def arrivals(first: float, spread: float = 1.0) -> dict[str, np.ndarray]:
        return {f"arrivals_{name}": 100.0 + (first if n == 0 else 0.0) + spread * noise for n, name in enumerate(names)}

    found = [
        Alternative("logged", units, arrivals(0.0), {}),
        Alternative("less", units, arrivals(-5.0), {}),
        Alternative("hardly", units, arrivals(-0.5), {}),
        Alternative("noisy", units, arrivals(-2.0, spread=60.0), {}),
    ]
    (line,) = demand_lines(Demand.of(moment, "twin"), found)
    assert line == (
        f"warning: the twin's arrivals differ by allocation, from those of logged by: less arrivals_{names[0]} -5.0%; "
        "no other figure depends on them, and arrivals=logged holds those of the log"
    )
    several = Demand.of(find_moment(history, interval=ROW, ahead=2), "twin")
    assert "; the utility includes this, and " in demand_lines(several, found)[0]
    assert demand_lines(Demand.of(moment, "twin"), found[:1]) == []


def test_other_arrivals_are_refused(twin, history):
    with pytest.raises(ValueError, match="arrivals: unknown name 'log'"):
        what_if(twin, history, settings=Settings(arrivals="log"), interval=3)
