"""Policies by name: classes and files of the user's own, what they are called, and what is no policy."""

from __future__ import annotations

import json
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3

from agents import DDQN, HardPolicy
from agents.registry import import_modules
from agents.student import StudentPolicy
from experiments.evaluate import check_policies, load_policies, load_policy, make_cells
from experiments.evaluate.policies import label_policies, policy_file
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import OWN, SCENARIO
from tests.helpers.twins import cold_twin, history_of


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN, __name__])


@pytest.fixture
def cells():
    return make_cells(SCENARIO, 2)


@pytest.fixture
def env():
    return gym.make("SliceRAN-v0", scenario=SCENARIO)


class NeedsMore:
    def __init__(self, weight):
        pass


class ChoosesFractions:
    def predict(self, observation):
        return np.full(len(observation), 0.5), None


class ChoosesWhatThereIsNot:
    def predict(self, observation):
        return np.full(len(observation), 171), None


class ChoosesAHundred:
    def predict(self, observation):
        return np.full(len(observation), 100), None


class ChoosesOnce:
    def predict(self, observation):
        return observation[:1].argmax(axis=1), None


def test_a_class_chooses_among_the_actions_of_the_cells():
    """Of a twin that offers only the allocations of its history there are fewer."""
    history = history_of("paper-1mhz").take(slice(0, 60))
    held = np.unique(history.allocation, axis=0)
    twin = cold_twin(replace(history, held=tuple(map(tuple, held.tolist()))))
    envs = gym.make_vec("SliceTwin-v0", num_envs=2, twin=twin)
    with pytest.raises(ValueError, match=rf"chose \[100, 100\], allowed in .* are 0 to {len(held) - 1}$"):
        load_policy(f"{__name__}.ChoosesAHundred", twin.scenario, envs, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{__name__}.NeedsMore", "cannot be made .*weight"),
        (f"{__name__}.ChoosesFractions", r"chose float64 of shape \(2,\)"),
        (
            f"{__name__}.ChoosesWhatThereIsNot",
            r"chose \[171, 171\], allowed in scenario 'paper-1mhz' are 0 to 170$",
        ),
        (f"{__name__}.ChoosesOnce", r"chose int64 of shape \(1,\) .* allowed are whole numbers of shape \(2,\)"),
        (f"{OWN}.Logarithms", "cannot be made"),
        (f"{OWN}.tenth", "cannot be made"),
        (f"{OWN}.spaces", "is a module, allowed is what has predict"),
    ],
)
def test_what_is_no_policy_is_refused(name, message, cells):
    check_policies([name], SCENARIO)
    with pytest.raises((ValueError, TypeError), match=message):
        load_policy(name, SCENARIO, cells, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{OWN}.Midle", "unknown name 'Midle'; did you mean 'Middle'"),
        ("nowhere_to_be.Found", r"type imports=\[nowhere_to_be\] as well"),
        ("nowhere.zip", "the file 'nowhere.zip' does not exist"),
        ("stable_baselines3.PPO@nowhere.zip", "the file 'nowhere.zip' does not exist"),
        ("runs/seed-9", "'runs/seed-9' given, but there is no such file or folder; allowed are .*hard"),
        ("a.B@runs/seed-9", "'a.B@runs/seed-9' given, but there is no such file or folder"),
        ("harrd", "unknown name 'harrd'; did you mean 'hard'"),
    ],
)
def test_names_that_mean_nothing_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        check_policies([name], SCENARIO)


def test_zips_of_any_class_are_policies(cells, env, tmp_path):
    """Also under the name of their class."""
    ppo = stable_baselines3.PPO("MlpPolicy", env, n_steps=8, batch_size=8, seed=0, device="cpu")
    ppo.save(tmp_path / "ppo.zip")
    names = [str(tmp_path / "ppo.zip"), f"stable_baselines3.PPO@{tmp_path / 'ppo.zip'}"]
    check_policies(names, SCENARIO)
    found = load_policies(names, SCENARIO, cells)
    observations = np.ones((2, 3), np.float32)
    for policy in found.values():
        assert policy.predict(observations, deterministic=True)[0].tolist() == [
            *ppo.predict(observations, deterministic=True)[0]
        ]
    with pytest.raises(ValueError, match=r"does not hold an agent of class sb3_contrib\.QRDQN"):
        load_policy(f"sb3_contrib.QRDQN@{tmp_path / 'ppo.zip'}", SCENARIO, cells, 1)


def test_our_own_files_need_no_class(cells, env, tmp_path):
    agent = DDQN("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu")
    agent.save(tmp_path / "agent.zip")
    observations = np.random.default_rng(0).random((50, 3), dtype=np.float32)
    policy = load_policy(str(tmp_path / "agent.zip"), SCENARIO, cells, 1)
    wanted = agent.predict(observations, deterministic=True)[0]
    np.testing.assert_array_equal(policy.predict(observations, deterministic=True)[0], wanted)
    assert not np.array_equal(wanted, HardPolicy(SCENARIO).predict(observations)[0])


def test_agents_are_called_by_the_shortest_name_that_tells_them_apart():
    names = ["hard", "runs/a/seed-0/agent.zip", "runs/b/seed-0/agent.zip", "runs/b/seed-1/agent.zip"]
    assert list(label_policies(names).values()) == ["hard", "seed-0 (a/seed-0)", "seed-0 (b/seed-0)", "seed-1"]
    alike = ["hard", "runs/hard/agent.zip", "x/agent.zip", "x/student.safetensors"]
    assert list(label_policies(alike).values()) == ["hard", "hard (hard)", *alike[2:]]


def test_agents_are_called_as_their_runs_called_them(tmp_path):
    names = []
    for folder, agent, seed in (
        ("a/v", "ddqn", 0),
        ("a/w", "ddqn", 1),
        ("a/x", "ddqn-dt", 1),
        ("b/y", "dqn", 2),
        ("c/y", "dqn", 2),
    ):
        place = tmp_path / folder
        place.mkdir(parents=True)
        (place / "agent.zip").touch()
        (place / "summary.json").write_text(json.dumps({"agent": agent, "seed": seed}))
        names.append(str(place))
    labels = ["ddqn seed 0", "ddqn seed 1", "ddqn-dt", "dqn seed 2 (b/y)", "dqn seed 2 (c/y)"]
    assert list(label_policies(names).values()) == labels
    assert list(label_policies(names[1:4]).values()) == ["ddqn", "ddqn-dt", "dqn"]
    (tmp_path / "loose.zip").touch()
    assert list(label_policies([*names[:1], str(tmp_path / "loose.zip"), "hard"]).values()) == ["ddqn", "loose", "hard"]


def test_a_policy_is_found_in_its_folder(tmp_path):
    for folder in ("run", "student"):
        (tmp_path / folder).mkdir()
        StudentPolicy("paper-1mhz", hidden=2, seed=0).save(tmp_path / folder / "student.safetensors")
    (tmp_path / "run" / "agent.zip").touch()
    assert policy_file(str(tmp_path / "run")) == str(tmp_path / "run" / "agent.zip")
    assert policy_file(str(tmp_path / "student")) == str(tmp_path / "student" / "student.safetensors")
    check_policies([str(tmp_path / "run"), str(tmp_path / "student")], SCENARIO)
    assert [policy_file(name) for name in ("hard", "tests")] == ["hard", "tests"]
    with pytest.raises(ValueError, match=r"policy: 'tests' given, which holds no policy; .* or the folder that has it"):
        check_policies(["tests"], SCENARIO)
