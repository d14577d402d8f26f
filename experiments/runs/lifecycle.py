"""How the folder of a run begins and ends: what an earlier run left, whether it is finished, what was learned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agents import Planner
from agents.protocols import Learner
from experiments.runs import checkpoint
from experiments.runs.compare import check_same_configuration, comparable
from experiments.runs.folder import AGENT, EPISODES, HISTORY, OFFLINE_SUMMARY, PLANNER_FILE, SUMMARY, TWIN, WRAPPERS
from experiments.runs.stored import read_summary
from slicing_gym.files import atomic_write
from twin import DigitalTwin, History

CURVES = "events.out.tfevents."
"""How the names of TensorBoard's files begin: Agent 1's in the run's folder, those of Agent 2 in `twin/` below it."""

_LEFT = (
    *(SUMMARY, OFFLINE_SUMMARY, checkpoint.FILE, EPISODES, AGENT, PLANNER_FILE, HISTORY, TWIN, WRAPPERS),
    "evaluation.csv",
)
"""Files of a run that a later one in the same folder must not be taken for."""


def files_left(folder: Path) -> str:
    """Names of what a run left in its folder, in a line: without its lock, TensorBoard's events and Hydra's files."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix != ".lock" and path.name[0] != ".")
    return ", ".join(name for name in names if CURVES not in name)


def is_finished(folder: Path, summary: str, configuration: Mapping[str, Any]) -> bool:
    """Whether a folder has the finished run of a configuration.

    Args:
        folder: of the run.
        summary: name of the file of its figures; a run that has it, and no checkpoint, is finished.
        configuration: of the run, as builtin types.

    Raises:
        ValueError: it has one of another configuration.
    """
    if not (folder / summary).exists() or (folder / checkpoint.FILE).exists():
        return False  # the checkpoint goes last
    stored = read_summary("resume", folder / summary, ["config"])["config"]
    check_same_configuration(folder, stored or {}, configuration)
    return True


def clear(folder: Path) -> None:
    """Remove what an earlier run left in a folder, with what it left of the agents that were compared with it."""
    for place in (folder, folder / "without_twin", folder / "planner", folder / "plain"):
        for name in _LEFT:
            (place / name).unlink(missing_ok=True)
        for path in [*place.glob(f"{CURVES}*"), *(place / "twin").glob(f"{CURVES}*")]:
            path.unlink()


def builtin(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as builtin types, as JSON holds them.

    Raises:
        TypeError: it has a value that JSON cannot hold; the message names it.
    """
    found: dict[str, Any] = json.loads(json.dumps(configuration, default=_plainer))
    return found


def _plainer(value: Any) -> Any:
    """What stands for a value that JSON cannot hold."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, range | np.ndarray):
        return list(value)
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    raise TypeError(f"settings: {value!r} given, allowed are numbers, texts, lists and mappings of them")


def save_learned(folder: Path, agent: Learner, history: History, twin: DigitalTwin | None) -> None:
    """Write agent, history and, if there is one, twin."""
    with atomic_write(folder / (PLANNER_FILE if isinstance(agent, Planner) else AGENT)) as file:
        agent.save(file)
    history.save(folder / HISTORY)
    if twin is not None:
        twin.save(folder / TWIN)


def end(folder: Path, name: str, summary: Mapping[str, Any], configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Write the summary, with the configuration; then the checkpoint can be removed.

    Returns:
        The whole summary.
    """
    whole = {**summary, "config": comparable(configuration)}
    with atomic_write(folder / name) as file:
        file.write(json.dumps(whole, indent=2).encode())
    return whole
