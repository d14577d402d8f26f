"""An episode as an animation: its pictures are those of the environment, in the policy's hands."""

from __future__ import annotations

import sys

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

from agents import StudentPolicy
from experiments.tools.animate import frames, main, scenario_to_draw, write_gif, write_png
from experiments.train.__main__ import prepare
from slicing_gym import allocation_index, get_scenario
from tests.helpers.runs import composed

SCENARIO = get_scenario("paper-1mhz").replace(decisions_per_episode=6)


def drawn_by_hand(units, decisions, policy="2-15-3"):
    env = gym.make("SliceRAN-v0", scenario=SCENARIO, reward="utility", render_mode="rgb_array")
    env.unwrapped.policy_name = policy
    env.reset(seed=3)
    for _ in range(decisions):
        env.step(allocation_index(units, SCENARIO.num_units))
    return env.render()


def test_pictures_are_those_of_the_policy_in_the_environment(tmp_path):
    pictures = frames("2-15-3", SCENARIO, seed=3, every=3)
    assert len(pictures) == 3
    for number, picture in zip((0, 3, 6), pictures, strict=True):
        assert np.array_equal(picture, drawn_by_hand([2, 15, 3], number))
    write_gif(tmp_path / "episode.gif", pictures, width=240)
    with Image.open(tmp_path / "episode.gif") as animation:
        assert (animation.n_frames, animation.size) == (3, (240, 180))
    write_png(tmp_path / "episode.png", pictures[-1])
    with Image.open(tmp_path / "episode.png") as still:
        assert np.abs(np.asarray(still.convert("RGB"), int) - pictures[-1]).mean() < 1.0


def test_the_oracle_looks_ahead_in_the_cell_that_is_drawn():
    """Its last picture differs from that of any one allocation; the first is the same but for the policy's name."""
    first, last = frames("one_step_oracle", SCENARIO, seed=3, every=6)
    assert np.array_equal(first, drawn_by_hand([2, 15, 3], 0, "one-step oracle"))
    assert not np.array_equal(first, drawn_by_hand([2, 15, 3], 0))
    assert not np.array_equal(last, drawn_by_hand([7, 7, 6], 6, "one-step oracle"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["hard", "--output", "episode.mp4"],
            "output: 'episode.mp4' given, allowed are names that end in .gif or .png",
        ),
        (["hard", "--every", "0"], "every: 0 given, allowed is 1 or more"),
        (
            ["nobody"],
            r"policy: unknown name 'nobody' \(allowed: .*hard.*\), units like 33-33-34, an agent\.zip, .*folder",
        ),
        (["hard", "--scenario", "papr"], "scenario: unknown name 'papr'; did you mean 'paper'"),
        (["hard", "--scenario", "nowhere.yaml"], "scenario: the file 'nowhere.yaml' does not exist"),
    ],
)
def test_bad_arguments_are_one_line(arguments, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["animate", *arguments])
    with pytest.raises(SystemExit, match=message):
        main()
    assert list(tmp_path.iterdir()) == []


def test_without_pygame_it_is_one_line_that_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "pygame", None)
    monkeypatch.setattr("sys.argv", ["animate", "hard", "--scenario", "paper-1mhz"])
    with pytest.raises(SystemExit, match=r"^error: rendering needs pygame: pip install \"slicing-gym\[render\]\"$"):
        main()


def drawn(monkeypatch, capsys, *arguments):
    """The scenario in which a command line draws, and what it prints."""
    taken = []

    def kept(policy, scenario, *more):
        taken.append(scenario)
        return frames(policy, scenario, *more)

    monkeypatch.setattr("experiments.tools.animate.frames", kept)
    monkeypatch.setattr("sys.argv", ["animate", *map(str, arguments), "--every", "6", "--output", "episode.png"])
    main()
    return taken[0], capsys.readouterr().out.splitlines()


def test_a_run_is_drawn_in_its_own_scenario_and_in_another_with_a_line_that_says_so(tmp_path, monkeypatch, capsys):
    own = SCENARIO.replace(name="five", slices={"urllc": {"num_users": 5}}, reward={"kind": "utility"})
    monkeypatch.chdir(tmp_path)
    StudentPolicy(own, hidden=2, seed=0).save("student.safetensors")
    SCENARIO.save("own.yaml")
    assert drawn(monkeypatch, capsys, tmp_path) == (own, ["written: episode.png"])
    assert drawn(monkeypatch, capsys, tmp_path, "--scenario", "own.yaml") == (
        SCENARIO,
        [f"policy {tmp_path}: trained in scenario five, evaluated in paper-1mhz", "written: episode.png"],
    )


def test_what_is_of_no_run_is_drawn_on_a_day():
    assert scenario_to_draw("hard", None) == scenario_to_draw("1-94-5", None) == get_scenario("diurnal")


def test_an_agent_that_learned_under_wrappers_sees_through_them(tmp_path):
    """Its network takes four observations at a time, which the bare environment does not give."""
    stacked = "env.wrappers=[{_target_: gymnasium.wrappers.FrameStackObservation, stack_size: 4}]"
    tiny = ["+experiment=debug", "agent=sb3_dqn", "twin=none", "agent.net_arch=[16,16]", "decisions=20"]
    prepare(composed("train", *tiny, stacked), tmp_path)()
    assert len(frames(str(tmp_path), SCENARIO, seed=3, every=6)) == 2
