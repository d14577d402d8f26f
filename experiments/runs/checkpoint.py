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

FORMAT_VERSION = 4
FILE = "checkpoint.npz"


def write(path: Path, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write a checkpoint, atomically.

    Args:
        path: of the file.
        header: plain data.
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
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(str(arrays.pop("header")))
        version = header.pop("format")
    except Exception as error:  # a damaged archive fails in many ways
        raise ValueError(f"resume: {str(path)!r} is not a checkpoint, or is damaged ({error})") from error
    if version not in formats:
        raise ValueError(
            f"resume: {str(path)!r} has format {version!r}, allowed is {FORMAT_VERSION}; begin the run again"
        )
    return header, arrays
