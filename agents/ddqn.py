"""`DDQN`: double deep Q-learning over allocations."""

from __future__ import annotations

from torch import Tensor

from agents.dqn import DQN


class DDQN(DQN):
    """Double deep Q-learning (van Hasselt et al. 2016, https://arxiv.org/abs/1509.06461) over allocations.

    The network being learned picks the next action and the target network values it, which overestimates less:

        L(theta) = mean over a batch of h(r + gamma Q(s', argmax_a' Q(s', a'; theta); theta_target) - Q(s, a; theta))

    Arguments, defaults and what departs from Stable-Baselines3: those of `DQN`.
    """

    def _target_q(self, next_observations: Tensor) -> Tensor:
        best = self.policy.q_net.best(next_observations)
        return self.policy.q_net_target.taken(next_observations, best)
