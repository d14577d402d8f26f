"""What is looked up in a run's configuration and summary, and of which kind it is: anybody may have written them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slicing_gym.errors import shown
from slicing_gym.reading import parsing, read_json
from slicing_gym.yaml_reading import read_yaml_mapping

_KINDS: dict[str, tuple[type, ...]] = {
    "keys and values": (dict,),
    "a list": (list,),
    "a text": (str,),
    "a whole number": (int,),
    "a number": (int, float),
}
"""What messages call the kinds."""

KINDS_OF_CONFIG = {
    **dict.fromkeys(("scenario", "agent", "env", "twin", "twin.transition", "evaluation"), "keys and values"),
    **dict.fromkeys(("env.observer", "env.reward_function"), "keys and values"),
    **dict.fromkeys(("env.wrappers", "env.vector_wrappers", "evaluation.seeds"), "a list"),
    **dict.fromkeys(("reward", "agent._target_", "agent.name"), "a text"),
    **dict.fromkeys(("seed", "num_envs", "evaluation.decisions"), "a whole number"),
}
"""Of a configuration, by dotted key; what is null is as if it were not there."""

KINDS_OF_STUDENT = {
    **dict.fromkeys(("scenario", "agent", "head", "twin", "teacher"), "a text"),
    **dict.fromkeys(("seed", "hidden", "decisions", "episodes_to_goal"), "a whole number"),
    **dict.fromkeys(("utility", "regret", "cpu_seconds", "best_fixed_on_own_cell"), "a number"),
    "config": "keys and values",
}
"""Of the figures of a student, whose `config` is only compared."""

KINDS_OF_SUMMARY = {
    **KINDS_OF_STUDENT,
    **{f"config.{key}": kind for key, kind in KINDS_OF_CONFIG.items()},
    "estimates": "keys and values",
    **dict.fromkeys(("estimates.fitted_q", "estimates.twin", "utility_in_data"), "a number"),
}
"""Of the figures of a run."""

STUDENT_SUMMARY = "student.json"
"""The figures of a student, whose `config` is none of a run."""

_NOTHING = object()


def read_stored_config(key: str, path: Path) -> dict[str, Any]:
    """The configuration that Hydra left in a file; interpolations in it are left as they are.

    Raises:
        OSError, ValueError: it cannot be read, or something in it is of another kind; the message names key and file.
    """
    found = read_yaml_mapping(key, path)
    check_kinds(key, path, found, KINDS_OF_CONFIG)
    return found


def read_summary(key: str, path: Path, wanted: Sequence[str] = ()) -> dict[str, Any]:
    """The figures of a run or of a student.

    Raises:
        OSError, ValueError: they cannot be read, lack one that is `wanted`, or one is of another kind; the message
            names key and file.
    """
    found = read_json(key, path, wanted)
    check_kinds(key, path, found, KINDS_OF_STUDENT if path.name == STUDENT_SUMMARY else KINDS_OF_SUMMARY)
    return found


def check_kinds(key: str, path: str | os.PathLike[str], found: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    """Refuse what was read from a file where something is of another kind than those that look it up take.

    Args:
        key: by which the file was given.
        path: of the file.
        found: what is in it.
        kinds: by dotted key, what is allowed.

    Raises:
        ValueError: the message names key, file and dotted key.
    """
    with parsing(key, os.fspath(path)):
        for name, kind in kinds.items():
            value = looked_up(found, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, _KINDS[kind])):
                raise TypeError(f"{name}: {shown(value)} given, allowed is {kind}")


def looked_up(found: Any, name: str, default: Any = None) -> Any:
    """What stands at a dotted key; the default where there is nothing, or where what is above it has no keys."""
    for part in name.split("."):
        found = found.get(part, _NOTHING) if isinstance(found, Mapping) else _NOTHING
    return default if found is _NOTHING else found
