"""Wrappers as configurations name them."""

from __future__ import annotations

from tests.helpers.runs import OWN

LOGS = {"_target_": f"{OWN}.LogObservation"}
MANY_LOGS = {"_target_": f"{OWN}.LogObservations"}
TENTH = {"_target_": "gymnasium.wrappers.TransformReward", "func": f"{OWN}.tenth"}
NORMALIZE = {"_target_": "gymnasium.wrappers.NormalizeObservation"}
STACK = {"_target_": "gymnasium.wrappers.FrameStackObservation", "stack_size": 3}
