"""The environments' ids in Gymnasium's registry."""

from __future__ import annotations

import gymnasium as gym

ENVIRONMENT_IDS = ("SliceRAN-v0",)


def register_environments() -> None:
    """Register the ids; calling it again changes nothing.

    The length of an episode is the scenario's, so the spec has no `max_episode_steps`: one number for all scenarios
    would cut the episodes of those that have longer ones. `gym.make(..., max_episode_steps=n)` sets one.
    """
    if "SliceRAN-v0" not in gym.registry:
        gym.register(
            id="SliceRAN-v0",
            entry_point="slicing_gym.env:SliceRANEnv",
            vector_entry_point="slicing_gym.vector_env:SliceRANVectorEnv",
        )
