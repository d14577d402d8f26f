"""The tables of `docs/benchmark.md` and `docs/results/benchmark.md`, from the rows of the benchmark."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.benchmark_suite.cost import cost_of
from experiments.benchmark_suite.leaderboard import Board, Standing, by_gain, is_it_worth_it, make_board
from experiments.benchmark_suite.methods import BENCHMARKED
from experiments.benchmark_suite.protocol import FIXED, PROTOCOL, UPPER, Protocol
from experiments.benchmark_suite.rows import RunKey, RunRow
from experiments.reporting.statistics import Interval
from experiments.reporting.tables import markdown
from slicing_gym import get_scenario
from slicing_gym.files import atomic_write
from slicing_gym.reading import read_text

BEGIN = "<!-- benchmark: begin, written by python -m experiments.benchmark_suite task=publish -->"
END = "<!-- benchmark: end -->"
TABLES_BLOCK = re.compile(f"<!-- benchmark: begin[^>]*-->(.*?){END}", re.DOTALL)
"""The tables of a page with the two markers around them."""
NOT_RUN = "not run yet"


def boards_of(rows: Mapping[RunKey, RunRow], protocol: Protocol = PROTOCOL) -> dict[int, list[Board]]:
    """Boards of all scenarios, those with the most to gain first, by budget."""
    return {
        budget: by_gain([make_board(rows, scenario, budget, protocol) for scenario in protocol.scenarios])
        for budget in sorted(protocol.training_seeds)
    }


def findings_of(rows: Mapping[RunKey, RunRow], protocol: Protocol = PROTOCOL, *, links: bool = True) -> str:
    """What was found, as Markdown: whether learning is worth it, and the score of every method.

    Args:
        rows: all that are known.
        protocol: of the benchmark.
        links: to the page of scenarios, beside which `docs/benchmark.md` stands.
    """
    boards = boards_of(rows, protocol)
    parts = ["## Is RL worth it here?\n", _worth(boards, links)]
    for budget, own in boards.items():
        parts.append(f"## Normalised score after {_spaced(budget)} decisions\n")
        begun = any(_is_begun(board) for board in own)
        parts += [_by_method(own, _score_cell), _gaps(own)] if begun else ["No method that learns is run yet.\n"]
        if begun:
            parts.append(f"## Regret over {_spaced(budget)} decisions [U]\n")
            parts.append(_by_method(own, _regret_cell))
    return "\n".join(part for part in [*parts, f"{cost_of(rows, protocol)}\n"] if part)


def leaderboards_of(rows: Mapping[RunKey, RunRow], protocol: Protocol = PROTOCOL) -> str:
    """All figures of every method, as Markdown: a table for each scenario and budget.

    Args:
        rows: by run, as `read_rows` or `read_results` gives them.
        protocol: of the benchmark.
    """
    parts = []
    for budget, own in boards_of(rows, protocol).items():
        for board in own:
            if _is_begun(board):
                parts += [f"## {board.scenario}, {_spaced(budget)} decisions\n", _leaderboard(board)]
    return "\n".join(parts)


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _is_begun(board: Board) -> bool:
    """Whether a method that learns is run."""
    names = [each.method for each in board.standings]
    return any(name not in BENCHMARKED or BENCHMARKED[name].learns for name in names)


def _by_method(boards: Sequence[Board], cell: Callable[[Board, str], str]) -> str:
    """One row per method that has more than "" and "n/a", one column per scenario."""
    own = dict.fromkeys(each.method for board in boards for each in board.standings if each.method not in BENCHMARKED)
    rows = []
    for name in (*BENCHMARKED, *own):
        label = BENCHMARKED[name].label if name in BENCHMARKED else name
        cells = [cell(board, name) for board in boards]
        if set(cells) - {"", "n/a"}:
            rows.append([label, *cells])
    return markdown(["method", *(board.scenario for board in boards)], rows)


def _score_cell(board: Board, name: str) -> str:
    found = board.of(name)
    if found is None or found.score is None:
        return "n/a" if board.missing.get(name, "").startswith("n/a") else NOT_RUN
    shown = shown_interval(found.score, 2)
    return f"{shown} ({found.partly})" if found.partly else shown


def _regret_cell(board: Board, name: str) -> str:
    """The regret of a method that learned at this budget; "" of others."""
    found = board.of(name)
    if found is None:
        return "n/a" if board.missing.get(name, "").startswith("n/a: one output") else ""
    if not _is_of_this_budget(found, board) or name in (FIXED, UPPER):
        return ""
    shown = shown_interval(found.regret, 0)
    return f"{shown} ({found.partly})" if found.partly else shown


def _is_of_this_budget(found: Standing, board: Board) -> bool:
    """Whether regret and time are of so many decisions: those of what does not learn are of the first budget alone."""
    learns = found.method not in BENCHMARKED or BENCHMARKED[found.method].learns
    return learns or board.budget == min(PROTOCOL.training_seeds)


def shown_interval(value: Interval | None, digits: int) -> str:
    """A figure with its interval; a zero without a sign."""
    if value is None:
        return "-"
    middle, low, high = (float(each) + 0.0 for each in value)
    texts = [f"{0.0 if round(each, digits) == 0 else each:.{digits}f}" for each in (middle, low, high)]
    return texts[0] if np.isnan(low) or low == high else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def _gaps(boards: Sequence[Board]) -> str:
    """What is missing, and why, in a line each."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, method in BENCHMARKED.items():
        found = {board.scenario: board.missing.get(name, "") for board in boards}
        for why in dict.fromkeys(each for each in found.values() if each.startswith("n/a: ")):
            scenarios = [f"`{scenario}`" for scenario, each in found.items() if each == why]
            where = "everywhere" if len(scenarios) == len(boards) else f"on {', '.join(scenarios)}"
            reasons.setdefault((where, why.removeprefix("n/a: ")), []).append(method.label)
    lines = [f"- n/a {where} ({why}): {'; '.join(labels)}." for (where, why), labels in reasons.items()]
    number = sum(why == NOT_RUN for board in boards for why in board.missing.values())
    partly = sum(why.endswith("seeds") for board in boards for why in board.missing.values())
    gaps = [f"{number} not run yet"] if number else []
    gaps += [f"{partly} not on all seeds"] if partly else []
    if gaps:
        lines.append(f"- Of the table's cells {' and '.join(gaps)}.")
    return "\n".join(lines) + "\n" if lines else ""


def _worth(boards: Mapping[int, Sequence[Board]], links: bool = True) -> str:
    """One row per scenario: headroom, and the answer at each budget."""
    header = ["scenario", "U best fixed", "U oracle", "headroom", "of hard to oracle"]
    header += [f"after {_spaced(budget)} decisions" for budget in boards]
    rows = []
    found = {(budget, board.scenario): board for budget, own in boards.items() for board in own}
    for board in boards[min(boards)]:
        fixed, upper = board.of(FIXED), board.of(UPPER)
        row = [
            f"[`{board.scenario}`](scenarios.md#{board.scenario})" if links else f"`{board.scenario}`",
            *(shown_interval(each.utility, 3) if each else NOT_RUN for each in (fixed, upper)),
        ]
        row.append(NOT_RUN if board.headroom is None else f"{board.headroom:.3f}")
        row.append(NOT_RUN if board.share is None else f"{board.share:.1%}")
        rows.append([*row, *(is_it_worth_it(found[budget, board.scenario]) for budget in boards)])
    return markdown(header, rows)


def _leaderboard(board: Board) -> str:
    """One row per method, the best first."""
    header = ["rank", "method", "U, unseen cells", "score", "P(improves on best fixed)", "share at c_max"]
    header += ["regret, best fixed [U]", "CPU s", "seeds"]
    rows = [_line(each, board) for each in board.standings]
    without: dict[str, list[str]] = {}
    for name, why in board.missing.items():
        if not why.endswith("seeds"):
            without.setdefault(why, []).append(BENCHMARKED[name].label)
    lines = [f"\nWithout {'; '.join(labels)} ({why}).\n" for why, labels in without.items()]
    return markdown(header, rows) + "".join(lines)


def _line(found: Standing, board: Board) -> list[str]:
    of_this_budget = _is_of_this_budget(found, board)
    has_goal = get_scenario(board.scenario).reward.kind == "shaped"  # else nothing asks for the final threshold
    return [
        "-" if found.rank is None else str(found.rank),
        found.label,
        shown_interval(found.utility, 3),
        shown_interval(found.score, 3),
        shown_interval(found.improvement, 2),
        shown_interval(found.reward, 3) if has_goal else "n/a",
        shown_interval(found.regret, 0) if of_this_budget else "-",
        shown_interval(found.seconds, 1) if of_this_budget else "-",
        found.counted,
    ]


def check_page(path: Path) -> None:
    """Refuse a page that is not there, or has no place for the tables.

    Raises:
        OSError, ValueError: it cannot be read, or has not both markers, in their order.
    """
    if not TABLES_BLOCK.search(read_text("task=publish", path)):
        raise ValueError(f"task=publish: {str(path)!r} has no lines {BEGIN!r} and {END!r} for the tables")


def write_page(path: Path, tables: str) -> None:
    """Put tables between the markers of a page, atomically.

    Raises:
        OSError, ValueError: see `check_page`.
    """
    check_page(path)
    block = f"{BEGIN}\n\n{tables}\n{END}"
    text = TABLES_BLOCK.sub(lambda _: block, read_text("task=publish", path), count=1)
    with atomic_write(path) as file:
        file.write(text.encode())
