"""What other allocations would have brought at a moment: against the log, the simulator, and a rule known by hand."""

from __future__ import annotations

import csv
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from agents import FixedPolicy, HardPolicy, ProportionalPolicy
from experiments.what_if import Settings, find_moment, what_if
from experiments.what_if.moment import seconds_of
from slicing_gym.allocation import share_out
from tests.helpers.twins import cold_twin, history_of
from tests.twin.data.logs.conftest import CASES, mapping_of, quietly
from twin import Column, History

START = 1_791_000_000.0  # 2026-10-03 04:00
MINUTE = 60.0
QUICK = Settings(samples=100, threads=1)
FREE = replace(QUICK, arrivals="twin")


@pytest.fixture(scope="module")
def history() -> History:
    """Random decisions on a cell of the simulator, a minute each, of which a gap cuts two sequences."""
    found = history_of("diurnal", 600)
    return replace(found, time=START + MINUTE * np.arange(600)).take(np.delete(np.arange(600), 50))


@pytest.fixture(scope="module")
def twin(history):
    """Fitted to the first two thirds."""
    return cold_twin(history.take(np.arange(400)))


def test_the_interval_of_what_the_log_did_holds_what_was_measured(twin, history):
    """At moments that the twin was not fitted to: of 90 % intervals in most cases."""
    held = []
    for row in range(420, 599, 9):
        result = what_if(twin, history, ["logged"], FREE, interval=row)
        (logged,) = result.alternatives
        assert result.measured["utility"] == pytest.approx(
            0.01 * history.spectral_efficiency[row] + history.ssr[row].sum()
        )
        assert list(logged.values) == list(result.measured)
        for name, value in result.measured.items():
            _, low, high = logged.summary(name)
            assert low <= high
            held.append((name, low - 1e-9 <= value <= high + 1e-9))
    assert np.mean([inside for _, inside in held]) > 0.8
    assert np.mean([inside for name, inside in held if name == "utility"]) > 0.7


def test_a_twin_that_contradicts_physics_is_warned_of(twin, history):
    """One that learned of missed agreements as of met ones."""
    turned = replace(history, performance={**history.performance, "ssr": 1.0 - history.ssr})
    for each, past, said in ((cold_twin(turned), turned, 1), (twin, history, 0)):
        lines = what_if(each, past, ["logged"], FREE, interval=450).report().splitlines()
        assert sum("to be served worse with more units" in line for line in lines) == said


def test_all_meet_the_same_random_numbers_and_a_seed_repeats_them(twin, history):
    units = "-".join(map(str, history.allocation[450]))
    one = what_if(twin, history, ["logged", units, "1-98-1"], FREE, interval=450)
    logged, same, other = one.alternatives
    for name in logged.values:
        np.testing.assert_array_equal(logged.values[name], same.values[name], err_msg=name)
        if name.startswith("arrivals"):
            np.testing.assert_array_equal(logged.values[name], other.values[name], err_msg=name)
    assert other.values["ssr_urllc"].mean() < logged.values["ssr_urllc"].mean() - 0.5  # it holds a single unit
    again = what_if(twin, history, {"mine": [1, 98, 1]}, FREE, interval=450).alternatives[0]
    np.testing.assert_array_equal(again.values["utility"], other.values["utility"])
    changed = what_if(twin, history, ["1-98-1"], replace(FREE, seed=1), interval=450).alternatives[0]
    assert (changed.values["arrivals_video"] != other.values["arrivals_video"]).any()


def test_values_are_in_the_columns_own_units(history):
    """A column on a logarithmic scale, whose mean taken back from there is a third too low."""
    generator = np.random.default_rng(0)
    delay = generator.lognormal(np.log(20.0), 1.0, size=history.ssr.shape)
    column = Column("delay", transform="log1p", unit="ms", resolution=0.01)
    measured = {**history.performance, "delay": delay}
    own = replace(history, performance=measured, columns=(*history.columns, column))
    result = what_if(cold_twin(own), own, ["logged"], replace(QUICK, samples=2000), interval=450)
    mean, low, high = result.alternatives[0].summary("delay_video")
    wanted = delay[:, 1]
    assert mean == pytest.approx(wanted.mean(), rel=0.25)
    assert low == pytest.approx(np.quantile(wanted, 0.05), rel=0.5)
    assert high == pytest.approx(np.quantile(wanted, 0.95), rel=0.5)
    assert "\ndelay_video [ms] " in result.report()
    assert "\nspectral_efficiency [bit/s/Hz] " in result.report()


def test_an_end_beyond_which_nothing_is_drawn_is_marked(history):
    """The first two thirds as quiet as they never are: at the peak of the load the twin draws no more than it may."""
    calm = history.take(np.flatnonzero(history.next_arrivals[:, 1] < np.quantile(history.next_arrivals[:, 1], 0.2)))
    row = int(np.argmax(history.next_arrivals[:598, 1]))
    report = {
        name: what_if(cold_twin(past), history, ["logged"], FREE, interval=row).report()
        for name, past in (("calm", calm), ("whole", history))
    }
    (line,) = [line for line in report["calm"].splitlines() if line.startswith("arrivals_video")]
    assert line.endswith("+]")
    assert "\n+: or more; the twin draws nothing far beyond what its history measured" in report["calm"]
    assert "or more" not in report["whole"]
    assert "ssr_volte" in report["whole"]  # whose upper end is 1, and no more may come


def test_of_ssrs_of_0_or_1_samples_are_shares():
    """Of a log's rule; in the simulator SSR is a share itself."""
    log, _ = quietly(CASES / "01_decided.csv", mapping_of())
    said = "a sample's SSR is a share between 0 and 1: in a single interval, which has 0 or 1, either may be better"
    result = what_if(cold_twin(log), log, ["logged", "20-15-15"], QUICK, interval=40)
    assert said in result.report().splitlines()
    assert said not in what_if(cold_twin(log), log, ["logged"], QUICK, interval=40).report()


def test_several_intervals_are_averaged(twin, history):
    result = what_if(twin, history, ["logged"], replace(FREE, ahead=5), interval=450)
    rows = slice(450, 455)
    assert result.measured["arrivals_video"] == history.next_arrivals[rows, 1].mean()
    assert result.measured["ssr_urllc"] == pytest.approx(history.ssr[rows, 2].mean())
    np.testing.assert_array_equal(result.alternatives[0].units[:, 0], history.allocation[rows])
    drawn = result.alternatives[0].values["arrivals_video"]
    np.testing.assert_allclose(5.0 * drawn, np.rint(5.0 * drawn), atol=1e-6)
    assert (drawn != np.rint(drawn)).any()  # means of whole numbers


def test_an_agent_sees_the_last_arrivals_and_its_allocation_is_named(twin, history):
    agent = ProportionalPolicy(twin.scenario)
    result = what_if(twin, history, {"rule": agent, "logged": "logged"}, QUICK, interval=450)
    seen = (history.arrivals[450] / twin.scenario.nominal_arrivals).astype(np.float32)
    action, _ = agent.predict(seen)
    wanted = twin.model.layout.codec.units(twin.scenario, np.array([action]))[0]
    assert (result.alternatives[0].units == wanted).all()
    assert f"  rule: {'-'.join(map(str, wanted))}" in result.report()
    assert "rule less logged, under the same random numbers: utility " in result.report()


def test_units_that_the_twin_was_not_fitted_to_are_named(twin, history):
    narrow = history.take(np.flatnonzero((history.allocation >= 5).all(axis=1) & (np.arange(599) > 60)))
    least, most = narrow.allocation.min(axis=0), narrow.allocation.max(axis=0)
    row = int(np.flatnonzero(np.diff(narrow.interval, append=0) == 1)[0])
    agent = FixedPolicy(twin.scenario, [96, 2, 2])
    result = what_if(
        cold_twin(narrow), narrow, {"logged": "logged", "90-5-5": "90-5-5", "far": agent}, QUICK, interval=row
    )
    (line,) = [line for line in result.report().splitlines() if "warning: far" in line]
    ends = [f"{name} {n}, held {low} to {high}" for name, n, low, high in zip(
        ("volte", "video", "urllc"), (96, 2, 2), least, most, strict=True
    )]  # fmt: skip
    assert line == f"* warning: far is outside the fit: {'; '.join(ends)}; not to be trusted"
    assert "warning: logged" not in result.report()
    assert [bool(each.outside) for each in result.alternatives] == [False, most[0] < 90, True]


def test_files_hold_what_is_shown(twin, history, tmp_path):
    result = what_if(twin, history, ["logged", "1-98-1"], QUICK, tmp_path, interval=450)
    what_if(twin, history, ["logged", "1-98-1"], FREE, tmp_path / "free", interval=450)
    with (tmp_path / "what_if.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (len(result.measured) - 3)
    with (tmp_path / "free" / "what_if.csv").open() as file:
        drawn = list(csv.DictReader(file))
    assert len(drawn) == 2 * len(result.measured)
    assert {row["unit"] for row in drawn if row["variable"].startswith("arrivals")} == {"packets"}
    last = next(row for row in rows if (row["policy"], row["variable"]) == ("1-98-1", "ssr_video"))
    assert float(last["mean"]) == pytest.approx(result.alternatives[1].summary("ssr_video")[0], rel=1e-4)
    assert float(last["measured"]) == pytest.approx(history.ssr[450, 1], rel=1e-4)
    assert (tmp_path / "what_if.png").stat().st_size > 10_000


def test_the_nearest_interval_is_taken(history):
    for at, row in (
        ("2026-10-03T04:10:00", 10),
        ("2026-10-03 04:10:20", 10),
        ("03.10.2026 04:10", 10),
        ("03.10.2026, 04:10:00,250", 10),
        ("10/03/2026 4:10 AM", 10),  # the log has no 10 March
        ("2026-10-03 01:10 PM", 549),
        ("2026-10-03T04:10:00+02:00", 10),  # a zone in the log's stamps is left out, too
        ("2026-10-03T04:10:00Z", 10),
        (START + 10 * MINUTE + 29.0, 10),
        (START - 29.0, 0),
        (START + 599 * MINUTE + 29.0, 598),
    ):
        assert find_moment(history, at).row == row, at
    assert str(find_moment(history, START + 10 * MINUTE, ahead=2)) == (
        "decisions 10 to 11 of 0 to 598 (run 0), from 2026-10-03 04:10 on"
    )
    counted = replace(history, time=0.25 * np.arange(599))
    assert str(find_moment(counted, 2.5)) == "decision 10 of 0 to 598 (run 0), from 2.5 s on"
    assert seconds_of("1970-01-02") == seconds_of("02.01.1970") == [86_400.0]
    assert seconds_of("01/02/1970") == [86_400.0, 31 * 86_400.0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "at: missing, allowed is a time stamp of the log, or interval=<number of a decision>"),
        ({"at": START, "interval": 3}, "at: 1791000000.0 given together with interval"),
        ({"at": "2026-10-01"}, "at: '2026-10-01' given, allowed .* 2026-10-03 04:00 to 2026-10-03 13:59$"),
        (
            {"at": "2026-10-03 04:50"},
            ".* where the log has no decision; the nearest are at 2026-10-03 04:49 and 2026-10-03 04:51",
        ),
        ({"at": "yesterday"}, "at: 'yesterday' given, allowed is a date like '2026-10-13 20:15'"),
        ({"at": [1]}, r"at: \[1\] given, allowed is a date"),
        ({"at": float("nan")}, "at: nan given, allowed are the times"),
        ({"interval": 599}, "interval: 599 given, allowed is 0 to 598"),
        ({"interval": 3, "policies": None}, "policies: None given, allowed are 'logged', units of volte, video, urllc"),
        (
            {"interval": 3, "policies": {"logged": [33, 33, 34]}},
            r"policies: \[33, 33, 34\] called 'logged', allowed is",
        ),
        (
            {"interval": 3, "policies": {"logged": "60-30-10"}},
            "policies: '60-30-10' called 'logged', allowed is another",
        ),
        ({"interval": 3, "policies": []}, "policies: none given, allowed are 'logged', units of volte, video, urllc"),
        ({"interval": 3, "policies": ["60-30-11"]}, "policies: '60-30-11' given, allowed are units of volte, video"),
        ({"interval": 3, "policies": ["60-40"]}, "policies: '60-40' given, .* sum to 100, at least 1-1-1$"),
        ({"interval": 3, "policies": {"mine": [0, 50, 50]}}, r"policies: \[0, 50, 50\] given"),
        ({"interval": 3, "policies": ["random"]}, "policies: unknown name 'random'"),
        ({"interval": 3, "policies": ["logged", "logged"]}, "policies: one is given twice"),
        ({"interval": 3, "policies": ["runs/none/agent.zip"]}, "policies: the file 'runs/none/agent.zip' does not"),
        ({"interval": 45, "settings": Settings(ahead=6)}, "ahead: 6 given, allowed is 1 to 5: after decision 49 "),
        ({"interval": 3, "settings": Settings(samples=5)}, "samples: 5 given, allowed is 20"),
    ],
)
def test_what_is_refused_before_anything_is_simulated(twin, history, given, message, monkeypatch):
    monkeypatch.delattr("experiments.what_if.run.simulate")
    with pytest.raises((ValueError, TypeError), match=message):
        what_if(twin, history, **given)


def test_a_history_without_times_or_of_another_network_is_refused(twin, history):
    with pytest.raises(ValueError, match=r"at: '2026-10-03' given, but the history has no times"):
        what_if(twin, replace(history, time=None), at="2026-10-03")
    with pytest.raises(ValueError, match="history: is of another network"):
        what_if(twin, history_of("paper-1mhz"), interval=3)


def with_idle_units() -> History:
    history, _ = quietly(CASES / "09_idle_rest.csv", mapping_of(allocation={"column": "prb_next", "idle": True}))
    return history


def test_units_of_nobody_are_allocated_and_not_shown():
    history = with_idle_units()
    result = what_if(cold_twin(history), history, ["logged", "20-15-15-0"], QUICK, interval=0)  # nothing was before it
    assert result.alternatives[1].units[0, 0].tolist() == [20, 15, 15, 0]
    assert not any(name.endswith("_idle") for name in result.measured)
    assert "arrivals before it [packets]: embb 61, mtc 43, urllc 34\n" in result.report()
    with pytest.raises(ValueError, match=r"policies: '50-0-0-0' given, .* embb, mtc, urllc, idle .* at least 1-1-1-0$"):
        what_if(cold_twin(history), history, ["50-0-0-0"], QUICK, interval=0)


def test_a_column_of_the_cell_may_be_called_as_units_of_nobody_are():
    """As PRB that were idle, which are no PRB of the slice `idle`."""
    history = with_idle_units()
    busy = Column("prb_idle", per_slice=False)
    history = replace(
        history,
        columns=(*history.columns, busy),
        performance={**history.performance, "prb_idle": np.arange(float(len(history)))},
    )
    result = what_if(cold_twin(history), history, ["logged"], QUICK, interval=40)
    assert result.measured["prb_idle"] == 40.0
    assert "arrivals_idle" not in result.measured


def test_a_warning_names_no_units_of_nobody():
    """Fewer of them than ever are no units that a slice never held."""
    history = with_idle_units()
    history = history.take(np.flatnonzero(history.allocation[:, 3] >= 4))
    result = what_if(cold_twin(history), history, ["logged", "20-14-13-3", "30-4-13-3"], QUICK, interval=0)
    assert [list(each.outside.slices) for each in result.alternatives] == [[], [], ["embb"]]
    (line,) = [line for line in result.report().splitlines() if line.startswith("* warning")]
    assert line == "* warning: 30-4-13-3 is outside the fit: embb 30, held 1 to 27; not to be trusted"


class Numbers:
    """Always an action of this number, of a space if one is given."""

    def __init__(self, number: int, space: gym.Space | None = None) -> None:
        self.number = number
        if space is not None:
            self.action_space = space

    def predict(self, observation):
        return np.full(len(observation), self.number), None


@pytest.mark.parametrize("kind", ["held", "smallest"])
def test_actions_number_what_the_twin_or_a_baseline_numbers(kind):
    """Where actions are a few held allocations, or slices may hold none, a baseline numbers all the others."""
    if kind == "held":
        history = history_of("paper-1mhz")
        history = replace(history, held=tuple(map(tuple, np.unique(history.allocation, axis=0).tolist())))
        fixed = [2, 15, 3]
    else:
        history, fixed = with_idle_units(), [20, 15, 14, 1]
    twin, codec, scenario = cold_twin(history), history.layout.codec, history.scenario
    agent = Numbers(7, codec.space(scenario))
    given = {"fixed": FixedPolicy(scenario, fixed), "share": ProportionalPolicy(scenario), "agent": agent}
    by_name = {each.name: each for each in what_if(twin, history, given, QUICK, interval=40).alternatives}
    assert (by_name["fixed"].units == fixed).all()
    assert (by_name["share"].units == share_out(history.arrivals[40], scenario.num_units)).all()
    assert (by_name["agent"].units == codec.units(scenario, np.array([7]))[0]).all()
    for policy, message in (
        (Numbers(7), "policies: 'mine' has no action_space, allowed are baselines, and agents with that of"),
        (Numbers(7, gym.spaces.Discrete(5)), r"policies: 'mine' chooses from Discrete\(5\), allowed is "),
        (HardPolicy("diurnal"), "policies: 'mine' is of scenario 'diurnal', allowed are policies for"),
        (
            Numbers(10**6, codec.space(scenario)),
            r"policies: 'mine' chose actions\[0\]: 1000000 given, allowed are 0 to",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            what_if(twin, history, {"mine": policy}, QUICK, interval=40)


def test_actions_that_number_no_allocation_are_refused(twin, history):
    with pytest.raises(ValueError, match=r"policies: 'mine' chose actions\[0\]: 4851 given, allowed are 0 to 4850"):
        what_if(twin, history, {"mine": Numbers(4851)}, QUICK, interval=3)
