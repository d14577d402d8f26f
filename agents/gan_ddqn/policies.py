"""The policy of Dueling GAN-DDQN: generator, target generator, critic, and an optimizer for each."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.preprocessing import get_flattened_obs_dim, preprocess_obs
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from agents.dqn.policies import SlicingPolicy
from agents.gan_ddqn.networks import Critic, Generator
from slicing_gym.errors import check_integer


class GANPolicy(SlicingPolicy):
    """Generator and critic over allocations; `q_net` is the generator.

    Args:
        observation_space, action_space, lr_schedule: given by the algorithm.
        num_particles: of the state's value.
        noise_size: numbers of noise.
        critic_size: of the critic's two hidden layers.
        arguments: of `SlicingPolicy`.
    """

    q_net: Generator  # type: ignore[assignment]
    q_net_target: Generator  # type: ignore[assignment]

    def __init__(
        self,
        observation_space: Any,
        action_space: Any,
        lr_schedule: Schedule,
        net_arch: list[int] | None = None,
        *,
        num_particles: int = 30,
        noise_size: int = 10,
        critic_size: int = 256,
        **arguments: Any,
    ) -> None:
        if net_arch is not None and not net_arch:
            raise ValueError("net_arch: [] given, allowed are one or more widths; the first is that of the embeddings")
        self.num_particles = check_integer("num_particles", num_particles, at_least=1)
        self.noise_size = check_integer("noise_size", noise_size, at_least=1)
        self.critic_size = check_integer("critic_size", critic_size, at_least=1)
        super().__init__(observation_space, action_space, lr_schedule, net_arch, **arguments)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        width = get_flattened_obs_dim(self.observation_space)
        self.critic = Critic(width, self.num_particles, self.critic_size).to(self.device)
        self.critic_optimizer = self.optimizer_class(
            self.critic.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]
            **self.optimizer_kwargs,
        )

    def flat(self, observations: Tensor) -> Tensor:
        """What the critic sees of observations (batch, *shape): float32 (batch, width), numbers that count one-hot."""
        seen = preprocess_obs(observations, self.observation_space, normalize_images=self.normalize_images)
        assert isinstance(seen, Tensor)
        return seen.flatten(1)

    def make_q_net(self) -> Generator:  # type: ignore[override]
        """A fresh generator."""
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return Generator(
            head=self.head,
            head_kwargs=self.head_kwargs,
            num_particles=self.num_particles,
            noise_size=self.noise_size,
            **arguments,
        ).to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("num_particles", "noise_size", "critic_size")}
        return {**super()._get_constructor_parameters(), **own}
