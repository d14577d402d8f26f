"""Which decisions of a history are held out, and the windows of it that a twin keeps."""

from __future__ import annotations

import numpy as np

from twin.data.history import History
from twin.data.layout import Layout
from twin.models.operations import Floats
from twin.runtime.encoding import Encoded, one_hot
from twin.runtime.model import InitialWindows

WINDOW = 16
"""Intervals of the history that a cell has seen when its episode begins; fewer where it has few decisions."""

MAX_WINDOWS = 64
"""Windows that a twin keeps to begin episodes from."""


def hold_out(history: History, share: float, fold: int) -> tuple[History, History]:
    """The decisions to learn from and those to stop by: some runs, or a part of each where runs are few.

    In fold 0 these are the last, in fold 1 those before them, and so on: between them the members see everything.
    """
    runs, lengths = np.unique(history.run, return_counts=True)
    wanted = share * len(history)
    behind = np.cumsum(lengths[::-1])[::-1]  # decisions from each run on to the end
    blocks = ((behind - 1) // max(wanted, 1.0)).astype(np.int64)  # runs in blocks of about that many decisions
    block = np.unique(blocks)[fold % len(np.unique(blocks))]
    held_out = np.isin(history.run, runs[blocks == block])
    if 0.5 * wanted <= held_out.sum() <= 2.0 * wanted and not held_out.all():
        return history.take(~held_out), history.take(held_out)
    held_out = np.zeros(len(history), np.bool_)
    for run, length in zip(runs, lengths, strict=True):
        rows = np.flatnonzero(history.run == run)
        size = round(share * length)  # none of a run of one or two decisions
        stop = length - size * (fold % max(1, length // (2 * max(size, 1))))
        held_out[rows[stop - size : stop]] = True
    if not held_out.any():  # every run is short
        held_out[-max(1, round(wanted)) :] = True
    return history.take(~held_out), history.take(held_out)


def about_hold_out(history: History, held_out: History) -> str:
    """What early stopping looks at."""
    runs = len(history.runs)
    if len(held_out.runs) < runs:
        return f"early stopping on {len(held_out.runs)} of {runs} runs, others for each member of the transition"
    which = "one single run: early stopping on" if runs == 1 else f"only {runs} runs: early stopping on"
    return f"{which} {len(held_out)} decisions in {'it' if runs == 1 else 'them'}"


def mixed(old: Floats, fresh: Floats) -> Floats:
    """Half of the windows that were kept and half of the fresh ones, evenly spread, cut to the shorter length."""
    length, most = min(old.shape[1], fresh.shape[1]), MAX_WINDOWS // 2
    parts = []
    for part in (old, fresh):
        chosen = np.linspace(0, len(part) - 1, min(most, len(part))).round().astype(np.int64)
        parts.append(part[chosen, -length:])
    return np.ascontiguousarray(np.concatenate(parts))


def initial_windows(encoded: Encoded, history: History) -> InitialWindows:
    """Windows evenly spread over the history."""
    longest = max(block.stop - block.start for block in encoded.sequences)
    length = min(WINDOW, longest, max(1, len(history) // 4))
    ends = np.concatenate([np.arange(block.start + length - 1, block.stop) for block in encoded.sequences])
    chosen = ends[np.linspace(0, len(ends) - 1, min(MAX_WINDOWS, len(ends))).round().astype(np.int64)]
    rows = chosen[:, None] + np.arange(1 - length, 1)
    return InitialWindows(encoded.features[rows], encoded.measured[chosen], history.allocation[chosen])


def modal_controls(layout: Layout, history: History) -> Floats:
    """The most frequent value of each control of each slice, one-hot (C,)."""
    modal = {}
    for control in layout.control_columns:
        values = history.controls[control.name]
        counts = np.stack([(values == value).sum(axis=0) for value in control.values])  # (values, S)
        modal[control.name] = np.array(control.values)[counts.argmax(axis=0)][None]
    hot: Floats = one_hot(layout, modal, 1)[0]
    return hot
