"""A study as tables and a picture: every trial, what its values were worth, and what mattered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reporting.style import save_figure
from experiments.reporting.tables import write_rows
from experiments.search.study import ERROR, JOURNAL, STUDY, read_study
from slicing_gym.reading import read_json

TRIALS, IMPORTANCES, PICTURE_OF_STUDY = "study.csv", "importances.csv", "study.png"

_COLOURS = {"COMPLETE": "#0072B2", "PRUNED": "#999999", "FAIL": "#D55E00"}


def study_pictures(folder: str | Path) -> list[Path]:
    """Write a study's tables and picture into its folder: `study.csv`, `importances.csv` and `study.png`.

    The tables have one row per trial, and one row per key with its share of importance (PED-ANOVA: how far the values
    of the key differ between the best tenth of the trials and all); without two completed trials there is none. The
    picture shows values by trial, importances, and the keys' values of each trial in parallel coordinates, the best in
    colour.

    Args:
        folder: of the study.

    Returns:
        What was written.

    Raises:
        ValueError: there is no study.
    """
    folder = Path(folder)
    if not (folder / JOURNAL).is_file():
        raise ValueError(f"folder: {str(folder)!r} has no study ({JOURNAL})")
    study, trials = read_study(folder)
    keys = list(dict.fromkeys(key for each in trials for key in each.params))
    paths = [folder / TRIALS, folder / IMPORTANCES, folder / PICTURE_OF_STUDY]
    importances = _importances(study, trials)
    write_rows(paths[0], ["trial", "state", "value", "seconds", *keys, "evaluations", "error"], _rows(trials, keys))
    write_rows(paths[1], ["key", "importance"], [[key, f"{value:.4f}"] for key, value in importances.items()])
    known = folder / STUDY  # a study without it is one that no command began
    of = f" on scenario {read_json('folder', known)['scenario']['name']}" if known.is_file() else ""
    _plot(paths[2], f"Search for settings{of}", trials, importances, keys)
    return paths


def _importances(study: Any, trials: Sequence[Any]) -> dict[str, float]:
    """By key, the most important first; none where trials say nothing of them."""
    from optuna.importance import get_param_importances

    values = [each.value for each in trials if each.state.name == "COMPLETE"]
    if len(values) < 2 or len(set(values)) < 2:
        return {}
    found: dict[str, float] = get_param_importances(study)
    return found


def _rows(trials: Sequence[Any], keys: Sequence[str]) -> list[list[object]]:
    rows: list[list[object]] = []
    for each in trials:
        value, took = _value(each), each.duration
        rows.append(
            [
                each.number,
                each.state.name.lower(),
                "" if value is None else f"{value:.6f}",
                "" if took is None else f"{took.total_seconds():.1f}",
                *(each.params.get(key, "") for key in keys),
                len(each.intermediate_values),
                each.user_attrs.get(ERROR, ""),
            ]
        )
    return rows


def _value(trial: Any) -> float | None:
    """What a trial is worth: of a pruned one what it was worth when it was ended."""
    if trial.state.name == "COMPLETE":
        return float(trial.value)
    steps = trial.intermediate_values
    return float(steps[max(steps)]) if steps else None


def _plot(path: Path, title: str, trials: Sequence[Any], importances: dict[str, float], keys: Sequence[str]) -> None:
    figure = Figure(figsize=(12, 8), layout="constrained")
    grid = figure.add_gridspec(2, 2)
    history, bars = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    _draw_history(history, trials)
    shown = list(importances)[::-1]
    bars.barh(range(len(shown)), [importances[key] for key in shown], color="#0072B2")
    bars.set_yticks(range(len(shown)), [_short(key) for key in shown], fontsize=8.5)
    bars.set_xlabel("share of importance (PED-ANOVA)")
    bars.set_title("which settings matter", fontsize=10)
    _draw_parallel(figure.add_subplot(grid[1, :]), trials, keys)
    figure.suptitle(title, fontsize=12)
    save_figure(figure, path)


def _draw_history(axes: Axes, trials: Sequence[Any]) -> None:
    """Values by trial, and the best so far."""
    for state, colour in _COLOURS.items():
        own = [(each.number, _value(each)) for each in trials if each.state.name == state]
        points = [(number, value) for number, value in own if value is not None]
        if points:
            marker = "o" if state == "COMPLETE" else "x"
            numbers, values = zip(*points, strict=True)
            axes.scatter(numbers, values, c=colour, s=16, marker=marker, label=state.lower())
    complete = [(each.number, each.value) for each in trials if each.state.name == "COMPLETE"]
    if complete:
        numbers, values = zip(*complete, strict=True)
        axes.step(numbers, np.maximum.accumulate(values), where="post", color="#D55E00", lw=1, label="best so far")
        span = np.ptp(values) or 1.0
        axes.set_ylim(float(np.quantile(values, 0.1) - span / 4), max(values) + span / 10)
    axes.set_xlabel("trial")
    axes.set_ylabel("utility U in the twin")
    axes.set_title("trials (those far below are not shown)", fontsize=10)
    axes.legend(frameon=False, fontsize=8.5)


def _draw_parallel(axes: Axes, trials: Sequence[Any], keys: Sequence[str]) -> None:
    """One line per completed trial through its value of each key, each axis from its lowest to its highest."""
    complete = sorted((each for each in trials if each.state.name == "COMPLETE"), key=lambda each: each.value)
    if not complete or not keys:
        return
    columns = [_heights([each.params[key] for each in complete]) for key in keys]
    columns.append(_heights([each.value for each in complete]))
    lines = np.array([heights for heights, _, _ in columns]).T
    best = max(1, len(lines) // 10)
    for number, line in enumerate(lines):
        top = number >= len(lines) - best
        axes.plot(line, color="#D55E00" if top else "#999999", lw=1.6 if top else 0.6, alpha=1.0 if top else 0.6)
    for position, (_, low, high) in enumerate(columns):
        axes.axvline(position, color="black", lw=0.6)
        axes.annotate(low, (position, 0), xytext=(0, -10), textcoords="offset points", ha="center", fontsize=7.5)
        axes.annotate(high, (position, 1), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=7.5)
    axes.set_xticks(range(len(columns)), [*(_short(key) for key in keys), "U in the twin"], rotation=15, fontsize=8)
    axes.tick_params(axis="x", pad=14, length=0)
    axes.set_yticks([])
    axes.set_ylim(-0.03, 1.08)
    shown = "the best in colour" if best == 1 else f"the best {best} in colour"
    axes.set_title(f"settings of completed trials, each axis from lowest to highest; {shown}", fontsize=10)
    axes.spines[["top", "left", "right", "bottom"]].set_visible(False)


def _heights(values: Sequence[Any]) -> tuple[list[float], str, str]:
    """Where values stand from 0 to 1, and what stands at both ends; choices in their order, as ranks."""
    if isinstance(values[0], str):
        names = sorted(set(values), key=_choice_order)
        top = max(1, len(names) - 1)
        return [names.index(each) / top for each in values], names[0], names[-1]
    numbers = np.array(values, np.float64)
    low, high = numbers.min(), numbers.max()
    scaled = np.log(numbers) if low > 0 and high / low > 20 else numbers
    span = np.ptp(scaled) or 1.0
    return list((scaled - scaled.min()) / span), f"{low:.3g}", f"{high:.3g}"


def _choice_order(name: str) -> tuple[int, float, str]:
    """Numbers by their size, other choices by their text."""
    value = json.loads(name)
    number = isinstance(value, int | float)
    return (0, float(value), "") if number else (1, float(len(name)), name)


def _short(key: str) -> str:
    return key.removeprefix("agent.")
