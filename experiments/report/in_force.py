"""Settings that a run has in its configuration and does not use, or that its algorithm overrides, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.config.schemas import PLANNER

NOT_IN_FORCE = "-"
"""What is shown in place of the value of such a setting."""

_NO_SETTINGS = ("name", "_target_", "arguments", "shapes")
"""Keys below `agent` that say what an agent is, or what one that was made in Python was given."""
_NOT_OFFLINE = {
    *("buffer_size", "exploration_fraction", "exploration_initial_eps", "exploration_final_eps"),
    *("learning_starts", "train_freq", "gradient_steps"),
}
"""Settings without effect where a history is learned from: nobody acts, and each batch of an epoch is an update."""


def not_in_force(command: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Keys of a configuration that change nothing in the run, with the reason.

    Args:
        command: train or offline.
        values: its configuration by dotted key, with "agent" and "twin".

    Returns:
        Reasons by key; none where nothing says which twin the run has.
    """
    if "twin" not in values:
        return {}
    twin = values["twin"] != "none"
    if values.get("agent") == "planner" or values.get("agent._target_") == PLANNER:
        reasons = dict.fromkeys(_agent_keys(values), "the planner uses none of agent")
    else:
        reasons = _of_agent(command, values, twin)
        collects = twin and values.get("algorithm.collect_by", "planner") == "planner"
        if command == "train" and not collects:
            reasons |= {key: "no planner decides" for key in values if key.startswith("planner.")}
    if not twin:
        own = ("algorithm.epochs", "algorithm.conservative_weight", "algorithm.agent.") if command == "offline" else ()
        unused = [key for key in values if key.startswith("algorithm.") and not key.startswith(own)]
        reasons |= dict.fromkeys(unused, "without a twin it has no effect")
    return reasons


def _agent_keys(values: Mapping[str, Any]) -> list[str]:
    keys = [key for key in values if key.startswith("agent.")]
    return [key for key in keys if key.split(".")[1] not in _NO_SETTINGS]


def _of_agent(command: str, values: Mapping[str, Any], twin: bool) -> dict[str, str]:
    """Of the settings of `agent` those that none of the agents of a run has."""
    found = {}
    changed = _changed(command, values, twin)
    for key in _agent_keys(values):
        name = key.removeprefix("agent.").removeprefix("kwargs.")
        if name == "twin_gradient_steps":
            given = values.get("algorithm.agent_2.gradient_steps", values[key])
            if not twin:
                found[key] = "without a twin it has no effect"
            elif given not in (values[key], "${agent.twin_gradient_steps}"):
                found[key] = "algorithm.agent_2.gradient_steps overrides it"
        elif all(name in each for each in changed):
            found[key] = _overridden(command, name, twin)
    return found


def _overridden(command: str, name: str, twin: bool) -> str:
    if command == "offline":
        return "a history is learned from by algorithm.agent" + (", in the twin by algorithm.agent_2" if twin else "")
    if name == "exploration_fraction":
        return "with a twin Agent 1's epsilon is constant (algorithm.agent_1), and Agent 2 has its own (agent_2)"
    own = "collect" if name == "learning_starts" else "agent_1"
    return f"with a twin algorithm.{own} and algorithm.agent_2 set it"


def _changed(command: str, values: Mapping[str, Any], twin: bool) -> list[set[str]]:
    """Of each agent of a run the settings that are not those of `agent`."""

    def changes(*roles: str) -> set[str]:
        starts = [f"algorithm.{role}." for role in roles]
        return {key.removeprefix(start) for start in starts for key in values if key.startswith(start)}

    if command == "offline":
        learner = changes("agent", *(["agent_1"] if twin else [])) | _NOT_OFFLINE
        return [learner, *([changes("agent_2")] if twin else [])]
    if not twin:
        return [set()]
    agent_1 = changes("agent_1") | {"learning_starts"}
    first, last = (_of_agent_1(values, f"exploration_{end}_eps") for end in ("initial", "final"))
    if first == last:  # there is no time over which epsilon falls
        agent_1.add("exploration_fraction")
    steps = values.get("algorithm.agent_1.gradient_steps")
    if values.get("head") != "factored" and steps in (None, values.get("agent.gradient_steps")):
        agent_1.discard("gradient_steps")  # left open, it is that of `agent`
    return [agent_1, changes("agent_2")]


def _of_agent_1(values: Mapping[str, Any], name: str) -> Any:
    return values.get(f"algorithm.agent_1.{name}", values.get(f"agent.{name}"))
