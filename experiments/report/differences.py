"""How agents that are compared differ in class, network, head, updates and exploration, and no column says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config.files import CONFIG_FOLDER, choices_of
from experiments.report.configuration import flattened, shown_value
from experiments.report.in_force import NOT_IN_FORCE
from experiments.report.learning import SET_BY, learning_of
from experiments.runs.folder import NO_HEAD
from experiments.runs.typed import LONGEST
from slicing_gym.reading import one_line
from slicing_gym.yaml_reading import read_yaml_mapping

if TYPE_CHECKING:
    from experiments.report.entries import Entry
    from experiments.report.groups import RunGroup

_HEAD, _LAYERS = "agent.head", "agent.net_arch"
_BEFORE = {_HEAD: "agent.policy_kwargs.head", _LAYERS: "agent.policy_kwargs.net_arch"}
"""Keys that go before them, and are shown as them."""
_OTHER = ("agent._target_", "agent.policy", "agent.kwargs.")
"""How keys begin that say what else an agent is, `agent.policy_kwargs` among them."""
_MOST = 4
"""Groups that it names after a value."""


def different_agents(groups: Sequence[RunGroup], keys: Sequence[str]) -> dict[str, str]:
    """In which class, network, head, updates and exploration groups differ, besides what they are told apart by.

    Head and layers count whatever set them: what they bring is not the algorithm's. What else an agent's name stands
    for (the class of `ddqn`, the quantiles of `sb3_qrdqn`) is no difference of its own.

    Args:
        groups: that are compared.
        keys: that they were grouped by, which stand in the tables.

    Returns:
        By key, each value with the groups that have it: "dense (sb3_dqn), factored (ddqn)".
    """
    known = [group for group in groups if group.runs]
    traits = [_of_group(group) for group in known]
    found = {}
    for key in dict.fromkeys([_HEAD, _LAYERS, *(key for own in traits for key in own)]):
        values = [(group, own.get(key, "")) for group, own in zip(known, traits, strict=True)]
        if key in _BEFORE or key in SET_BY:  # a planner has none, and of some runs nobody knows it
            values = [(group, value) for group, value in values if value]
        named = [each for each in keys if each in (key, _BEFORE.get(key), *SET_BY.get(key, ()))]
        shown = any(all(group.values.get(each) != NOT_IN_FORCE for group in known) for each in named)
        counts = key in _BEFORE or key in SET_BY or _varies(key, known)
        if len({value for _, value in values}) > 1 and not shown and counts:
            found[key] = _listed(values)
    return found


def _varies(key: str, groups: Sequence[RunGroup]) -> bool:
    """Whether runs differ in a key itself: what one has by its name another may have by its settings."""
    return len({shown_value(run.in_force.get(key, "")) for group in groups for run in group.runs}) > 1


def _of_group(group: RunGroup) -> dict[str, str]:
    """What is compared of a group; where its runs differ (`by=` puts several together), all their values."""
    found: dict[str, set[str]] = defaultdict(set)
    for run in group.runs:
        for key, value in (_of_run(run) | learning_of(run.command, run.values)).items():
            found[key].add(one_line(shown_value(value), LONGEST))
    return {key: " and ".join(sorted(values)) for key, values in found.items()}


def _of_run(run: Entry) -> dict[str, Any]:
    """Head and layers of a run's agent, and what else is not as its name says."""
    values = {key: value for key, value in run.in_force.items() if value not in (NOT_IN_FORCE, {})}
    by_name = _by_name(str(values.get("agent")))
    head = values.get("head")
    found = {} if head in (None, NO_HEAD) else {_HEAD: head}
    if _LAYERS in values:
        layers = values.get(_BEFORE[_LAYERS], values[_LAYERS])
        found[_LAYERS] = "the class's own" if layers is None else layers
    others = [key for key in values if key.startswith(_OTHER) and key not in _BEFORE.values()]
    return found | {key: values[key] for key in others if values[key] != by_name.get(key)}


@cache
def _by_name(agent: str) -> Mapping[str, Any]:
    """The settings that an agent of this name comes with, by dotted key; those of all agents where none has it."""
    names = ["_settings", *({agent} & {*choices_of("agent")})]
    settings = [read_yaml_mapping("agent", Path(CONFIG_FOLDER, "agent", f"{name}.yaml")) for name in names]
    return flattened({key: value for each in settings for key, value in each.items()}, "agent.")


def _listed(values: Sequence[tuple[RunGroup, str]]) -> str:
    """Each value with its groups."""
    groups: dict[str, dict[str, None]] = defaultdict(dict)
    for name, (_, value) in zip(_names(values), values, strict=True):
        groups[value][name] = None
    shown = [f"{value} ({_some([*names])})" for value, names in sorted(groups.items()) if value]
    return ", ".join(shown)


def _names(values: Sequence[tuple[RunGroup, str]]) -> list[str]:
    """What the groups are called: by as few keys as tell their values apart."""
    keys = [*values[0][0].values]
    for chosen in (each for number in range(1, len(keys) + 1) for each in combinations(keys, number)):
        names = [", ".join(_named(key, group.values[key]) for key in chosen) for group, _ in values]
        if len({(name, value) for name, (_, value) in zip(names, values, strict=True)}) == len({*names}):
            return names
    return [group.label for group, _ in values]


def _named(key: str, value: str) -> str:
    return value if key == "agent" else f"{key} {value}"


def _some(names: Sequence[str]) -> str:
    return "; ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
