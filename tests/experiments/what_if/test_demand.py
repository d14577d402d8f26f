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
from experiments.what_if.report import number
from experiments.what_if.settings import OF_THE_LOG
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


def with_arrivals(history: History, arrivals: np.ndarray) -> History:
    """A history of other traffic (n, n_slices)."""
    return replace(history, next_arrivals=arrivals, arrivals=np.concatenate([arrivals[:1], arrivals[:-1]]))


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
    (row,) = [line for line in report.splitlines() if line.startswith("arrivals in them, on average [packets]: ")]
    assert f"video {number(result.measured['arrivals_video'])}, " in row
    assert "; those of the log for all (arrivals=twin: the twin's); from the second interval on" in row
    assert f" of {len(result.measured) - 3} measured values lie in the 90 % intervals of logged" in report


def test_of_one_interval_only_what_was_before_it_changes_what_is_shown(twin, history):
    """Arrivals in it are in one line, which says that nothing depends on them, and in no table."""
    most = history.next_arrivals.max(axis=0)
    reports = [
        what_if(twin, past, ["logged", UNITS], LOGGED, interval=ROW).report().splitlines()
        for past in (history, changed(history, ROW, most), changed(history, ROW - 1, most))
    ]
    usual, after, other = ([line for line in each if not line.startswith("arrivals in it")] for each in reports)
    assert usual == after
    assert sum(one != new for one, new in zip(usual, other, strict=True)) > 3  # not the line of what was before it only
    (line,) = set(reports[0]) - set(usual)
    assert "; no other figure depends on them: the twin predicts an interval from what was measured before it" in line
    assert not any(line.startswith("arrivals_") for line in usual)


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
        assert f"\npresent in it: embb 1, mtc 1, urllc {wanted:.0f}; as measured for all\n" in result.report()


def test_arrivals_that_the_log_has_as_volumes_are_shown_once(history, tmp_path):
    past = of_volumes(history)
    assert same_as_arrivals(past) == {"volume": pytest.approx(1.0 / 0.012)}
    twin = cold_twin(past.take(np.arange(300)))
    result = what_if(twin, past, ["logged"], LOGGED, tmp_path, interval=ROW)
    report = result.report()
    assert "arrivals_video" not in report
    assert "\narrivals are shown as volume, equal to the arrivals in this history, in another unit" in report
    before = ", ".join(
        f"{name} {n * 0.012:.3g}" for name, n in zip(past.scenario.slice_names, past.arrivals[ROW], strict=True)
    )
    assert report.splitlines()[1] == f"volume before it [Mbit]: {before}"
    assert f"video {past.performance['volume'][ROW, 1]:.3g}, " in report.splitlines()[2]
    drawn = what_if(twin, past, ["logged"], FREE, tmp_path, interval=ROW)
    with (tmp_path / "what_if.csv").open() as file:
        rows = {row["variable"] for row in csv.DictReader(file)}
    assert "volume_video" in rows
    assert not any(name.startswith("arrivals") for name in rows)
    free = drawn.alternatives[0].values["volume_video"]
    packets = free / 0.012
    np.testing.assert_allclose(packets, np.rint(packets), atol=1e-3)  # those of the transition
    assert np.ptp(packets) > 0


def test_a_column_that_is_nearly_the_arrivals_is_another(history):
    past = of_volumes(history)
    other = past.performance["volume"].copy()
    other[7, 1] *= 0.9  # of this interval something was not carried
    assert same_as_arrivals(replace(past, performance={**past.performance, "volume": other})) == {}
    assert same_as_arrivals(history) == {}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"name": "offered_mbit"}, True),
        ({"unit": "kB"}, True),
        ({"unit": ""}, False),
        ({"unit": "Mbit/s"}, False),
        ({"name": "carried_mbit"}, False),
        ({"name": "sent"}, False),
    ],
)
def test_demand_is_a_volume_that_is_not_what_was_transmitted(history, changes, found):
    past = of_volumes(history)
    column = replace(past.columns[-1], **changes)
    measured = {**history.performance, column.name: past.performance["volume"]}
    past = replace(past, performance=measured, columns=(*history.columns, column))
    assert list(same_as_arrivals(past)) == [column.name] * found


def test_what_is_proportional_to_constant_traffic_is_another(history):
    """As an SSR that is 1 where a slice has users."""
    steady = np.broadcast_to([50, 50, 0], history.next_arrivals.shape).copy()
    ones = np.broadcast_to([1.0, 1.0, 0.0], steady.shape).copy()
    past = with_arrivals(replace(history, performance={**history.performance, "ssr": ones}), steady)
    assert same_as_arrivals(past) == same_as_arrivals(of_volumes(past)) == {}
    some = steady.copy()
    some[:, :2] += np.arange(len(some))[:, None] % 3
    assert list(same_as_arrivals(of_volumes(with_arrivals(past, some)))) == ["volume"]
    some[:, 1] = 50  # one slice is steady
    assert same_as_arrivals(of_volumes(with_arrivals(past, some))) == {}


def test_a_volume_that_is_no_whole_packets_is_as_measured(history):
    past = of_volumes(history)
    rounded = np.random.default_rng(0).uniform(-0.4, 0.4, size=history.next_arrivals.shape)
    volume = np.where(history.next_arrivals > 0, (history.next_arrivals + rounded) * 0.012, 0.0)
    past = replace(past, performance={**past.performance, "volume": volume})
    assert list(same_as_arrivals(past)) == ["volume"]
    result = what_if(cold_twin(past.take(np.arange(300))), past, ["logged"], LOGGED, interval=ROW)
    for n, name in enumerate(past.scenario.slice_names):
        np.testing.assert_allclose(result.alternatives[0].values[f"volume_{name}"], volume[ROW, n], rtol=1e-12)


def test_large_units_are_shown_with_their_digits(history):
    past = of_volumes(history)
    column, volume = replace(past.columns[-1], unit="GB", resolution=1e-9), history.next_arrivals * 1.5e-6
    past = replace(past, performance={**past.performance, "volume": volume}, columns=(*history.columns, column))
    report = what_if(cold_twin(past.take(np.arange(300))), past, ["logged"], LOGGED, interval=ROW).report()
    lines = report.splitlines()
    for line, when, packets in ((1, "before", past.arrivals), (2, "in", past.next_arrivals)):
        shown = lines[line].removeprefix(f"volume {when} it [GB]: ").split("; ")[0].split(", ")
        for n, text in enumerate(shown):
            assert float(text.split()[-1]) == pytest.approx(packets[ROW, n] * 1.5e-6, rel=5e-3)


def test_a_history_of_arrivals_only_has_a_report_and_a_picture(history, tmp_path):
    past = replace(history, performance={}, columns=())
    result = what_if(cold_twin(past), past, ["logged", UNITS], LOGGED, tmp_path, interval=ROW)
    assert result.demand.held == set(result.measured)
    assert "measured values" not in result.report()
    assert (tmp_path / "what_if.png").stat().st_size > 0


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


def test_arrivals_where_there_were_none_differ_by_packets(history):
    units, moment = np.tile(np.array([7, 7, 6]), (1, 400, 1)), find_moment(history, interval=ROW)
    none, some = ({f"arrivals_{name}": np.full(400, n) for name in history.scenario.slice_names} for n in (0.0, 5.0))
    found = [Alternative("logged", units, none, {}), Alternative("more", units, some, {})]
    (line,) = demand_lines(Demand.of(moment, "twin"), found)
    assert f"from those of logged by: more arrivals_{history.scenario.slice_names[0]} +5 packets, " in line


def test_other_arrivals_are_refused(twin, history):
    with pytest.raises(ValueError, match="arrivals: unknown name 'log'"):
        what_if(twin, history, settings=Settings(arrivals="log"), interval=3)


@pytest.mark.parametrize(("name", "hinted"), [("volume_sent", True), ("volume", False)])
def test_arrivals_that_may_be_what_was_served_are_hinted_at(history, name, hinted):
    volumes = of_volumes(history)
    columns = tuple(replace(each, name=name) if each.name == "volume" else each for each in volumes.columns)
    measured = {name if key == "volume" else key: value for key, value in volumes.performance.items()}
    given = replace(history, performance=measured, columns=columns)
    lines = demand_lines(Demand.of(find_moment(given, interval=ROW), OF_THE_LOG), [])
    found = [line for line in lines if line.startswith("hint: the arrivals are equal to volume_sent in every interval")]
    assert len(found) == hinted
