"""A planner's file: its settings and its model's bytes, in a form that runs no code when it is read."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from slicing_gym.files import digest
from slicing_gym.reading import one_line

FORMAT_VERSION = 1
"""Of the files `Planner.save` writes."""


def write_planner(file: io.BufferedIOBase, header: Mapping[str, Any], model: bytes) -> None:
    """Write a planner: safetensors with its settings as JSON, their checksum, and its model's bytes.

    Args:
        file: to write to.
        header: builtin types.
        model: what the model's `to_bytes` gave.
    """
    arrays = {"model": np.frombuffer(model, np.uint8)}
    whole = {"format": FORMAT_VERSION, **header}
    file.write(save(arrays, {"planner": json.dumps({"sha256": digest(whole, arrays), **whole})}))


def read_planner(file: io.BufferedIOBase) -> tuple[dict[str, Any], bytes]:
    """The header and the model's bytes that `write_planner` wrote.

    Raises:
        ValueError: the file holds no planner, is damaged, or is of another version.
    """
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
