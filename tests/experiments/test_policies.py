"""Policies by name: classes and files of the user's own, what they are called, and what a resumed run may import."""

from __future__ import annotations

import json

import numpy as np
import pytest
import stable_baselines3
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from agents import DDQN, HardPolicy
from agents.registry import import_modules
from experiments.config.hydra import CONFIG_FOLDER, register_configs
from experiments.evaluate.policies import check_policies, label_policies, load_policies, load_policy
from experiments.evaluate.rollout import compare, evaluate_policy, make_cells
from experiments.evaluate.run import evaluate
from experiments.train.__main__ import with_resumed_run
from slicing_gym import get_scenario
from tests.helpers.own_agents import Middle

register_configs()

OWN = "tests.own_agents"
SCENARIO = get_scenario("paper-1mhz")


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN, __name__])


@pytest.fixture
def cells():
    return make_cells(SCENARIO, 2)


def composed(*overrides):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return compose("evaluate", ["scenario=paper-1mhz", "seeds=[0,1]", "progress=false", *overrides])


def test_a_class_of_ones_own_is_a_policy_like_any_other(cells, tmp_path, capsys):
    evaluate(composed(f"policy=['{OWN}.Middle',hard]", f"imports=[{OWN}]", "decisions=6"), tmp_path)
    assert "Middle  " in capsys.readouterr().out
    rows = (tmp_path / "evaluation.csv").read_text().splitlines()[1:]
    (own,) = compare(SCENARIO, {"any object": Middle(SCENARIO)}, cells, [0, 1], 6)
    assert [float(row.split(",")[3]) for row in rows if "Middle" in row] == pytest.approx(own.utility, abs=1e-6)


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


class NeedsMore:
    def __init__(self, weight):
        pass


class ChoosesFractions:
    def predict(self, observation):
        return np.full(len(observation), 0.5), None


class ChoosesOnce:
    def predict(self, observation):
        return observation[:1].argmax(axis=1), None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{__name__}.NeedsMore", "cannot be made .*weight"),
        (f"{__name__}.ChoosesFractions", r"chose float64 of shape \(2,\)"),
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
        ("harrd", "unknown name 'harrd'; did you mean 'hard'"),
    ],
)
def test_names_that_mean_nothing_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        check_policies([name], SCENARIO)


def test_zips_of_any_class_are_policies(cells, tmp_path):
    """Also under the name of their class."""
    ppo = stable_baselines3.PPO("MlpPolicy", cells_of(SCENARIO), n_steps=8, batch_size=8, seed=0, device="cpu")
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


def cells_of(scenario):
    import gymnasium as gym

    return gym.make("SliceRAN-v0", scenario=scenario, reward="utility")


def test_a_policy_is_called_by_its_agents_name(tmp_path):
    names = []
    for folder, agent, seed in (("a/x", "ddqn-dt", 0), ("a/y", "ddqn-dt", 1), ("b/x", "dqn", 0), ("c/x", "dqn", 0)):
        place = tmp_path / folder
        place.mkdir(parents=True)
        (place / "agent.zip").touch()
        (place / "summary.json").write_text(json.dumps({"agent": agent, "seed": seed}))
        names.append(str(place))
    (tmp_path / "loose.zip").touch()
    labels = label_policies([*names, str(tmp_path / "loose.zip"), "hard"])
    assert list(labels.values()) == [
        *("ddqn-dt seed 0", "ddqn-dt seed 1", "dqn seed 0 (b/x)", "dqn seed 0 (c/x)", "loose", "hard")
    ]


def test_a_resumed_run_imports_only_what_is_typed(tmp_path):
    (tmp_path / "mine" / "agent").mkdir(parents=True)
    (tmp_path / "mine" / "agent" / "own.yaml").write_text(
        f"defaults: [custom]\nname: own\n_target_: {OWN}.SoftTargets\n"
    )
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    planted = ["imports=[planted]", "+trust=true", "++hydra.searchpath=[file:///planted]", "~imports"]
    own = ["agent=own", "seed=3", *planted]
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        search = f"hydra.searchpath=[file://{tmp_path / 'mine'}]"
        OmegaConf.save(compose("train", [*own[:2], search]), tmp_path / "run" / ".hydra" / "config.yaml")
    OmegaConf.save(OmegaConf.create(own), tmp_path / "run" / ".hydra" / "overrides.yaml")
    typed = [f"--config-dir={tmp_path / 'mine'}", f"resume={tmp_path / 'run'}", "imports=[mine]"]
    arguments = with_resumed_run(typed)
    assert arguments[:3] == [typed[0], "agent=own", "seed=3"]
    assert [each for each in arguments if each.startswith(("imports", "+trust", "trust"))] == [
        *("imports=[mine]", "trust=false")
    ]
    with pytest.raises(ValueError, match=r"resume: .* was begun with \['agent=own', 'seed=3'\], which do not compose"):
        with_resumed_run(typed[1:])


def test_our_own_files_need_no_class(cells, tmp_path):
    agent = DDQN("MlpPolicy", cells_of(SCENARIO), policy_kwargs={"net_arch": [8]}, seed=0, device="cpu")
    agent.save(tmp_path / "agent.zip")
    observations = np.random.default_rng(0).random((50, 3), dtype=np.float32)
    policy = load_policy(str(tmp_path / "agent.zip"), SCENARIO, cells, 1)
    wanted = agent.predict(observations, deterministic=True)[0]
    np.testing.assert_array_equal(policy.predict(observations, deterministic=True)[0], wanted)
    assert not np.array_equal(wanted, HardPolicy(SCENARIO).predict(observations)[0])
