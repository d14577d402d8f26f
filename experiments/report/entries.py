"""Every run below folders, whatever became of it: finished, failed, refused, stopped, or never begun."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from experiments.report.configuration import filled_in, flattened, is_left_open, public_name, typed, unflattened
from experiments.report.in_force import NOT_IN_FORCE, not_in_force
from experiments.runs import checkpoint
from experiments.runs.folder import OFFLINE_SUMMARY, SUMMARY, read_run
from experiments.runs.process import SWEEP
from experiments.runs.status import DEAD, MISSING, STATUS_FILE, Status, read_status, state_of
from experiments.runs.stored import looked_up, read_summary
from experiments.runs.typed import overrides_of
from experiments.sweeps.plan import Sweep
from slicing_gym.yaml_reading import read_yaml

COMMANDS = ("train", "offline")
"""Those whose runs are reported."""
UNREADABLE, UNFINISHED = "unreadable", "unfinished"
"""What a run is called that nothing says the state of: its files are damaged; it has no status and no summary."""
_COMPANIONS = {"without_twin": {"twin": "none"}, "with_planner": {"agent": "planner", "twin": "none"}}
"""Settings that let a second run follow the first in a folder below it, and what is other there."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A run, as a report knows it.

    Args:
        folder: where it is, or should be.
        state: "done", or what became of it.
        command: train or offline.
        values: its configuration by dotted key, in addition "scenario", "agent", "twin" and "head".
        config: the same, nested.
        summary: its figures; None unless it is done.
        episodes: (episodes,) by column; none of a run that learned from a history.
        overrides: as they were typed; None: it was made in Python.
        config_dir: where its sweep was told to look for choices; "" of nowhere else.
        error: why it is not done; of one that is, what has gone wrong after its figures were written.
        traceback: of that, if there is one.
        seconds: from its start to its end; None where nobody wrote them down.
        ended: when its summary was written, in seconds since 1970; 0 unless it is done.
    """

    folder: Path
    state: str
    command: str
    values: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] | None = None
    episodes: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    overrides: tuple[str, ...] | None = None
    config_dir: str = ""
    error: str = ""
    traceback: str = ""
    seconds: float | None = None
    ended: float = 0.0

    @property
    def done(self) -> bool:
        """Whether it has figures."""
        return self.summary is not None

    @cached_property
    def unused(self) -> dict[str, str]:
        """Keys of its configuration that change nothing in it, with the reason."""
        return not_in_force(self.command, self.values)

    @cached_property
    def in_force(self) -> dict[str, Any]:
        """Its configuration with a mark in place of the values of these."""
        return {**self.values, **dict.fromkeys(self.unused, NOT_IN_FORCE)}

    @property
    def seed(self) -> int | None:
        """Of its cell; None if nothing says it."""
        seed = self.values.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def typed(self) -> str:
        """The command that makes it again; "" of a run that was made in Python."""
        if self.overrides is None:
            return ""
        folder = ("--config-dir", self.config_dir) if self.config_dir else ()
        return f"python -m experiments.{self.command} {shlex.join([*folder, *self.overrides])}".rstrip()


def find_entries(folders: Sequence[Path], sweeps: Mapping[Path, Sweep]) -> list[Entry]:
    """Every run in folders or below them, each once, and those that sweeps were to make.

    Args:
        folders: to look in.
        sweeps: by their folder.

    Raises:
        FileNotFoundError: a folder does not exist.
    """
    found: dict[Path, Entry] = {}
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"folder: {str(folder)!r} does not exist, allowed are folders of runs")
        for place in _places(folder):
            if place.resolve() not in found and (entry := _entry_of(place)) is not None:
                found[place.resolve()] = entry
    for entry in (entry for folder, sweep in sweeps.items() for entry in _of_sweep(folder, sweep)):
        known = found.setdefault(entry.folder.resolve(), entry)
        overrides = entry.overrides if known.overrides is None else known.overrides
        found[entry.folder.resolve()] = replace(known, overrides=overrides, config_dir=entry.config_dir)
    entries = [*found.values(), *_companions(found)]
    return _completed(entries)


def say_no_run(folders: Sequence[Path]) -> str:
    """What was looked for where there is nothing."""
    names = ", ".join(repr(str(folder)) for folder in folders)
    return f"folder: no run in {names} or below ({SUMMARY}, {OFFLINE_SUMMARY}, {STATUS_FILE} or a checkpoint)"


_SIGNS = (SUMMARY, OFFLINE_SUMMARY, STATUS_FILE, checkpoint.FILE)
"""Files that a run's folder has at least one of."""


def _places(folder: Path) -> list[Path]:
    """Folders that look like a run's: by its files, or by those of Hydra, which are there from its start."""
    own = {path.parent for name in _SIGNS for path in folder.rglob(name)}
    return sorted(own | {path.parent.parent for path in folder.rglob(".hydra/hydra.yaml")})


def _entry_of(folder: Path) -> Entry | None:
    """The run in a folder; None if it is one of another command."""
    config = _composed(folder)
    try:
        status, error = read_status(folder), ""
    except ValueError as damaged:
        status, error = None, str(damaged)
    command = status.command if status is not None and status.command else _command_of(folder)
    if command not in COMMANDS:
        return None
    overrides = status.overrides if status is not None and status.command else overrides_of(folder)
    entry = Entry(folder, "", command, _values(config, overrides or ()), config, overrides=overrides, error=error)
    if status is not None:
        entry = replace(entry, error=status.error, traceback=status.traceback, seconds=status.seconds)
    summary = folder / (OFFLINE_SUMMARY if command == "offline" else SUMMARY)
    if summary.is_file():
        return _with_summary(entry, summary, None if status is None else state_of(folder))
    if error:
        return replace(entry, state=UNREADABLE)
    return _not_done(entry, status)


def _with_summary(entry: Entry, path: Path, state: str | None) -> Entry:
    """A run that is done, with its figures, which it keeps whatever came after; or one whose files are damaged."""
    try:
        if entry.command == "train":
            run = read_run(entry.folder)
            summary, episodes = run.summary, run.episodes
        else:
            summary, episodes = read_summary("folder", path, ("config",)), {}
        config = summary["config"]
        values = _values(config, (), summary)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return replace(entry, state=UNREADABLE, error=str(error))
    done = replace(entry, state="done", config=config, values=values, summary=summary, episodes=episodes)
    after = entry.error if state is None else ""  # a status that cannot be read
    if state not in (None, "done"):
        after = f"its figures count, but its state is {state}" + (f" ({entry.error})" if entry.error else "")
    return replace(done, error=after, ended=path.stat().st_mtime)


def _not_done(entry: Entry, status: Status | None) -> Entry:
    """A run without figures: its state and, where it does not say why, what can be done."""
    if status is None:
        error = "no summary and no checkpoint: it was stopped, has failed, or has only begun"
        if (entry.folder / checkpoint.FILE).is_file():
            error = "a checkpoint and no summary: it was stopped, or is running; with resume=auto it goes on"
        return replace(entry, state=UNFINISHED, error=error)
    state = state_of(entry.folder)
    said = _NOT_BEGUN if status.state == "queued" and state == DEAD else _SAID.get(state)
    error = entry.error or said or f"{SUMMARY if entry.command == 'train' else OFFLINE_SUMMARY} is not there"
    return replace(entry, state=state, error=error)


_NOT_BEGUN = "its sweep ended before it began; with resume=auto it is run"
_SAID = {
    "queued": "it waits for its turn",
    "running": "it is running",
    "stopped": "it was stopped; with resume=auto it goes on",
    "dead": "nobody runs it any more, and it did not say why; with resume=auto it goes on",
}


def _of_sweep(folder: Path, sweep: Sweep) -> list[Entry]:
    """What a sweep was to run, as if none of it were there."""
    if sweep.command not in COMMANDS:
        return []
    given: dict[str, Any] = {"state": MISSING, "command": sweep.command, "error": f"{SWEEP} names it; there is no run"}
    given["config_dir"] = _config_dir(sweep.arguments)
    return [
        Entry(folder / job.folder, values=_values({}, job.overrides), overrides=job.overrides, **given)
        for job in sweep.jobs
    ]


def _config_dir(arguments: Sequence[str]) -> str:
    """What Hydra's `--config-dir` was given; "" if it was not."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd", default="")
    return str(parser.parse_known_args(arguments)[0].config_dir)


def _companions(found: Mapping[Path, Entry]) -> list[Entry]:
    """Second runs that were to follow in the folders of runs that are not done."""
    entries = []
    for entry in found.values():
        for key, changes in _COMPANIONS.items():
            place = entry.folder / ("planner" if key == "with_planner" else key)
            if not entry.done and entry.values.get(key) is True and place.resolve() not in found:
                values = {**entry.values, **changes}
                entries.append(replace(entry, folder=place, values=values, traceback=""))
    return entries


def _completed(entries: Sequence[Entry]) -> list[Entry]:
    """Entries; those that are not done get what nothing says of them from what all others of their sweep agree in."""
    sweeps: dict[Path, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: not entry.done):
        siblings = sweeps.setdefault(entry.folder.parent, [])
        if entry.done or (entry.config and not (siblings and siblings[0].done)):
            siblings.append(entry)
    return [entry if entry.done else _with_common(entry, sweeps[entry.folder.parent]) for entry in entries]


def _with_common(entry: Entry, siblings: Sequence[Entry]) -> Entry:
    """A run that is not done: what was typed and what nobody fills in later (as an agent does its head) is its own."""
    said = typed(entry.overrides or ())
    own = {key: value for key, value in entry.values.items() if key in said or not is_left_open(value)}
    return replace(entry, values={**_in_common([sibling.values for sibling in siblings]), **own})


def _in_common(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What mappings agree in; but for the seed, which is each run's own."""
    first, *others = found or [{}]
    return {key: value for key, value in first.items() if key != "seed" and all(o.get(key) == value for o in others)}


def _values(
    config: Mapping[str, Any], overrides: Sequence[str], summary: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A configuration by dotted key, with the names of scenario, agent, twin and head."""
    values = flattened(config) if config else typed(overrides)
    if config:
        names = {"scenario": values.get("scenario.name"), "agent": values.get("agent.name")}
        twin = config.get("twin") or {}
        transition = twin.get("transition") if isinstance(twin, Mapping) else None
        names["twin"] = transition.get("name", "none") if isinstance(transition, Mapping) else "none"
        values |= {key: value for key, value in names.items() if value is not None}
    values |= {key: filled_in(values[key], values) for key in ("agent", "scenario") if key in values}
    if "agent._target_" in values:
        values["agent._target_"] = public_name(str(values["agent._target_"]))
    if summary is not None:
        agent = str(summary["agent"]).partition("-dt")[0]
        values |= {"scenario": str(summary["scenario"]), "agent": agent, "head": str(summary["head"])}
        values |= {"twin": str(summary["twin"]), "seed": int(summary["seed"])}
    return values


def _composed(folder: Path) -> dict[str, Any]:
    """The configuration that Hydra left in a folder; interpolations in it are left as they are."""
    return _yaml(folder / ".hydra" / "config.yaml", dict) or {}


def _command_of(folder: Path) -> str:
    """Of a run without a status: by its files, or by the name that Hydra has for it."""
    if (folder / OFFLINE_SUMMARY).is_file():
        return "offline"
    name = str(looked_up(_yaml(folder / ".hydra" / "hydra.yaml", dict), "hydra.job.name", "train"))
    return name if not (folder / SUMMARY).is_file() else "train"


def _yaml(path: Path, kind: type) -> Any:
    """What a YAML file has; None if there is none, or another thing in it."""
    try:
        found = read_yaml("folder", path)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, kind) else None


def composed_text(entry: Entry) -> str:
    """The composed configuration of a run as YAML; what is known of it, where only its overrides are."""
    known = entry.config or unflattened(entry.values)
    return str(yaml.safe_dump(dict(known), sort_keys=False, allow_unicode=True, default_flow_style=None, width=110))
