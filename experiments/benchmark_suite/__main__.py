"""`python -m experiments.benchmark_suite jobs=2 minutes=60`: run the benchmark, or go on with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from agents.registry import import_modules
from experiments.benchmark_suite.methods import BenchmarkMethod, own_method
from experiments.benchmark_suite.overview import own_among_others, runs_to_do
from experiments.benchmark_suite.plan import make_plan
from experiments.benchmark_suite.protocol import PROTOCOL
from experiments.benchmark_suite.queue import RUNS, RunQueue, deadline, left_to_do, work_through
from experiments.benchmark_suite.rows import RunKey, RunRow, read_results, read_rows
from experiments.benchmark_suite.settings import BenchmarkSuiteConfig
from experiments.benchmark_suite.writing import (
    KNOWN,
    PUBLISHED_TABLE,
    TABLE_FILE,
    check_published,
    publish,
    write_report,
    write_rounded,
)
from experiments.commands import command

LISTS = ("scenarios", "methods", "seeds", "imports", "own.overrides")
"""Keys of which `key=a,b` is a list."""


def prepare(config: BenchmarkSuiteConfig, folder: Path) -> Callable[[], None]:
    """The part of the benchmark that a configuration names, checked.

    Raises:
        OSError, ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    del folder  # of what the command prints; results have one of their own
    import_modules(config.imports)
    place, known = _folder(config), _known(config)
    plan = make_plan(config.scenarios, config.methods, config.seeds, config.budget, own=_own(config))
    if config.task == "publish":
        check_published(Path())
    if config.task != "run":
        return lambda: _write(config.task, place, known)
    queue = RunQueue(plan, place, frozenset(known), deadline(config.minutes), tuple(config.imports))

    def run() -> None:
        if config.table is None and not known:
            print(
                "table: none given, and none comes with an installed package: hard slicing, best fixed and the "
                "oracle are run, too, for scores need them (table=<CSV> names one of known rows)"
            )
        left = queue.runs
        print(f"{len(plan.runs)} runs, {len(left)} of them to do: {place}")
        if left:
            print(runs_to_do(left), flush=True)
        work_through(queue, config.jobs, config.progress)
        if config.own.name is not None:
            print(own_among_others(config.own.name, _with_results(known, place), plan, config.budget))
        _say_end(queue, place, known)

    return run


def _folder(config: BenchmarkSuiteConfig) -> Path:
    if not config.folder or (Path(config.folder).exists() and not Path(config.folder).is_dir()):
        raise ValueError(f"folder: {config.folder!r} given, allowed is the name of a folder")
    return Path(config.folder)


def _known(config: BenchmarkSuiteConfig) -> dict[RunKey, RunRow]:
    """Rows that are known: of the table that was typed, else of the project's where there is a checkout.

    What is published goes on from the table that it replaces, also where another checkout is installed.
    """
    if config.table is not None:
        return read_rows(Path(config.table), PROTOCOL)
    own = PUBLISHED_TABLE if config.task == "publish" else KNOWN
    return read_rows(own, PROTOCOL) if own.is_file() else {}


def _own(config: BenchmarkSuiteConfig) -> BenchmarkMethod | None:
    """The method of the user's own, if there is one."""
    own = config.own
    if own.name is None:
        if own._target_ is not None or own.policy is not None:
            raise ValueError("own.name: none given, allowed is the name of the method in the table")
        return None
    return own_method(own.name, own._target_, own.policy, own.overrides, own.kwargs, trust=config.trust)


def _say_end(queue: RunQueue, place: Path, known: Mapping[RunKey, RunRow]) -> None:
    """Write the CSV of all rows that are known, and name what is not done."""
    write_rounded(place / TABLE_FILE, _with_results(known, place))
    print(f"written: {place / TABLE_FILE}")
    failed = queue.failed
    rest = left_to_do(queue, failed)
    if rest:
        print(f"{len(rest)} runs are left; the same command goes on with them")
    if failed:
        lines = [f"failed: {place / RUNS / run.name}: {why}" for run, why in failed.items()]
        raise SystemExit("\n".join(lines))


def _with_results(known: Mapping[RunKey, RunRow], place: Path) -> dict[RunKey, RunRow]:
    """Rows that are known as they are, and those of the folder's results."""
    return {**read_results(place, PROTOCOL), **known}


def _write(task: str, place: Path, known: Mapping[RunKey, RunRow]) -> None:
    """Write table, pages and picture from all rows that are there: into the folder, or of the project."""
    rows = _with_results(known, place)
    if not rows:
        raise SystemExit(f"folder: {str(place)!r} has no result of the benchmark, and no table of known rows was found")
    written = publish(Path(), rows) if task == "publish" else write_report(place, rows)
    print(f"written: {', '.join(map(str, written))} ({len(rows)} rows)")


def how_to_go_on(config: BenchmarkSuiteConfig, folder: Path) -> str:
    """What to type after Ctrl-C."""
    del config, folder
    return "the same command goes on"


if __name__ == "__main__":
    command("benchmark_suite", BenchmarkSuiteConfig, prepare, lists=LISTS, how_to_go_on=how_to_go_on)
