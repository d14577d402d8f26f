"""`python -m experiments.benchmark_suite jobs=2 minutes=60`: run the benchmark, or go on with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agents.registry import import_modules
from experiments.benchmark_suite.figure import draw_benchmark
from experiments.benchmark_suite.methods import BENCHMARKED, BenchmarkMethod, own_method
from experiments.benchmark_suite.page import boards_of, check_page, findings_of, leaderboards_of, write_page
from experiments.benchmark_suite.plan import make_plan
from experiments.benchmark_suite.protocol import PROTOCOL
from experiments.benchmark_suite.queue import RUNS, RunQueue, deadline, left_to_do, work_through
from experiments.benchmark_suite.rows import read_results, read_rows, write_table
from experiments.benchmark_suite.settings import BenchmarkSuiteConfig
from experiments.commands import command

LISTS = ("scenarios", "methods", "seeds", "imports", "own.overrides")
"""Keys of which `key=a,b` is a list."""


def prepare(config: BenchmarkSuiteConfig, folder: Path) -> Callable[[], None]:
    """The part of the benchmark that a configuration names, checked.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    del folder  # of what the command prints; results have one of their own
    import_modules(config.imports)
    place, table = _check_places(config)
    known = read_rows(table, PROTOCOL)
    plan = make_plan(config.scenarios, config.methods, config.seeds, config.budget, own=_own(config))
    if config.task == "page":
        check_page("page", Path(config.page))
        check_page("leaderboards", Path(config.leaderboards))
        return lambda: _write(config, place, table)
    queue = RunQueue(plan, place, frozenset(known), deadline(config.minutes), tuple(config.imports))

    def run() -> None:
        print(f"{len(plan.runs)} runs, {len(queue.runs)} of them to do: {place}")
        work_through(queue, config.jobs, config.progress)
        _say_end(queue, place, table)

    return run


def _check_places(config: BenchmarkSuiteConfig) -> tuple[Path, Path]:
    """The folder and the table; what the command cannot write to is refused before it begins."""
    taken: dict[Path, str] = {}
    for key in ("folder", "table", "page", "leaderboards", "picture"):
        name = getattr(config, key)
        path = Path(name)
        if not name or (path.exists() and path.is_dir() != (key == "folder")):
            raise ValueError(
                f"{key}: {name!r} given, allowed is the name of a {'folder' if key == 'folder' else 'file'}"
            )
        other = taken.setdefault(path.resolve(), key)
        if other != key:
            raise ValueError(f"{key}: {name!r} given, which {other} has, allowed is another name")
    return Path(config.folder), Path(config.table)


def _own(config: BenchmarkSuiteConfig) -> BenchmarkMethod | None:
    """The method of the user's own, if there is one."""
    own = config.own
    if own.name is None:
        if own._target_ is not None or own.policy is not None:
            raise ValueError("own.name: none given, allowed is the name of the method in the table")
        return None
    return own_method(own.name, own._target_, own.policy, own.overrides, own.kwargs, trust=config.trust)


def _say_end(queue: RunQueue, place: Path, table: Path) -> None:
    """Write the CSV of all rows that are known, and name what is not done."""
    rows = {**read_rows(table, PROTOCOL), **read_results(place, PROTOCOL)}
    own = place / "benchmark.csv"
    write_table(own, rows, list(BENCHMARKED), PROTOCOL)
    print(f"written: {own}")
    failed = queue.failed
    rest = left_to_do(queue, failed)
    if rest:
        print(f"{len(rest)} runs are left; the same command goes on with them")
    if failed:
        lines = [f"failed: {place / RUNS / run.name}: {why}" for run, why in failed.items()]
        raise SystemExit("\n".join(lines))


def _write(config: BenchmarkSuiteConfig, place: Path, table: Path) -> None:
    """Write table, pages and picture from all rows that are there."""
    rows = {**read_rows(table, PROTOCOL), **read_results(place, PROTOCOL)}
    if not rows:
        raise SystemExit(f"table: neither {str(table)!r} nor {config.folder!r} has a row of the benchmark")
    write_table(table, rows, list(BENCHMARKED), PROTOCOL)
    rows = read_rows(table, PROTOCOL)  # rounded: the page says what the CSV says
    write_page("page", Path(config.page), findings_of(rows, PROTOCOL))
    write_page("leaderboards", Path(config.leaderboards), leaderboards_of(rows, PROTOCOL))
    draw_benchmark(Path(config.picture), boards_of(rows, PROTOCOL)[PROTOCOL.first_budget])
    print(f"written: {table}, {config.page}, {config.leaderboards}, {config.picture} ({len(rows)} rows)")


def how_to_go_on(config: BenchmarkSuiteConfig, folder: Path) -> str:
    """What to type after Ctrl-C."""
    del config, folder
    return "the same command goes on"


if __name__ == "__main__":
    command("benchmark_suite", BenchmarkSuiteConfig, prepare, lists=LISTS, how_to_go_on=how_to_go_on)
