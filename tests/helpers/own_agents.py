"""Agents, policies and wrappers as a user of this project writes them, on Stable-Baselines3 alone."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.utils import polyak_update
from stable_baselines3.dqn.policies import DQNPolicy
from torch.nn import functional


class SoftTargets(DQN):
    """A subclass of Stable-Baselines3's DQN with a loss of its own, a counter, and a generator that it draws from."""

    def __init__(self, *args, temperature=0.1, **arguments):
        super().__init__(*args, **arguments)
        self.temperature = temperature
        self.smoothed = torch.zeros(3)
        self.draws = np.random.default_rng(self.seed)

    def train(self, gradient_steps, batch_size=100):
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        for _ in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)
            with torch.no_grad():
                following = self.q_net_target(batch.next_observations)
                value = (torch.softmax(following / self.temperature, dim=1) * following).sum(dim=1, keepdim=True)
                noise = 1e-3 * torch.as_tensor(self.draws.standard_normal((batch_size, 1), dtype=np.float32))
                discounts = self.gamma if batch.discounts is None else batch.discounts
                target = batch.rewards + (1.0 - batch.dones) * discounts * value + noise
            values = self.q_net(batch.observations).gather(1, batch.actions.long())
            loss = functional.mse_loss(values, target)
            self.policy.optimizer.zero_grad()
            loss.backward()
            self.policy.optimizer.step()
            self.smoothed += 0.01 * (batch.observations.mean(dim=0) - self.smoothed)
        self._n_updates += gradient_steps


class FromScratch(OffPolicyAlgorithm):
    """An off-policy algorithm that is no DQN of anybody's; nothing is known of it but that it learns and chooses."""

    policy_aliases = {"MlpPolicy": DQNPolicy}  # noqa: RUF012  # as in Stable-Baselines3

    def __init__(self, policy, env, learning_rate=1e-3, epsilon=0.2, _init_setup_model=True, **arguments):
        super().__init__(
            policy, env, learning_rate, sde_support=False, support_multi_env=True,
            supported_action_spaces=(spaces.Discrete,), **arguments,
        )  # fmt: skip
        self.epsilon = epsilon
        if _init_setup_model:
            self._setup_model()

    def train(self, gradient_steps, batch_size):
        self._update_learning_rate(self.policy.optimizer)
        for _ in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size)
            with torch.no_grad():
                best = self.policy.q_net_target(batch.next_observations).amax(dim=1, keepdim=True)
            target = batch.rewards + (1.0 - batch.dones) * self.gamma * best
            values = self.policy.q_net(batch.observations).gather(1, batch.actions.long())
            self.policy.optimizer.zero_grad()
            functional.mse_loss(values, target).backward()
            self.policy.optimizer.step()

    def _on_step(self):
        polyak_update(self.policy.q_net.parameters(), self.policy.q_net_target.parameters(), 0.02)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        actions, state = self.policy.predict(observation, state, episode_start, deterministic=True)
        if not deterministic and np.random.rand() < self.epsilon:  # noqa: NPY002  # as agents of Stable-Baselines3 do
            actions = np.array([self.action_space.sample() for _ in range(len(actions))])
        return actions, state


class Logarithms(BaseFeaturesExtractor):
    """Features of the logarithms of arrivals."""

    def __init__(self, observation_space, width=8):
        super().__init__(observation_space, width)
        self.layer = torch.nn.Linear(observation_space.shape[0], width)

    def forward(self, observations):
        return torch.tanh(self.layer(torch.log1p(observations)))


class Middle:
    """Always the allocation in the middle of the table; only what `predict` has to have."""

    def __init__(self, scenario):
        self.action = scenario.num_allocations // 2

    def predict(self, observation):
        return np.full(len(observation), self.action), None


class LogObservation(gym.ObservationWrapper):
    """Shows the logarithm of arrivals."""

    def __init__(self, env):
        super().__init__(env)
        box = env.observation_space
        self.observation_space = spaces.Box(np.log1p(box.low), np.log1p(box.high), dtype=np.float32)

    def observation(self, observation):
        return np.log1p(observation).astype(np.float32)


class LogObservations(gym.vector.VectorObservationWrapper):
    """The same for a batch."""

    def __init__(self, env):
        super().__init__(env)
        box = env.single_observation_space
        self.single_observation_space = spaces.Box(np.log1p(box.low), np.log1p(box.high), dtype=np.float32)
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, self.num_envs)

    def observations(self, observations):
        return np.log1p(observations).astype(np.float32)


def tenth(reward):
    return reward / 10.0
