"""An on-policy algorithm as a user writes it, which fails with one seed."""

from __future__ import annotations

from stable_baselines3 import PPO


class FailsWithSeedOne(PPO):
    """PPO that learns with any other seed."""

    def learn(self, *args, **kwargs):
        """As PPO's."""
        if self.seed == 1:
            raise RuntimeError("not with this seed")
        return super().learn(*args, **kwargs)
