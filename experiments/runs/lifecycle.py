"""How the folder of a run begins and ends: what an earlier run left, whether it is finished, what was learned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.learner import OffPolicyLearner
from experiments.runs import checkpoint
from experiments.runs.compare import check_same_configuration, comparable
from experiments.runs.folder import AGENT, HISTORY, TWIN
from slicing_gym.files import atomic_write
from twin import DigitalTwin, History


def begin(folder: Path, summary: str, configuration: Mapping[str, Any], resume: bool) -> bool:
    """Prepare the folder of a run.

    Args:
        folder: of the run.
        summary: name of the file of its figures; a run that has it, and no checkpoint, is finished.
        configuration: of the run, as builtin types.
        resume: go on with what is there; else what an earlier run left is removed.

    Returns:
        Whether the folder has the finished run already.

    Raises:
        ValueError: it has one of another configuration.
    """
    if not resume:
        for name in (summary, checkpoint.FILE):
            (folder / name).unlink(missing_ok=True)
    if not (folder / summary).exists() or (folder / checkpoint.FILE).exists():
        return False  # the checkpoint goes last
    check_same_configuration(folder, json.loads((folder / summary).read_text())["config"], configuration)
    return True


def save_learned(folder: Path, agent: OffPolicyLearner, history: History, twin: DigitalTwin | None) -> None:
    """Write agent, history and, if there is one, twin."""
    with atomic_write(folder / AGENT) as file:
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
