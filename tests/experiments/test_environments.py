"""Wrappers around the real environment and the twin's cells alike: what they change is right everywhere, or refused."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from hydra import compose, initialize_config_dir

from agents.registry import import_modules
from experiments.config.hydra import CONFIG_FOLDER, register_configs
from experiments.environments.environments import Environments, advance, scenario_of
from experiments.evaluate.policies import WrappedAgent, load_policy
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.export.source import find_source
from experiments.runs.folder import read_run
from experiments.train.algorithm_1 import Algorithm
from experiments.train.check import check_config
from experiments.train.run import train
from slicing_gym import get_scenario
from tests.experiments.test_any_agent import OWN, TWIN, composed, interrupted, learned
from tests.helpers.own_agents import LogObservation

register_configs()

SCENARIO = get_scenario("paper-1mhz").replace(reward={"kind": "utility"})
LOGS = {"_target_": f"{OWN}.LogObservation"}
MANY_LOGS = {"_target_": f"{OWN}.LogObservations"}
TENTH = {"_target_": "gymnasium.wrappers.TransformReward", "func": f"{OWN}.tenth"}
NORMALIZE = {"_target_": "gymnasium.wrappers.NormalizeObservation"}
STACK = {"_target_": "gymnasium.wrappers.FrameStackObservation", "stack_size": 3}
SHORT = [
    *("+experiment=debug", "agent.net_arch=[16,16]", f"imports=[{OWN}]", "evaluation.policies=[random]"),
    *("algorithm.twin_decisions=384", "algorithm.later_twin_decisions=384"),
]


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN, __name__])


def configured(*wrappers, vector_wrappers=(), overrides=()):
    config = composed("train", *SHORT, *overrides)
    config.env.wrappers, config.env.vector_wrappers = list(wrappers), list(vector_wrappers)
    return config


def rollout(envs, decisions=30):
    """Observations and utilities in two cells, over the end of an episode."""
    generator = np.random.default_rng(0)
    seen, _ = envs.reset(seed=[3, 4])
    rows = [(seen, np.zeros(2))]
    for _ in range(decisions):
        actions = generator.integers(171, size=2)
        seen, brought, _ = advance(envs, actions)
        rows.append((seen.copy(), brought["utility"]))
    return rows


@pytest.mark.parametrize("vector_wrappers", [(), (MANY_LOGS,)], ids=["one by one", "native"])
def test_a_wrapped_batch_shows_what_wrapped_cells_show(vector_wrappers):
    short = SCENARIO.replace(decisions_per_episode=13)
    plain = rollout(Environments(short).cells(2))
    wrapped = Environments(short, [LOGS], vector_wrappers)
    envs = wrapped.cells(2)
    assert isinstance(envs.unwrapped, SyncVectorEnv) == (not vector_wrappers)
    assert scenario_of(envs) == short
    for (seen, utility), (own_seen, own_utility) in zip(plain, rollout(envs), strict=True):
        np.testing.assert_array_equal(own_seen, np.log1p(seen))
        np.testing.assert_array_equal(own_utility, utility)


def test_the_history_is_what_the_network_did_and_the_replay_what_the_agent_saw(tmp_path):
    plain, wrapped = (configured(*wrappers, overrides=["decisions=60"]) for wrappers in ((), (LOGS, TENTH)))
    runs = [Algorithm(config, check_config(config), tmp_path / str(n)) for n, config in enumerate((plain, wrapped))]
    for run in runs:
        run.run()
    histories = [run.recorder.history() for run in runs]
    first = slice(0, 50)  # random decisions, the same for both
    for name in ("allocation", "arrivals", "next_arrivals"):
        np.testing.assert_array_equal(getattr(histories[0], name)[first], getattr(histories[1], name)[first])
    seen, own = (run.monitor.seen.transitions() for run in runs)
    np.testing.assert_array_equal(own.observations[first], np.log1p(seen.observations[first]))
    np.testing.assert_allclose(own.rewards[first], seen.rewards[first] / 10.0, rtol=1e-6)
    assert runs[1].agent.model.replay_buffer.mean_reward == pytest.approx(own.rewards[:51].mean(), rel=1e-5)
    np.testing.assert_allclose(runs[1].monitor.rounds[0]["utility"], np.mean(histories[1].spectral_efficiency * 0.01
        + histories[1].ssr.sum(axis=1)), rtol=1e-6)  # fmt: skip


@pytest.mark.parametrize("wrapper", [LOGS, STACK, NORMALIZE], ids=["logarithms", "stack", "statistics"])
def test_a_run_under_wrappers_goes_on_from_any_decision(wrapper, tmp_path):
    config = configured(wrapper, overrides=["decisions=240", "agent.learning_starts=20", "checkpoint_s=1000"])
    whole, part, again = interrupted(config, tmp_path, 203)
    assert again.agent.digest() == whole.agent.digest() != part.agent.digest()
    (statistics, arrays), (own, own_arrays) = (run.environments.statistics(run.real) for run in (whole, again))
    assert statistics == own
    assert all(np.array_equal(array, own_arrays[name]) for name, array in arrays.items())


def finished(tmp_path, *wrappers, overrides=()):
    config = configured(*wrappers, overrides=overrides)
    train(config, tmp_path)
    (tmp_path / ".hydra").mkdir()
    from omegaconf import OmegaConf

    OmegaConf.save(config, tmp_path / ".hydra" / "config.yaml")
    return config


def test_an_agent_is_evaluated_under_the_wrappers_it_learned_under(tmp_path):
    """From its file as at the end of its run; statistics stay what they were when it had learned."""
    finished(tmp_path, NORMALIZE, overrides=["decisions=80"])
    cells = make_cells(SCENARIO, 2)
    policy = load_policy(str(tmp_path), SCENARIO, cells, 1)
    assert isinstance(policy, WrappedAgent)
    envs = policy.make_wrapped_cells(2)
    layer = envs.unwrapped.envs[0]
    while not isinstance(layer, gym.wrappers.NormalizeObservation):
        layer = layer.env
    before = layer.obs_rms.mean.copy()
    assert layer.obs_rms.count > 80
    found = evaluate_policy("", policy, cells, [100, 101], 20)
    again = evaluate_policy("", policy, cells, [100, 101], 20)
    np.testing.assert_array_equal(found.utility, again.utility)
    envs.reset(seed=[0, 1])
    np.testing.assert_array_equal(layer.obs_rms.mean, before)
    rows = [row.split(",") for row in (tmp_path / "evaluation.csv").read_text().splitlines()[1:]]
    own = [float(row[3]) for row in rows if row[1] == "ddqn"]
    np.testing.assert_allclose(found.utility, own, atol=1e-6)


def test_a_twin_is_wrapped_too_and_a_run_resumes_to_the_same_bytes(tmp_path):
    overrides = [*TWIN, "decisions=240", "algorithm.fine_tune=40"]
    finished(tmp_path / "whole", LOGS, overrides=overrides)
    config = configured(LOGS, overrides=overrides)
    part = Algorithm(config, check_config(config), tmp_path / "part")
    steps = part._steps()
    for _ in range(3):
        steps[part._next_step]()
        part._save()
    box = part._agent_2.model.observation_space
    np.testing.assert_allclose(
        box.high, LogObservation(gym.make("SliceRAN-v0", scenario=SCENARIO)).observation_space.high
    )
    config.resume = "auto"
    train(config, tmp_path / "part")
    assert learned(tmp_path / "part") == learned(tmp_path / "whole")


def test_wrappers_that_change_the_reward_alone_leave_a_policy_for_everything(tmp_path):
    finished(tmp_path, TENTH, overrides=["decisions=60"])
    assert read_run(tmp_path).keeps_observations
    assert not isinstance(load_policy(str(tmp_path), SCENARIO, make_cells(SCENARIO, 1), 1), WrappedAgent)
    assert find_source(str(tmp_path), None).scenario == SCENARIO


def test_what_sees_other_observations_is_not_exported(tmp_path):
    finished(tmp_path, LOGS, overrides=["decisions=60"])
    assert not read_run(tmp_path).keeps_observations
    with pytest.raises(ValueError, match="trained under LogObservation, and the file would see arrivals as they are"):
        find_source(str(tmp_path), None)


class Blind(gym.Wrapper):
    """Hides what a decision brought."""

    def step(self, action):
        return (*self.env.step(action)[:4], {})


class Remembers(gym.Wrapper):
    """Holds something that no checkpoint can."""

    def __init__(self, env):
        super().__init__(env)
        self.what = object()


def _of(name):
    return {"_target_": f"gymnasium.wrappers.{name}"}


@pytest.mark.parametrize(
    ("wrappers", "vector_wrappers", "twin", "message"),
    [
        ([NORMALIZE], [], TWIN, "NormalizeObservation learns statistics .* with a twin are wrappers without"),
        ([_of("MaxAndSkipObservation")], [], [], "take several decisions a step, allowed is one"),
        ([{**STACK, "stack_sise": 2}], [], [], r"unknown name 'stack_sise'; did you mean 'stack_size'"),
        ([_of("NormaliseReward")], [], [], "unknown name 'NormaliseReward'; did you mean 'NormalizeReward'"),
        ([{"_target_": "agents.HardPolicy"}], [], [], r"'agents\.HardPolicy' is no gymnasium\.core\.Wrapper"),
        ([{"_target_": "nowhere_at_all.Wrapper"}], [], [], r"type imports=\[nowhere_at_all\] as well"),
        ([{"stack_size": 2}], [], [], "allowed are mappings with _target_ and arguments"),
        ([], [MANY_LOGS], [], "env.vector_wrappers: given without env.wrappers"),
        ([STACK], [MANY_LOGS], [], "(?s)env.vector_wrappers: they make .* allowed are those that do the same"),
        ([{"_target_": f"{__name__}.Blind"}], [], [], r"Blind hide info\['arrivals'\]"),
        ([{"_target_": f"{__name__}.Remembers"}], [], [], r"Remembers\.what: a object is neither number"),
    ],
)  # fmt: skip
def test_wrappers_that_would_not_be_right_are_refused(wrappers, vector_wrappers, twin, message, tmp_path):
    with pytest.raises(SystemExit, match=message):
        train(configured(*wrappers, vector_wrappers=vector_wrappers, overrides=twin), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_wrapper_key_composes():
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        config = compose("train", [f"env.wrappers=[{{_target_: {OWN}.LogObservation}}]", f"imports=[{OWN}]"])
    assert check_config(config).names == "LogObservation"


@pytest.mark.parametrize(
    ("wrapper", "message"),
    [
        ({"_target_": "gymnasium.wrappers.TransformObservation", "func": "os._exit"}, "type imports=\\[os\\] as well"),
        ({"_target_": "gymnasium.wrappers.TransformReward", "func": "torch.load"}, "type imports=\\[torch\\] as well"),
        ({"_target_": "gymnasium.wrappers.RecordVideo", "video_folder": "x"}, "writes files"),
        ({"_target_": "stable_baselines3.common.monitor.Monitor"}, "type imports=\\[stable_baselines3\\] as well"),
    ],
)
def test_the_files_of_a_run_name_no_code(wrapper, message):
    """Typed, the first is refused, too: nobody asked for that module."""
    with pytest.raises(ValueError, match=message):
        Environments.of(SCENARIO, {"wrappers": [wrapper]}, typed=False)
    assert Environments.of(SCENARIO, {"wrappers": [STACK, LOGS]}, typed=False).wrapped


class Drifts(gym.ObservationWrapper):
    """Subtracts a mean that it learns as it goes, and never says so."""

    def __init__(self, env):
        super().__init__(env)
        self.mean = np.zeros(3, np.float32)

    def observation(self, observation):
        self.mean = self.mean + 0.05 * (observation - self.mean)
        return observation - self.mean


class Doubled(gym.vector.VectorObservationWrapper):
    """Is not what a scalar wrapper does that halves."""

    def observations(self, observations):
        return 2.0 * observations


class Halved(gym.ObservationWrapper):
    def observation(self, observation):
        return 0.5 * observation


def test_wrappers_that_only_seem_right_are_refused():
    here = [{"_target_": f"{__name__}.{name}"} for name in ("Drifts", "Halved", "Doubled")]
    with pytest.raises(ValueError, match=r"Drifts\.mean goes on from episode to episode"):
        Environments(SCENARIO, here[:1]).check(with_twin=True)
    with pytest.raises(ValueError, match=r"env.vector_wrappers: they show .* where env.wrappers show"):
        Environments(SCENARIO, here[1:2], here[2:]).check(with_twin=True)
    Environments(SCENARIO, [LOGS], [MANY_LOGS]).check(with_twin=True)


def test_a_wrapped_agent_is_not_evaluated_on_another_number_of_actions(tmp_path):
    finished(tmp_path, STACK, overrides=["decisions=60"])
    other = get_scenario("paper")
    with pytest.raises(ValueError, match="chooses among 171 actions, scenario 'paper' has 4851"):
        load_policy(str(tmp_path), other, make_cells(other, 1), 1)
