"""What a search may change: a file of ranges and choices by dotted key, checked, drawn from, and put into settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from experiments.config.agents import check_agent
from experiments.config.files import CONFIG_FOLDER
from experiments.config.schemas import AgentSettings
from experiments.train.check import check_multiple
from slicing_gym.errors import check_instance, check_number, unknown_name
from slicing_gym.yaml_reading import read_yaml

_NOT_SEARCHED = ("name", "_target_", "twin_gradient_steps", "device")
"""Keys of agents that a space may not have: what is searched is one agent, which learns without a twin."""
_OPEN = ("kwargs", "policy_kwargs")
"""Keys below which an agent's class says what there is."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Args:
        low, high: bounds.
        log: drawn on a logarithmic scale.
        whole: whole numbers alone.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def suggest(self, trial: Any, key: str) -> int | float:
        """A value, as a trial of Optuna draws it."""
        if self.whole:
            return int(trial.suggest_int(key, int(self.low), int(self.high), log=self.log))
        return float(trial.suggest_float(key, self.low, self.high, log=self.log))

    @property
    def extremes(self) -> list[Any]:
        """Values that an agent has to take, if it is to take all of them."""
        return [int(self.low), int(self.high)] if self.whole else [self.low, self.high]

    def stored(self, value: Any) -> Any:
        """A value as a study holds it; None if it is not in the range."""
        inside = isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high
        return value if inside and (not self.whole or isinstance(value, int)) else None

    def restored(self, value: Any) -> Any:
        """A value of a study as the agent has it."""
        return value


@dataclass(frozen=True)
class Choices:
    """One of some values of any type.

    Args:
        values: allowed ones.
    """

    values: tuple[Any, ...]

    def suggest(self, trial: Any, key: str) -> Any:
        """A value, as a trial of Optuna draws it: it knows texts alone, which JSON gives of every value."""
        return json.loads(trial.suggest_categorical(key, [json.dumps(each) for each in self.values]))

    @property
    def extremes(self) -> list[Any]:
        """Values that an agent has to take, if it is to take all of them."""
        return list(self.values)

    def stored(self, value: Any) -> Any:
        """A value as a study holds it; None if it is not among them."""
        return json.dumps(value) if value in self.values else None

    def restored(self, value: str) -> Any:
        """A value of a study as the agent has it."""
        return json.loads(value)


Space = Mapping[str, Range | Choices]


def read_space(name: str) -> dict[str, Any]:
    """What is in the file of a space, or in the one of a name in `conf/search`.

    Args:
        name: of a file in `conf/search`, or the path of one of your own.

    Raises:
        ValueError, TypeError, OSError: there is none, or it holds no keys and values.
    """
    path = Path(name)
    if not path.suffix:
        path = Path(CONFIG_FOLDER) / "search" / f"{name}.yaml"
        if not path.is_file():
            known = [each.stem for each in path.parent.glob("*.yaml")]
            raise ValueError(unknown_name("space", name, known) + ", or a file")
    found = read_yaml("space", path)
    if not isinstance(found, dict) or not found:
        raise TypeError(
            f"space: {name!r} holds no keys and values; allowed are lines as agent.gamma: {{low: 0, high: 1}}"
        )
    return {str(key): value for key, value in found.items()}


def make_space(given: Mapping[str, Any], agent: AgentSettings, env: Any, decisions: int) -> Space:
    """The space of a mapping of dotted keys, checked: the agent takes every extreme of it.

    Args:
        given: as a file has it.
        agent: whose settings are searched.
        env: with the spaces that it acts in.
        decisions: of a training run, which have to be whole updates.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    check_instance("space", given, (Mapping,))
    space = {key: _dimension(f"space.{key}", entry) for key, entry in given.items()}
    for key, dimension in space.items():
        _check_key(key)
        for value in _checked_values(key, dimension):
            try:
                check_multiple("decisions", decisions, check_agent(with_values(agent, {key: value}), env))
            except (ValueError, TypeError) as error:
                raise type(error)(f"space.{key}: {value!r} is not allowed there ({error})") from None
    return space


def _checked_values(key: str, dimension: Range | Choices) -> Iterable[Any]:
    """Extremes; of decisions between updates every value, since those in between may not divide a run's decisions."""
    if isinstance(dimension, Range) and dimension.whole and key.endswith(".train_freq"):
        return range(int(dimension.low), int(dimension.high) + 1)
    return dimension.extremes


def _check_key(key: str) -> None:
    group, _, rest = key.partition(".")
    first, _, below = rest.partition(".")
    names = [each.name for each in fields(AgentSettings) if each.name not in _NOT_SEARCHED]
    known = [f"agent.{name}" for name in names if name not in _OPEN] + [f"agent.{name}.<argument>" for name in _OPEN]
    open_one = first in _OPEN
    if group != "agent" or first not in names or bool(below) != open_one:
        raise ValueError(unknown_name("space", key, known))


def _dimension(key: str, entry: Any) -> Range | Choices:
    """A range or choices."""
    if not isinstance(entry, Mapping):
        raise TypeError(f"{key}: {entry!r} given, allowed is {{low: ..., high: ...}} or {{choices: [...]}}")
    allowed = ("choices",) if "choices" in entry else ("low", "high", "log", "int")
    for name in entry:
        if name not in allowed:
            raise ValueError(unknown_name(key, name, allowed))
    if "choices" in entry:
        values = entry["choices"]
        if not isinstance(values, list) or not values or any(values.count(each) > 1 for each in values):
            raise ValueError(f"{key}.choices: {values!r} given, allowed is a list of different values")
        return Choices(tuple(values))
    for name in ("low", "high"):
        if name not in entry:
            raise ValueError(f"{key}.{name}: not given")
    return _range(key, entry)


def _range(key: str, entry: Mapping[str, Any]) -> Range:
    flags = {name: entry.get(name, False) for name in ("log", "int")}
    for name, value in flags.items():
        check_instance(f"{key}.{name}", value, (bool,))
    low = check_number(f"{key}.low", entry["low"], above=0.0 if flags["log"] else None)
    high = check_number(f"{key}.high", entry["high"], above=low)
    if flags["int"]:
        for name in ("low", "high"):
            if not float(entry[name]).is_integer():
                raise ValueError(f"{key}.{name}: {entry[name]!r} given, allowed with int are whole numbers")
    return Range(low, high, flags["log"], flags["int"])


def suggest(space: Space, trial: Any) -> dict[str, Any]:
    """A value for each key, as a trial of Optuna draws them."""
    return {key: dimension.suggest(trial, key) for key, dimension in space.items()}


def with_values(agent: AgentSettings, values: Mapping[str, Any]) -> AgentSettings:
    """Settings of an agent with values by dotted key."""
    whole = asdict(agent)
    for key, value in values.items():
        *above, last = key.split(".")[1:]
        node = whole
        for name in above:
            node = node.setdefault(name, {})
        node[last] = value
    return AgentSettings(**whole)


def defaults_in(space: Space, agent: AgentSettings) -> dict[str, Any] | None:
    """The agent's own values as a study holds them; None if one is not in the space."""
    whole, found = asdict(agent), {}
    for key, dimension in space.items():
        node: Any = whole
        for name in key.split(".")[1:]:
            node = node.get(name) if isinstance(node, Mapping) else None
        found[key] = dimension.stored(node)
    return None if any(value is None for value in found.values()) else found
