"""Allocations and rules over many decisions of a log: against a moment, a rule known by hand, and what is refused."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from agents import ProportionalPolicy
from experiments.what_if import Settings, over_log, what_if
from experiments.what_if.__main__ import prepare
from experiments.what_if.settings import WhatIfConfig
from slicing_gym.allocation import share_out
from tests.helpers.commands import configured
from tests.helpers.twins import cold_twin, following, history_of, small_twin, without_range
from tests.twin.data.logs.conftest import CASES, mapping_of, quietly
from twin import DigitalTwin
from twin.fidelity.scores import rank_correlation

UNITS = [3, 14, 3]


@pytest.fixture(scope="module")
def history():
    return history_of("paper-1mhz", 200)


@pytest.fixture(scope="module")
def twin(history):
    return cold_twin(history)


@pytest.mark.parametrize("make", [cold_twin, small_twin])
def test_figures_are_means_of_what_each_decision_is_expected_to_bring(make, history):
    """By hand: a history that held the units from a decision on, and the utility of each member's SSR and SE."""
    twin, decisions = make(history), range(150, 160)
    worth, ssr = [], []
    for row in decisions:
        allocation = history.allocation.copy()
        allocation[row:] = UNITS
        expected = twin.predict(replace(history, allocation=allocation)).expected[row]  # (M, V - S): SSR, then SE
        worth.append(expected[:, :3].sum(axis=1) + 0.01 * expected[:, 3])
        ssr.append(expected[:, :3].mean(axis=0))
    result = over_log(twin, history, {"mine": UNITS}, "150-159")
    logged, mine = result.contenders
    np.testing.assert_allclose(mine.utility, worth)
    np.testing.assert_allclose(mine.ssr, ssr)
    own = twin.predict(history).expected[150:160]
    np.testing.assert_allclose(logged.utility, own[..., :3].sum(axis=2) + 0.01 * own[..., 3])
    assert result.mean("mine").mean == pytest.approx(np.mean(worth))
    assert result.gain("mine").mean == pytest.approx(np.mean(worth) - logged.utility.mean())
    np.testing.assert_allclose(result.by_member("mine"), np.mean(worth, axis=0) - logged.utility.mean(axis=0))
    assert result.measured == pytest.approx(
        history.ssr[150:160].sum(axis=1) + 0.01 * history.spectral_efficiency[150:160]
    )


def test_a_rule_sees_the_arrivals_before_each_decision(twin, history):
    result = over_log(twin, history, ["proportional", "hard"])
    by_name = {each.name: each.units for each in result.contenders}
    np.testing.assert_array_equal(by_name["proportional"], share_out(history.arrivals, 20))
    assert (by_name["hard"] == [6, 7, 7]).all()
    as_object = over_log(twin, history, {"mine": ProportionalPolicy(twin.scenario)})
    np.testing.assert_array_equal(as_object.contenders[1].utility, result.contenders[1].utility)


def test_allocations_are_ranked_as_by_the_rule_of_a_log():
    """A slice's SSR is 1 where 0.21 Mbit/s a unit and 0.09 a packet both reach its bound, whatever the others have."""
    log, _ = quietly(CASES / "01_decided.csv", mapping_of())
    tried = [(embb, mtc, 50 - embb - mtc) for embb in (6, 12, 18, 24) for mtc in (4, 8, 12)]
    offered = 0.09 * log.next_arrivals
    truth = [(np.minimum(offered, 0.21 * np.array(units)) >= [1.0, 1.0, 2.0]).mean(axis=0).sum() for units in tried]
    result = over_log(cold_twin(log), log, {"-".join(map(str, units)): units for units in tried})
    found = [result.mean(each.name).mean for each in result.contenders[1:]]
    assert rank_correlation(np.array(truth), np.array(found)) > 0.8
    assert np.abs(np.array(found) - truth).max() < 0.5


def test_an_interval_is_over_decisions_and_members_are_apart(twin, history):
    """Of a few blocks there is no interval."""
    all_of_them = over_log(twin, history, ["3-14-3"])
    assert 0.0 < all_of_them.gain("3-14-3").half_width < all_of_them.gain("3-14-3").mean
    assert np.ptp(all_of_them.by_member("3-14-3")) > 0.0
    few = over_log(twin, history, ["3-14-3"], "100-199")
    assert np.isnan(few.gain("3-14-3").half_width)
    assert "no ±: 1 block of 25 decisions, 5 are needed" in over_log(twin, history, decisions="0-9").report()
    assert "no ±: 4 blocks of 25 decisions, 5 are needed for an interval" in few.report().splitlines()
    assert not any(line.startswith("no ±") for line in all_of_them.report().splitlines())


def test_slices_that_are_not_there_are_served_as_the_log_says():
    mapping = mapping_of(absent={"arrivals": 0, "rate": 0})
    history, _ = quietly(CASES / "06_slices_come_and_go.csv", mapping)
    gone = history.performance["present"] < 0.5
    result = over_log(cold_twin(history), history, ["20-15-15-0"])
    for each in result.contenders:
        np.testing.assert_allclose(each.ssr[gone], history.ssr[gone])
    assert (result.contenders[0].ssr[~gone] != history.ssr[~gone]).any()


def test_simple_rules_give_nothing_to_nobody():
    """Slices share all units; one that is not there keeps its part, as of any allocation."""
    history, _ = quietly(CASES / "06_slices_come_and_go.csv", mapping_of(absent={"arrivals": 0, "rate": 0}))
    assert history.scenario.slice_names[-1] == "idle"
    result = over_log(cold_twin(history), history, ["hard", "proportional"])
    _, hard, proportional = (each.units for each in result.contenders)
    assert (hard == [16, 17, 17, 0]).all()
    np.testing.assert_array_equal(proportional[:, :3], share_out(history.arrivals[:, :3], 50))
    assert (proportional[:, 3] == 0).all()


def test_the_twin_expects_the_same_where_slices_are_not_there():
    history, _ = quietly(CASES / "06_slices_come_and_go.csv", mapping_of(absent={"arrivals": 0, "rate": 0}))
    units, twin, gone = [20, 15, 15, 0], cold_twin(history), history.performance["present"] < 0.5
    found = twin.expected(history, samples=400, units=units)
    for name in ("ssr", "rate", "present"):
        np.testing.assert_array_equal(found[name][gone], history.performance[name][gone])
    np.testing.assert_array_equal(found["arrivals"][gone], history.next_arrivals[gone])
    over = over_log(twin, history, {"mine": units}).mean("mine").mean
    assert found["utility"].mean() == pytest.approx(over, abs=0.03)


def test_the_report_says_what_its_figures_are_and_the_csv_has_them(history, tmp_path):
    narrow = history.take(np.flatnonzero((history.allocation >= 3).all(axis=1)))
    result = over_log(cold_twin(narrow), narrow, ["3-14-3", "1-18-1"], folder=tmp_path)
    lines = result.report().splitlines()
    assert lines[0].startswith(f"paper-1mhz: decisions 0 to {len(narrow) - 1} of 0 to {len(narrow) - 1}")
    assert [line.split("  ")[0] for line in lines[3:7]] == ["measured", "logged", "3-14-3", "1-18-1 *"]
    gain, own = result.gain("3-14-3"), result.by_member("3-14-3")
    assert f"  {gain.show(2)}  " in lines[5]
    assert f"  {own.min():+.2f} to {own.max():+.2f}  " in lines[5]
    assert any(line.startswith("* warning: 1-18-1 is outside the fit: ") for line in lines)
    with (tmp_path / "what_if.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["policy"] for row in rows] == ["logged", "3-14-3", "1-18-1"]
    assert float(rows[1]["less_logged"]) == pytest.approx(gain.mean, rel=1e-4)
    assert float(rows[2]["ssr_video"]) == pytest.approx(result.contenders[2].ssr[:, 1].mean(), rel=1e-4)
    assert rows[0]["outside_the_fit"] == ""
    assert "video" in rows[2]["outside_the_fit"]


def test_decisions_of_several_runs_are_headed_by_all_of_them(twin, history):
    """And with a gap, by the first and the last time."""
    runs = replace(history, run=np.repeat(np.arange(4), 50), time=np.arange(200.0))
    heads = {
        "all": "decisions 0 to 199 of 0 to 199 (4 runs, run 0 to run 3), from 0 s to 199 s",
        "40-149": "decisions 40 to 149 of 0 to 199 (run 0, run 1, run 2), from 40 s to 149 s",
        "60-69": "decisions 60 to 69 of 0 to 199 (run 1), from 60 s on",
    }
    for decisions, head in heads.items():
        assert str(over_log(twin, runs, decisions=decisions).decisions) == head
    gap = history.take(np.r_[0:50, 60:200])
    gap = replace(gap, run=np.zeros(190, np.int64), interval=np.r_[0:50, 60:200], time=np.arange(190.0))
    assert str(over_log(twin, gap).decisions) == "decisions 0 to 189 of 0 to 189, from 0 s to 189 s"


def test_a_contender_that_there_is_not_is_refused(twin, history):
    result = over_log(twin, history, ["hard"], "0-9")
    for figure in (result.mean, result.gain, result.by_member):
        with pytest.raises(ValueError, match=r"^name: unknown name 'nobody' \(allowed: hard, logged\)$"):
            figure("nobody")


@pytest.mark.parametrize("given", [{"measured": "hard"}, {"measured": UNITS}, {"measured": "logged"}])
def test_a_contender_is_not_called_as_what_was_measured(twin, history, given):
    with pytest.raises(ValueError, match="called 'measured', allowed is another name: it is what the log measured"):
        over_log(twin, history, given)


def test_names_that_are_allowed_nowhere_here_are_not_listed(twin, history):
    for name in ("foo", "random", "no/such"):
        with pytest.raises(ValueError, match=r"^policies: .*hard.* proportional") as said:
            over_log(twin, history, [name])
        assert "oracle" not in str(said.value)


@pytest.mark.parametrize("given", ["", "5", "150", "7-3", "0-200", "-1-5", "last", "1-2-3", 7, None])
def test_decisions_that_are_none_are_refused(twin, history, given):
    with pytest.raises((ValueError, TypeError), match=r"decisions: .* given, allowed are all, .* as 0-199$"):
        over_log(twin, history, decisions=given)


def test_a_twin_without_utility_is_refused(history):
    alone = replace(history, columns=history.columns[:1], performance={"ssr": history.ssr})
    with pytest.raises(ValueError, match="twin: predicts no utility, allowed is one of a history with ssr and"):
        over_log(cold_twin(alone), alone)


def test_the_command_takes_decisions_in_place_of_a_moment(twin, history, tmp_path, capsys):
    twin.save(tmp_path / "twin.safetensors")
    history.save(tmp_path / "history.npz")
    typed = [f"fitted={tmp_path}", "policies=[hard]", "decisions=100-149"]
    prepare(configured("what_if", WhatIfConfig, *typed, "progress=false"), tmp_path)()
    assert over_log(twin, history, ["hard"], "100-149").report() in capsys.readouterr().out
    refused = {"interval=3": "null", "at=3": "null", "ahead=2": "1", "arrivals=twin": "'logged'"}
    for more, allowed in (refused | {"samples=100": "400", "seed=3": "0"}).items():
        key = more.partition("=")[0]
        with pytest.raises(ValueError, match=f"^{key}: .* given together with decisions, allowed is {allowed}: "):
            prepare(configured("what_if", WhatIfConfig, *typed, more), tmp_path)


def test_units_of_decisions_that_were_held_out_of_the_fit_are_outside(history):
    """The history has them, the twin has not. Of a file of before, which does not say, all of the history counts."""
    inside = (history.allocation >= 3).all(axis=1)
    fitted = history.take(np.flatnonzero(inside))
    twin, least, most = cold_twin(fitted), fitted.allocation.min(axis=0), fitted.allocation.max(axis=0)
    row = history.allocation[~inside & (history.allocation[:, 0] < 3)][0]
    name = "-".join(map(str, row))
    result = over_log(twin, history, ["3-14-3", name])
    moment = what_if(twin, history, ["3-14-3", name], Settings(samples=20), interval=50)
    for found in (result.contenders[1:], moment.alternatives):
        assert [each.name for each in found if each.outside] == [name]
    for report in (result.report(), moment.report()):
        assert f"* warning: {name} is outside the fit: volte {row[0]}, held {least[0]} to {most[0]}" in report
    share = f"{100.0 * np.mean(~inside | (history.allocation > most).any(axis=1)):.2g}%"
    assert f"* warning: logged is outside the fit in {share} of its decisions: volte 1 to " in result.report()
    former = DigitalTwin.from_bytes(without_range(twin))
    assert not any(each.outside for each in over_log(former, history, ["3-14-3", name]).contenders)


def test_units_that_were_not_held_at_such_loads_are_outside():
    """Whose loads: those before each decision of the log, and in a moment those of the twin's cells."""
    history, rank = following(1000)
    twin = cold_twin(history)
    result = over_log(twin, history, ["7-3-10"])
    logged, even = result.contenders
    assert (bool(logged.outside), bool(even.outside)) == (False, True)
    assert 0.5 < even.outside.share < 1.0
    report = result.report()
    assert (
        f"* warning: 7-3-10 is outside the fit in {100.0 * even.outside.share:.2g}% of its decisions: volte 7, held"
        in report
    )
    assert "7-3-10 *" in report
    (line,) = [line for line in report.splitlines() if line.startswith("* warning: 7-3-10")]
    assert line.endswith("; not to be trusted there")
    for row, is_outside in ((int(rank.argmax()), True), (int(np.abs(rank - 0.45).argmin()), False)):
        (found,) = what_if(twin, history, ["7-3-10"], Settings(samples=20), interval=row).alternatives
        assert bool(found.outside) == is_outside
