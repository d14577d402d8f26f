"""Which devices there are for networks."""

from __future__ import annotations

import torch


def check_device(device: torch.device | str) -> None:
    """Refuse a device that is not there.

    Raises:
        ValueError: the message names those that are.
    """
    there = ["auto", "cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    try:
        made = torch.empty(0, device=torch.device("cpu" if device == "auto" else device))
        if made.is_meta:
            raise ValueError("tensors on it hold no values")
    except Exception as error:  # of many kinds: no such name, no such number, built without it
        reason = str(error).splitlines()[0]
        raise ValueError(f"device: {str(device)!r} is not there, allowed are {', '.join(there)} ({reason})") from None
