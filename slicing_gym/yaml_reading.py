"""The one place where YAML of any origin is read: builtin types of bounded size and depth, without aliases and tags.

It is also written here; keys keep their order.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from slicing_gym.extras import explained
from slicing_gym.files import atomic_write
from slicing_gym.reading import one_line, read_bytes

LARGEST = 2**22
"""Bytes of a YAML file; a scenario with a measured trace for each of eight slices has 1.5 MB."""

DEEPEST = 64
"""Lists and mappings within each other."""

LONGEST = 4096
"""Characters of a text without blanks, which might be a number: its digits would be computed one by one."""


def read_yaml(key: str, path: str | os.PathLike[str]) -> Any:
    """What is in a YAML file, as builtin types.

    Raises:
        FileNotFoundError, OSError: it cannot be read.
        ValueError: it is no YAML, is too large or too deep, or has aliases or Python's tags; the message names key and
            file, on one line.
    """
    return parse_yaml(key, path, read_bytes(key, path, LARGEST))


def read_yaml_mapping(key: str, path: str | os.PathLike[str]) -> dict[str, Any]:
    """The keys and values in a YAML file.

    Raises:
        OSError, ValueError: as for `read_yaml`; or it holds something else.
    """
    found = read_yaml(key, path)
    if not isinstance(found, dict):
        raise ValueError(f"{key}: {os.fspath(path)!r} could not be read: {_kind(found)}, wanted are keys and values")
    return found


def write_yaml(path: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
    """Write builtin types to a file, atomically; keys keep their order."""
    with explained():
        import yaml
    text = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=120)
    with atomic_write(path) as file:
        file.write(text.encode())


def _kind(found: object) -> str:
    return "it is empty" if found is None else f"it holds a {type(found).__name__}"


def _check_plain(value: Any, key: str) -> None:
    """Refuse dates, sets and bytes, which YAML has and configurations have not, and whole numbers beyond any double.

    Raises:
        ValueError: the message names the key.
    """
    if not isinstance(value, dict | list | str | int | float | None):
        raise ValueError(
            f"{key or 'it'} is a {type(value).__name__}, allowed are texts (in quotes), numbers, true and false, "
            "null, lists, and keys and values"
        )
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise ValueError(
            f"{key or 'it'} is a whole number of {value.bit_length()} bits, allowed is what a double holds"
        )
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in entries:
        _check_plain(entry, f"{key}.{name}" if key else str(name))


def parse_yaml(key: str, name: str | os.PathLike[str], content: bytes | str) -> Any:
    """As `read_yaml`, of bytes or text that came from `name`."""
    with explained():
        import yaml  # what trains brings it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where it was built so, which is tenfold as fast
    try:
        text = content.decode() if isinstance(content, bytes) else content
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise ValueError(f"line {event.start_mark.line + 1}: an alias (*{event.anchor}), allowed are none")
            if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST and " " not in event.value:
                raise ValueError(f"line {event.start_mark.line + 1}: {len(event.value):,} characters without a blank")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ValueError(f"line {event.start_mark.line + 1}: more than {DEEPEST} levels within each other")
        found = yaml.load(text, Loader=loader)  # of its safe class, which makes builtin types alone
        _check_plain(found, "")
        return found
    except Exception as error:  # a date that does not exist, an int that is too long, an unhashable key, ...
        raise ValueError(f"{key}: {os.fspath(name)!r} is not YAML that is read here ({one_line(error)})") from None
