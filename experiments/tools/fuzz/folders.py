"""A run's folder of which one file is damaged: what evaluates, resumes and reports runs reads it."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import yaml

from experiments.commands.resuming import with_resumed_run
from experiments.config.hydra import composed, register, resolved, without_hydra
from experiments.evaluate.policies import environments_of, label_policies, load_run_agent
from experiments.report.entries import find_entries
from experiments.runs.folder import AGENT, EPISODES, SUMMARY, read_run
from experiments.runs.status import STATUS_FILE, Status, read_status, write_status
from experiments.tools.fuzz.cases import Fault
from experiments.train.settings import TrainConfig
from slicing_gym import get_scenario

_HYDRA = ("config.yaml", "overrides.yaml")
_TYPED = ["scenario=paper-1mhz", "agent.net_arch=[8]"]
_RESUMED = 20
"""Of so many folders one is resumed: to compose what it was begun with takes a second."""


def write_run(folder: Path) -> None:
    """Write what a run leaves, but for its agent."""
    register("train", TrainConfig)
    config = resolved(without_hydra(composed("train", _TYPED)))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "overrides.yaml").write_text(yaml.safe_dump(_TYPED))
    figures = {"scenario": "paper-1mhz", "head": "dense", "agent": "ddqn", "twin": "none", "seed": 0, "utility": 3.5}
    more = {"episodes_to_goal": None, "decisions": 1000, "regret": 7.0, "cpu_seconds": 1.5}
    (folder / SUMMARY).write_text(json.dumps({**figures, **more, "config": config}))
    (folder / EPISODES).write_text("decisions,utility,reward\n200,5.25,0.5\n400,7.5,1.0\n")
    done = Status("done", "train", tuple(_TYPED), seconds=9.0, started="10:00", ended="10:00", host="here", process=7)
    write_status(folder, done)


def read_folder(path: Path) -> None:
    """Read the folder of a run whose other files are whole, in every way that there is.

    Args:
        path: of the file that is damaged; the whole ones are in the folder above its own.

    Raises:
        OSError, ValueError: one of the ways refuses it.
        Fault: it is refused in several lines.
    """
    folder = path.parent / "run"
    _place(path, folder)
    file = str(folder / AGENT)
    ways: list[Callable[[], object]] = [
        lambda: load_run_agent(file),
        lambda: environments_of(file, get_scenario("paper-1mhz")),
        lambda: label_policies([file]),
        lambda: find_entries([folder], {}),
        lambda: read_status(folder),
    ]
    if path.name in (SUMMARY, EPISODES):
        ways += [lambda: read_run(folder).keeps_observations, lambda: read_run(folder).curve("utility")]
    if zlib.crc32(path.read_bytes()) % _RESUMED == 0:
        ways.append(lambda: with_resumed_run([f"resume={folder}"]))
    refused: list[Exception] = []
    for way in ways:
        try:
            way()
        except (OSError, ValueError, TypeError) as error:
            refused.append(error)
    for each in refused:
        first, *more = str(each).strip().splitlines() or [""]
        if more and "has another configuration" not in first:  # which lists the keys
            raise Fault(f"refused in several lines: {each}") from each
        if not first:
            raise Fault("refused in no line") from each
    if refused:
        raise ValueError(str(refused[0]).splitlines()[0])


def _place(path: Path, folder: Path) -> None:
    """Put a damaged file into a folder with whole ones; the configuration is read where there are no figures."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / ".hydra").mkdir(parents=True)
    for name in (AGENT, SUMMARY, EPISODES, STATUS_FILE, *_HYDRA):
        source = path if name == path.name else path.parent.parent / name
        if name != SUMMARY or path.name != "config.yaml":
            shutil.copyfile(source, folder / ".hydra" / name if name in _HYDRA else folder / name)
