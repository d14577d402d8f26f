"""How often agents are updated and how long they explore, where groups differ in it and no column says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.config.schemas import PLANNER

UPDATES, EXPLORATION = "updates of Agent 1 a real decision", "exploration"

SET_BY = {
    UPDATES: ("agent.gradient_steps", "agent.train_freq", "algorithm.agent_1.gradient_steps"),
    EXPLORATION: ("agent.exploration_fraction", "algorithm.collect", "algorithm.collect_by"),
}
"""Keys that set them; one that stands in the tables says enough."""


def learning_of(command: str, values: Mapping[str, Any]) -> dict[str, str]:
    """What a twin changes besides being one: it is part of what an agent with a twin is better by.

    Args:
        command: train or offline; a history is learned from by all agents alike.
        values: a run's configuration by dotted key, with "agent", "twin" and "head".

    Returns:
        By `UPDATES` and `EXPLORATION` what a reader is told; less where it is not known.
    """
    planner = values.get("agent") == "planner" or values.get("agent._target_") == PLANNER
    if command != "train" or "twin" not in values or planner:
        return {}
    twin = values["twin"] != "none"
    found = {}
    steps, frequency = values.get("agent.gradient_steps"), values.get("agent.train_freq", 1)
    if twin:
        steps = values.get("algorithm.agent_1.gradient_steps", steps)
    if isinstance(steps, int) and isinstance(frequency, int) and steps > 0:
        found[UPDATES] = f"{steps / frequency:g}"
    share, collected = values.get("agent.exploration_fraction"), values.get("algorithm.collect")
    if twin and collected is not None:
        by = "the planner" if values.get("algorithm.collect_by", "planner") == "planner" else "chance"
        found[EXPLORATION] = f"{collected} decisions by {by}"
    elif not twin and isinstance(share, int | float):
        found[EXPLORATION] = f"epsilon falls over {share:.0%} of the decisions"
    return found
