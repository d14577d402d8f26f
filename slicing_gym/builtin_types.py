"""Dataclasses from builtin types (YAML, JSON), with errors that name the key; and where two such differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from slicing_gym.errors import unknown_name

_Kind = TypeVar("_Kind")


@contextmanager
def named(key: str) -> Iterator[None]:
    """Puts the key in front of the errors of what is built inside."""
    try:
        yield
    except (TypeError, ValueError) as error:
        message = str(error)
        raise type(error)(message if message.startswith(key) else f"{key}.{message}") from None


def merge(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with nested `changes` laid over it."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif (  # another kind of distribution has other keys; a reward has the same keys whatever its kind
            isinstance(value, Mapping)
            and isinstance(old, dict)
            and not ("kind" in value and "kind" in old and key != "reward")
        ):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def build(kind: type[_Kind], key: str, data: object) -> _Kind:
    """An instance of a dataclass from its fields, with errors that name the key."""
    if isinstance(data, kind):
        return data
    if not isinstance(data, Mapping):
        raise TypeError(f"{key}: {data!r} is not a mapping")
    assert is_dataclass(kind)
    allowed = {entry.name for entry in fields(kind)}
    for name in data:
        if name not in allowed:
            raise ValueError(unknown_name(key, name, allowed))
    missing = [
        entry.name
        for entry in fields(kind)
        if entry.default is MISSING and entry.default_factory is MISSING and entry.name not in data
    ]
    if missing:
        raise ValueError(f"{key}: {', '.join(missing)} missing")
    return kind(**data)


def differences(own: Any, other: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Where nested builtin types differ: key, own value, other value."""
    if isinstance(own, dict) and isinstance(other, dict):
        found = []
        for name in dict.fromkeys([*own, *other]):
            inner = f"{key}.{name}" if key else str(name)
            found += differences(own.get(name), other.get(name), inner)
        return found
    return [] if own == other else [(key, own, other)]
