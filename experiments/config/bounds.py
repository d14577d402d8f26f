"""Bounds of settings, stated once where the setting is declared: `bounded` says them, `check_bounds` holds them."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, field, fields, is_dataclass
from numbers import Integral, Real
from typing import Any

from slicing_gym.errors import check_instance, check_integer, check_number, unknown_name
from slicing_gym.threads import MAX_THREADS as MAX_THREADS  # most threads or processes, too

MAX_SEED = 2**32 - 1
"""Largest seed: NumPy, PyTorch and Stable-Baselines3 take 32 bits."""

MAX_DECISIONS = 10**8
"""Most decisions, states or updates: of each some ten to hundred bytes are held in memory, which are gigabytes."""

MAX_CELLS = 2**16
"""Most cells at once: each has its queues and its random streams, some tens of kilobytes."""

MAX_RUNS = 10_000
"""Most runs, trials, directions, candidates: each takes seconds or more, which is days."""

MAX_POINTS = 1001
"""Most points of a curve, or of a side of a surface, which has their square: pictures have no more pixels."""

MAX_EPOCHS = 10**6
"""Most times through a history, or episodes without progress: at a second each, days."""

MAX_WIDTH = 2**13
"""Most neurons in a layer: two such layers have 2^26 weights between them, and with Adam's moments fill a gigabyte."""

MAX_LAYERS = 64
"""Most hidden layers: no gradient gets through more without shortcuts, and every decision waits for each of them."""

MAX_NAME = 255
"""Longest text between slashes [bytes]: names of files have no more, and few other texts of the settings need more."""

MAX_BATCH = 2**20
"""Largest minibatch: what a network of some hundred neurons computes of it fills gigabytes."""

MAX_FACTOR = 1e6
"""Largest weight, distance or penalty: beyond that float32 loses the terms that it is added to."""

MAX_RATE = 10.0
"""Largest learning rate: one step beyond that takes weights out of float32's range."""

MAX_ARGUMENT = 1e9
"""Largest argument of a class that knows its meaning alone: its square is still within float32's range."""

MAX_SECONDS = 1e9
"""Longest time: thirty years."""


def bounded(
    default: Any = MISSING,
    *,
    factory: Callable[[], Any] | None = None,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    choices: Iterable[str] | None = None,
    distinct: bool = False,
    filled: bool = False,
    longest: int | None = None,
    no_names: bool = False,
) -> Any:
    """A field of a dataclass of settings, with what is allowed; of a list, for each of its values.

    Args:
        default: of the field.
        factory: makes the default, in place of it.
        above: bound of numbers, itself excluded.
        at_least: lower bound of numbers.
        at_most: upper bound of numbers, one of those above.
        choices: names that are allowed.
        distinct: no value of a list may occur twice.
        filled: a list may not be empty.
        longest: most values of a list, one of the bounds above.
        no_names: texts are neither paths nor names of anything, and may be longer than these.
    """
    bounds = {"above": above, "at_least": at_least, "at_most": at_most}
    metadata = {"bounds": bounds, "choices": choices, "distinct": distinct, "filled": filled, "longest": longest}
    metadata["no_names"] = no_names
    if factory is not None:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def check_bounds(settings: Any, prefix: str = "") -> None:
    """Refuse settings that are of another type than declared, or out of their bounds; nested ones too.

    Args:
        settings: an instance of a dataclass.
        prefix: where it stands, for the messages.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    hints = typing.get_type_hints(type(settings))
    for each in fields(settings):
        key, value, hint = f"{prefix}{each.name}", getattr(settings, each.name), hints[each.name]
        if isinstance(hint, types.UnionType):
            if value is None:
                continue
            hint = next(kind for kind in typing.get_args(hint) if kind is not types.NoneType)
        if is_dataclass(hint):
            if not isinstance(value, typing.cast(type, hint)):
                raise TypeError(f"{key}: {value!r} given, allowed is {typing.cast(type, hint).__name__}")
            check_bounds(value, f"{key}.")
        elif typing.get_origin(hint) is list:
            _check_list(key, value, typing.get_args(hint)[0], each.metadata)
        elif typing.get_origin(hint) is dict:
            check_instance(key, value, (Mapping,))
        else:
            _check_value(key, value, hint, each.metadata)


def _check_list(key: str, values: Any, hint: Any, metadata: Any) -> None:
    if not isinstance(values, list | tuple | range):
        raise TypeError(f"{key}: {values!r} given, allowed is a list")
    if metadata.get("filled") and not values:
        raise ValueError(f"{key}: none given, allowed are one or more")
    check_length(key, values, metadata.get("longest"))
    for value in values:
        _check_value(key, value, hint, metadata)
    if metadata.get("distinct") and len(set(values)) < len(values):
        raise ValueError(f"{key}: {list(values)} given, allowed are different ones")


def check_length(key: str, values: Sequence[Any], longest: int | None) -> None:
    """Refuse a list of more values than are allowed; None: there is no bound.

    Raises:
        ValueError: the message names the key, their number and what is allowed.
    """
    if longest is not None and len(values) > longest:
        raise ValueError(f"{key}: {len(values)} values given, allowed are at most {longest}")


def check_name_length(key: str, value: str) -> None:
    """Refuse a text that can be no path, and is too long for a name of anything else.

    Raises:
        ValueError: the message names the key, the length and what is allowed.
    """
    longest = max(len(each.encode(errors="surrogatepass")) for each in value.split("/"))
    if longest > MAX_NAME:
        raise ValueError(f"{key}: {value[:20]!r}... has {longest} bytes, allowed are {MAX_NAME} between slashes")


def _check_value(key: str, value: Any, hint: Any, metadata: Any) -> None:
    bounds = dict(metadata.get("bounds", {}))
    if hint is int:
        least = bounds.get("at_least")
        most = bounds.get("at_most")
        check_integer(key, value, at_least=-(2**63) if least is None else int(least), at_most=most and int(most))
    elif hint is float:
        check_number(key, value, **bounds)
    elif hint in (str, bool) and not isinstance(value, hint):
        raise TypeError(f"{key}: {value!r} given, allowed is {'true or false' if hint is bool else 'a text'}")
    elif hint is str and not metadata.get("no_names"):
        check_name_length(key, value)
    if metadata.get("choices") is not None and value not in metadata["choices"]:
        raise ValueError(unknown_name(key, value, metadata["choices"]))


def check_arguments(key: str, given: Any, *, largest_integer: int | None = None) -> None:
    """Refuse arguments of a class, whatever they mean, that are no finite numbers of a size that computes.

    Args:
        key: where they stand.
        given: the arguments, which may be lists and mappings of others.
        largest_integer: the largest whole number among them; None: as of other numbers.

    Raises:
        ValueError: the message names the key, the value and what is allowed.
    """
    if isinstance(given, bool):
        return
    if isinstance(given, Mapping):
        for name, value in given.items():
            check_arguments(f"{key}.{name}", value, largest_integer=largest_integer)
    elif isinstance(given, list | tuple):
        for value in given:
            check_arguments(key, value, largest_integer=largest_integer)
    elif isinstance(given, Integral) and largest_integer is not None:
        check_integer(key, given, at_least=-largest_integer, at_most=largest_integer)
    elif isinstance(given, Real):
        check_number(key, given, at_least=-MAX_ARGUMENT, at_most=MAX_ARGUMENT)
