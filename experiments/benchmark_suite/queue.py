"""The queue of a benchmark: runs that are missing are done, by several processes; what fails stops no other."""

from __future__ import annotations

import os
import shutil
import time
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from agents.registry import import_modules
from experiments.benchmark_suite.plan import BenchmarkPlan
from experiments.benchmark_suite.rows import RunKey, RunRow, result_file, write_result
from experiments.runs.lock import RunIsLocked, RunLock
from experiments.runs.status import versions
from experiments.runs.stopping import stopped_by_signals, stops_kept
from slicing_gym import get_scenario
from slicing_gym.files import atomic_write
from slicing_gym.reading import read_text

RUNS = "runs"
"""Folder of what is under way, below that of the benchmark."""
ERROR_LOG = "error.log"
"""In the folder of a run that failed."""

_NAMED = ("python", "slicing-gym", "numpy", "torch", "stable-baselines3", "sb3-contrib")
"""Packages whose versions rows name."""


@dataclass(frozen=True)
class RunQueue:
    """Runs of a plan that are not done.

    Any number of processes may work on one folder: a run belongs to the one that has locked its folder. What is done
    is a small file each, so that nothing is lost when a process ends.

    Args:
        plan: of the benchmark.
        folder: where results are written.
        done: runs whose rows are known from elsewhere.
        until: time on the clock of `time.monotonic`, which the processes of a machine share and nobody sets, after
            which no run begins [s]; None: no limit.
        imports: modules that each process imports.
    """

    plan: BenchmarkPlan
    folder: Path
    done: frozenset[RunKey] = frozenset()
    until: float | None = None
    imports: tuple[str, ...] = ()

    @property
    def runs(self) -> list[RunKey]:
        """Those that are not done, in their order."""
        found = [run for run in self.plan.runs if run not in self.done]
        return [run for run in found if not result_file(self.folder, run).is_file()]

    @property
    def failed(self) -> dict[RunKey, str]:
        """Runs of the plan that failed when they were tried last, and the last line of why."""
        logs = {run: self.folder / RUNS / run.name / ERROR_LOG for run in self.runs}
        lines = {run: read_text("folder", log).strip().splitlines() for run, log in logs.items() if log.is_file()}
        return {run: each[-1] if each else "why was not kept" for run, each in lines.items()}

    def work(self, progress: bool = True) -> None:
        """Do what is missing and nobody else does, in this process."""
        for run in self.runs:
            if self.until is not None and time.monotonic() >= self.until:
                return
            place = self.folder / RUNS / run.name
            try:
                with RunLock(place):
                    said = None if result_file(self.folder, run).is_file() else self._do(run, place)
            except RunIsLocked:
                continue
            if said is not None and progress:
                number = len(self.plan.runs) - len(self.runs)
                where = f"{run.scenario} {run.method}, budget {run.budget}, seed {run.seed}"
                print(f"[{number}/{len(self.plan.runs)}] {where}: {said}", flush=True)
            if result_file(self.folder, run).is_file():
                shutil.rmtree(place, ignore_errors=True)

    def _do(self, run: RunKey, place: Path) -> str:
        """Do a run, and write its result, or why it failed; a line on how it ended."""
        begun = time.monotonic()
        (place / ERROR_LOG).unlink(missing_ok=True)
        try:
            method, scenario = self.plan.methods[run.method], get_scenario(run.scenario)
            with stops_kept():
                found = method.perform(scenario, run.budget, run.seed, self.plan.protocol, place)
            used = "; ".join(f"{name} {number}" for name, number in versions().items() if name in _NAMED)
            write_result(self.folder, RunRow(*run, *found, self.plan.protocol.version, used))
        except Exception as error:  # agents of the user's own may fail in any way
            with atomic_write(place / ERROR_LOG) as file:
                file.write("".join(traceback.format_exception(error)).encode(errors="replace"))
            return f"failed, {type(error).__name__}: {error}"
        return f"U {found.utility:.3f}, {time.monotonic() - begun:.0f} s"


def work_through(queue: RunQueue, jobs: int = 1, progress: bool = True) -> None:
    """Do the runs of a queue in several processes; this one is the first of them.

    Args:
        queue: the runs.
        jobs: processes at a time, at most; see `processes_of`.
        progress: print one line per run.
    """
    context = get_context("spawn")  # a fork would share the threads of PyTorch and of numba
    others: list[BaseProcess] = []
    try:
        for _ in range(processes_of(queue, jobs) - 1):
            others.append(context.Process(target=_work, args=(queue, progress), daemon=True))
            others[-1].start()
        queue.work(progress)
        for other in others:
            other.join()
    finally:
        _end(others)


def deadline(minutes: float | None) -> float | None:
    """When so many minutes are over, as `RunQueue.until` has it; None: never."""
    return None if minutes is None else time.monotonic() + 60.0 * minutes


def processes_of(queue: RunQueue, jobs: int) -> int:
    """Processes that a queue can use: no more than runs or processors, and one where no run may begin any more."""
    if queue.until is not None and time.monotonic() >= queue.until:
        return 1
    return max(1, min(jobs, len(queue.runs), len(os.sched_getaffinity(0))))


def _work(queue: RunQueue, progress: bool) -> None:
    """What another process does; a signal ends it after a checkpoint, as it ends the first."""
    import_modules(list(queue.imports))
    try:
        with stopped_by_signals():
            queue.work(progress)
    except KeyboardInterrupt:
        return


def _end(processes: Sequence[BaseProcess]) -> None:
    for each in processes:
        if each.is_alive():
            each.terminate()
    for each in processes:
        each.join()


def left_to_do(queue: RunQueue, failed: Collection[RunKey]) -> list[RunKey]:
    """Runs that are neither done nor failed: time was over, or another process does them."""
    return [run for run in queue.runs if run not in failed]
