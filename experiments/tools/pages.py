"""`python -m experiments.tools.pages`: every command of README, docs and CONTRIBUTING, run at its smallest size."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from experiments.reporting.output import steady_output
from experiments.tools.package import ROOT, SIZES, check_checkout
from experiments.tools.page_commands import PLACEHOLDERS, STANDS_FOR, ShownCommand, commands, write_own_modules

SKIPPED = {
    r"^tools\.pages": "is this command",
    r"^tools\.(package|ship twin|ship card|sweep_faults|fuzz process)": "takes many minutes at any size",
    r"^traffic$": "is named alone, without the log that it needs",
    r"^benchmark gpu": "needs a GPU",
    r"submitit_slurm": "needs a Slurm cluster",
    r"launcher=ray": "needs a Ray cluster",
    r"--before": "needs an earlier checkout",
    r"ppo\.zip": "needs agents of the reader's own",
    r"<dataset>": "needs a data set",
}
"""What is not run, by a pattern of topic and arguments, and why."""

_MINE = ShownCommand(
    "docs/library.md, in Python", "train", "agent=ddqn twin=lstm scenario=paper-1mhz hydra.run.dir=runs/mine"
)
"""A run as the Python of a page makes it, which commands go on from."""

_EVALUATION = "evaluation.policies=[hard] evaluation.seeds=[100] evaluation.decisions=10"
_AGENT_2 = (
    "algorithm.twin_decisions=640 algorithm.num_envs=64 algorithm.agent_2.learning_starts=64 "
    "algorithm.selection_cells=4 algorithm.selection_decisions=5"
)
_TWINS = "seeds=[0] decisions=100 held_out_runs=1 copies=4 threads=1 progress=false twin.training.max_epochs=2"
_SMALL = {
    "train": f"decisions=640 progress=false algorithm.later_twin_decisions=640 {_AGENT_2} {_EVALUATION}",
    "offline": f"decisions=150 progress=false algorithm.epochs=2 estimate.epochs=2 {_AGENT_2} {_EVALUATION}",
    "evaluate": "seeds=[0,1] decisions=10 progress=false",
    "describe": "seeds=[0] decisions=10",
    "fidelity": f"{_TWINS} run_length=60 horizon=20 allocations=8 tree=false",
    "what_if": "samples=20",
    "calibration": f"{_TWINS} fresh=[64]",
    "search": "n_trials=2 decisions=200 collect=100 runs=1 evaluations=1 cells=4 cell_decisions=5 finalists=1 "
    f"final_runs=1 confirm=[10] workers=1 twin.training.max_epochs=2 {_EVALUATION}",
    "distill": "updates=20 progress=false evaluation.seeds=[1000] evaluation.decisions=10",
    "landscape": "points=3 surface_points=3 directions=1 data_decisions=100 progress=false",
    "export": "states=100 progress=false force=true",
    "benchmark_suite": "scenarios=paper seeds=0 minutes=1",
    "benchmark": "--seconds 0.02 --rows 3000 --cells 1 4 --decisions 40 --seeds 1 --batches 4 --history 60",
    "tools.animate": "--every 100",
    "tools.fuzz": "--cases 3",
    "tools.ship": "--output log.csv",
}
"""By topic, arguments that make a command small: they take the place of those of a page."""

_SECONDS = 900.0
"""That one command may take."""


@dataclass(frozen=True)
class PageCommand:
    """A command as it is run.

    Args:
        typed: as the page has it.
        arguments: small ones, and with what stands for placeholders.
        skipped: why it is not run; nothing if it is.
    """

    typed: ShownCommand
    arguments: tuple[str, ...]
    skipped: str

    def __str__(self) -> str:
        return str(self.typed._replace(arguments=shlex.join(self.arguments)))

    @property
    def makes(self) -> set[str]:
        """Folders below runs/ that it names as its own."""
        return set(re.findall(r"hydra\.(?:run|sweep)\.dir=runs/([\w-]+)", str(self)))

    @property
    def needs(self) -> set[str]:
        """Folders below runs/ that others have to make."""
        return set(re.findall(r"runs/([\w-]+)", str(self))) - self.makes - {"benchmark"}


def as_run(typed: ShownCommand) -> PageCommand:
    """A command of a page at its smallest size."""
    text = f"{typed.topic} {typed.arguments}"
    skipped = next((why for pattern, why in SKIPPED.items() if re.search(pattern, text.strip())), "")
    for there, here in (PLACEHOLDERS | STANDS_FOR).items():
        text = text.replace(there, here)
    topic, *given = shlex.split(text, comments=True)
    if "/" in topic:
        return PageCommand(typed, (str(SIZES[Path(topic).stem]),), skipped)
    if "--help" in given:
        return PageCommand(typed, tuple(given), skipped)
    small = shlex.split(_SMALL.get(topic, ""))
    keys = {each.partition("=")[0] for each in small if "=" in each}
    kept = [_shorter(each) if "-m" in given else each for each in given if not _replaced(each, keys)]
    return PageCommand(typed, (*kept, *(each for each in small if not _left_as_is(each, given))), skipped)


def _replaced(argument: str, keys: set[str]) -> bool:
    """Whether a small argument takes the place of one; nothing is smaller than an empty list."""
    key, _, value = argument.partition("=")
    return key in keys and value != "[]"


def _left_as_is(argument: str, given: Sequence[str]) -> bool:
    """Whether a page has an empty list for what a small argument would set, or evaluates nowhere."""
    key = argument.partition("=")[0]
    return f"{key}=[]" in given or (key.startswith("evaluation.") and "evaluation.seeds=[]" in given)


def _shorter(argument: str) -> str:
    """An argument of a sweep with one seed and one scenario, and two of everything else at most."""
    key, equals, value = argument.partition("=")
    if not re.fullmatch(r"[\w.,-]+", value):
        return argument
    return key + equals + ",".join(value.split(",")[: 1 if key in ("seed", "scenario") else 2])


def chosen(only: str = "") -> list[PageCommand]:
    """Different commands in the order of the pages, each after those that make the folders it needs.

    Args:
        only: a text in the page or the command, as typed; what these need is there, too.
    """
    every = list({str(each): each for each in map(as_run, (_MINE, *commands()))}.values())
    found: dict[str, PageCommand] = {}

    def add(command: PageCommand) -> None:
        if str(command) not in found:
            if not command.skipped:
                for maker in (each for each in every if each.makes & command.needs):
                    add(maker)
            found.setdefault(str(command), command)

    for command in every[1:]:
        if only in f"{command.typed.page}: {command.typed}":
            add(command)
    return list(found.values())


def run_all(wanted: Sequence[PageCommand], folder: Path) -> Iterator[tuple[PageCommand, str, float]]:
    """Run commands one after the other in a folder that has what pages name.

    Yields:
        The command, what was wrong with it (nothing if it went well), and its seconds.
    """
    for name in ("docs", "tests", "examples"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored, dirs_exist_ok=True)
    write_own_modules(folder)
    quiet = {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "OMP_WAIT_POLICY": "PASSIVE", "MPLBACKEND": "agg"}
    for each in wanted:
        start, fault = time.monotonic(), each.skipped
        if not fault:
            program = [each.typed.topic] if "/" in each.typed.topic else ["-m", f"experiments.{each.typed.topic}"]
            fault = _fault([sys.executable, *program, *each.arguments], folder, os.environ | quiet)
        yield each, fault, time.monotonic() - start


def _fault(command: Sequence[str], folder: Path, environment: dict[str, str], seconds: float = _SECONDS) -> str:
    """What a command that failed said last; one that takes too long is ended with all that it has begun."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            printed, complained = process.communicate(timeout=seconds)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                return f"not done after {seconds:.0f} s"
            raise
    said = (complained.strip() or printed.strip() or "it printed nothing").splitlines()
    errors = [line for line in said if re.match(r"\w*[Ee]rror", line)]
    return (errors or said)[-1] if process.returncode else ""


@steady_output()
def main() -> int:
    """The command; the exit status is 1 where one of the pages' commands failed."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.pages", description=__doc__)
    parser.add_argument("--list", action="store_true", help="show what would be run, and run nothing")
    parser.add_argument("--only", default="", help="text in the page or the command, which others lack")
    parser.add_argument(
        "--folder", type=Path, help="folder where they run, which is kept; by default one that is removed"
    )
    given = parser.parse_args()
    check_checkout()
    wanted = chosen(given.only)
    if given.list:
        for each in wanted:
            print(f"{each.typed.page}: {f'skipped, it {each.skipped}: {each.typed}' if each.skipped else each}")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for each, fault, seconds in run_all(wanted, folder):
            failed += bool(fault and not each.skipped)
            outcome = f"skipped, it {fault}" if each.skipped else f"failed, {fault}" if fault else "ok"
            print(f"{outcome} ({seconds:.0f} s): {each.typed.page}: {each.typed}", flush=True)
            if fault and not each.skipped:
                print(f"  it was run as {each}", flush=True)
    print(f"{len(wanted)} commands, {sum(bool(each.skipped) for each in wanted)} skipped, {failed} failed")
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
