"""The twin's id in Gymnasium's registry."""

from __future__ import annotations

import gymnasium as gym

TWIN_ID = "SliceTwin-v0"


def register_twin() -> None:
    """Register the id; calling it again changes nothing."""
    if TWIN_ID not in gym.registry:
        gym.register(id=TWIN_ID, entry_point="twin.env:SliceTwinEnv", vector_entry_point="twin.env:SliceTwinVectorEnv")
