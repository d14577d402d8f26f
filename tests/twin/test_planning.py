"""Planning twins that may take networks: when they do, what they list, and that they go on to the bit."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from slicing_gym import allocation_table, get_scenario
from tests.helpers.borrowing import borrowing_history
from twin import PlanningTwin

SCENARIO = get_scenario("paper-1mhz")
ARRIVALS = SCENARIO.nominal_arrivals[None] * [[1.0, 0.7, 1.4]]


def taught(structure, decisions, history=None):
    """A planning twin that has seen random decisions of the cell, or a history of one run."""
    model = PlanningTwin(SCENARIO, structure)
    if history is None:
        env = gym.make("SliceRAN-v0", scenario=SCENARIO)
        env.action_space.seed(0)
        model.begin(env.reset(seed=0)[1])
        for _ in range(decisions):
            model.observe(env.step(env.action_space.sample())[4])
        return model
    zeros = {"ssr": np.ones(3), "spectral_efficiency": 0.0}
    model.begin({"arrivals": history.arrivals[0], "allocation": history.allocation[0], **zeros})
    for row in range(decisions):
        values = {name: column[row] for name, column in history.performance.items()}
        model.observe({"arrivals": history.next_arrivals[row], "allocation": history.allocation[row], **values})
    return model


@pytest.fixture(scope="module")
def joint():
    return taught("joint", 70)


def test_networks_answer_once_there_are_decisions_enough(joint):
    few = taught("joint", 63)
    assert few.separable
    by_slices = few.values(ARRIVALS)
    table = allocation_table(20, 3)
    wanted = by_slices[0][np.arange(3), table - 1].sum(axis=1)
    np.testing.assert_allclose(few.listed_values(ARRIVALS)[0], wanted)
    assert not joint.separable
    with pytest.raises(ValueError, match="the utility is no sum over slices; ask for listed_values"):
        joint.values(ARRIVALS)


def test_what_it_lists_is_what_the_fitted_twin_expects(joint):
    """Allocation by allocation, by hand; and of a sample what one member expects."""
    model = joint._twin.model
    held, ssr = np.array([[5, 5, 10]]), np.array([[1.0, 0.9, 0.8]])
    listed = joint.listed_values(ARRIVALS, held, ssr)
    assert listed.shape == (1, 171)
    from twin.runtime import kernel

    table = allocation_table(20, 3)
    for number in (0, 80, 170):
        measured = np.array([[*ARRIVALS[0], *ssr[0], np.nan]])
        features = np.zeros((1, model.layout.num_features), np.float32)
        kernel.encode(
            model.scaler,
            np.arange(1),
            measured,
            held,
            table[number : number + 1],
            np.zeros((1, 0), np.float32),
            features,
        )
        expected = model.expected_utility(model.predict_features(features, [slice(0, 1)]).expected)[0]
        assert listed[0, number] == pytest.approx(expected.mean())
        drawn = [
            joint.listed_values(ARRIVALS, held, ssr, generator=np.random.default_rng(seed))[0, number]
            for seed in range(6)
        ]
        assert len(set(drawn)) > 1
        for value in drawn:
            assert np.isclose(value, expected).any()
    rows = joint.listed_values(np.repeat(ARRIVALS, 2, axis=0), np.repeat(held, 2, axis=0), np.repeat(ssr, 2, axis=0))
    np.testing.assert_array_equal(rows[1], listed[0])
    later = joint.listed_values(ARRIVALS, held, ssr, horizon=2, gamma=0.5)
    assert ((later > 1.3 * listed) & (later < 1.7 * listed.max())).all()


@pytest.mark.parametrize("structure", ["joint", "auto"])
def test_it_goes_on_from_its_bytes_to_the_bit(structure):
    model = taught(structure, 66)
    other = PlanningTwin.from_bytes(model.to_bytes())
    assert (other.structure, other.separable) == (structure, model.separable)
    history = borrowing_history(70)
    for each in (model, other):
        zeros = {"ssr": np.ones(3), "spectral_efficiency": 0.0}
        each.begin({"arrivals": history.arrivals[0], "allocation": history.allocation[0], **zeros})
        for row in range(62):  # past the next fit
            values = {name: column[row] for name, column in history.performance.items()}
            each.observe({"arrivals": history.next_arrivals[row], "allocation": history.allocation[row], **values})
    assert other.to_bytes() == model.to_bytes()
    np.testing.assert_array_equal(other.listed_values(ARRIVALS), model.listed_values(ARRIVALS))


def test_auto_takes_what_explains_held_out_decisions_better():
    assert taught("auto", 200).separable
    assert not taught("auto", 200, borrowing_history(200)).separable


def test_structures_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="structure: unknown name 'joined'"):
        PlanningTwin(SCENARIO, "joined")
    with pytest.raises(
        ValueError, match=r"structure: 'joint' given, allowed is 'per_slice' or 'auto' .* cannot be listed"
    ):
        PlanningTwin("nr-8slices", "joint")
    assert PlanningTwin("nr-8slices", "auto").separable
    with pytest.raises(ValueError, match="scenario: unknown name 'paper-2mhz'"):
        PlanningTwin("paper-2mhz")


def test_an_episode_begins_with_what_the_interval_before_it_left():
    """What is learned of the first decision is what is asked before it: the SSR under the even split counts."""
    late = {"arrivals": SCENARIO.nominal_arrivals, "ssr": np.array([1.0, 0.2, 1.0]), "spectral_efficiency": 0.0}
    late["allocation"] = np.array([6, 7, 7])
    apart = []
    for before in (late, {**late, "ssr": np.ones(3)}):
        model = PlanningTwin(SCENARIO)
        for _ in range(5):
            model.begin(before)
            model.observe(late)
        expected = model.values(SCENARIO.nominal_arrivals[None], ssr=late["ssr"][None])[0, 1, 7 - 1]
        apart.append(abs(expected - 0.2))
    assert apart[0] < apart[1]
