"""The picture of the benchmark: the normalised score of every method on every scenario."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.benchmark_suite.leaderboard import LITTLE, Board
from experiments.benchmark_suite.methods import BENCHMARKED
from experiments.benchmark_suite.protocol import FIXED, LOWER, UPPER
from experiments.reporting.style import save_figure

_COLUMNS = 2
_LEFT = -0.35
"""Where panels begin; what is below stands at the edge."""
_WITHOUT = "n/a"
_LEARNS = "#0072B2"
_PLANS = "#D55E00"
_RULES = "#666666"
_FIXED = "#009E73"
_OWN = "#CC79A7"
_NOT_SHOWN = (LOWER, UPPER)
"""Methods that are the lines at 0 and 1."""


def draw_benchmark(path: Path, boards: Sequence[Board]) -> list[Path]:
    """Draw scenarios where the state matters, and in a second picture those where one allocation is all there is.

    Args:
        path: of the first PNG; the other has `_bandits` in its name. Where all scenarios are of one kind there is one
            picture.
        boards: of one budget.

    Returns:
        What was written.
    """
    kinds = {
        path: ([each for each in boards if _state_matters(each)], "where the state matters"),
        path.with_stem(f"{path.stem}_bandits"): (
            [each for each in boards if not _state_matters(each)],
            "where one good allocation is all there is to learn",
        ),
    }
    drawn = [each for each in kinds.values() if each[0]]
    paths = list(kinds)[: len(drawn)]
    for place, (shown, where) in zip(paths, drawn, strict=True):
        _draw_boards(place, shown, where)
    return paths


def _state_matters(board: Board) -> bool:
    return board.share is None or board.share >= LITTLE


def _draw_boards(path: Path, boards: Sequence[Board], where: str) -> None:
    """One panel per scenario, and in each one row per method."""
    rows = -(-len(boards) // _COLUMNS)
    names = [name for name in BENCHMARKED if name not in _NOT_SHOWN]
    own = sorted({each.method for board in boards for each in board.standings} - BENCHMARKED.keys())
    figure = Figure(figsize=(9.4, 2.4 + (0.7 + 0.27 * len([*names, *own])) * rows), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, board in zip(panels, boards, strict=False):
        _draw_panel(axes, board, [*names, *own])
    for axes in panels[: len(boards)][-_COLUMNS:]:
        axes.set_xlabel("normalised score:\n0 = hard slicing, 1 = one-step oracle", fontsize=10.5)
        axes.tick_params(labelbottom=True)
    for axes in panels[len(boards) :]:
        axes.axis("off")
    budget = f"{boards[0].budget:,}".replace(",", " ")
    figure.suptitle(
        f"How much of what is possible do methods reach after {budget} decisions in a cell,\n"
        f"{where}? Scores are of cells that no method has seen",
        fontsize=12.5,
    )
    shown = [board.of(name) for board in boards for name in (*names, *own)]
    scored = [(each, each.score) for each in shown if each is not None and each.score is not None]
    handles = _legend(
        own=bool(own),
        partly=any(each.partly for each, _ in scored),
        below=any(score.value < _LEFT for _, score in scored),
        without=any(_why_absent(board, name) == _WITHOUT for board in boards for name in names),
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=10.5)
    save_figure(figure, path)


def _legend(own: bool, partly: bool, below: bool, without: bool) -> list[Line2D]:
    """What marks mean, of those that a picture has.

    Args:
        own: methods of the user's own.
        partly: methods with few seeds so far.
        below: scores off the scale.
        without: methods that a scenario has too many allocations for.
    """
    kinds = {_LEARNS: "reinforcement learning", _PLANS: "planning by a learned model", _RULES: "rule, does not learn"}
    kinds |= {_OWN: "your own"} if own else {}
    handles = [Line2D([], [], color=colour, marker="o", lw=2.2, label=label) for colour, label in kinds.items()]
    handles.append(Line2D([], [], color=_FIXED, ls="--", lw=1.4, label="best allocation that never changes"))
    if below:
        handles.append(
            Line2D([], [], color="black", ls="none", marker="<", ms=5.5, label=f"below {_LEFT}, off the scale")
        )
    notes = [
        f"bars: 95 % intervals{'; (n): n training seeds so far' if partly else ''}",
        "headroom: best fixed to oracle, in % of hard slicing to oracle",
        *([f"{_WITHOUT}: one network output per allocation would be too many"] if without else []),
    ]
    return [*handles, *(Line2D([], [], ls="none", label=note) for note in notes)]


def _draw_panel(axes: Axes, board: Board, names: Sequence[str]) -> None:
    fixed = board.of(FIXED)
    if fixed is not None and fixed.score is not None:
        axes.axvline(float(fixed.score.value), color=_FIXED, ls="--", lw=1.4, zorder=1)
    for place in (0.0, 1.0):
        axes.axvline(place, color="black", lw=0.8, zorder=1)
    for row, name in enumerate(names):
        _draw_method(axes, board, name, row)
    axes.set_yticks(
        range(len(names)), [BENCHMARKED[name].label if name in BENCHMARKED else name for name in names], fontsize=10.5
    )
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(_LEFT, 1.08)
    axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0])
    axes.grid(axis="y", alpha=0.2)
    axes.set_xticklabels(["0", "0.25", "0.5", "0.75", "1"], fontsize=10)
    gain = "" if board.share is None else f", headroom {100.0 * max(0.0, board.share):.0f} %"
    axes.set_title(f"{board.scenario}{gain}", fontsize=11.5, loc="left")


def _draw_method(axes: Axes, board: Board, name: str, row: int) -> None:
    found = board.of(name)
    if found is None or found.score is None:
        axes.annotate(_why_absent(board, name), (0.02, row), va="center", fontsize=10, color="#999999", style="italic")
        return
    colour = _colour(name)
    value, low, high = (float(each) for each in found.score)
    few = f" ({found.seeds})" if found.partly else ""
    axes.annotate(
        f"{value:.2f}{few}", (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=10, color=colour
    )
    if value < _LEFT:
        axes.plot(_LEFT + 0.03, row, "<", ms=5.5, color=colour)
        return
    if not np.isnan(low):
        axes.plot([max(low, _LEFT), high], [row, row], color=colour, lw=2.4, alpha=0.6, solid_capstyle="butt", zorder=2)
    axes.plot(value, row, "o", ms=5.5, color=colour, zorder=3)


def _why_absent(board: Board, name: str) -> str:
    """What stands in place of a score; "" where there is one."""
    found = board.of(name)
    if found is not None and found.score is not None:
        return ""
    return _WITHOUT if board.missing.get(name, "").startswith(_WITHOUT) else "not run yet"


def _colour(name: str) -> str:
    """Of a method; rows do not say of which kind one of the user's own is."""
    if name not in BENCHMARKED:
        return _OWN
    method = BENCHMARKED[name]
    return _LEARNS if method.network else _PLANS if method.learns else _RULES
