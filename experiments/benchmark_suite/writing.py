"""What is written of the rows of the benchmark: a CSV, tables of Markdown and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from experiments.benchmark_suite.figure import draw_benchmark
from experiments.benchmark_suite.methods import BENCHMARKED
from experiments.benchmark_suite.page import boards_of, check_page, findings_of, leaderboards_of, write_page
from experiments.benchmark_suite.protocol import PROTOCOL
from experiments.benchmark_suite.rows import RunKey, RunRow, read_rows, write_table
from slicing_gym.files import atomic_write

TABLE_FILE = "benchmark.csv"
PUBLISHED_TABLE = Path("docs", "results", TABLE_FILE)
KNOWN = Path(__file__).resolve().parents[2] / PUBLISHED_TABLE
"""The project's table: a checkout has it, wherever a command is typed; a wheel has not."""
_PAGE = Path("docs", "benchmark.md")
_LEADERBOARDS = Path("docs", "results", "benchmark.md")
_PICTURE = Path("docs", "images", "benchmark.png")


def write_rounded(path: Path, rows: Mapping[RunKey, RunRow]) -> dict[RunKey, RunRow]:
    """Write all rows, atomically; as they stand there, rounded, they come back: tables say what the CSV says."""
    write_table(path, rows, list(BENCHMARKED), PROTOCOL)
    return read_rows(path, PROTOCOL)


def write_report(folder: Path, rows: Mapping[RunKey, RunRow]) -> list[Path]:
    """Write `benchmark.csv`, `benchmark.md` and pictures into a folder; what was written.

    Args:
        folder: that is there.
        rows: by run, as `read_rows` or `read_results` gives them.
    """
    table, page, picture = (folder / name for name in (TABLE_FILE, _PAGE.name, _PICTURE.name))
    shown = write_rounded(table, rows)
    text = f"# The benchmark\n\n{findings_of(shown, PROTOCOL, links=False)}\n{leaderboards_of(shown, PROTOCOL)}"
    with atomic_write(page) as file:
        file.write(text.encode())
    return [table, page, *draw_benchmark(picture, boards_of(shown, PROTOCOL)[PROTOCOL.first_budget])]


def check_published(root: Path) -> None:
    """Refuse a folder that is no checkout of the project, or whose pages have no place for the tables.

    Raises:
        OSError, ValueError: the message names the page.
    """
    for page in (_PAGE, _LEADERBOARDS):
        check_page(root / page)


def publish(root: Path, rows: Mapping[RunKey, RunRow]) -> list[Path]:
    """Write the project's own table, pages and pictures; what was written.

    Args:
        root: of the checkout.
        rows: all that are to be published.

    Raises:
        OSError, ValueError: see `check_published`.
    """
    check_published(root)
    shown = write_rounded(root / PUBLISHED_TABLE, rows)
    write_page(root / _PAGE, findings_of(shown, PROTOCOL))
    write_page(root / _LEADERBOARDS, leaderboards_of(shown, PROTOCOL))
    pictures = draw_benchmark(root / _PICTURE, boards_of(shown, PROTOCOL)[PROTOCOL.first_budget])
    return [*(root / each for each in (PUBLISHED_TABLE, _PAGE, _LEADERBOARDS)), *pictures]
