"""Stepping batches of cells, whatever wraps them: an episode follows the last within a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import SyncVectorEnv, VectorEnv

from slicing_gym import Scenario

AnyVectorEnv = VectorEnv[Any, Any, Any]
"""A batch of cells: of `SliceRAN-v0` or `SliceTwin-v0`, wrapped or not."""


NEEDED = ("arrivals", "allocation", "utility", "ssr", "spectral_efficiency", "threshold")
"""What an environment's info has to tell, whatever wraps it."""

_SIMULATED = ("blocked",)
"""What the simulator's info tells, too, and a twin's does not."""


def advance(
    envs: AnyVectorEnv, actions: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]], npt.NDArray[np.bool_]]:
    """Take a decision in every cell; where an episode ends the next one begins.

    Args:
        envs: of `Environments`.
        actions: (num_envs,).

    Returns:
        Observations to decide on next, what each decision brought by name (that of the reset is left out), and in which
        cells an episode has ended.
    """
    observations, _, terminations, truncations, info = envs.step(actions)
    over = np.asarray(terminations | truncations)
    if not over.any():
        return observations, info, over
    if "final_info" not in info:
        observations, _ = envs.reset(options={"reset_mask": over})
        return observations, info, over
    keys = [*NEEDED, *(key for key in _SIMULATED if key in info)]
    brought = {key: info[key].copy() for key in keys}
    for key in keys:
        brought[key][over] = info["final_info"][key][over]
    return observations, brought, over


def scenario_of(envs: AnyVectorEnv) -> Scenario:
    """The scenario of a batch, wrapped or not, native or one by one.

    Args:
        envs: of `Environments`, or made by Gymnasium.
    """
    inner: Any = envs.unwrapped
    env: Any = inner.envs[0].unwrapped if isinstance(inner, SyncVectorEnv) else inner
    found = env.scenario
    assert isinstance(found, Scenario)
    return found
