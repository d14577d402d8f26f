"""Where a policy comes from: the scenario that it was trained in, and how it differs from that of the cells."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agents.student import StudentPolicy
from experiments.config.parts import make_scenario
from experiments.config.planner import is_planner_file, load_planner
from experiments.evaluate.policies import policy_file, run_config
from experiments.runs.folder import HISTORY, OFFLINE_SUMMARY
from experiments.runs.stored import looked_up
from slicing_gym import Scenario
from slicing_gym.builtin_types import differences
from slicing_gym.errors import shown
from slicing_gym.reading import parsing
from slicing_gym.scenario import slices_by_name
from twin import History

_NOT_THE_CELL = ("name", "reward", "decisions_per_episode")
"""Of a scenario: what two may differ in and describe the same cell."""


def trained_in(name: str) -> Scenario | None:
    """The scenario that a policy was trained in, as its file or its run's folder says; None if neither does.

    Args:
        name: of a policy that passed `check_policies`.

    Raises:
        ValueError: what says it is damaged, or of another version; the message names the file.
    """
    file = policy_file(name)
    if file.endswith(".safetensors"):
        return load_planner(file).scenario if is_planner_file(file) else StudentPolicy.load(file, device="cpu").scenario
    history = Path(file).parent / HISTORY
    if (history.parent / OFFLINE_SUMMARY).is_file() and history.is_file():  # its configuration may name a log
        return History.load(history).scenario
    given = looked_up(run_config(file), "scenario")
    if not given:
        return None
    with parsing("policy", file, "is of a run whose scenario cannot be read"):
        return make_scenario(given)


def from_elsewhere(names: Iterable[str], scenario: Scenario) -> list[str]:
    """A line for each policy that was trained in another scenario than this, and says so.

    Args:
        names: of policies; those that are files of agents may say so.
        scenario: that they are to choose for.
    """
    lines = []
    for name in names:
        try:
            own = trained_in(name)
        except ValueError as error:  # it can be evaluated all the same
            lines.append(f"policy {name}: trained in a scenario that is not known here ({error})")
            continue
        differ = differences(_cell(own), _cell(scenario)) if own is not None else []
        if own is None or not differ:
            continue
        if own.name != scenario.name:
            how = f"scenario {own.name}, evaluated in {scenario.name}"
        else:
            more = ", ..." if len(differ) > 3 else ""
            settings = ", ".join(f"{key} {shown(its, 40)}, here {shown(ours, 40)}" for key, its, ours in differ[:3])
            how = f"another scenario called {own.name}: {settings}{more}"
        lines.append(f"policy {name}: trained in {how}")
    return lines


def _cell(scenario: Scenario) -> dict[str, Any]:
    data = scenario.to_dict()
    return {key: value for key, value in data.items() if key not in _NOT_THE_CELL} | {"slices": slices_by_name(data)}
