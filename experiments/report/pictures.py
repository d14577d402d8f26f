"""Pictures of a section: what a sweep varied, learning curves, figures with their intervals, performance profiles."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.report.configuration import CHOICES
from experiments.report.entries import Entry
from experiments.report.groups import RunGroup, Section
from experiments.report.in_force import NOT_IN_FORCE
from experiments.report.measures import FINAL, REGRET, RunMeasure
from experiments.report.regret import BEST_FIXED
from experiments.reporting.names import display_name
from experiments.reporting.statistics import performance_profile, until_shortest
from experiments.reporting.style import MARKERS, agent_colour, draw_curve, episode_axis

FloatArray = npt.NDArray[np.float64]

LIGHT = {"figure.facecolor": "#ffffff", "axes.facecolor": "#ffffff", "text.color": "#1b1f24"}
DARK = {"figure.facecolor": "#16191d", "axes.facecolor": "#16191d", "text.color": "#e6e8ea"}
_COLOURS = ("#0f83cc", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8c7ae6", "#999999")
"""Okabe and Ito's, but for those that cannot be told from white or black paper."""
VARIED = "What was varied:"
"""How the title begins of the picture of a sweep over one setting."""
MOST = len(_COLOURS)
"""Groups that a picture of curves shows: more cannot be told apart."""


def pictures(section: Section) -> dict[str, Callable[[], Figure]]:
    """What can be drawn of a section, by title; none where no run is done."""
    groups = [group for group in section.groups if group.runs]
    if not groups:
        return {}
    shown, few = _best(groups), f"; the {MOST} best of {len(groups)} groups" if len(groups) > MOST else ""
    styles = _styles(shown, section.keys)
    found: dict[str, Callable[[], Figure]] = {}
    settings = [key for key in section.keys if key not in CHOICES]
    known = [each for each in (FINAL, REGRET) if any(group.values_of(each) for group in groups)]
    if len(settings) == 1 and known and len({group.values[settings[0]] for group in groups} - {NOT_IN_FORCE}) > 1:
        found[f"{VARIED} {settings[0]}"] = lambda: _over_setting(groups, settings[0], known)
    columns = {"utility": "mean utility U", "reward_at_c_max": "share at c_max"}
    for column, label in columns.items():
        if any(column in run.episodes for group in shown for run in group.runs):
            title = f"While they learn: {label}{few}{_load(section, column)}"
            found[title] = lambda column=column: _curves(shown, styles, column)  # type: ignore[misc]
    if any(group.values_of(FINAL) for group in shown):
        found[f"Performance profile: final U{few}"] = lambda: _profile(shown, styles)
    compared = [measure for measure in section.measures if measure.higher_is_better is not None][:6]
    if compared:
        found["Figures and their intervals; dots are runs"] = lambda: _intervals(groups, compared)
    return found


def _load(section: Section, column: str) -> str:
    """What the title of curves says where they rise and fall with the load, whatever is learned; or nothing."""
    profiles = (".active_users.kind", ".intensity.kind")
    kinds = {value for run in section.entries for key, value in run.values.items() if key.endswith(profiles)}
    if not kinds - {"steady"}:
        return ""
    known = any(f"{BEST_FIXED}{column}" in run.episodes for run in section.entries)
    dotted = "the dotted line has the same load" if known else "--oracle adds the best fixed allocation"
    return f"; the load changes over time: compare groups at one episode, not episodes ({dotted})"


def drawn(draw: Callable[[], Figure], theme: Mapping[str, str]) -> bytes:
    """A picture as PNG, on light or dark paper."""
    names = ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    colours: dict[Any, Any] = {**theme, **dict.fromkeys(names, theme["text.color"]), "grid.color": "#808890"}
    picture = io.BytesIO()
    with matplotlib.rc_context(colours):
        draw().savefig(picture, format="png", dpi=120)
    return picture.getvalue()


def _best(groups: Sequence[RunGroup]) -> list[RunGroup]:
    """As many groups as can be told apart, those with the highest final utility, in the order of the table."""

    def final(group: RunGroup) -> float:
        interval = group.interval(FINAL)
        return -np.inf if interval is None else float(interval.value)

    kept = sorted(groups, key=final, reverse=True)[:MOST]
    return [group for group in groups if any(group is each for each in kept)]


def _styles(groups: Sequence[RunGroup], keys: Sequence[str]) -> list[dict[str, Any]]:
    """A colour for each combination of values but the twin's; dashed without a twin, solid with one."""
    looks = [tuple(value for key, value in group.values.items() if key != "twin") for group in groups]
    order = list(dict.fromkeys(looks))
    agents = [key for key in keys if key != "twin"] == ["agent"]
    if agents and len({agent_colour(look[0]) for look in order}) < len(order):  # names of one's own, as ddqn-0.1
        agents = False
    kinds = list(dict.fromkeys(group.values.get("twin", "") for group in groups if group.values.get("twin") != "none"))
    styles = []
    for group, look in zip(groups, looks, strict=True):
        twin = group.values.get("twin")
        dashes = "--" if twin == "none" else ("-", "-.", ":")[kinds.index(twin or "") % 3]
        colour = agent_colour(look[0]) if agents else _COLOURS[order.index(look) % len(_COLOURS)]
        styles.append({"color": colour, "ls": dashes, "lw": 2.0 if dashes == "-" else 1.7, "label": _in_words(group)})
    return styles


def _in_words(group: RunGroup) -> str:
    """What a picture calls a group: DDQN, LSTM twin, learning rate 0.001."""
    words = []
    ends = [key.rpartition(".")[2] for key in group.values]
    for (key, value), end in zip(group.values.items(), ends, strict=True):
        if value == NOT_IN_FORCE:
            continue
        if key == "agent":
            words.append(display_name(value))
        elif key == "twin":
            words.append({"none": "without a twin", "lstm": "LSTM twin"}.get(value, f"{value} twin"))
        else:
            words.append(f"{(end if ends.count(end) == 1 else key).replace('_', ' ')} {value}")
    return ", ".join(words) or "all runs"


def _over_setting(groups: Sequence[RunGroup], key: str, measures: Sequence[RunMeasure]) -> Figure:
    """One panel per figure, one line per agent and twin: interquartile means and 95 % intervals over the setting."""
    methods: dict[tuple[str, ...], list[RunGroup]] = defaultdict(list)
    for group in groups:
        methods[tuple(group.values[each] for each in CHOICES if each in group.values)].append(group)
    firsts = [own[0] for own in methods.values()]
    plain = [replace(each, values={k: v for k, v in each.values.items() if k != key}) for each in firsts]
    styles = _styles(plain, list(plain[0].values))
    places, kind = _places([value for group in groups if (value := group.values[key]) != NOT_IN_FORCE])
    figure = Figure(figsize=(5.6 * len(measures), 4.2), layout="constrained")
    for axes, measure in zip(figure.subplots(1, len(measures), squeeze=False)[0], measures, strict=True):
        for number, (own, style) in enumerate(zip(methods.values(), styles, strict=True)):
            own = _at_every(places, key, own)
            apart = 0.03 * (number - (len(methods) - 1) / 2)  # intervals of two methods would cover each other
            found = [(places[group.values[key]], group.interval(measure)) for group in own]
            points = [(place, *map(float, each)) for place, each in found if each is not None]
            x, middle, low, high = np.array(points).reshape(-1, 4).T
            at = x * 10**apart if kind == "logarithmic" else x + 2 * apart
            ends = np.nan_to_num([middle - low, high - middle])  # one seed has no interval
            look = {**style, "marker": MARKERS[number % len(MARKERS)], "ms": 6}
            look |= {"mfc": axes.get_facecolor()} if style["ls"] == "--" else {}
            look |= {"ls": ""} if kind == "names" else {}  # there is nothing between names
            axes.errorbar(at, middle, yerr=ends, capsize=3, elinewidth=1.3, **look)
        _setting_axis(axes, places, kind, key)
        better = "higher is better" if measure.higher_is_better else "lower is better"
        axes.set_title(f"{measure.label} ({better})", fontsize=10)
    if len(methods) > 1:
        _legend(figure, axes)
    return figure


def _at_every(places: Mapping[str, float], key: str, groups: Sequence[RunGroup]) -> list[RunGroup]:
    """Groups in which a setting is not in force stand at each of its values: they would be the same there."""
    spread = [
        [replace(group, values={**group.values, key: value}) for value in places]
        if group.values[key] == NOT_IN_FORCE
        else [group]
        for group in groups
    ]
    return [group for own in spread for group in own]


def _places(values: Sequence[str]) -> tuple[dict[str, float], str]:
    """Where values stand on the axis, and what it is: logarithmic over a decade or more, else "steps" or "names"."""
    given = list(dict.fromkeys(values))
    try:
        numbers = {value: float(value) for value in sorted(given, key=float)}
    except ValueError:
        return {value: float(place) for place, value in enumerate(given)}, "names"
    low, high = min(numbers.values()), max(numbers.values())
    if 0.0 < 10.0 * low <= high < math.inf:
        return numbers, "logarithmic"
    return {value: float(place) for place, value in enumerate(numbers)}, "steps"


def _setting_axis(axes: Axes, places: Mapping[str, float], kind: str, key: str) -> None:
    """A tick at each value that was tried."""
    if kind == "logarithmic":
        axes.set_xscale("log")
    crowded: dict[str, Any] = {"rotation": 25, "ha": "right"} if sum(map(len, places)) > 45 else {}
    axes.set_xticks(list(places.values()), list(places), **crowded)
    axes.minorticks_off()
    axes.margins(x=0.08)
    axes.set_xlabel(f"{key} (logarithmic)" if kind == "logarithmic" else key)
    axes.grid(alpha=0.25)


def _curves(groups: Sequence[RunGroup], styles: Sequence[dict[str, Any]], column: str) -> Figure:
    """A column of the episodes: interquartile mean over runs, up to where the shortest of a group ends."""
    figure, axes = _figure()
    longest = 1
    for group, style in zip(groups, styles, strict=True):
        found = [run.episodes[column] for run in group.runs if column in run.episodes]
        if found:
            values = until_shortest(found)
            longest = max(longest, values.shape[1])
            marker = "o" if values.shape[1] < 3 else ""
            episodes = np.arange(1, values.shape[1] + 1)
            draw_curve(axes, episodes, values, shade=0.16 if len(values) > 1 else 0.0, marker=marker, **style)
    _draw_best_fixed(axes, [run for group in groups for run in group.runs], column)
    episode_axis(axes, longest)
    _legend(figure, axes)
    return figure


def _draw_best_fixed(axes: Axes, runs: Sequence[Entry], column: str) -> None:
    """What the best fixed allocation earned in the cells of all runs, if that is known: it meets the same load."""
    name = f"{BEST_FIXED}{column}"
    cells = {run.seed: run.episodes[name] for run in runs if name in run.episodes}
    if cells.keys() == {run.seed for run in runs}:
        values = until_shortest(list(cells.values()))
        label = "best fixed, same cells"
        episodes = np.arange(1, values.shape[1] + 1)
        draw_curve(axes, episodes, values, shade=0.0, color="#808890", ls=":", lw=2.0, label=label)


def _profile(groups: Sequence[RunGroup], styles: Sequence[dict[str, Any]]) -> Figure:
    """The share of runs whose final utility is at least a value."""
    figure, axes = _figure()
    known = [group.values_of(FINAL) for group in groups]
    low, high = min(map(min, filter(None, known))), max(map(max, filter(None, known)))
    margin = 0.05 * (high - low) or 0.5
    scores = np.linspace(low - margin, high + margin, 201)
    for values, style in zip(known, styles, strict=True):
        if values:
            reached = performance_profile(values, scores)
            draw_curve(axes, scores, reached, shade=0.12 if len(values) > 1 else 0.0, statistic=_mean, **style)
    axes.set_xlim(scores[0], scores[-1])
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("final utility U on unseen cells")
    axes.set_ylabel("share of runs that reach it")
    _legend(figure, axes)
    return figure


def _mean(values: FloatArray) -> FloatArray:
    return np.asarray(values.mean(axis=0), np.float64)


def _intervals(groups: Sequence[RunGroup], measures: Sequence[RunMeasure]) -> Figure:
    """One panel per figure, one row per group: its interquartile mean and 95 % interval."""
    columns = min(len(measures), 3)
    rows = -(-len(measures) // columns)
    figure = Figure(figsize=(12, rows * (1.1 + 0.3 * len(groups))), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, measure in zip(panels.ravel(), measures, strict=False):
        _panel(axes, groups, measure)
    for axes in panels.ravel()[len(measures) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_yticks(range(len(groups)), [_in_words(group) for group in groups], fontsize=9)
        axes.set_ylim(len(groups) - 0.5, -0.5)
    return figure


def _panel(axes: Axes, groups: Sequence[RunGroup], measure: RunMeasure) -> None:
    """One point and one line per group; dots are its runs, and what is infinite is at the right edge."""
    for row, group in enumerate(groups):
        interval = group.interval(measure)
        if interval is None:
            continue
        value, low, high = map(float, interval)
        values = np.array(group.values_of(measure))
        axes.plot(
            values[np.isfinite(values)], np.full(np.isfinite(values).sum(), row), ".", color="#808080", ms=5, zorder=3
        )
        if np.isfinite([low, high]).all():
            axes.plot([low, high], [row, row], color=_COLOURS[0], lw=2.4, solid_capstyle="butt")
        if np.isfinite(value):
            axes.plot(value, row, "|", color=_COLOURS[1], ms=13, mew=2.4)
        else:
            axes.annotate(
                "not in all runs", (0.96, row - 0.3), xycoords=("axes fraction", "data"), ha="right", va="center"
            )  # above the dots of runs that reached it
    way = "higher is better" if measure.higher_is_better else "lower is better"
    axes.set_title(f"{measure.label} ({way})", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(alpha=0.25)


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.25)
    return figure, axes


def _legend(figure: Figure, axes: Axes) -> None:
    """Below the picture, in as many columns as there is room for."""
    handles, labels = axes.get_legend_handles_labels()
    columns = max(1, min(len(labels), 75 // (max(map(len, labels), default=1) + 8)))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=8.5)
