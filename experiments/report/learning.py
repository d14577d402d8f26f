"""How often agents are updated and how long they explore, where groups differ in it and no column says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.config.schemas import PLANNER

UPDATES, EXPLORATION = "updates a real decision", "exploration"

_NAMES = {
    UPDATES: ("gradient_steps", "train_freq"),
    EXPLORATION: ("exploration_fraction", "learning_starts"),
}
_ROLES = ("agent", "agent.kwargs", "algorithm.agent_1")

SET_BY = {
    UPDATES: tuple(f"{role}.{name}" for role in _ROLES for name in _NAMES[UPDATES]),
    EXPLORATION: (
        *(f"{role}.{name}" for role in _ROLES for name in _NAMES[EXPLORATION]),
        *("algorithm.collect", "algorithm.collect_by", "decisions"),
    ),
}
"""Keys that set them; one that stands in the tables, and is in force in all groups, says enough."""


def learning_of(command: str, values: Mapping[str, Any]) -> dict[str, str]:
    """What a twin changes besides being one: it is part of what an agent with a twin is better by.

    Args:
        command: train or offline; a history is learned from by all agents alike.
        values: a run's configuration by dotted key, with "agent" and "twin".

    Returns:
        By `UPDATES` and `EXPLORATION` what a reader is told; less where it is not known.
    """
    planner = values.get("agent") == "planner" or values.get("agent._target_") == PLANNER
    if command != "train" or "twin" not in values or planner:
        return {}
    twin = values["twin"] != "none"
    found = {UPDATES: _updates(values, twin), EXPLORATION: _collected(values) if twin else _explored(values)}
    return {key: told for key, told in found.items() if told}


def _updates(values: Mapping[str, Any], twin: bool) -> str:
    """Of the agent that acts in the cell."""
    steps, frequency = (_setting(values, name, twin) for name in _NAMES[UPDATES])
    frequency = 1 if frequency is None else frequency
    if not isinstance(steps, int) or not isinstance(frequency, int):
        return ""
    return f"{1.0 if steps < 0 else steps / frequency:g}"  # -1 is as many as decisions


def _collected(values: Mapping[str, Any]) -> str:
    """What stands for exploring where there is a twin; afterwards epsilon is constant."""
    number = values.get("algorithm.collect")
    by = "the planner" if values.get("algorithm.collect_by", "planner") == "planner" else "chance"
    return "" if number is None else f"{number} decisions by {by}"


def _explored(values: Mapping[str, Any]) -> str:
    """How long epsilon falls, if it does; until `learning_starts` all decisions are random, whatever it is."""
    share, first, low, high = (
        _setting(values, name, False)
        for name in (*_NAMES[EXPLORATION], "exploration_final_eps", "exploration_initial_eps")
    )
    decisions = values.get("decisions")
    if low is not None and low == high:
        return f"epsilon is {low:g}"
    if not isinstance(share, int | float) or not isinstance(decisions, int):
        return ""
    return f"epsilon falls until decision {max(round(share * decisions), first or 0)}"


def _setting(values: Mapping[str, Any], name: str, twin: bool) -> Any:
    """A setting of the agent that acts in the cell: with a twin Agent 1's; `kwargs` go before the rest."""
    keys = [f"{role}.{name}" for role in (_ROLES[::-1] if twin else _ROLES[1::-1])]
    return next((values[key] for key in keys if values.get(key) is not None), None)
