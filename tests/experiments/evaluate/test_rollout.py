"""Policies in cells: common random numbers, episodes one after the other, memories."""

from __future__ import annotations

import numpy as np

from experiments.evaluate import compare, evaluate_policy, load_policy, make_cells
from slicing_gym import get_scenario

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
