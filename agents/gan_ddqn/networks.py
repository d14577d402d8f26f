"""The two networks of Dueling GAN-DDQN: a generator of value particles and advantages, and a critic of particles."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn

from agents.dqn.heads import ActionHead, make_head
from agents.dqn.networks import AllocationNetwork


class Generator(AllocationNetwork):
    """Particles of a state's value, and one advantage per action, from the state and noise.

    State and noise are embedded alike, and the embeddings multiplied element by element; from the product come
    `num_particles` particles of V(s) and the advantages A(s, .). Q(s, a) = mean particle + A(s, a).

    Args:
        head, head_kwargs: of the advantages, see `agents.dqn.heads`.
        num_particles: N.
        noise_size: numbers of noise, each U(0, 1).
        arguments: of `AllocationNetwork`; the first of `net_arch` is the width of the embeddings.
    """

    def __init__(
        self,
        *,
        head: str = "dense",
        head_kwargs: dict[str, Any] | None = None,
        num_particles: int = 30,
        noise_size: int = 10,
        **arguments: Any,
    ) -> None:
        super().__init__(head=head, **arguments)
        del self.q_net
        self.noise_size = noise_size
        first, *rest = self.net_arch
        self.state_embedding = nn.Sequential(nn.Linear(self.features_dim, first), self.activation_fn())
        self.noise_embedding = nn.Sequential(nn.Linear(noise_size, first), self.activation_fn())
        layers = [module for pair in pairwise([first, *rest]) for module in (nn.Linear(*pair), self.activation_fn())]
        self.hidden = nn.Sequential(*layers)
        self.value = nn.Linear(self.net_arch[-1], num_particles)
        self.advantage: ActionHead = make_head(
            head, self.net_arch[-1], self.observation_space, self.action_space, head_kwargs
        )

    def embed(self, observations: Tensor, noise: Tensor | None = None) -> Tensor:
        """What the heads see (batch, width) of observations (batch, n_slices) and noise (batch, noise_size).

        Without noise its mean is taken, so that acting is deterministic.
        """
        state = self.state_embedding(self.features(observations))
        if noise is None:
            noise = state.new_full((1, self.noise_size), 0.5)
        hidden: Tensor = self.hidden(state * self.noise_embedding(noise))
        return hidden

    def before_head(self, observations: Tensor) -> Tensor:
        """What the heads see (batch, width) of observations (batch, n_slices), at the mean of the noise."""
        return self.embed(observations)

    @property
    def head(self) -> ActionHead:
        """That of the advantages: what distinguishes actions."""
        return self.advantage

    def forward(self, obs: PyTorchObs) -> Tensor:
        """Q (batch, num_actions) of observations (batch, n_slices)."""
        assert isinstance(obs, Tensor)
        hidden = self.embed(obs)
        values: Tensor = self.value(hidden).mean(dim=1, keepdim=True) + self.advantage(hidden)
        return values

    def taken(self, observations: Tensor, actions: Tensor) -> Tensor:
        """See `AllocationNetwork`."""
        hidden = self.embed(observations)
        values: Tensor = self.value(hidden).mean(dim=1) + self.advantage.taken(hidden, actions)
        return values

    def highest(self, observations: Tensor) -> Tensor:
        """See `AllocationNetwork`."""
        hidden = self.embed(observations)
        values: Tensor = self.value(hidden).mean(dim=1) + self.advantage.highest(hidden)
        return values


class Critic(nn.Module):
    """Distinguishes particles of r + gamma V(s') from those of V(s); two hidden layers of 256.

    Args:
        features_dim: numbers of the state that it sees as well as the particles.
        num_particles: N.
        hidden_size: of its layers.
    """

    def __init__(self, features_dim: int, num_particles: int, hidden_size: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features_dim + num_particles, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, 1),
        )

    def forward(self, states: Tensor, particles: Tensor) -> Tensor:
        """Scores (batch,) of particles (batch, num_particles) in states (batch, features_dim)."""
        scores: Tensor = self.layers(torch.cat([states, particles], dim=1))
        return scores[:, 0]
