"""Checkpoints of a run: everything that changes, in one file that is either whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.packing import Arrays
from slicing_gym.files import atomic_write
from slicing_gym.reading import parsing, read_arrays

FORMAT_VERSION = 4
FILE = "checkpoint.npz"


def write(path: Path, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write a checkpoint, atomically.

    Args:
        path: of the file.
        header: builtin types, as JSON holds them.
        arrays: by name.
    """
    text = json.dumps({"format": FORMAT_VERSION, **header})
    with atomic_write(path) as file:
        np.savez(file, allow_pickle=False, header=np.array(text), **arrays)


def read(path: Path, formats: Sequence[int] = (FORMAT_VERSION,)) -> tuple[dict[str, Any], Arrays]:
    """Header and arrays of a checkpoint; reading runs no code.

    Raises:
        ValueError: the file is damaged, or is of another version.
    """
    fault = "is not a checkpoint, or is damaged"
    arrays = read_arrays("resume", path, fault)
    with parsing("resume", path, fault):
        header = json.loads(str(arrays.pop("header")))
        version = header.pop("format")
    if version not in formats:
        raise ValueError(
            f"resume: {str(path)!r} has format {version!r}, allowed is {FORMAT_VERSION}; begin the run again"
        )
    return header, arrays
