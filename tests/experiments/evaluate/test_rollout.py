"""Policies in cells: common random numbers, episodes one after the other, memories."""

from __future__ import annotations

import numpy as np

from experiments.evaluate import Evaluation, Settings, compare, evaluate, evaluate_policy, load_policy, make_cells
from experiments.evaluate.report import starvation_warnings
from slicing_gym import Exponential, Simulator, get_scenario

SCENARIO = get_scenario("paper-1mhz")


def test_policies_meet_the_same_random_numbers():
    envs = make_cells(SCENARIO, 3)
    policies = {name: load_policy("hard", SCENARIO, envs, 1) for name in ("one", "other")}
    one, other = compare(SCENARIO, policies, envs, [4, 5, 6], decisions=5)
    np.testing.assert_array_equal(one.utility, other.utility)
    assert len(set(one.utility)) == 3


def test_episodes_follow_one_another_in_an_evaluation():
    """More decisions than an episode: the figures of its last decision are not lost to the reset."""
    scenario = SCENARIO.replace(decisions_per_episode=3)
    envs = make_cells(scenario, 2)
    hard = load_policy("hard", scenario, envs, 1)
    result = evaluate_policy("hard", hard, envs, [0, 1], decisions=7)
    assert (result.utility > 5.0).all()
    assert (result.ssr > 0.9).all()


class Counts:
    """Has a memory: how many decisions of the episode are behind, by cell."""

    def __init__(self):
        self.seen = []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        assert deterministic
        count = np.zeros(len(observation), int) if state is None else np.where(episode_start, 0, state + 1)
        self.seen.append(count)
        return count, count


def test_a_memory_is_kept_within_an_episode():
    short = make_cells(SCENARIO.replace(decisions_per_episode=3), 2)
    policy = Counts()
    evaluate_policy("", policy, short, [0, 1], 7)
    assert [row.tolist() for row in policy.seen] == [[n, n] for n in (0, 1, 2, 0, 1, 2, 0)]


def evaluated(scenario, decisions):
    envs = make_cells(scenario, 2)
    return evaluate_policy("hard", load_policy("hard", scenario, envs, 1), envs, [0, 1], decisions)


STARVING = SCENARIO.replace(
    decisions_per_episode=4,
    radio={"multiplexing_gain": 1e-6, "queue_capacity": 1},
    slices={"urllc": {"traffic": {"interarrival_s": Exponential(0.1)}}},
)
"""Packets take for ever, so queues of one packet are full after some decisions of an episode, and admit nothing."""


def test_decisions_in_which_full_queues_admit_nothing_are_counted_to_the_last_of_an_episode():
    cells, found = Simulator(STARVING, [0, 1]), []
    for decision in range(8):
        if decision % 4 == 0:
            cells.begin_episode()
        interval = cells.advance([6, 7, 7])
        found.append((interval.arrivals == 0) & (interval.blocked > 0))
    expected = np.mean(found, axis=0)
    assert 0.0 < expected[:, 2].min() < 1.0
    np.testing.assert_array_equal(evaluated(STARVING, 8).starved, expected)
    assert not evaluated(SCENARIO, 8).starved.any()


def test_a_starved_slice_has_one_warning_that_names_the_policies_and_the_ssr_of_its_other_decisions():
    ssr = np.array([[1.0, 0.56], [1.0, 0.58]])
    starved = np.array([[0.04, 0.55], [0.04, 0.57]])
    zero = np.zeros(2)
    made = [
        Evaluation("hard", (0, 1), zero, zero, zero, ssr, starved),
        Evaluation("good", (0, 1), zero, zero, zero, ssr, np.zeros((2, 2))),
        Evaluation("best_fixed", (0, 1), zero, zero, zero, np.ones((2, 2)), np.ones((2, 2)) * [0.0, 1.0]),
        Evaluation("read", (0, 1), zero, zero, zero, ssr),
    ]
    two = SCENARIO.replace(slices={"urllc": None})
    (line,) = starvation_warnings(two, made)
    assert line == (
        "warning: video: full queues admit nothing, which counts as SSR 1, in 56% of the intervals under hard "
        "(over the others its SSR is 0.023), in 100% of the intervals under best_fixed; see "
        "docs/scenarios.md#an-overloaded-cell"
    )


def test_reports_end_with_the_warning_of_a_starved_slice_and_those_of_others_have_none():
    settings = Settings(seeds=[0, 1], decisions=8, threads=1, progress=False)
    last = evaluate(["hard"], STARVING, settings).report().splitlines()[-1]
    assert last.startswith("warning: urllc: full queues admit nothing")
    assert "warning" not in evaluate(["hard"], SCENARIO, settings).report()


def test_intervals_of_shares_end_at_0_and_1_and_that_of_a_single_cell_stays_unknown():
    zero, ssr = np.zeros(2), np.array([[0.4, 0.99, 0.988, 0.5], [0.6, 0.99, 0.992, 0.51]])
    two = Evaluation("hard", (0, 1), zero, np.array([0.35, 0.55]), zero, ssr).estimates(
        ["one", "other", "near", "inside"]
    )
    assert str(two["reward"]) == "0.450 [0.000, 1.000]"
    assert str(two["ssr_one"]) == "0.500 [0.000, 1.000]"
    assert str(two["ssr_other"]) == "0.990 ± 0.000"
    assert str(two["ssr_near"]) == "0.990 [0.965, 1.000]"  # not 0.990 ± 0.025, which ends beyond 1
    assert str(two["ssr_inside"]) == "0.505 ± 0.064"
    assert (
        str(Evaluation("hard", (0,), zero[:1], ssr[:1, 0], zero[:1], ssr[:1]).estimates(["a", "b"])["reward"])
        == "0.400"
    )
