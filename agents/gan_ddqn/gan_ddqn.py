"""`DuelingGANDDQN`: the value of a state as a distribution that a GAN learns, and one advantage per allocation."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import Tensor

from agents.dqn import DQN
from agents.dqn.hooks import same_noise
from agents.gan_ddqn.policies import GANPolicy
from agents.hooks import squared_error
from slicing_gym.errors import check_integer, check_number


class DuelingGANDDQN(DQN):
    """Dueling GAN-DDQN (Hua et al. 2020, https://arxiv.org/abs/1905.03929, algorithm 2) over allocations.

    A generator G makes N particles V(s) of a state's value from the state and noise tau ~ U(0, 1)^10, and an advantage
    per action: Q(s, a) = mean particle + A(s, a). A critic D learns to tell them from particles of r + gamma V(s') of
    the target generator (Wasserstein GAN with gradient penalty), several steps for each of the generator's:

        L_D = mean D(V(s)) - mean D(r + gamma V(s'; theta_target)) + lambda mean (‖grad D‖ - 1)²
        L_G = -mean D(V(s)) + 1/2 mean (r + gamma max_a' Q(s', a'; theta_target) - Q(s, a))²

    Departures from GAN-DDQN: the critic sees the state as well as the particles (without it only the distributions
    over all states would be matched) and all its steps of an update use one batch, with fresh noise; the mean of the
    advantages is not taken off them; actions are chosen at the mean of the noise.

    Args:
        policy, env, arguments: those of `DQN`; further ones of `GANPolicy` go in `policy_kwargs`.
        critic_steps: of the critic for one of the generator.
        gradient_penalty: lambda.
        critic_weight: of the generator's first term.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MlpPolicy": GANPolicy}
    policy: GANPolicy

    def __init__(
        self,
        policy: str | type[GANPolicy],
        env: Any,
        *,
        critic_steps: int = 5,
        gradient_penalty: float = 10.0,
        critic_weight: float = 1.0,
        **arguments: Any,
    ) -> None:
        self.critic_steps = check_integer("critic_steps", critic_steps, at_least=1)
        self.gradient_penalty = check_number("gradient_penalty", gradient_penalty, at_least=0.0)
        self.critic_weight = check_number("critic_weight", critic_weight, at_least=0.0)
        super().__init__(policy, env, **arguments)

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        return [*super()._optimizers(), self.policy.critic_optimizer]

    def _noise(self, number: int) -> Tensor:
        """Noise tau (number, noise_size)."""
        drawn = self.generator.random((number, self.policy.noise_size), dtype="float32")
        return torch.as_tensor(drawn, device=self.device)

    def _before_update(self, batch: ReplayBufferSamples) -> None:
        """Take the critic's steps."""
        number = len(batch.observations)
        for _ in range(self.critic_steps):
            loss = self._critic_loss(batch, self._noise(number), self._noise(number))
            self.policy.critic_optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.policy.critic_optimizer.step()

    def _critic_loss(self, batch: ReplayBufferSamples, noise: Tensor, next_noise: Tensor) -> Tensor:
        """L_D () of a batch; noise (batch, noise_size)."""
        policy, states = self.policy, self.policy.flat(batch.observations)
        with torch.no_grad():
            made = policy.q_net.value(policy.q_net.embed(batch.observations, noise))  # (batch, num_particles)
            following = policy.q_net_target
            real = self._discounted(batch, following.value(following.embed(batch.next_observations, next_noise)))
        share = torch.as_tensor(self.generator.random((len(states), 1), dtype="float32"), device=self.device)
        between = torch.lerp(made, real, share).requires_grad_()
        (gradient,) = torch.autograd.grad(policy.critic(states, between).sum(), between, create_graph=True)
        penalty = (gradient.norm(dim=1) - 1.0).square().mean()
        scores: Tensor = policy.critic(states, made) - policy.critic(states, real)
        loss: Tensor = scores.mean() + self.gradient_penalty * penalty
        return loss

    def _compute_loss(self, batch: ReplayBufferSamples) -> Tensor:
        return self._generator_loss(batch, self.critic_weight)

    def _generator_loss(self, batch: ReplayBufferSamples, critic_weight: float) -> Tensor:
        """L_G () of a batch."""
        policy, states = self.policy, self.policy.flat(batch.observations)
        hidden = policy.q_net.embed(batch.observations, self._noise(len(states)))
        particles = policy.q_net.value(hidden)  # (batch, num_particles)
        values = particles.mean(dim=1) + policy.q_net.advantage.taken(hidden, batch.actions[:, 0].long())
        error = self._td_target(batch) - values
        policy.critic.requires_grad_(False)  # its own steps are behind
        score = policy.critic(states, particles).mean()
        policy.critic.requires_grad_(True)
        loss: Tensor = 0.5 * error.square().mean() - critic_weight * score
        return loss

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        state_dicts, variables = super()._get_torch_save_params()
        return [*state_dicts, "policy.critic_optimizer"], variables


@squared_error.register
def _(model: DuelingGANDDQN, batch: ReplayBufferSamples) -> Tensor:
    """With noise, as it learns."""
    with same_noise(model):
        return model._generator_loss(batch, 0.0)
