"""Mappings from and to builtin types (YAML): which keys are rules of their own, and lists as tuples."""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from slicing_gym import Scenario
from slicing_gym.builtin_types import build, named
from twin.data.logs.rules import AggregateRule, AllocationRule, ArrivalsRule, EfficiencyRule, SsrRule, TimeRule

RULES: dict[str, type[Any]] = {
    "time": TimeRule,
    "arrivals": ArrivalsRule,
    "allocation": AllocationRule,
    "aggregate": AggregateRule,
    "ssr": SsrRule,
    "spectral_efficiency": EfficiencyRule,
}


def with_rules(data: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a mapping with its rules built.

    Raises:
        ValueError, TypeError: a key or value of a rule is not allowed; the message names it.
    """
    parts: dict[str, Any] = dict(data)
    if isinstance(parts.get("aggregate"), Mapping):
        rest = dict(parts["aggregate"])
        parts["aggregate"] = {"by": rest.pop("by", None), "functions": rest}
    if isinstance(parts.get("allocation"), Mapping):
        parts["allocation"] = {("kind" if key == "as" else key): value for key, value in parts["allocation"].items()}
    elif isinstance(parts.get("allocation"), str):
        parts["allocation"] = {"column": parts["allocation"]}
    for name, rule in RULES.items():
        if parts.get(name) is not None and (name != "arrivals" or isinstance(parts[name], Mapping)):
            with named(f"mapping.{name}"):
                parts[name] = build(rule, f"mapping.{name}", with_tuples(parts[name]))
    return parts


def plain(value: Any) -> Any:
    """A value of a mapping as builtin types."""
    if isinstance(value, Scenario):
        return value.to_dict()
    if isinstance(value, AggregateRule):
        return {"by": value.by, **value.functions}
    if isinstance(value, tuple(RULES.values())):
        assert is_dataclass(value)
        given = {entry.name: getattr(value, entry.name) for entry in fields(value)}
        kept = {name: plain(each) for name, each in given.items() if each is not None and each is not False}
        return {("as" if name == "kind" else name): each for name, each in kept.items()}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


def with_tuples(value: Any) -> Any:
    """Lists of builtin types as tuples; objects as they are."""
    if isinstance(value, list | tuple):
        return tuple(with_tuples(each) for each in value)
    if isinstance(value, Mapping):
        return {key: with_tuples(each) for key, each in value.items()}
    return value


def slice_names(labels: Sequence[Any]) -> tuple[str, ...]:
    """What the slices of a log are called in a scenario: letters, digits and underscores, each otherwise."""
    found: list[str] = []
    for label in labels:
        text = re.sub(r"\W", "_", str(label))
        found.append(free_name(text if text.isidentifier() else f"slice_{text}", found))
    return tuple(found)


def free_name(name: str, taken: Container[str]) -> str:
    """The name, with a number behind it where it is taken."""
    if name not in taken:
        return name
    return next(other for number in itertools.count(2) if (other := f"{name}_{number}") not in taken)
