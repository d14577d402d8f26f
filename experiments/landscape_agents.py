"""Whose loss is measured, and on what: the agents of runs, stock Stable-Baselines3's beside them, and their data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import stable_baselines3
import torch
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.utils import LinearSchedule
from torch import Tensor
from torch.nn import functional

import slicing_gym  # noqa: F401  # registers the environment
from agents import DQN, DuelingGANDDQN
from experiments.flatness import LossFunction
from experiments.runs import Run

STOCK = "stock SB3"
"""What stock Stable-Baselines3's DQN is called among the arms."""

_SAME = (
    *("buffer_size", "learning_starts", "batch_size", "gamma", "train_freq", "gradient_steps"),
    *("target_update_interval", "exploration_fraction", "exploration_initial_eps", "exploration_final_eps", "device"),
)
"""Settings of a run's agent that stock Stable-Baselines3's DQN has under the same names."""


LOSSES = {
    "own": "the algorithm's own loss",
    "squared": "half the squared TD error",
}
"""Losses by name.

Their own is the Huber function of the TD error; Dueling GAN-DDQN's half its square, and the term of the critic.
"""


class Transitions(NamedTuple):
    """Decisions as an agent learns from them, as `experiments.transitions.transitions_of` gives them.

    Args:
        observations: (n, n_slices).
        actions: (n,).
        rewards: (n,), not centred.
        next_observations: (n, n_slices).
    """

    observations: npt.NDArray[np.float32]
    actions: npt.NDArray[np.int64]
    rewards: npt.NDArray[np.float64]
    next_observations: npt.NDArray[np.float32]


def agent_loss(agent: DQN, data: Transitions, kind: str = "own") -> LossFunction:
    """An agent's loss over a data set, as a function of the Q-network's weights.

    What is learned from is the semi-gradient of a loss against bootstrapped targets, so the targets are computed once,
    at the weights the agent has, and stay. The critic of Dueling GAN-DDQN and its noise stay, too.
    A conservative penalty (equation 13) is left out.

    Args:
        agent: DQN, DDQN or Dueling GAN-DDQN; left as it was.
        data: all of it is one batch.
        kind: one of `LOSSES`.
    """
    batch = fixed_targets(agent, data)
    evaluate = _own if kind == "own" else _squared

    def same_noise() -> Tensor:
        state = agent.generator.bit_generator.state
        loss = evaluate(agent, batch)
        agent.generator.bit_generator.state = state
        return loss

    return LossFunction(agent.q_net.parameters(), same_noise)


def _own(agent: DQN, batch: ReplayBufferSamples) -> Tensor:
    return agent._compute_loss(batch)


def _squared(agent: DQN, batch: ReplayBufferSamples) -> Tensor:
    """Half the squared TD error, Dueling GAN-DDQN's with noise."""
    if isinstance(agent, DuelingGANDDQN):
        weight, agent.critic_weight = agent.critic_weight, 0.0
        try:
            return agent._compute_loss(batch)
        finally:
            agent.critic_weight = weight
    return 0.5 * functional.mse_loss(agent._taken(batch), agent._td_target(batch))


def fixed_targets(agent: DQN, data: Transitions) -> ReplayBufferSamples:
    """A batch whose rewards are the targets y = r + gamma V(s') of a data set, and after which nothing comes.

    An agent's loss of this batch is its loss of the data against targets that do not move with the weights.
    """
    mean = agent.mean_reward or 0.0 if agent.center_rewards else 0.0
    batch = ReplayBufferSamples(
        torch.as_tensor(data.observations),
        torch.as_tensor(data.actions)[:, None],
        torch.as_tensor(data.next_observations),
        torch.zeros(len(data.rewards), 1),
        torch.as_tensor((data.rewards - mean).astype(np.float32))[:, None],
    )
    targets = agent._td_target(batch)
    # The value of a next state does not count after a terminal transition: one state, for all, saves time.
    return batch._replace(
        rewards=targets[:, None], dones=torch.ones_like(batch.dones), next_observations=batch.next_observations[:1]
    )


def plain_runs(runs: Sequence[Run]) -> list[Run]:
    """Of each seed the run that stock Stable-Baselines3's DQN is trained beside.

    It has no twin, the dense head and the settings all agents share: DQN's, or DDQN's where there is none of DQN.
    """
    chosen: dict[int, Run] = {}
    for name in ("dqn", "ddqn"):
        for run in runs:
            if run.arm == name and run.group[1] == "dense":
                chosen.setdefault(run.seed, run)
    return [chosen[seed] for seed in sorted(chosen)]


def train_stock(run: Run) -> tuple[DQN, Transitions]:
    """Train Stable-Baselines3's DQN on the cell of a plain run, from the same first weights, with the same settings.

    It has no `center_rewards`: a wrapper subtracts the mean that the run's own agent found. It keeps no generator of
    its own; it draws from the global ones, which it seeds.

    Args:
        run: without a twin, with the dense head.

    Returns:
        Its networks in an agent of ours, which computes the same loss from them; and what it learned from.
    """
    settings, model = run.summary["config"]["agent"], run.agent()
    mean = model.mean_reward or 0.0
    env = gym.wrappers.TransformReward(
        gym.make("SliceRAN-v0", scenario=run.scenario), lambda reward: float(reward) - mean
    )
    first, last = settings["learning_rate"], settings["learning_rate_end"]
    stock = stable_baselines3.DQN(
        "MlpPolicy",
        env,
        learning_rate=first if last is None else LinearSchedule(first, last, end_fraction=1.0),
        policy_kwargs={"net_arch": list(settings["net_arch"])},
        seed=run.seed,
        **{key: settings[key] for key in _SAME},
    )
    stock.set_logger(Logger(None, []))
    stock.learn(int(run.summary["decisions"]))
    agent = in_our_agent(stock, {"net_arch": list(settings["net_arch"])})
    agent.center_rewards, agent.mean_reward = True, mean
    return agent, stored(stock, mean)


def in_our_agent(stock: stable_baselines3.DQN, policy_kwargs: dict[str, Any]) -> DQN:
    """An agent of ours with the networks and the gamma of Stable-Baselines3's DQN; its loss is the same."""
    assert stock.env is not None
    agent = DQN("MlpPolicy", stock.env, gamma=stock.gamma, policy_kwargs=policy_kwargs, seed=0, device="cpu")
    agent.policy.load_state_dict(stock.policy.state_dict())
    return agent


def stored(agent: stable_baselines3.DQN, mean: float = 0.0) -> Transitions:
    """What is in the replay buffer of an agent with one environment; `mean` is added to the rewards."""
    buffer = agent.replay_buffer
    assert isinstance(buffer, ReplayBuffer)
    size = buffer.size()
    return Transitions(
        buffer.observations[:size, 0].copy(),
        buffer.actions[:size, 0, 0].astype(np.int64),
        buffer.rewards[:size, 0].astype(np.float64) + mean,
        buffer.next_observations[:size, 0].copy(),
    )
