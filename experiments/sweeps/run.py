"""A sweep from its command line to the end: plan, table of what is refused, runs through a launcher, and what came."""

from __future__ import annotations

import shlex
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf, open_dict, read_write

from experiments.config.hydra import Command
from experiments.config.quoting import as_typed, quoted
from experiments.reporting.tables import aligned
from experiments.runs.lock import RunLock, check_is_own
from experiments.runs.process import REFUSALS, say_refused
from experiments.runs.status import DEAD, MISSING, Status, now, read_status, state_of, write_status
from experiments.runs.stopping import Stopped, stopped_by_signals, stops_kept
from experiments.sweeps.check import Planned, looked_at_again, once_each, plan
from experiments.sweeps.compose import Composer
from experiments.sweeps.expand import Typed, expand, fixed, parse
from experiments.sweeps.launchers import Job, Launcher, make_launcher
from experiments.sweeps.launchers.job import OUTPUT
from experiments.sweeps.plan import Sweep, SweepJob, read_sweep, write_sweep

_BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
_INTERRUPTED = tuple(128 + each for each in (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM))
"""Exit statuses of processes that a signal has ended before they could say so: such runs begin again."""
_ORDER = ("done", "refused", "failed", "stopped", DEAD, "running", "queued")


def sweep(topic: Command[Any], arguments: Sequence[str]) -> int:
    """Run a sweep.

    Args:
        topic: the command.
        arguments: of its command line, with `-m`.

    Returns:
        The exit status: 0 if all runs are done, 1 if not, 130 after Ctrl-C, 143 after SIGTERM or SIGHUP.
    """
    try:
        made = _make(topic, arguments)
        if all(each.error for each in made.planned):
            return _say_all_refused(made.planned)
        with RunLock(made.folder), stopped_by_signals():
            planned = looked_at_again(made.planned, made.folder, made.typed.resume)
            return replace(made, planned=planned).run()
    except REFUSALS as error:
        return say_refused(error)


def _make(topic: Command[Any], arguments: Sequence[str]) -> _Running:
    """Compose and check all of it; nothing is written."""
    typed = parse(arguments)
    composer = Composer(topic, typed.flags)
    config = composer.whole([*typed.of_sweep, *fixed(typed.overrides)])
    if config.hydra.sweeper.get("_target_") != _BASIC_SWEEPER:
        raise ValueError(f"hydra/sweeper: {config.hydra.sweeper.get('_target_')!r} given, allowed is basic")
    folder = Path(config.hydra.sweep.dir)
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder)  # with the time of now, also where the launcher refers to it
    launcher = make_launcher(config.hydra.launcher)
    params = OmegaConf.to_container(config.hydra.sweeper.params or OmegaConf.create({}))
    assert isinstance(params, dict)
    combinations, twice = once_each(expand(typed.overrides, {str(key): value for key, value in params.items()}))
    planned = plan(topic, composer, combinations, config.hydra, typed.resume)
    return _Running(topic, tuple(arguments), typed, folder, launcher, planned, twice)


@dataclass(frozen=True)
class _Running:
    """A sweep that has passed its checks.

    Args:
        topic: the command.
        arguments: its command line.
        typed: the same, taken apart.
        folder: of the sweep.
        launcher: of its runs.
        planned: every combination.
        twice: names of those that were given more than once.
    """

    topic: Command[Any]
    arguments: tuple[str, ...]
    typed: Typed
    folder: Path
    launcher: Launcher
    planned: Sequence[Planned]
    twice: Sequence[str]

    def run(self) -> int:
        """Run what is to be run in the folder, which is locked; the exit status."""
        self._write_sweep()
        to_run = [each for each in self.planned if each.is_to_run(self.typed.retry)]
        for each in self.planned:
            self._write_status(each, each in to_run)
        self._say_plan(len(to_run))
        jobs = [self._job(number, each) for number, each in enumerate(self.planned) if each in to_run]
        ended: list[int] = []

        def on_end(job: Job, exit_status: int | None) -> None:
            ended.append(job.number)
            self._say_ended(job, exit_status, f"{len(ended)}/{len(jobs)}")

        try:
            with stops_kept():
                self.launcher.launch(jobs, on_end)
        except KeyboardInterrupt as error:
            check_is_own(self.folder)  # if it is not, the error says why
            print(f"stopped; go on with: {self._how_to_go_on()}", file=sys.stderr)
            self._say_end()
            return error.exit_status if isinstance(error, Stopped) else 130
        except Exception:  # of the launcher; what was done is done
            traceback.print_exc()
            print("the launcher has failed, and ended the runs that it had begun", file=sys.stderr)
            self._say_end()
            return 1
        return 0 if self._say_end() else 1

    def _write_sweep(self) -> None:
        """Write `sweep.json`; runs of an earlier command line in the same folder stay in it."""
        jobs = [SweepJob(n, each.combination.overrides, each.folder.name) for n, each in enumerate(self.planned)]
        swept = tuple(key.lstrip("+") for key in self.planned[0].combination.swept)
        whole = Sweep(self.topic.name, self.arguments, swept, tuple(jobs))
        try:
            earlier = read_sweep(self.folder)
        except FileNotFoundError:
            earlier = whole
        if earlier.command != self.topic.name:
            raise ValueError(f"hydra.sweep.dir: {str(self.folder)!r} has a sweep of experiments.{earlier.command}")
        write_sweep(self.folder, whole.with_earlier(earlier))

    def _write_status(self, each: Planned, is_to_run: bool) -> None:
        status = Status("queued", self.topic.name, each.combination.overrides)
        if is_to_run:
            write_status(each.folder, status)
        elif each.error and each.state in (MISSING, "queued", "refused"):  # others have something to go on with
            write_status(each.folder, replace(status, state="refused", error=each.error, ended=now()))

    def _job(self, number: int, each: Planned) -> Job:
        """A run as a process; it goes on where it was, also if a cluster starts it again."""
        resume = ["resume=auto"] if "resume" in self.topic.schema.__dataclass_fields__ else []
        own = (*self.typed.flags, *each.combination.overrides, *resume, f"hydra.run.dir={quoted(str(each.folder))}")
        return Job(number, ("-m", f"experiments.{self.topic.name}", *own), each.folder)

    def _say_plan(self, number: int) -> None:
        refused = [each for each in self.planned if each.error]
        if refused:
            print(f"{len(refused)} of {len(self.planned)} combinations are refused:\n{_table(refused)}\n")
        if self.twice:
            print(f"given more than once, and run once: {', '.join(self.twice)}")
        states = Counter(each.state for each in self.planned if not each.error and not each.is_to_run(self.typed.retry))
        others = "".join(f", {count} {state}" for state, count in states.items())
        print(f"{number} of {len(self.planned)} runs to do{others}: {self.folder}", flush=True)

    def _say_ended(self, job: Job, exit_status: int | None, progress: str) -> None:
        """Say how a run has ended; one that ended before it could say so itself has failed."""
        state, found = _look(job.folder)
        if state == "queued" and exit_status is not None and exit_status not in _INTERRUPTED:
            state, found = "failed", self._failed(job, exit_status)
            with suppress(OSError):  # a full disk ends no sweep
                write_status(job.folder, found)
        took = "" if found is None or found.seconds is None else f" in {found.seconds:.0f} s"
        why = f": {found.error}" if found is not None and state in ("refused", "failed") else ""
        killed = f", exit status {exit_status}" if state in (DEAD, "queued") else ""
        print(f"[{progress}] {job.folder.name}: {state}{took}{killed}{why}", flush=True)

    def _failed(self, job: Job, exit_status: int) -> Status:
        output = job.folder / OUTPUT
        where = f"; see {output}" if output.is_file() else ""
        error = f"the process ended with exit status {exit_status} before the run began{where}"
        return Status("failed", self.topic.name, job.arguments[2:], error, ended=now())

    def _say_end(self) -> bool:
        """Name the runs that are not done, and count; whether all are done."""
        states = ["refused" if each.error else _look(each.folder)[0] for each in self.planned]
        left = [(each, state) for each, state in zip(self.planned, states, strict=True) if state != "done"]
        rows = [[each.folder.name, state, each.error or _error_of(each.folder)] for each, state in left]
        if rows:
            print(f"\nnot done:\n{aligned(['run', 'state', ''], rows)}")
        if any(state in (DEAD, "stopped", "queued") for state in states):
            print(f"go on with: {self._how_to_go_on()}")
        elif "failed" in states:
            print(f"try again with: {self._how_to_go_on()} retry=failed")
        counts = Counter(states)
        print(
            f"{', '.join(f'{counts[state]} {state}' for state in _ORDER if counts[state])}: {self.folder}", flush=True
        )
        return not left

    def _how_to_go_on(self) -> str:
        own = [each for each in self.arguments if not each.startswith(("resume=", "retry=", "hydra.sweep.dir="))]
        place = as_typed("hydra.sweep.dir", self.folder)
        return f"python -m experiments.{self.topic.name} {shlex.join([*own, 'resume=auto'])} {place}"


def _look(folder: Path) -> tuple[str, Status | None]:
    """State and status of a run; one whose status cannot be read has failed."""
    try:
        return state_of(folder), read_status(folder)
    except ValueError as error:
        return "failed", Status("failed", error=str(error))


def _error_of(folder: Path) -> str:
    found = _look(folder)[1]
    return "" if found is None else found.error


def _table(refused: Sequence[Planned]) -> str:
    rows = [[" ".join(f"{key}={own}" for key, own in each.combination.swept.items()), each.error] for each in refused]
    return aligned(["combination", "why"], rows)


def _say_all_refused(planned: Sequence[Planned]) -> int:
    """Say why there is no run; the exit status."""
    errors = {each.error for each in planned}
    if len(errors) == 1:
        return say_refused(ValueError(errors.pop()))
    return say_refused(ValueError(f"all {len(planned)} combinations are refused\n{_table(planned)}"))
