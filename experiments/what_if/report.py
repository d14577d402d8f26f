"""A what-if as a table, as lines on what not to trust, and as a CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.reporting.tables import aligned, write_rows
from experiments.what_if.policies import BY_THE_LOG, LOGGED
from experiments.what_if.simulation import UTILITY, Alternative
from twin import History
from twin.data.layout import Layout

VISIBLE = 0.005
"""Part of a mean that its three digits show."""

OR_MORE = "+"

MARK = " *"
"""Of an alternative outside what the twin was fitted to."""


def units_by_variable(layout: Layout) -> dict[str, str]:
    """The unit of every variable, by its name; "" where it has none."""
    return {name: column.unit for name, column in layout.variables} | {UTILITY: ""}


def table(
    layout: Layout,
    alternatives: Sequence[Alternative],
    measured: Mapping[str, float],
    most: Mapping[str, float],
) -> str:
    """One row per variable, one column per alternative: mean [5 %, 95 %] over the samples; what was measured first.

    An end that is the largest value drawn (`most`, by variable) is marked: more may come.
    """
    units = units_by_variable(layout)
    header = [
        "",
        BY_THE_LOG,
        *(f"{each.name}{_allocation(each)}{MARK if each.outside else ''}" for each in alternatives),
    ]
    rows = []
    for name, value in measured.items():
        unit = f" [{units[name]}]" if units[name] else ""
        cells = []
        for each in alternatives:
            mean, low, high = map(number, each.summary(name))
            cells.append(f"{mean} [{low}, {high}{OR_MORE if _is_clipped(each, name, most) else ''}]")
        rows.append([f"{name}{unit}", number(value), *cells])
    return aligned(header, rows)


def clipped(alternatives: Sequence[Alternative], most: Mapping[str, float]) -> list[str]:
    """What the mark of ends means that are no more than the largest value drawn, where there are such."""
    marked = any(_is_clipped(each, name, most) for each in alternatives for name in each.values)
    return [f"{OR_MORE}: or more; the twin draws nothing far beyond what its history measured"] if marked else []


def skewed(alternatives: Sequence[Alternative], measured: Mapping[str, float]) -> list[str]:
    """Why a mean may lie outside its interval, where one of the variables shown does so visibly.

    Both are of the same draws. A median would lie inside, and say 0 of a queue that is empty in most draws only.
    """
    found = (each.summary(name) for each in alternatives for name in measured)
    if not any(max(low - mean, mean - high) > VISIBLE * abs(mean) for mean, low, high in found):
        return []
    return ["a mean outside its interval is due to few draws far beyond it, at most 5 % of them"]


def _is_clipped(alternative: Alternative, name: str, most: Mapping[str, float]) -> bool:
    return name in most and alternative.summary(name)[2] >= most[name]


def gains(alternatives: Sequence[Alternative], history: History) -> list[str]:
    """Of each alternative, its utility less that of what the log did, sample by sample."""
    logged = next((each for each in alternatives if each.name == LOGGED), None)
    if logged is None or UTILITY not in logged.values:
        return []
    lines = []
    for each in alternatives:
        if each is not logged:
            gained = each.values[UTILITY] - logged.values[UTILITY]
            lines.append(
                f"{each.name} less {LOGGED}, under the same random numbers: utility {gained.mean():+.3f}, above in "
                f"{(gained > 0.0).mean():.0%} of the samples, below in {(gained < 0.0).mean():.0%}"
            )
    if lines and np.isin(history.ssr, (0.0, 1.0)).all():
        lines.append(
            "a sample's SSR is a share between 0 and 1: in a single interval, which has 0 or 1, either may be better"
        )
    return lines


def inside(alternatives: Sequence[Alternative], measured: Mapping[str, float]) -> list[str]:
    """How much of what was measured lies in the intervals of what the log did."""
    logged = next((each for each in alternatives if each.name == LOGGED), None)
    if logged is None or not measured:
        return []
    missed = [name for name, value in measured.items() if not _holds(logged.summary(name), value)]
    found = f"{len(measured) - len(missed)} of {len(measured)} measured values lie in the 90 % intervals of {LOGGED}"
    return [f"{found}; not {', '.join(missed)}" if missed else found]


def write_alternatives(
    path: Path, layout: Layout, alternatives: Sequence[Alternative], measured: Mapping[str, float]
) -> None:
    """One row per alternative and variable, atomically."""
    units, rows = units_by_variable(layout), []
    for each in alternatives:
        for name, value in measured.items():
            summary = [f"{end:.6g}" for end in each.summary(name)]
            rows.append([each.name, name, units[name], *summary, f"{value:.6g}", ";".join(each.outside.slices)])
    write_rows(path, ["policy", "variable", "unit", "mean", "low", "high", BY_THE_LOG, "outside_the_fit"], rows)


def _holds(summary: tuple[float, float, float], value: float) -> bool:
    _, low, high = summary
    return low <= value <= high


def _allocation(alternative: Alternative) -> str:
    """The allocation, where the name does not say it; the most frequent of several."""
    times = Counter(map(tuple, alternative.units.reshape(-1, alternative.units.shape[-1]).tolist()))
    (units, count), *_ = times.most_common(1)
    text = "-".join(map(str, units))
    if text == alternative.name:
        return ""
    return f": {text}" if len(times) == 1 else f": {text} in {count / times.total():.0%}"


def number(value: float) -> str:
    """Three digits or more, thousands marked; a power of ten only below 0.0001."""
    return f"{value:,.0f}" if abs(value) >= 100.0 else f"{value or 0.0:.3g}"  # no -0
