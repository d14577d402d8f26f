"""The scale of columns without an upper bound: logistic scores of the ranks that values have in the history.

On a logarithmic scale the tails of a logistic distribution are those of a power. One wide enough for a queue that is
empty most of the time and full at times has no mean, and much of what is drawn from it is the cap. On the scale of
scores the history itself is one logistic distribution, whatever its shape: networks that can tell nothing predict just
that, and no value lies beyond the largest measured.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from twin.data.layout import Layout

FloatArray = npt.NDArray[np.float64]

LEVELS = 129
"""Ranks at which a table has knots, evenly spaced in their scores."""

DEVIATION = math.pi / math.sqrt(3.0)
"""Of a logistic distribution of scale 1."""


def ranked(layout: Layout) -> list[int]:
    """The variables that are modelled by their ranks: performance of slices without an upper bound, on logarithms."""
    first = layout.scenario.num_slices
    return [
        first + v
        for v, (_, column) in enumerate(layout.variables[first:])
        if column.per_slice and column.transform == "log1p" and math.isinf(column.upper)
    ]


def tables(layout: Layout, measured: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Knots, in the variables' units, and the scores of their ranks (V, K) each; neither falls along a row.

    Rows of zeros for variables that have none; K is 0 where no variable has.

    Args:
        layout: which variables there are.
        measured: by the history (n, V).
    """
    found = {v: _table(measured[:, v], layout.variables[v][1].resolution) for v in ranked(layout)}
    longest = max((len(knots) for knots, _ in found.values()), default=0)
    knots, scores = np.zeros((2, measured.shape[1], longest))
    for v, pair in found.items():
        for out, part in zip((knots, scores), pair, strict=True):
            out[v] = np.concatenate([part, np.full(longest - len(part), part[-1])])
    return knots, scores


def _table(values: FloatArray, resolution: float) -> tuple[FloatArray, FloatArray]:
    """Knots and scores of one variable, in standard deviations of a logistic distribution.

    A value that is met at several of the levels, as an empty queue, has knots below and above it: what lies between
    them is that value.
    """
    ordered, number = np.sort(values), len(values)
    most = math.log(2.0 * number - 1.0)  # the score of the middle of the history's largest value
    levels = number / (1.0 + np.exp(-np.linspace(-most, most, LEVELS)))
    picked, times = np.unique(ordered[np.minimum(levels.astype(np.int64), number - 1)], return_counts=True)
    below, above = (picked[times > 1] + sign * 0.5 * resolution for sign in (-1.0, 1.0))
    edges = np.concatenate([picked[times == 1], below, above, _beside_jumps(ordered, picked), ordered[[0, -1]]])
    knots = np.unique(np.clip(edges, ordered[0], ordered[-1]))
    ranks = 0.5 * (np.searchsorted(ordered, knots, "left") + np.searchsorted(ordered, knots, "right"))
    return knots, np.log(ranks / (number - ranks)) / DEVIATION


def _beside_jumps(ordered: FloatArray, picked: FloatArray) -> FloatArray:
    """Values on both sides of a jump between neighbours of `picked`: no value is in between, so none is drawn there."""
    found, scaled, numbers = [], np.log1p(ordered), np.searchsorted(ordered, picked, "left")
    for first, last in pairwise(numbers.tolist()):
        jumps = np.diff(scaled[first : last + 1])
        at = first + int(jumps.argmax())
        if jumps.max() > 0.5 * (scaled[last] - scaled[first]):
            found += [ordered[at], ordered[at + 1]]
    return np.array(found, np.float64)
