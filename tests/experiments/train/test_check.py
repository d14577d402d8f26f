"""Training runs that make no sense are refused before anything runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.dqn.policies import DQNPolicy

from agents import DDQN
from experiments.config.schemas import EvaluationSettings
from experiments.environments import Environments
from experiments.train import Training
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.own_agents import SoftTargets
from tests.helpers.runs import SCENARIO, interrupted, make_ddqn, maker, short_settings, twin_settings
from twin import DigitalTwin


class Keeps(SoftTargets):
    """Holds something that no checkpoint can."""

    def __init__(self, *args, **arguments):
        super().__init__(*args, **arguments)
        self.kept = {"a": [object()]}


class CannotReturn(SoftTargets):
    """Asks for an argument without which it cannot be loaded again."""

    def __init__(self, *args, weight, **arguments):
        super().__init__(*args, **arguments)
        self.weight = weight


class Foreign:
    """A replay buffer that is none of Stable-Baselines3's."""

    def __init__(self, *args, **arguments):
        vars(self).update(vars(ReplayBuffer(*args, **arguments)))

    add, reset, size = ReplayBuffer.add, ReplayBuffer.reset, ReplayBuffer.size


def ppo(env, _):
    return stable_baselines3.PPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu")


def one_of_each(env, role):
    return (maker(DDQN) if role == "real" else maker(stable_baselines3.DQN))(env, role)


def training(folder, make=make_ddqn, twin=None, settings=None, **arguments):
    arguments = {"scenario": SCENARIO, **arguments}
    return Training(make, twin=twin, settings=settings or short_settings(), folder=folder, **arguments)


WITH_TWIN = {"twin": "lstm"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed: -1 given, allowed is 0 to 4294967295"),
        ({"seed": 100}, "evaluation.seeds: 100 is the cell that the agent learns on"),
        ({"scenario": "papper"}, "scenario: unknown name 'papper'; did you mean 'paper'"),
        ({"twin": "lsmt"}, "transition: unknown name 'lsmt'; did you mean 'lstm'"),
        (
            {"settings": replace(short_settings(), evaluation=EvaluationSettings(seeds=[]))},
            "evaluation.seeds: none given",
        ),
        ({"name": "hard"}, "agent.name: 'hard' is the name of a policy it is compared with"),
        ({"name": "random"}, "agent.name: 'random' is the name of a policy it is compared with"),
        ({"settings": short_settings(0)}, "decisions: 0 given, allowed is 1 to "),
        ({"settings": short_settings(collect=7)}, "algorithm.collect: 7 given, allowed is 8 to "),
        (
            {"settings": short_settings(policies=["rndom"])},
            "evaluation.policies: unknown name 'rndom'; did",
        ),
        ({"settings": short_settings(reward="shapd")}, "reward: unknown name 'shapd'; did you mean 'shaped'"),
        (
            {"environments": Environments(SCENARIO.replace(decisions_per_episode=7))},
            "environments: they are of .paper-1mhz., allowed is",
        ),
        ({"make": maker(train_freq=9)}, "decisions: 280 given, allowed are multiples of agent.train_freq = 9"),
        ({"make": maker(sb3_contrib.QRDQN, policy={"n_quantiles": 0})}, r"agent: sb3_contrib\.qrdqn\.qrdqn\.QRDQN: "),
        ({"make": ppo}, "agent: a PPO given, allowed are off-policy algorithms"),
        ({"make": maker(Keeps)}, r"agent: Keeps\.kept\.a\.0 is a object, neither number, .* get_extra_state\(\)"),
        (
            {"make": maker(CannotReturn, weight=1.0)},
            "CannotReturn cannot be loaded out of its own file .* a default for all else",
        ),
    ],
)
def test_bad_values_are_refused_before_anything_runs(arguments, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message):
        training(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"settings": short_settings(collect=281)}, r"decisions: 280 given, allowed are 281 \(algorithm\.collect"),
        ({"settings": short_settings(twin_decisions=191)}, "algorithm.twin_decisions: 191 given, allowed is 192 or"),
        ({"settings": short_settings(later_twin_decisions=191)}, "later_twin_decisions: 191 given, allowed is 192 or"),
        ({"settings": short_settings(refit=False)}, "algorithm.fine_tune: 40 given, allowed is 64 or more"),
        ({"settings": short_settings(refit=False, fine_tune=70)}, "280 given; that leaves 10 for the last calibration"),
        ({"make": maker(buffer_size=379)}, r"agent.buffer_size \(of Agent 1\): 379 given, allowed is 380 or more"),
        ({"make": maker(train_freq=7)}, "algorithm.collect: 200 given, allowed are multiples of agent.train_freq = 7"),
        (
            {"make": maker(train_freq=20), "settings": short_settings(260, fine_tune=30)},
            "algorithm.fine_tune: 30 given, allowed are multiples of agent.train_freq = 20",
        ),
        (
            {"make": maker(stable_baselines3.DQN, replay_buffer_class=Foreign)},
            "algorithm.warm_replay: 100 given, allowed is 0 for DQN, whose replay buffer is a Foreign",
        ),
        (
            {"make": maker(policy={"head": "factored"}), "settings": short_settings(uncertainty="penalty")},
            "algorithm.uncertainty: 'penalty' given, allowed with the factored head are rewards that are a sum",
        ),
        ({"make": one_of_each}, "make: agents.ddqn.DDQN for one role and stable_baselines3.dqn.dqn.DQN for the other"),
    ],
)
def test_an_algorithm_1_that_makes_no_sense_is_refused(arguments, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message):
        training(tmp_path / "new", twin=DigitalTwin("lstm"), **arguments)
    assert not (tmp_path / "new").exists()


def test_without_warm_replay_no_buffer_has_to_give_back_what_it_holds(tmp_path):
    made = training(tmp_path, twin=twin_settings(), settings=short_settings(warm_replay=0))
    assert (made.finished, made.algorithm.training.warm_replay) == (False, 0)


class Explores(DQNPolicy):
    """A policy with a state of its own."""

    def __init__(self, *args, **arguments):
        super().__init__(*args, **arguments)
        self.asked, self.draws = 0, np.random.default_rng(0)

    def _predict(self, observation, deterministic=True):
        self.asked += 1
        return (super()._predict(observation, deterministic) + int(self.draws.random() < 0.2)) % self.action_space.n


def test_a_policy_s_own_state_goes_on_too(tmp_path):
    def make(env, _):
        given = {"policy_kwargs": {"net_arch": [16]}, "learning_starts": 10, "exploration_initial_eps": 0.1}
        return stable_baselines3.DQN(Explores, env, train_freq=1, device="cpu", **given)

    whole, _, again = interrupted(make, tmp_path, 33, short_settings(60))
    assert again.agent.digest() == whole.agent.digest()
    assert again.agent.model.policy.asked == whole.agent.model.policy.asked > 30
