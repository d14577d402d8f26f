"""Numbers of a mapping that YAML 1.1 reads as texts, as 20e6: where a file must have a number, they are numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from slicing_gym.errors import as_yaml

_NUMBERS = {
    "arrivals": ("packet_byte",),
    "time": ("period", "tolerance"),
    "performance": ("lower", "upper", "resolution"),
    "ssr": ("at_least", "at_most"),
    "spectral_efficiency": ("unit_bps", "users"),
}
"""Keys of a mapping, and those below them that are numbers; the name of a column may look like one."""

_SCENARIO, _TEXTS = "scenario", ("name", "kind")
"""Below this key all are numbers but these."""

_EXACT = 2**53
"""Below it every whole number is a double."""


def with_numbers(data: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with numbers in place of such texts, wherever a number is meant."""
    sections = (_SCENARIO, *_NUMBERS)
    return {key: _numbers(key, value) if key in sections else value for key, value in data.items()}


def _is_number(section: str, name: object) -> bool:
    """Whether a key below another one is a number, or several."""
    return name not in _TEXTS if section == _SCENARIO else name in _NUMBERS[section]


def _numbers(section: str, value: Any, meant: bool = False) -> Any:
    """What stands below such a key, with its numbers."""
    if isinstance(value, Mapping):
        return {name: _numbers(section, each, _is_number(section, name)) for name, each in value.items()}
    if isinstance(value, list):
        return [_numbers(section, each, meant) for each in value]
    if not meant or not as_yaml(value):
        return value
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < _EXACT else number  # a count is a whole number


def check_numbers_of_yaml(data: Mapping[str, Any]) -> None:
    """Refuse texts that were meant as numbers, where there are several; a single one is named by what reads it.

    Raises:
        TypeError: the message names each, and what to write.
    """
    found = [each for section in (_SCENARIO, *_NUMBERS) for each in _texts(section, section, data.get(section))]
    if len(found) > 1:
        raise TypeError(f"mapping: {len(found)} numbers are texts to YAML 1.1: {', '.join(found)}")


def _texts(section: str, key: str, value: Any, meant: bool = False) -> Iterator[str]:
    """The texts below a key that are numbers but for their form."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _texts(section, f"{key}.{name}", each, _is_number(section, name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(section, key, each, meant)
    elif meant and (form := as_yaml(value)):
        yield f"{key}: {value!r}{form.replace('; if this is YAML,', ',')}"
