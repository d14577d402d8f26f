"""Configurations by dotted key, in which of them runs differ, and which of these differences make groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.report.in_force import NOT_IN_FORCE
from experiments.runs.typed import SILENT
from slicing_gym.errors import unknown_name
from slicing_gym.yaml_reading import parse_yaml

CHOICES = ("agent", "twin")
"""What groups are told apart by first; the settings of two agents or twins are not compared with each other."""
_IDENTITY = ("seed", "head", "agent.arguments.seed", *CHOICES)
"""Those of them that tell two runs apart all the same."""


def identity(values: Mapping[str, Any]) -> str:
    """What is equal of two runs of a scenario that are the same: all that can change a result."""
    own = {key: shown_value(value) for key, value in values.items() if key not in SILENT or key in _IDENTITY}
    return repr(sorted(own.items()))


def flattened(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested configuration by dotted key; empty mappings are values."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            found |= flattened(value, f"{key}.")
        else:
            found[key] = value
    return found


def unflattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """A nested configuration from dotted keys; a choice keeps its name where its settings are not known."""
    nested: dict[str, Any] = {}
    for key, value in sorted(values.items()):
        *path, last = key.split(".")
        node = nested
        for name in path:
            inner = node.setdefault(name, {})
            if not isinstance(inner, dict):
                inner = node[name] = {"name": inner}
            node = inner
        node[last] = value
    return nested


def public_name(target: str) -> str:
    """The name by which a class is imported from a package that exports it: agents.DDQN for agents.ddqn.DDQN."""
    package, *_, name = target.split(".")
    return f"{package}.{name}" if package in _PACKAGES else target


_PACKAGES = ("agents", "stable_baselines3", "sb3_contrib")


def typed(overrides: Sequence[str]) -> dict[str, Any]:
    """What overrides `key=value` say; those of Hydra itself and groups that are added (`+experiment=debug`) do not.

    An agent and a scenario go by the name that was typed for them, as they do once they are composed.
    """
    found = {}
    for override in overrides:
        key, equals, value = override.lstrip("+").partition("=")
        if equals and not override.startswith(("+", "~", "hydra")):
            found[key] = _parsed(value)
    return found | {key: found[name] for key, name in _NAMES.items() if name in found}


_NAMES = {"agent": "agent.name", "scenario": "scenario.name"}


def filled_in(name: Any, values: Mapping[str, Any]) -> Any:
    """A name in which settings are named, `ddqn-${agent.gamma}`, with those that are known in their places."""
    if not isinstance(name, str):
        return name
    return re.sub(r"\$\{([^{}]+)\}", lambda found: str(values.get(found[1], found[0])), name)


def _parsed(value: str) -> Any:
    try:
        return parse_yaml("overrides", value, value)
    except ValueError:
        return value


def shown_value(value: Any) -> str:
    """A value as a table shows it."""
    if isinstance(value, float):
        return short if float(short := f"{value:g}") == value else repr(value)
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def is_left_open(value: Any) -> bool:
    """Whether a value is left for Hydra, or for what is composed, to fill in."""
    return value is None or (isinstance(value, str) and value.startswith("${"))


def swept_keys(runs: Sequence[Mapping[str, Any]], overrides: Iterable[Sequence[str]]) -> list[str]:
    """The keys by which runs of a scenario fall into groups, so that the runs of a group agree in everything.

    Agent and twin come first; then keys that were typed, then those with the most values. A key that says nothing that
    those before it do not say already (the size of a memory that goes with the kind of twin) is left out. A key that
    some runs do not have, as those of another version, or that is not in force there, tells them apart from no other.

    Args:
        runs: configurations by dotted key.
        overrides: what was typed for each.
    """
    kept = [key for key in CHOICES if len({shown_value(run[key]) for run in runs if key in run}) > 1]
    said = {key for each in overrides for key in typed(each)}
    numbers = {key: len(_known(runs, key)) for key in dict.fromkeys(key for run in runs for key in run)}
    differing = [key for key, number in numbers.items() if number > 1 and key not in SILENT]
    for key in sorted(differing, key=lambda key: (key not in said, -numbers[key], key.count("."))):
        if _tells_apart(runs, kept, key):
            kept.append(key)
    return kept


def along_with(runs: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    """Keys in which runs of one agent and twin differ, and that are not among those by which they were grouped."""
    others = dict.fromkeys(key for run in runs for key in run if key not in keys and key not in SILENT)
    return [key for key in others if _tells_apart(runs, [], key)]


def _known(runs: Sequence[Mapping[str, Any]], key: str) -> set[str]:
    return {shown_value(run[key]) for run in runs if key in run} - {NOT_IN_FORCE}


def _tells_apart(runs: Sequence[Mapping[str, Any]], kept: Sequence[str], key: str) -> bool:
    """Whether runs that agree in all keys before, and in agent and twin, differ in this one."""
    seen: dict[tuple[str, ...], set[str]] = {}
    for run in runs:
        place = tuple(shown_value(run.get(each)) for each in (*CHOICES, *kept))
        seen.setdefault(place, set()).update(_known([run], key))
    return any(len(values) > 1 for values in seen.values())


def check_keys(by: Sequence[str], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys that were given to group by.

    Raises:
        ValueError: none, or one that no run has.
    """
    allowed = dict.fromkeys(key for run in runs for key in run if key != "seed")
    if not by:
        raise ValueError("by: none given, allowed are keys of the configuration, as agent,twin,agent.learning_rate")
    for key in by:
        if key not in allowed:
            raise ValueError(_short(unknown_name("by", key, allowed)))
    return list(dict.fromkeys(by))


def _short(message: str, most: int = 12) -> str:
    """A message without the far end of a long list of names."""
    start, opened, names = message.partition("(allowed: ")
    listed = names.rstrip(")").split(", ")
    more = f", and {len(listed) - most} more)" if len(listed) > most else ")"
    return f"{start}{opened}{', '.join(listed[:most])}{more}"
