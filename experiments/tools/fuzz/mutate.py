"""Damage: bytes, texts and builtin types that are no longer what they were."""

from __future__ import annotations

import copy
import io
import json
import math
import zipfile
from typing import Any

import numpy as np

Random = np.random.Generator

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 7, 0.5, -0.0, 1e-9, 1e-300, 5e-324, 1e9, 1e12, 1e300, 2**31, 2**62, 2**63, 2**64, -(2**63), 10**400,
    math.nan, math.inf, -math.inf,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *NUMBERS, None, True, False, "", "abc", "1", "nan", "x" * 5000, "é\u202e\x00", "../../etc/passwd", [], {},
    [1, 2, 3], [[]], {"kind": "constant"}, {"a": 1}, b"bytes", (), (1, 2), 1j,
)  # fmt: skip


def damaged(content: bytes, random: Random) -> bytes:
    """Bytes with one to three pieces cut, changed, doubled, moved or put in."""
    made = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        start = int(random.integers(len(made) + 1))
        length = min(int(2 ** random.uniform(0, 10)), len(made) - start)
        kind = int(random.integers(7))
        if kind == 0:
            del made[start:]
        elif kind == 1 and start < len(made):
            made[start] ^= 1 << int(random.integers(8))
        elif kind == 2:
            made[start : start + length] = random.bytes(length)
        elif kind == 3:
            del made[start : start + length]
        elif kind == 4:
            made[start:start] = made[start : start + length]
        elif kind == 5:
            made[start:start] = random.bytes(int(random.integers(1, 30)))
        else:
            made[start : start + length] = bytes([int(random.integers(256))]) * length
    return bytes(made)


def changed(data: Any, random: Random) -> Any:
    """Builtin types with one or two values replaced, left out, doubled or named otherwise."""
    made = copy.deepcopy(data)
    for _ in range(int(random.integers(1, 3))):
        places = list(_places(made))
        if not places:
            return some(random)
        owner, key = places[int(random.integers(len(places)))]
        kind = int(random.integers(6))
        if kind < 3:
            owner[key] = copy.deepcopy(some(random))
        elif kind == 3:
            del owner[key]
        elif kind == 4 and isinstance(owner, dict):
            owner[f"{key}{random.integers(3)}"] = owner.pop(key)
        elif isinstance(owner, list):
            owner.insert(key, copy.deepcopy(owner[key]))
        elif isinstance(owner[key], int | float):
            owner[key] = owner[key] * float(random.choice([-1.0, 0.5, 2.0, 1e3, 1e-3]))
    return made


def some(random: Random) -> Any:
    """Any value."""
    return VALUES[int(random.integers(len(VALUES)))]


def _places(data: Any) -> Any:
    """Where values stand: the list or mapping, and the number or key in it."""
    keys = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    for key in keys:
        yield data, key
        yield from _places(data[key])


def changed_json(text: str, random: Random) -> str:
    """JSON with values changed, or damaged as a text."""
    if random.random() < 0.2:
        return damaged(text.encode(), random).decode(errors="replace")
    return json.dumps(changed(json.loads(text), random), default=str)


def changed_zip(content: bytes, random: Random) -> bytes:
    """A zip with one part changed, its checksums right: what looks whole from outside."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = list(parts)[int(random.integers(len(parts)))]
    kind = int(random.integers(5))
    if kind == 0:
        del parts[name]
    elif kind == 1 and len(parts) > 1:
        other = list(parts)[int(random.integers(len(parts)))]
        parts[name], parts[other] = parts[other], parts[name]
    elif parts[name][:1] == b"{":
        parts[name] = changed_json(parts[name].decode(errors="replace"), random).encode()
    elif parts[name][:2] == b"PK" and kind < 4:
        parts[name] = changed_zip(parts[name], random)
    else:
        parts[name] = damaged(parts[name], random)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED if kind == 2 else zipfile.ZIP_STORED) as archive:
        for each, part in parts.items():
            archive.writestr(each, part)
    return made.getvalue()
