"""A planner's file: its settings and its model's bytes, in a form that runs no code when it is read."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from slicing_gym.files import atomic_write, digest
from slicing_gym.reading import one_line, opened

FORMAT_VERSION = 1
"""Of the files `Planner.save` writes."""


def write_planner(file: str | os.PathLike[str] | io.BufferedIOBase, header: Mapping[str, Any], model: bytes) -> None:
    """Write a planner: safetensors with its settings as JSON, their checksum, and its model's bytes.

    Args:
        file: to write to, by its path (then atomically) or open.
        header: builtin types.
        model: what the model's `to_bytes` gave.
    """
    arrays = {"model": np.frombuffer(model, np.uint8)}
    whole = {"format": FORMAT_VERSION, **header}
    content = save(arrays, {"planner": json.dumps({"sha256": digest(whole, arrays), **whole})})
    if isinstance(file, str | os.PathLike):
        with atomic_write(Path(file)) as target:
            target.write(content)
    else:
        file.write(content)


def read_planner(file: str | os.PathLike[str] | io.BufferedIOBase) -> tuple[dict[str, Any], bytes]:
    """The header and the model's bytes that `write_planner` wrote.

    Args:
        file: its path, or open.

    Raises:
        FileNotFoundError, OSError: there is no such file, or it cannot be read.
        ValueError: the file holds no planner, is damaged, or is of another version.
    """
    if isinstance(file, str | os.PathLike):
        with opened("planner", file) as source:
            return read_planner(source)
    content = file.read()
    try:
        arrays = load(content)
        length = int.from_bytes(content[:8], "little")  # of the JSON that safetensors begins with
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
        header = json.loads(metadata["planner"])
        checksum, version = header.pop("sha256"), header["format"]
        if version != FORMAT_VERSION:
            raise ValueError(f"it has format {version!r}, allowed is {FORMAT_VERSION}")
        if checksum != digest(header, arrays):
            raise ValueError("its contents do not have the checksum that it names")
        return header, arrays["model"].tobytes()
    except Exception as error:  # what is damaged fails in many ways
        raise ValueError(f"planner: the file does not hold a planner, or is damaged ({one_line(error)})") from None
