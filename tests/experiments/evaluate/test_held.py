"""Decisions of a policy that its history says nothing of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agents import FixedPolicy
from experiments.evaluate.held import actions_in, compare_with_held, warning_lines
from slicing_gym import allocation_index
from slicing_gym.space_spec import SpaceSpec
from tests.helpers.twins import history_of
from tests.twin.data.logs.conftest import CASES, mapping_of, quietly
from twin import History


def history(units: object, **changes: object) -> History:
    """60 decisions in which these allocations were held in turn."""
    found = history_of("paper-1mhz").take(slice(0, 60))
    return replace(found, allocation=np.resize(units, found.allocation.shape), **changes)


class ByLoad:
    """One allocation in the states above the median of the first slice's, another in the others and the median's."""

    def __init__(self, history: History, above: int, below: int) -> None:
        self.above, self.below = above, below
        self.median = np.median(SpaceSpec(history.scenario).observe(history.arrivals)[:, 0])

    def predict(self, observation, deterministic=False):
        assert deterministic
        return np.where(observation[:, 0] > self.median, self.above, self.below), None


def test_decisions_beyond_what_a_slice_ever_held_are_counted_and_named():
    given = history([[5, 10, 5], [8, 6, 6]])
    above, below = allocation_index([[2, 12, 6], [5, 10, 5]])
    policy = ByLoad(given, above, below)
    found = compare_with_held(policy, given)
    share = float((actions_in(policy, given) == above).mean())
    assert 0.3 < share < 0.6
    assert found == {
        "states": 60,
        "allocations": 2,
        "never_held": share,
        "most": "2-12-6",
        "outside": share,
        "slices": {
            "volte": {"share": share, "given": [2, 2], "held": [5, 8]},
            "video": {"share": share, "given": [12, 12], "held": [6, 10]},
        },
    }
    note, warning, volte, video, to_do = warning_lines(found)
    assert note.startswith(
        f"note: {share:.0%} of the policy's decisions in the history's 60 states (2-12-6 most often)"
    )
    assert "none of the 2 allocations that it holds" in note
    assert warning.startswith(f"WARNING: {share:.0%} of the policy's decisions in the history's 60 states are outside")
    assert volte == f"  volte: 2 units in {share:.0%} of the states; the history held 5 to 8"
    assert video == f"  video: 12 units in {share:.0%} of the states; the history held 6 to 10"
    assert "twin=none" in to_do
    assert "allowed: held" in to_do
    *same, without = warning_lines(found, with_twin=False)
    assert same == [note, warning, volte, video]
    assert "twin=none" not in without
    assert "allowed: held" in without


def test_what_is_new_but_within_the_range_is_a_note_and_what_was_held_is_nothing():
    given = history([[5, 10, 5], [8, 6, 6]])
    new, held = (FixedPolicy(given.scenario, units) for units in ([7, 8, 5], [8, 6, 6]))
    assert [line[:15] for line in warning_lines(compare_with_held(new, given))] == ["note: 100% of t"]
    assert warning_lines(compare_with_held(held, given)) == []


def test_a_rare_decision_is_no_decision_in_0_percent():
    found = {"states": 1000, "most": "2-12-6", "never_held": 0.001, "allocations": 2, "outside": 0.001}
    found["slices"] = {"volte": {"share": 0.001, "given": [1, 2], "held": [5, 8]}}
    lines = warning_lines(found)
    assert sum("under 1% of the" in line for line in lines) == len(lines) == 3
    assert [line[:5] for line in lines[:2]] == ["note:"] * 2


@pytest.mark.parametrize("smallest", [(), (1, 1, 0)])
def test_actions_mean_what_they_mean_to_the_history(smallest):
    """A choice among held allocations is a number in their list; slices without units shift the numbers."""
    units = [[5, 10, 5], [8, 6, 6]]
    given = history(units, held=() if smallest else tuple(map(tuple, units)), smallest=smallest)
    actions = given.layout.codec.index(given.scenario, given.allocation[:2])
    assert compare_with_held(ByLoad(given, *actions), given)["never_held"] == 0.0


def test_units_of_nobody_are_beyond_nothing():
    """Fewer of them than ever: new as an allocation, and inside the range of each slice."""
    given, _ = quietly(CASES / "09_idle_rest.csv", mapping_of(allocation={"column": "prb_next", "idle": True}))
    given = given.take(np.flatnonzero(given.allocation[:, 3] >= 4))
    action = given.layout.codec.index(given.scenario, np.array([[20, 14, 13, 3]]))[0]
    found = compare_with_held(ByLoad(given, action, action), given)
    assert (found["never_held"], found["most"], found["outside"], found["slices"]) == (1.0, "20-14-13-3", 0.0, {})
