"""Numbers of a mapping that YAML 1.1 reads as texts, as 20e6: of a file they are numbers, as in YAML 1.2 and Hydra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from slicing_gym.errors import as_yaml

_WITH_NUMBERS = ("scenario", "arrivals", "time", "performance", "ssr", "spectral_efficiency")
"""Keys of a mapping with numbers below them; what stands for slices or for missing values may look like one."""

_EXACT = 2**53
"""Below it every whole number is a double."""

_TEXTS = ("column", "name", "unit", "transform", "kind")
"""Keys below them that are texts."""


def with_numbers(data: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping of which texts below keys with numbers are the numbers that YAML 1.2 takes them for."""
    nested = (Mapping, list)  # a text right there is the name of a column
    return {
        key: _numbers(value) if key in _WITH_NUMBERS and isinstance(value, nested) else value
        for key, value in data.items()
    }


def _numbers(value: Any) -> Any:
    """What stands below such a key, with its numbers."""
    if isinstance(value, Mapping):
        return {name: each if name in _TEXTS else _numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    if not as_yaml(value):
        return value
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < _EXACT else number  # a count is a whole number


def check_numbers_of_yaml(data: Mapping[str, Any]) -> None:
    """Refuse texts that were meant as numbers, where there are several; a single one is named by what reads it.

    Raises:
        TypeError: the message names each, and what to write.
    """
    found = [each for key in _WITH_NUMBERS for each in _texts(key, data.get(key))]
    if len(found) > 1:
        raise TypeError(f"mapping: {len(found)} numbers are texts to YAML 1.1: {', '.join(found)}")


def _texts(key: str, value: Any) -> Iterator[str]:
    """The texts below a key that are numbers but for their form."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name not in _TEXTS:
                yield from _texts(f"{key}.{name}", each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(key, each)
    elif form := as_yaml(value):
        yield f"{key}: {value!r}{form.replace('; if this is YAML,', ',')}"
