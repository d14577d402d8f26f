"""`read_log`: the history in a log, a decision being an interval and the next one."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.data.allocations import about_allocations, different
from twin.data.checks import follows
from twin.data.history import History
from twin.data.logs.alignment import FAR, alignments, alignments_by_load, clearest
from twin.data.logs.files import Files
from twin.data.logs.intervals import Intervals, read_intervals
from twin.data.logs.mapping import LogMapping
from twin.data.logs.plausibility import about_blocks, about_bounds, about_direction, about_efficiency, about_ssr
from twin.data.logs.rules import UNITS

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

MOST_NOTES = 8


class LogWarning(UserWarning):
    """What is unusual about a log that was read."""


def read_log(files: Files | Any, mapping: LogMapping) -> History:
    """The history in a log.

    A decision of the history is an interval of the log and the next one: the first holds what was seen and decided, the
    second what came of it. The last interval of a run is therefore only an outcome. A gap in the numbers of the
    intervals cuts a run in two sequences (`History.sequences`).

    Args:
        files: see `read_table`.
        mapping: what its columns mean.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: DuckDB is not installed.
        ValueError: columns are missing or unknown; an interval lacks a slice or has it twice; a value is missing, not a
            number, or out of bounds; an allocation does not give all units away; nobody decided anything. The message
            names row and column (rows counted as in a text editor: the header is row 1).

    Warns:
        LogWarning: something was cleaned or cut, the allocation seems to be of another interval than the mapping says,
            or is always the same; SE is beyond any link's, or the band has more blocks than any carrier; an SLA is
            met always or never.
    """
    return history_of(read_intervals(files, mapping))


def from_table(table: Any, mapping: LogMapping) -> History:
    """The history in a pandas DataFrame; see `read_log`."""
    return read_log(table, mapping)


def history_of(log: Intervals) -> History:
    """The decisions in a log that was read; see `read_log`."""
    mapping = log.mapping
    if log.units is None:
        raise ValueError(
            "mapping.allocation: null given: nobody decided anything in this log, so it holds no decisions; "
            "twin.traffic makes a source of traffic of it"
        )
    now = np.flatnonzero(follows(log.run, log.interval))
    if len(now) == 0:
        stamp = mapping.interval if mapping.time is None else mapping.time.column
        _refuse_period(log)
        raise ValueError(f"{stamp}: no number follows another in any run, of which a decision is made up")
    units, before, after = _with_idle_units(log), _rows(now), _rows(now + 1)
    decided = units[after] if mapping.allocation_is == "in_force" else units[before]
    layout = mapping.layout
    held: tuple[tuple[int, ...], ...] = ()
    if mapping.allowed == "held":
        held = tuple(tuple(row) for row in different(decided, layout.scenario.num_units).tolist())
    history = History(
        **{**vars(layout), "held": held},
        run=log.run[before],
        interval=log.interval[before],
        allocation=decided,
        arrivals=_padded(log, log.arrivals, 0)[before],
        next_arrivals=_padded(log, log.arrivals, 0)[after],
        performance={name: values[after] for name, values in _performance(log).items()},
        controls={name: values[before] for name, values in _controls(log).items()},
        time=None if log.time is None else log.time[after],
        run_names=log.run_names,
    )
    implausible = [*about_blocks(mapping), *about_bounds(history), *about_efficiency(mapping, history)]
    implausible.extend([*about_direction(mapping), *about_ssr(mapping, history)])
    _warn([*log.notes, *_about_alignment(log, now), *about_allocations(history), *implausible])
    return history


def _refuse_period(log: Intervals) -> None:
    """Refuse a period that was given and is not that of the stamps, so that none follows another.

    Raises:
        ValueError: the message has both.
    """
    rule = log.mapping.time
    if rule is None or rule.period is None or log.time is None:
        return
    apart = np.diff(log.time)
    if (apart > 0.0).any():
        seconds = rule.period * (1.0 if rule.unit == "iso" else UNITS[rule.unit])
        raise ValueError(
            f"mapping.time.period: the period is {seconds:g} s, and stamps of {rule.column!r} are "
            f"{np.median(apart[apart > 0.0]):g} s apart (the median), so that no interval follows another"
        )


def _warn(notes: list[str]) -> None:
    """Say what is unusual, in a few lines."""
    if notes:
        more = [f"and {len(notes) - MOST_NOTES} more"] if len(notes) > MOST_NOTES else []
        text = notes[0] if len(notes) == 1 else "\n  ".join(["the log:", *notes[:MOST_NOTES], *more])
        warnings.warn(text, LogWarning, stacklevel=4)


def _rows(numbers: IntArray) -> IntArray | slice:
    """Numbers of rows; a slice, which copies nothing, where they follow one another."""
    first, last = int(numbers[0]), int(numbers[-1])
    return slice(first, last + 1) if last - first + 1 == len(numbers) else numbers


def _with_idle_units(log: Intervals) -> IntArray:
    """The units of all slices, those that belong to nobody last (m, S or S + 1)."""
    assert log.units is not None
    if not log.mapping.has_idle:
        return log.units
    idle = log.mapping.network.num_units - log.units.sum(axis=1, keepdims=True)
    return np.concatenate([log.units, idle], axis=1)


def _padded(log: Intervals, values: npt.NDArray[Any], idle: float) -> npt.NDArray[Any]:
    """A column (m, S) with what stands in it for the units of nobody, if there are such."""
    if values.ndim == 1 or not log.mapping.has_idle:
        return values
    return np.concatenate([values, np.full((len(values), 1), idle, values.dtype)], axis=1)


def _controls(log: Intervals) -> dict[str, IntArray]:
    """The controls (m, S)."""
    return {name: _padded(log, values, log.mapping.controls[name][0]) for name, values in log.controls.items()}


def _performance(log: Intervals) -> dict[str, FloatArray]:
    """The performance columns of the layout (m, S) or (m,)."""
    mapping = log.mapping
    found = {}
    for column in mapping.columns().values():
        nothing = min(max(0.0, column.lower), column.upper)
        found[column.name] = _padded(log, log.performance[column.name], nothing)
    if mapping.filled:
        found["present"] = _padded(log, log.present.astype(np.float64), 0.0)
    if mapping.ssr is not None:
        found["ssr"] = _padded(log, mapping.ssr(log.performance[mapping.ssr.column]), 1.0)
        if mapping.filled:
            found["ssr"][:, : log.present.shape[1]][~log.present] = 1.0
    rule = mapping.spectral_efficiency
    if rule is not None:
        users = log.performance[rule.users] if isinstance(rule.users, str) else None
        found["spectral_efficiency"] = rule(mapping.network, log.performance[rule.column], users)
    return found


def _about_alignment(log: Intervals, now: IntArray) -> list[str]:
    """That the other alignment explains the performance far better, if it does."""
    assert log.units is not None
    best = clearest(
        alignments(now, now + 1, log.units, log.performance),
        alignments_by_load(now, now + 1, log.units, log.arrivals, log.performance),
    )
    if best is None:
        return []
    is_decided = log.mapping.allocation_is == "decided"
    own, other = (best.decided, best.in_force) if is_decided else (best.in_force, best.decided)
    if other < own + FAR or (other < 2.0 * own and not best.by_load):  # the load explains much by either
        return []
    wanted = "in_force" if is_decided else "decided"
    what = "where units changed, the load per unit explains" if best.by_load else "the units explain"
    return [
        f"allocation_is: {log.mapping.allocation_is}, but {best.column!r} is explained far better by {wanted}: "
        f"{what} {other:.0%} of its variance, instead of {own:.0%}"
    ]
