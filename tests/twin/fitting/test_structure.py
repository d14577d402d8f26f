"""Which structure a twin takes, twins of a few decisions, and what a calibration makes of them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from slicing_gym import get_scenario
from slicing_gym.reward import utility
from tests.helpers.borrowing import borrowing_history
from tests.helpers.held_long import held_long_history
from tests.helpers.twins import SMALL, cold_twin, history_of
from twin import DigitalTwin, PerformanceSettings, TrainingSettings
from twin.fidelity.evaluator import Evaluator
from twin.fidelity.simulated import SimulatedCell
from twin.fitting.comparison import Comparison
from twin.fitting.structure import Candidate, choose, physical
from twin.runtime.monotonicity import mostly_worse

AUTO = PerformanceSettings(members=3, hidden_size=32, components=2, prior_scale=0.0)


def automatic(history, epochs):
    torch.set_num_threads(1)
    return DigitalTwin(SMALL["lstm"], AUTO, TrainingSettings(max_epochs=epochs)).fit(history)


def note(twin, part):
    (found,) = [each for each in twin.report.notes if each.startswith(part)]
    return found


def error(twin, history):
    """Mean squared error of the expected utility."""
    expected = twin.model.expected_utility(twin.predict(history).expected).mean(axis=1)
    return ((expected - utility(history.scenario, history.spectral_efficiency, history.ssr)) ** 2).mean()


def test_auto_takes_networks_where_slices_borrow_from_each_other():
    history, other = borrowing_history(1000), borrowing_history(400, seed=1)
    made = automatic(history, 80)
    assert made.model.structure == "joint"
    assert "performance: joint, better than per_slice by" in note(made, "performance")
    assert error(made, other) < 0.7 * error(cold_twin(history), other)
    # arrivals are independent draws: no network knows more of them than an autoregression
    assert made.model.transition.name == "autoregressive"
    assert "better than lstm" in note(made, "arrivals")


def test_auto_takes_what_explains_the_radio_cell_better():
    """By the twins' own likelihoods on further runs; what it takes is fitted to all decisions."""
    past = history_of("paper-1mhz", 300)
    made, other = automatic(past, 30), history_of("paper-1mhz", 800).take(slice(400, 800))
    wide = PerformanceSettings(members=3, hidden_size=32, components=2, prior_scale=0.0, structure="joint")
    joint = DigitalTwin(SMALL["lstm"], wide, TrainingSettings(max_epochs=30)).fit(past)
    slices = cold_twin(past)
    nll = [
        sum(score.nll["twin"].mean() for score in Evaluator(each.model, past, other).one_step().scores[3:])
        for each in (joint, slices)
    ]
    assert made.model.structure == ("joint", "per_slice")[int(np.argmin(nll))] == "per_slice"
    for name, values in slices.model.performance_parameters.items():
        np.testing.assert_array_equal(made.model.performance_parameters[name], values)


def test_auto_keeps_to_slices_where_most_allocations_were_never_near():
    """Unless networks are better by much: slices that borrow are no sum, whatever was held."""
    past, borrowed = history_of("paper-1mhz", 800), borrowing_history(1000)
    for history, structure in ((past, "per_slice"), (borrowed, "joint")):
        near = np.abs(history.allocation - history.allocation[0]).sum(axis=1) <= 6
        few = history.take(near)
        made = automatic(few, 40)
        assert made.model.structure == structure, note(made, "performance")


def test_auto_takes_no_networks_that_contradict_physics_where_slices_do_not():
    """Of few allocations, held for long, they know the next interval better, and err where units are moved."""
    past, moving = held_long_history(1600), held_long_history(400, period=1, seed=1)
    settings = {structure: replace(AUTO, prior_scale=10.0, structure=structure) for structure in ("auto", "joint")}
    torch.set_num_threads(1)
    made, joint = (
        DigitalTwin("autoregressive", each, TrainingSettings(max_epochs=60)).fit(past) for each in settings.values()
    )
    assert made.model.structure == "per_slice"
    assert made.report.performance.epochs == 0  # the networks that were not taken are not told of
    assert made.report.choice > joint.report.performance.seconds / 10.0
    said = note(made, "performance: per_slice, as joint contradicts physics: in ")
    assert re.search(r"\(it is better than per_slice by 1\.\d+ nat a held-out decision\)$", said)
    assert error(made, moving) < 0.8 * error(joint, moving)


def test_auto_takes_networks_without_random_functions_where_those_with_them_contradict_physics(tmp_path):
    """Of five allocations, most others are far from those held: regressions are not asked there."""
    past = held_long_history(1600, period=4, few=5)
    asked = replace(AUTO, prior_scale=10.0)
    torch.set_num_threads(1)
    made = DigitalTwin("autoregressive", asked, TrainingSettings(max_epochs=100)).fit(past)
    assert (made.model.structure, made.model.performance) == ("joint", AUTO)
    start = "performance: joint with prior_scale=0, as joint with prior_scale=10 contradicts physics: in "
    assert re.search(r"\(it is better than per_slice by \d\.\d+ nat a held-out decision\)$", note(made, start))
    assert mostly_worse(made.model, past, past) == {}
    plain = DigitalTwin("autoregressive", replace(AUTO, structure="joint"), TrainingSettings(max_epochs=100)).fit(past)
    about, other = made.report.performance, plain.report.performance  # of the networks that were taken
    assert (about.epochs, about.best_epoch, about.validation_loss) == (
        other.epochs,
        other.best_epoch,
        other.validation_loss,
    )
    assert made.report.choice > about.seconds  # those that were not took their time, too
    made.save(tmp_path / "twin")
    read = DigitalTwin.load(tmp_path / "twin")
    assert (read.performance, read.model.performance) == (asked, AUTO)  # a later fit chooses again
    assert read.to_bytes() == made.to_bytes()
    calibrated = read.calibrate(held_long_history(100, period=4, seed=1, few=5))
    assert (calibrated.model.structure, calibrated.model.performance) == ("joint", AUTO)


JOINT, PLAIN = (Candidate("joint", replace(AUTO, prior_scale=scale)) for scale in (10.0, 0.0))
PER_SLICE = Candidate("per_slice", JOINT.settings)
WORSE = "in 90% of the states the twin expects video to be served worse with more units, which cannot be (it is better)"


@pytest.mark.parametrize(
    ("others", "taken", "says"),
    [
        ([(PER_SLICE, {})], PER_SLICE, f"as joint contradicts physics: {WORSE}"),
        ([(PLAIN, {})], PLAIN, f"as joint with prior_scale=10 contradicts physics: {WORSE}"),
        (
            [(PER_SLICE, {"urllc": 0.6}), (PLAIN, {})],
            PLAIN,
            f"as joint with prior_scale=10 contradicts physics: {WORSE}",
        ),
        ([(PER_SLICE, {"urllc": 0.6})], JOINT, "better; it contradicts physics, and so does per_slice"),
        (
            [(PER_SLICE, {"urllc": 0.6}), (PLAIN, {"video": 0.7})],
            JOINT,
            "better; it contradicts physics, and so does per_slice, and so does joint with prior_scale=0",
        ),
        (
            [(PER_SLICE, {"urllc": 0.6}), (PLAIN, "better than joint by 0.1 nat")],
            JOINT,
            "better; it contradicts physics, and so does per_slice; joint with prior_scale=0 was tried, too, and loses "
            "to per_slice, better than joint by 0.1 nat",
        ),
        (
            [(PLAIN, "as joint explains 20% less"), (PER_SLICE, {})],
            PER_SLICE,
            f"as joint contradicts physics: {WORSE}; "
            "joint with prior_scale=0 was tried, too, and loses to per_slice, as joint explains 20% less",
        ),
        ([], JOINT, "better; it contradicts physics"),
    ],
)
def test_networks_must_not_contradict_physics_alone(others, taken, says):
    assert physical(JOINT, {"video": 0.9}, others, "better") == (taken, says)


def test_where_all_contradict_physics_the_one_is_taken_that_clearly_does_least():
    others = [(PER_SLICE, {"video": 0.7, "urllc": 0.6}), (PLAIN, {"video": 0.8})]
    taken, why = physical(JOINT, {"video": 0.9, "urllc": 0.6}, others, "better")
    assert taken is PLAIN
    assert why.startswith("as joint with prior_scale=10 contradicts physics more often: in 90% of the states")


def test_what_does_not_contradict_physics_is_tried_first():
    """Each that comes after may take a fit."""
    others = iter([(PER_SLICE, {}), (PLAIN, {})])
    assert physical(JOINT, {"video": 0.9}, others, "better")[0] is PER_SLICE
    assert next(others)[0] is PLAIN


@pytest.mark.parametrize(
    ("gains", "remote", "structure"),
    [
        ((-2.0, -0.2), True, "per_slice"),
        ((-2.0, -1.2), True, "joint"),
        ((-0.2, -2.0), True, "per_slice"),
        ((-2.0, -0.2), False, "joint"),
        ((-2.0, 0.2), False, "per_slice"),
    ],
    ids=["not by much", "by much", "not even before", "near", "worse"],
)
def test_on_a_remote_history_networks_are_better_by_much_in_the_cross_validation_too(gains, remote, structure):
    """Of 50 held-out decisions whose likelihood alone tells the two apart, and 5 parts of 50."""
    first, part = (Comparison(np.full(50, gain), np.zeros((50, 1)), np.zeros((50, 1))) for gain in gains)
    taken, why = choose(first, (part for _ in range(5)), remote)
    assert taken == structure
    assert ("far from those held" in why) == (remote and structure == "per_slice")


@pytest.mark.parametrize("decisions", [8, 9, 30, 63])
def test_from_eight_decisions_on_there_is_a_twin(decisions, tmp_path):
    history = history_of("paper-1mhz").take(slice(0, decisions))
    made = DigitalTwin("transformer").fit(history)
    assert (made.model.transition.name, made.model.structure) == ("autoregressive", "per_slice")
    assert (
        note(made, "arrivals")
        == "arrivals: autoregressive instead of transformer, as there are fewer than 64 decisions"
    )
    assert note(made, "performance") == "performance: per_slice, as there are fewer than 64 decisions"
    made.save(tmp_path / "twin")
    read = DigitalTwin.load(tmp_path / "twin")
    assert read.to_bytes() == made.to_bytes()
    assert (read.transition, read.performance) == (made.transition, made.performance)  # a later fit asks for them again
    plan = [[5, 5, 10], [2, 16, 2]]
    for one, other in zip(made.sample(plan, [3, 4]), read.sample(plan, [3, 4]), strict=True):
        np.testing.assert_array_equal(one.utility, other.utility)
    same = DigitalTwin("transformer").fit(history)
    assert same.to_bytes() == made.to_bytes()
    assert DigitalTwin("transformer", seed=1).fit(history).to_bytes() != made.to_bytes()


def test_few_decisions_tell_much():
    """Of the utility of other decisions, and more of it the more there are."""
    other = history_of("paper", 400, seed=0).take(slice(200, 400))
    variance = utility(other.scenario, other.spectral_efficiency, other.ssr).var()
    left = [error(cold_twin(history_of("paper", 200).take(slice(0, n))), other) / variance for n in (8, 30, 200)]
    assert left[0] < 0.6
    assert left[1] < 0.1
    assert left[2] < 0.02


def test_a_calibration_follows_the_fresh_decisions_and_keeps_what_it_knew():
    past = history_of("paper-1mhz", 300)
    busy = get_scenario("paper-1mhz").replace(
        slices={"urllc": {"traffic": {"interarrival_s": {"kind": "exponential", "scale": 0.06}}}}
    )
    network = SimulatedCell(busy, 0)
    fresh, after = network.record(60), network.record(200)
    twin = cold_twin(past)
    stale, known = error(twin, after), error(twin, past)
    rare = fresh.take(fresh.allocation[:, 2] >= 3)  # of URLLC with few units, only what was kept tells
    alone = error(cold_twin(rare), after)
    twin.calibrate(fresh)
    assert error(twin, after) < stale
    assert error(twin, past) < 2.0 * known
    twin.calibrate(rare)
    assert error(twin, after) < alone
    arrivals = np.mean([interval.arrivals[:, 2].mean() for interval in twin.sample([[5, 5, 10]] * 20, range(30))[5:]])
    assert arrivals == pytest.approx(fresh.arrivals[:, 2].mean(), rel=0.1)
    with pytest.raises(ValueError, match="fresh: 7 decisions given, allowed are 8 or more"):
        twin.calibrate(fresh.take(slice(0, 7)))
