"""Kinds of transition by name: those of the package, and those that users register."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import TypeVar

from slicing_gym.errors import unknown_name
from twin.models.settings import TransitionSettings

_Kind = TypeVar("_Kind", bound=TransitionSettings)
_KINDS: dict[str, type[TransitionSettings]] = {}


def register_transition(kind: type[_Kind]) -> type[_Kind]:
    """Make a kind of transition known by its name; may be used as a decorator.

    Registering a class twice is fine, and a class that is defined again (a cell of a notebook that runs once more)
    takes the place of its former self.

    Args:
        kind: a frozen dataclass, subclass of `TransitionSettings`, with a `name`.

    Returns:
        The same class.

    Raises:
        TypeError: it is not such a class.
        ValueError: another class has the name.
    """
    if not (isinstance(kind, type) and issubclass(kind, TransitionSettings) and is_dataclass(kind)):
        raise TypeError(f"transition: {kind!r} given, allowed is a dataclass that extends TransitionSettings")
    name = getattr(kind, "name", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"transition: {kind.__qualname__}.name is {name!r}, allowed are letters, digits and _")
    present = _KINDS.get(name)
    if present is not None and _path(present) != _path(kind):
        raise ValueError(f"transition: the name {name!r} of {_path(kind)} is that of {_path(present)} already")
    _KINDS[name] = kind
    return kind


def transition_kinds() -> dict[str, type[TransitionSettings]]:
    """The kinds that are registered, by name."""
    return dict(_KINDS)


def transition_kind(key: str, name: object) -> type[TransitionSettings]:
    """The kind of that name.

    Args:
        key: what the name is of, for the message.
        name: of the kind.

    Raises:
        ValueError: there is no such kind.
    """
    if not isinstance(name, str) or name not in _KINDS:
        raise ValueError(
            f"{unknown_name(key, name, _KINDS)}; a kind of your own is known once the module that calls "
            "twin.register_transition is imported"
        )
    return _KINDS[name]


def transition_settings(transition: str | TransitionSettings) -> TransitionSettings:
    """The settings of that name, or the settings themselves.

    Raises:
        ValueError: there is no such transition, or its kind is not registered.
        TypeError: neither a name nor settings.
    """
    if isinstance(transition, TransitionSettings):
        kind = type(transition)
        if _KINDS.get(getattr(kind, "name", "")) is not kind:
            raise ValueError(
                f"transition: {_path(kind)} is not registered; call twin.register_transition({kind.__qualname__}), "
                "so that a saved twin can be loaded"
            )
        return transition
    if not isinstance(transition, str):
        raise TypeError(f"transition: {transition!r} is neither a name nor settings")
    return transition_kind("transition", transition)()


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
