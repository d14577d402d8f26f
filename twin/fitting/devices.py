"""Which device networks are computed on (PyTorch)."""

from __future__ import annotations

import re

import torch

from slicing_gym.errors import check_instance


def check_device(key: str, device: object) -> str:
    """The name of a device that is there.

    Args:
        key: what it is of, for the message.
        device: "cpu", "cuda", or one of several as "cuda:0".

    Raises:
        ValueError, TypeError: it is no such name, or there is no such device; the message names what is allowed.
    """
    check_instance(key, device, (str,))
    name = str(device)
    if re.fullmatch(r"cpu|cuda(:\d+)?", name) is None:
        raise ValueError(f"{key}: {name!r} given, allowed are cpu, cuda and cuda:<number>")
    there = torch.cuda.device_count() if name != "cpu" and torch.cuda.is_available() else 0
    if name != "cpu" and int(name.partition(":")[2] or 0) >= there:
        found = f"cpu, cuda and cuda:0 to cuda:{there - 1}" if there else "cpu: PyTorch finds no CUDA device here"
        raise ValueError(f"{key}: {name!r} given, allowed is {found}")
    return name
