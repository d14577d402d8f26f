"""The environments' ids in Gymnasium's registry."""

from __future__ import annotations

import gymnasium as gym

ENVIRONMENT_IDS = ("SliceRAN-v0",)


def register_environments() -> None:
    """Register the ids; calling it again changes nothing.

    The registered spec has no `max_episode_steps`: Gymnasium would cut the episodes of every longer scenario there. The
    spec of an environment that was made has its scenario's (`EpisodeMixin.spec`).
    """
    if "SliceRAN-v0" not in gym.registry:
        gym.register(
            id="SliceRAN-v0",
            entry_point="slicing_gym.env:SliceRANEnv",
            vector_entry_point="slicing_gym.vector_env:SliceRANVectorEnv",
        )
