"""Global random generators that are one agent's own while it learns."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.utils import set_random_seed


class RandomStreams:
    """States of the global random generators of Python, NumPy and PyTorch that are one agent's own.

    Within `with streams:` the global generators go on from these states; after it they are where they were before. Two
    agents in one process thus do not disturb each other, nor anything else that draws from the global generators.

    Args:
        seed: of the streams; None: they begin where the global generators are.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._own = _global_state()
        self._outside: list[dict[str, Any]] = []
        if seed is not None:
            with self:
                set_random_seed(seed)

    def __enter__(self) -> RandomStreams:
        self._outside.append(_global_state())
        if len(self._outside) == 1:
            _set_global_state(self._own)
        return self

    def __exit__(self, *_: object) -> None:
        outside = self._outside.pop()
        if not self._outside:
            self._own = _global_state()
            _set_global_state(outside)

    def leave_global(self) -> None:
        """Let the global generators go on from where these are."""
        _set_global_state(self._own)

    def state(self) -> dict[str, Any]:
        """What `restore` goes back to."""
        return _global_state() if self._outside else self._own

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state that `state` gave."""
        if self._outside:
            _set_global_state(state)
        else:
            self._own = state


def _global_state() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "random": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002  # the generators that agents of Stable-Baselines3 draw from
        "torch": torch.get_rng_state(),
        "cuda": cuda,
    }


def _set_global_state(state: dict[str, Any]) -> None:
    random.setstate(state["random"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
