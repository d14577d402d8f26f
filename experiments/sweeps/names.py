"""What the folders of a sweep's runs are called: by what was swept, short, safe and unique."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

_LONGEST_VALUE = 32
_LONGEST_NAME = 120


def folder_names(combinations: Sequence[Mapping[str, str]]) -> list[str]:
    """A name for each combination of swept keys and values: `agent-ddqn_learning_rate-0.001`.

    A name does not depend on the other combinations, so that a sweep that is typed with more values finds its runs. Of
    a key there is what follows its last dot, if no other swept key ends so. Values with characters that are not safe in
    names lose them, and long ones their end; a few digits of a checksum stand for what was lost.

    Args:
        combinations: by swept key, the value as it was typed; all have the same keys.

    Returns:
        The names, all different where the combinations are.
    """
    keys = list(combinations[0]) if combinations else []
    short = [re.split(r"[./]", key.lstrip("+~"))[-1] for key in keys]
    shown = [own if short.count(own) == 1 else key.lstrip("+~") for own, key in zip(short, keys, strict=True)]
    names = [
        "_".join(f"{_safe(key)}-{_safe(each[own])}" for key, own in zip(shown, keys, strict=True))
        for each in combinations
    ]
    return [_cut(name, _LONGEST_NAME) or "run" for name in names]


def _safe(text: str) -> str:
    """A text that file systems and shells take as it is; injective, but for chance."""
    plain = text.strip("'\"")
    safe = re.sub(r"[^\w.+-]+", "-", plain, flags=re.ASCII).strip(".")
    return _cut(safe, _LONGEST_VALUE) if safe == plain else f"{safe[: _LONGEST_VALUE - 7].strip('-')}-{_checksum(text)}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 7]}-{_checksum(text)}"


def _checksum(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:6]
