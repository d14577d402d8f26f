"""`DQN`: deep Q-learning over allocations, and the base of the other algorithms here."""

from __future__ import annotations

import io
import pathlib
from typing import Any, ClassVar, TypeVar

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import stable_baselines3
import torch
from stable_baselines3.common.buffers import ReplayBuffer as AnyReplayBuffer
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, ReplayBufferSamples, Schedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.nn import functional

from agents.conservative import conservative_penalty
from agents.devices import check_device
from agents.dqn.factored import check_env
from agents.dqn.networks import clip_gradients
from agents.dqn.policies import SlicingPolicy, check_policy
from agents.loading import refuse_another
from agents.replay import NStepReplayBuffer, ReplayBuffer, check_same
from agents.safe_load import read_checked
from agents.tensor_files import bounded
from agents.vec_env import GymnasiumVecEnv, explained_bounds
from slicing_gym.errors import check_number

_Agent = TypeVar("_Agent", bound="DQN")


class DQN(stable_baselines3.DQN):
    """Deep Q-learning (Mnih et al. 2015, https://www.nature.com/articles/nature14236) over allocations.

    Loss, with target parameters theta_target and the Huber function h:

        L(theta) = mean over a batch of h(r + gamma max_a' Q(s', a'; theta_target) - Q(s, a; theta))

    It is Stable-Baselines3's DQN: `learn`, `predict`, `save`, `load`, `set_env`, callbacks, TensorBoard and arguments
    are those; with the dense head the same seed begins with the same weights. It departs from it so:

    - Only the outputs of the taken actions are computed and differentiated, and Adam is fused: the same gradients,
      sooner (`python -m experiments.benchmark training`).
    - Each environment of a batch draws an epsilon of its own.
    - All randomness but the weights' (exploration, replay) comes from one generator, `agent.generator`, saved with the
      agent (but for replay buffers that are not of `agents.replay`).
    - `env` may be a batch of Gymnasium (`gym.make_vec(...)`), too.
    - Defaults are the paper's: layers 256, 256, 128, 128, Adam at 1e-3; and gamma = 0.8 (the paper gives none; a
      decision hardly bears on later ones), one update a decision, the first after 200.

    Subclasses change `_target_q` (the value of the next state), `_compute_loss`, or how `predict` explores.

    Args:
        policy: "MlpPolicy", or a subclass of `SlicingPolicy`; its arguments go in `policy_kwargs`, `head` among them.
        env: an environment, its id, an SB3 `VecEnv` or a Gymnasium `VectorEnv`.
        center_rewards: subtract from all rewards the mean of those in the replay buffer at the first update, see
            `agents.replay.ReplayBuffer`.
        conservative_weight: eta of equation 13: the loss is L + eta R, R that of `agents.conservative`. For learning
            from a fixed history (`agents.offline`); 0 leaves the loss as it is.
        arguments: the others, of Stable-Baselines3's DQN.

    Raises:
        ValueError: there is no such head or device, or the head cannot learn from this reward; the message names what
            is allowed.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MlpPolicy": SlicingPolicy}
    policy: SlicingPolicy
    generator: np.random.Generator

    def __init__(
        self,
        policy: str | type[SlicingPolicy],
        env: GymEnv | gym.vector.VectorEnv[Any, Any, Any] | str,
        learning_rate: float | Schedule = 1e-3,
        buffer_size: int = 100_000,
        learning_starts: int = 200,
        batch_size: int = 32,
        tau: float = 1.0,
        gamma: float = 0.8,
        train_freq: int | tuple[int, str] = 1,
        gradient_steps: int = 1,
        replay_buffer_class: type[AnyReplayBuffer] | None = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        n_steps: int = 1,
        target_update_interval: int = 200,
        exploration_fraction: float = 0.1,
        exploration_initial_eps: float = 1.0,
        exploration_final_eps: float = 0.05,
        max_grad_norm: float = 10.0,
        center_rewards: bool = False,
        conservative_weight: float = 0.0,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        check_device(device)
        check_policy(policy, self.policy_aliases, env)
        self.center_rewards = center_rewards
        if center_rewards:
            replay_buffer_kwargs = {**(replay_buffer_kwargs or {}), "centering": {}}
        self.conservative_weight = check_number("conservative_weight", conservative_weight, at_least=0.0)
        super().__init__(
            policy,
            env,  # type: ignore[arg-type]
            learning_rate,
            buffer_size,
            learning_starts,
            batch_size,
            tau,
            gamma,
            train_freq,
            gradient_steps,
            replay_buffer_class,
            replay_buffer_kwargs,
            optimize_memory_usage,
            n_steps,
            target_update_interval,
            exploration_fraction,
            exploration_initial_eps,
            exploration_final_eps,
            max_grad_norm,
            stats_window_size,
            tensorboard_log,
            policy_kwargs,
            verbose,
            seed,
            device,
            _init_setup_model,
        )

    @staticmethod
    def _wrap_env(
        env: GymEnv | gym.vector.VectorEnv[Any, Any, Any], verbose: int = 0, monitor_wrapper: bool = True
    ) -> VecEnv:
        """As in Stable-Baselines3; a batch of Gymnasium is taken as it is."""
        if isinstance(env, gym.vector.VectorEnv):
            env = GymnasiumVecEnv(env)
        return stable_baselines3.DQN._wrap_env(env, verbose, monitor_wrapper)

    @property
    def mean_reward(self) -> float | None:
        """What `center_rewards` subtracts, once it is known."""
        return self.replay_buffer.mean_reward if isinstance(self.replay_buffer, ReplayBuffer) else None

    @mean_reward.setter
    def mean_reward(self, mean: float | None) -> None:
        assert isinstance(self.replay_buffer, ReplayBuffer)
        self.replay_buffer.mean_reward = mean

    def set_env(self, env: GymEnv, force_reset: bool = True) -> None:
        """As in Stable-Baselines3; with a factored head, rewards that are no sum over slices are refused."""
        env = self._wrap_env(env, self.verbose)
        check_env(self.policy.q_net.head, self.action_space, env)
        with explained_bounds():
            super().set_env(env, force_reset)

    def _setup_model(self) -> None:
        if self.replay_buffer_class is None and not self.optimize_memory_usage:
            self.replay_buffer_class = ReplayBuffer
            if self.n_steps > 1:
                self.replay_buffer_class = NStepReplayBuffer
                steps_of = {"n_steps": self.n_steps, "gamma": self.gamma}
                self.replay_buffer_kwargs = {**self.replay_buffer_kwargs, **steps_of}
        kept = self.__dict__.get("generator")  # a loaded agent goes on with its own
        self.generator = np.random.default_rng()
        steps, self.n_steps = self.n_steps, 1  # Stable-Baselines3 warns that a class of one's own has to see to them
        super()._setup_model()
        check_env(self.policy.q_net.head, self.action_space, self.env)
        self.n_steps = steps
        if kept is not None:
            self.generator = kept
        self._share_generator()

    def set_random_seed(self, seed: int | None = None) -> None:
        """As in Stable-Baselines3, and the agent's own generator."""
        super().set_random_seed(seed)
        if seed is not None:
            self.generator = np.random.default_rng(seed)
            self._share_generator()

    def load_replay_buffer(self, path: str | pathlib.Path | io.BufferedIOBase, truncate_last_traj: bool = True) -> None:
        """As in Stable-Baselines3; the buffer goes on with this agent's generator.

        Raises:
            ValueError: it is one of other environments, or of another number of them.
        """
        own = self.replay_buffer
        super().load_replay_buffer(path, truncate_last_traj)
        loaded, self.replay_buffer = self.replay_buffer, own
        check_same(loaded, own)  # type: ignore[arg-type]  # there is one now
        self.replay_buffer = loaded
        if isinstance(self.replay_buffer, ReplayBuffer) and self.replay_buffer.centering is not None:
            self.replay_buffer_kwargs["centering"] = self.replay_buffer.centering  # this agent's file holds its mean
        self._share_generator()

    @classmethod
    def load(  # type: ignore[override]
        cls: type[_Agent],
        path: str | pathlib.Path | io.BufferedIOBase,
        env: GymEnv | None = None,
        device: torch.device | str = "auto",
        custom_objects: dict[str, Any] | None = None,
        *,
        trust: bool = False,
        **arguments: Any,
    ) -> _Agent:
        """As in Stable-Baselines3, but that a file which would run code of others is refused.

        Args:
            path: of the file, or the file.
            env: to go on learning in.
            device: for the networks.
            custom_objects: what to take in place of entries of the file.
            trust: unpickle whatever the file holds (policies, schedules and extractors of your own).
            arguments: of Stable-Baselines3's `load`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, not an agent's, one of another class, or asks for more than agents are made of.
        """
        if trust:
            refuse_another(path, cls, path)
            with explained_bounds():
                return super().load(path, env, device, custom_objects, **arguments)
        content = read_checked(path, custom_objects or ())
        refuse_another(content, cls, path)
        with explained_bounds(), bounded(path, content, alone=env is None):
            return super().load(content, env, device, custom_objects, **arguments)

    def _share_generator(self) -> None:
        """Let the replay buffer draw from the agent's generator."""
        if isinstance(self.replay_buffer, ReplayBuffer):
            self.replay_buffer.generator = self.generator

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Actions (n_envs,) while learning, twice: to take and to store; those of `predict`, without its checks."""
        del action_noise
        if self.num_timesteps < learning_starts:
            actions = self._random_actions(n_envs)
        elif type(self).predict is not DQN.predict:  # a subclass explores in a way of its own
            actions = np.atleast_1d(self.predict(self._last_obs, deterministic=False)[0])  # type: ignore[arg-type]
        else:
            explores = self.generator.random(n_envs) < self.exploration_rate
            actions = self._random_actions(n_envs)
            if not explores.all():
                actions = np.where(explores, actions, self._greedy(self._last_obs))
        return actions, actions

    def _greedy(self, observations: Any) -> npt.NDArray[np.int64]:
        """The best actions (n,) for observations (n, n_slices), without what `policy.predict` checks."""
        with torch.inference_mode():
            seen: Any = self.policy.obs_to_tensor(observations)[0]
            chosen: npt.NDArray[np.int64] = self.policy.q_net.best(seen).cpu().numpy()
        return chosen

    def predict(
        self,
        observation: npt.NDArray[Any] | dict[str, npt.NDArray[Any]],
        state: tuple[npt.NDArray[Any], ...] | None = None,
        episode_start: npt.NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[Any], tuple[npt.NDArray[Any], ...] | None]:
        """Actions for observations; unless `deterministic`, each is a random one with probability epsilon.

        Args:
            observation: float array (n_slices,) or (n, n_slices).
            state: returned as it comes.
            episode_start: not used.
            deterministic: the best actions, without exploration.

        Returns:
            Actions () or (n,), and the state as it came.
        """
        actions, state = self.policy.predict(observation, state, episode_start, deterministic)
        if not deterministic and self.exploration_rate > 0.0:
            chosen = np.atleast_1d(actions)
            explores = self.generator.random(len(chosen)) < self.exploration_rate
            chosen = np.where(explores, self._random_actions(len(chosen)), chosen)
            actions = chosen.reshape(np.shape(actions))
        return actions, state

    def _random_actions(self, number: int) -> npt.NDArray[np.int64]:
        """Any actions (number,), all equally likely."""
        return self.generator.integers(self.action_space.n, size=number)  # type: ignore[attr-defined]

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Take gradient steps on batches of the replay buffer; target networks are updated in `_on_step`."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self._optimizers())
        parameters = list(self.q_net.parameters())
        losses = []
        for _ in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)  # type: ignore[union-attr]
            self._before_update(batch)
            loss = self._compute_loss(batch)
            if self.conservative_weight:
                network = self.policy.q_net
                hidden, actions = network.before_head(batch.observations), batch.actions[:, 0].long()
                loss = loss + self.conservative_weight * conservative_penalty(network.head, hidden, actions)
            for parameter in parameters:
                parameter.grad = None
            loss.backward()  # type: ignore[no-untyped-call]
            clip_gradients(parameters, self.max_grad_norm)
            self.policy.optimizer.step()
            losses.append(loss.item())
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/loss", np.mean(losses))

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        """What follows the schedule of the learning rate."""
        return [self.policy.optimizer]

    def _before_update(self, batch: ReplayBufferSamples) -> None:
        """Train what there is in addition to the Q-network, before it."""

    def _compute_loss(self, batch: ReplayBufferSamples) -> Tensor:
        """The loss () of a batch."""
        return functional.smooth_l1_loss(self._taken(batch), self._td_target(batch))

    def _taken(self, batch: ReplayBufferSamples) -> Tensor:
        """Q(s, a) of the actions that were taken (batch,)."""
        return self.policy.q_net.taken(batch.observations, batch.actions[:, 0].long())

    def _td_target(self, batch: ReplayBufferSamples) -> Tensor:
        """Returns r + gamma V(s') (batch,), without gradients; V is 0 after a terminal transition."""
        with torch.no_grad():
            return self._discounted(batch, self._target_q(batch.next_observations)[:, None])[:, 0]

    def _discounted(self, batch: ReplayBufferSamples, values: Tensor) -> Tensor:
        """Returns r + gamma V(s') for values (batch, n)."""
        discounts = self.gamma if batch.discounts is None else batch.discounts
        return batch.rewards + (1.0 - batch.dones) * discounts * values

    def _target_q(self, next_observations: Tensor) -> Tensor:
        """The value (batch,) of the next states (batch, n_slices)."""
        return self.policy.q_net_target.highest(next_observations)
