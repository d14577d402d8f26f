"""Pictures of episodes: what is drawn where, what they are compared with, and videos of them."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo

import slicing_gym
from slicing_gym import Scenario, Simulator, allocation_index, get_scenario
from slicing_gym.env import SliceRANEnv
from slicing_gym.presets import best_fixed_units
from slicing_gym.render import HEIGHT, REFERENCE_COLOURS, RIGHT, WIDTH, colour, panel_box
from twin.registration import TWIN_ID


def _panel(picture, panel):
    left, top, width, height = panel_box(panel)
    return picture[top : top + height, left : left + width]


def _share(pixels, shade):
    return (pixels == shade).all(axis=2).mean()


def test_picture_shows_the_decisions():
    env = gym.make("SliceRAN-v0", render_mode="rgb_array")
    env.reset(seed=0)
    for _ in range(100):
        env.step(allocation_index([1, 94, 5]))
    picture = env.render()
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.dtype == np.uint8
    # Video holds 94 % of the band in the left half of the topmost panel.
    assert _share(_panel(picture, 0), colour(1)) == pytest.approx(0.94 * 101 / 201, abs=0.01)
    env.close()


def test_the_first_picture_shows_the_interval_before_the_first_decision():
    env = gym.make("SliceRAN-v0", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    for panel in range(2):
        assert all(_share(_panel(picture, panel), colour(index)) > 0.0 for index in range(3)), panel
    assert _share(_panel(picture, 2), colour(2)) > 0.0  # the last one is drawn on top
    assert _share(_panel(picture, 3), (40, 40, 40)) > 0.0


def test_every_slice_of_the_largest_preset_has_a_colour_of_its_own():
    names = get_scenario("nr-8slices").slice_names
    assert len({colour(index) for index in range(len(names))}) == len(names)


def test_satisfied_agreements_of_many_slices_have_a_lane_each():
    """Slices at 100 % are all seen, and what is missing in a lane is the share of packets that missed."""
    env = gym.make("SliceRAN-v0", scenario="nr-8slices", render_mode="rgb_array").unwrapped
    env.reset(seed=0)
    best = allocation_index(best_fixed_units(env.scenario))
    ssr = np.array([env.step(best)[4]["ssr"] for _ in range(40)])
    panel = _panel(env.render(), 2)
    edges = [round(len(panel) * place / 8) for place in range(9)]
    lanes = [panel[upper + 1 : lower] for upper, lower in pairwise(edges)]  # a row above each is free
    drawn = [_share(lane, colour(index)) for index, lane in enumerate(lanes)]
    assert ssr.mean(axis=0).min() < 0.7 < 0.99 < ssr.mean(axis=0).max()
    np.testing.assert_allclose(drawn, ssr.mean(axis=0) * 41 / 201, rtol=0.1)


@pytest.mark.parametrize("env_id", ["SliceRAN-v0", TWIN_ID])
def test_what_an_episode_is_compared_with_has_its_random_numbers(env_id):
    """An episode that holds the best fixed allocation earns what the line of that name shows, drawn early or late."""
    best = best_fixed_units(get_scenario("paper"))
    for draw_first in (True, False):
        env = gym.make(env_id, render_mode="rgb_array").unwrapped
        assert env.reference_allocations == {"best fixed": best, "hard slicing": (33, 33, 34)}
        env.reset(seed=3)
        if draw_first:
            env.render()
        earned = [env.step(allocation_index(best))[4]["utility"] for _ in range(5)]
        env.render()
        np.testing.assert_array_equal(env._view._references.utilities(5)["best fixed"], earned)


def test_other_allocations_can_be_compared_with():
    env = gym.make("SliceRAN-v0", render_mode="rgb_array").unwrapped
    env.reference_allocations = {"mine": [2, 90, 8]}
    env.reset(seed=0)
    env.render()
    assert env.reference_allocations == {"mine": (2, 90, 8)}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (5, TypeError, "reference_allocations: 5 given, allowed is Mapping"),
        ([[2, 90, 8]], TypeError, "reference_allocations: .* given, allowed is Mapping"),
        ({1: [2, 90, 8]}, TypeError, "reference_allocations: a name: 1 given, allowed is str"),
        ({"mine": [2, 90, 8], "other": [2, 90, 9]}, ValueError, r"reference_allocations.other.units: \[2, 90, 9\]"),
        ({"mine": [2.5, 90, 7.5]}, TypeError, "reference_allocations.mine.units: float64"),
        ({str(n): [2, 90, 8] for n in range(5)}, ValueError, "reference_allocations: 5 given, allowed are 4 or fewer"),
    ],
)
def test_wrong_allocations_to_compare_with_are_named(given, error, message):
    env = gym.make("SliceRAN-v0", render_mode="rgb_array").unwrapped
    before = env.reference_allocations
    with pytest.raises(error, match=message):
        env.reference_allocations = given
    assert env.reference_allocations == before


def test_as_many_as_can_be_compared_with_differ_in_colour_and_stay_in_the_picture():
    env = gym.make("SliceRAN-v0", render_mode="rgb_array").unwrapped
    env.reference_allocations = {f"no. {n}": [n, 90, 10 - n] for n in range(1, 1 + len(REFERENCE_COLOURS))}
    env.reset(seed=0)
    legend = env.render()[panel_box(3)[1] :, WIDTH - RIGHT + 18 :]
    assert all((legend == shade).all(axis=2).any() for shade in REFERENCE_COLOURS)
    assert (legend[-30:] == 255).all()  # below the last line is paper


@pytest.mark.parametrize("env_id", ["SliceRAN-v0", TWIN_ID])
@pytest.mark.parametrize("autoreset_mode", ["NextStep", "SameStep"])
def test_every_cell_of_a_batch_is_compared_with_itself(env_id, autoreset_mode):
    """Cell by cell it is what a deep copy of the whole batch earns, which is taken where the episode begins."""
    env = gym.make_vec(env_id, num_envs=3, render_mode="rgb_array", autoreset_mode=autoreset_mode).unwrapped
    env.reset(seed=4)
    before = deepcopy(env._backend)
    env.step(np.full(3, 9))
    env.reset(options={"reset_mask": np.array([False, True, True])})
    after = deepcopy(env._backend)
    env.step(np.full(3, 9))
    for cell, start in enumerate((before, after, after)):
        for name, units in env.reference_allocations.items():
            copies = deepcopy(start)
            earned = [copies.advance(np.array([units]), np.array([cell])).info()["utility"][0] for _ in range(4)]
            assert env._views[cell]._references.utilities(4)[name] == earned, (cell, name)


def test_neither_a_reset_nor_a_picture_copies_networks():
    one = gym.make(TWIN_ID, render_mode="rgb_array").unwrapped
    many = gym.make_vec(TWIN_ID, num_envs=2, render_mode="rgb_array").unwrapped
    for env in (one, many):
        env.reset(seed=0)
        env.step(env.action_space.sample())
        env.render()
    for env, view in ((one, one._view), (many, many._views[1])):
        compared = view._references
        assert all(cells.model is env.model for cells in (compared._start, *compared._cells.values()))
        assert [len(cells) for cells in compared._cells.values()] == [1, 1]


class _Uncopied:
    """A backend of a user's own: all that the environments have to have, and a connection that cannot be copied."""

    def __init__(self, simulator: Simulator) -> None:
        self.begin_episode, self.advance, self.redraw = simulator.begin_episode, simulator.advance, simulator.redraw

    def __deepcopy__(self, memo):
        raise TypeError("a connection cannot be copied")


def test_a_backend_that_cannot_be_copied_is_drawn_without_comparison(small: Scenario):
    class Env(SliceRANEnv):
        def _make_backend(self, seeds):
            return _Uncopied(Simulator(self.scenario, seeds))

    env = Env(small, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(0)
    assert _share(_panel(env.render(), 3), (40, 40, 40)) > 0.0
    assert env._view._references.utilities(1) == {}


def test_a_scenario_that_is_no_preset_has_no_best_fixed_allocation(small: Scenario):
    assert best_fixed_units(small) is None
    paper = get_scenario("paper")
    assert best_fixed_units(paper.replace(reward={"kind": "utility"})) == best_fixed_units(paper)
    assert best_fixed_units(paper.replace(reward={"se_weight": 1.0})) is None
    assert best_fixed_units(paper.replace(slices={"urllc": {"num_users": 9}})) is None


@pytest.mark.parametrize("name", ["paper", "diurnal", "flash-crowd", "nr-8slices"])
def test_the_best_fixed_allocation_of_a_preset_is_better_than_hard_slicing(name):
    simulator = Simulator(name, [0])
    simulator.warm_up()
    scenario = get_scenario(name)
    hard = slicing_gym.even_split(scenario.num_units, scenario.num_slices)
    held = simulator.what_if([best_fixed_units(scenario), hard], intervals=scenario.decisions_per_episode)
    best, even = np.mean([interval.utility for interval in held], axis=0)
    assert best > even


def test_an_episode_becomes_a_video(tmp_path, small: Scenario):
    pytest.importorskip("moviepy", reason="the extra `render` brings it")
    env = RecordVideo(gym.make("SliceRAN-v0", scenario=small, render_mode="rgb_array"), str(tmp_path / "videos"))
    env.reset(seed=0)
    while not env.step(0)[3]:
        pass
    env.close()
    assert (tmp_path / "videos" / "rl-video-episode-0.mp4").stat().st_size > 5000
