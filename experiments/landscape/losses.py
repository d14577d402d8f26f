"""Whose loss is measured, and on what: the agents of runs, stock Stable-Baselines3's, and their data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common import buffers
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import ReplayBufferSamples

from agents.hooks import action_values, squared_error, td_loss, with_fixed_targets
from agents.replay import ReplayBuffer
from experiments.landscape.flatness import LossFunction
from experiments.runs.folder import Run
from slicing_gym.transitions import Transitions

STOCK = "stock SB3"
"""What stock Stable-Baselines3's DQN is called among the methods."""

_SAME = (
    *("buffer_size", "learning_starts", "batch_size", "gamma", "train_freq", "gradient_steps"),
    *("target_update_interval", "exploration_fraction", "exploration_initial_eps", "exploration_final_eps", "device"),
)
"""Settings that a run's agent and stock Stable-Baselines3's DQN have under the same names."""

LOSSES = {
    "own": "the algorithm's own loss",
    "squared": "half the squared TD error",
}
"""Losses by name.

Their own is the Huber function of the TD error; Dueling GAN-DDQN's half its square, and the term of the critic.
"""


def agent_loss(agent: BaseAlgorithm, data: Transitions, kind: str = "own") -> LossFunction:
    """An agent's loss over a data set, as a function of the weights of the network that values actions.

    What is learned from is the semi-gradient of a loss against bootstrapped targets, so the targets are computed once,
    at the weights the agent has, and stay. The critic of Dueling GAN-DDQN and its noise stay, too.
    A conservative penalty (equation 13) is left out.

    Args:
        agent: of a class with the hooks of `agents.hooks`; left as it was.
        data: all of it is one batch.
        kind: one of `LOSSES`.
    """
    batch = with_fixed_targets(agent, batch_of(agent, data))
    evaluate = td_loss if kind == "own" else squared_error
    return LossFunction(action_values(agent).parameters(), lambda: evaluate(agent, batch))


def batch_of(agent: BaseAlgorithm, data: Transitions) -> ReplayBufferSamples:
    """A data set as one batch of an agent, its rewards less the mean that the agent subtracts."""
    return ReplayBufferSamples(
        torch.as_tensor(data.observations),
        torch.as_tensor(data.actions)[:, None],
        torch.as_tensor(data.next_observations),
        torch.zeros(len(data.rewards), 1),
        torch.as_tensor((data.rewards - mean_reward(agent)).astype(np.float32))[:, None],
    )


def mean_reward(agent: BaseAlgorithm) -> float:
    """What an agent subtracts from rewards, 0 if nothing [U]."""
    buffer = getattr(agent, "replay_buffer", None)
    return buffer.mean_reward or 0.0 if isinstance(buffer, ReplayBuffer) else 0.0


def runs_without_twin(runs: Sequence[Run]) -> list[Run]:
    """Of each seed the run that stock Stable-Baselines3's DQN is compared with.

    It has no twin, the dense head and the settings all agents share: DQN's, or DDQN's where there is none of DQN.
    """
    chosen: dict[int, Run] = {}
    for name in ("dqn", "ddqn"):
        for run in runs:
            ours = str(run.setting("agent._target_")).startswith("agents.")
            if ours and run.method == name and run.group[1] == "dense":
                chosen.setdefault(run.seed, run)
    return [chosen[seed] for seed in sorted(chosen)]


def train_stock(run: Run) -> tuple[BaseAlgorithm, Transitions, float]:
    """Train Stable-Baselines3's DQN on the cell of a run, from the same first weights, with the settings of its agent.

    It is Stable-Baselines3's own in every part, its replay buffer among them: a wrapper subtracts from rewards the mean
    that the run's own agent found. It keeps no generator of its own; it draws from the global ones, which it seeds.

    Args:
        run: without a twin, with the dense head.

    Returns:
        The agent, what it learned from, and the mean that is subtracted from these rewards.
    """
    agent: Any = run.agent()
    mean = mean_reward(agent)
    env = gym.wrappers.TransformReward(
        gym.make("SliceRAN-v0", scenario=run.scenario), lambda reward: float(reward) - mean
    )
    stock = stable_baselines3.DQN(
        "MlpPolicy",
        env,
        learning_rate=agent.learning_rate,
        policy_kwargs={"net_arch": list(agent.policy.net_arch)},
        seed=run.seed,
        **{name: getattr(agent, name) for name in _SAME},
    )
    stock.set_logger(Logger(None, []))
    stock.learn(int(run.summary["decisions"]))
    return stock, stored(stock), mean


def stored(agent: stable_baselines3.DQN) -> Transitions:
    """What is in the replay buffer of an agent with one environment."""
    buffer = agent.replay_buffer
    assert isinstance(buffer, buffers.ReplayBuffer)
    size = buffer.size()
    return Transitions(
        buffer.observations[:size, 0].copy(),
        buffer.actions[:size, 0, 0].astype(np.int64),
        buffer.rewards[:size, 0].astype(np.float64),
        buffer.next_observations[:size, 0].copy(),
    )
