"""From a history to what the networks read and are asked for: scales, features and targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.data.columns import TRANSFORMS
from twin.data.history import History
from twin.data.layout import Layout
from twin.runtime import arrays, draws, kernel
from twin.runtime.ranks import tables

MARGIN = 0.5
"""A twin draws no value farther beyond those of its history than this share of their range."""

OPEN = 1000.0
"""In standard deviations: stands for infinity, whose gradients are not numbers."""


@dataclass(frozen=True)
class Encoded:
    """A history as the networks read it (n decisions, V variables, F features).

    Args:
        features: (n, F) float32.
        measured: what the interval brought (n, V).
        before: what was known when the decision was taken (n, V): arrivals, and the performance of the interval before,
            NaN after a gap.
        held: units in the interval before (n, S), lifted (`Layout.lifted`), 0 after a gap.
        controls: one-hot (n, C).
        sequences: blocks of rows without a gap.
    """

    features: npt.NDArray[np.float32]
    measured: npt.NDArray[np.float64]
    before: npt.NDArray[np.float64]
    held: npt.NDArray[np.int64]
    controls: npt.NDArray[np.float32]
    sequences: list[slice]


def measured_by(history: History) -> npt.NDArray[np.float64]:
    """What each interval brought (n, V)."""
    parts = [history.next_arrivals.astype(np.float64)]
    for column in history.columns:
        parts.append(history.performance[column.name].reshape(len(history), -1))
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def one_hot(layout: Layout, controls: Mapping[str, npt.NDArray[np.int64]], rows: int) -> npt.NDArray[np.float32]:
    """Controls (n, S) as one-hot features (n, C)."""
    parts = [np.zeros((rows, 0), np.float32)]
    for control in layout.control_columns:
        hot = controls[control.name][..., None] == np.array(control.values)  # (n, S, values)
        parts.append(hot.reshape(rows, -1).astype(np.float32))
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def make_scaler(layout: Layout, measured: npt.NDArray[np.float64]) -> arrays.Scaler:
    """Scales and bounds of the variables, from what a history measured (n, V).

    The spread of a variable is at least its resolution.
    """
    columns = [column for _, column in layout.variables]
    transform = np.array([TRANSFORMS.index(column.transform) for column in columns])
    lower, upper = np.array([c.lower for c in columns]), np.array([c.upper for c in columns])
    slices = layout.scenario.num_slices
    upper[:slices] = np.fmin(upper[:slices], layout.scenario.largest_arrivals)  # observations end there
    number = len(columns)
    raw = arrays.Scaler(
        transform=transform,
        seen_center=np.zeros(number),
        seen_spread=np.ones(number),
        center=np.zeros(number),
        spread=np.ones(number),
        lower=lower,
        upper=upper,
        low=np.zeros(number),
        high=np.zeros(number),
        resolution=np.array([c.resolution for c in columns]),
        whole=np.array([int(c.whole) for c in columns]),
        knots=np.zeros((number, 0)),
        scores=np.zeros((number, 0)),
    )
    scaled = to_scale(raw, measured)
    center, spread = scaled.mean(axis=0), scaled.std(axis=0)
    for (name, _), deviation in zip(layout.variables, spread, strict=True):
        if not np.isfinite(deviation):
            raise ValueError(f"{name}: its values are too large to compute with, {np.abs(measured).max():g} at most")
    middle = measured.mean(axis=0)
    steps = [to_scale(raw, (middle + sign * 0.5 * raw.resolution)[None])[0] for sign in (-1.0, 1.0)]
    # A column that hardly varies is not blown up: what cannot be distinguished is not many standard deviations off.
    spread = np.maximum(spread, steps[1] - steps[0])
    least, most = measured.min(axis=0), measured.max(axis=0)
    margin = MARGIN * (most - least)  # in the variable's unit: on a logarithmic scale it would be orders of magnitude
    low, high = (
        to_scale(raw, edge[None])[0] for edge in (np.fmax(least - margin, lower), np.fmin(most + margin, upper))
    )
    low, high = (low - center) / spread, (high - center) / spread
    made = raw._replace(seen_center=center, seen_spread=spread, center=center, spread=spread, low=low, high=high)
    knots, scores = tables(layout, measured)
    return with_tables(made, np.ascontiguousarray(to_scale(raw, knots.T).T), scores)


def with_tables(
    scaler: arrays.Scaler, knots: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]
) -> arrays.Scaler:
    """The same scales with these tables (V, K) each, whose ends bound what is drawn."""
    made, low, high = scaler._replace(knots=knots, scores=scores), scaler.low.copy(), scaler.high.copy()
    for v in ranked_variables(made):
        low[v], high[v] = scores[v, 0], scores[v, -1]
    return made._replace(low=low, high=high)


def ranked_variables(scaler: arrays.Scaler) -> npt.NDArray[np.int64]:
    """The variables that have tables; a constant has none."""
    knots = scaler.knots
    return np.flatnonzero(knots[:, 0] < knots[:, -1]) if knots.shape[1] else np.zeros(0, np.int64)


def opened(scaler: arrays.Scaler, layout: Layout, measured: npt.NDArray[np.float64], variables: slice) -> arrays.Scaler:
    """The same scales, with bounds of some variables that leave room for what a history (n, V) has not shown.

    A column's own bounds where they are finite, else as far off again as the largest value measured.
    """
    columns = [column for _, column in layout.variables]
    most = np.abs(measured).max(axis=0)
    edges = []
    for end, sign in (("lower", -1.0), ("upper", 1.0)):
        own = np.array([getattr(column, end) for column in columns])
        far = to_scale(scaler, np.where(np.isfinite(own), own, sign * 2.0 * most)[None])[0]
        edges.append((far - scaler.center) / scaler.spread)
    low, high = scaler.low.copy(), scaler.high.copy()
    low[variables] = np.fmin(low, edges[0])[variables]
    high[variables] = np.fmax(high, edges[1])[variables]
    return with_tables(scaler._replace(low=low, high=high), scaler.knots, scaler.scores)


def widen(scaler: arrays.Scaler, layout: Layout, measured: npt.NDArray[np.float64]) -> arrays.Scaler:
    """The same scales, with bounds that leave room for what a further history measured (n, V) too."""
    other = make_scaler(layout, measured)
    edges = (edge * other.spread + other.center for edge in (other.low, other.high))
    low, high = ((edge - scaler.center) / scaler.spread for edge in edges)
    wide = scaler._replace(low=np.fmin(scaler.low, low), high=np.fmax(scaler.high, high), upper=other.upper)
    knots = scaler.knots.copy()
    for v in ranked_variables(scaler):  # the largest value moves, its rank stays
        knots[v, knots[v] == knots[v, -1]] = max(knots[v, -1], *other.knots[v])
    return with_tables(wide, knots, scaler.scores)


def move(scaler: arrays.Scaler, shift: npt.NDArray[np.float64], stretch: npt.NDArray[np.float64]) -> arrays.Scaler:
    """Predictions y of the first variables become shift + stretch y, on the modelled scales; bounds stay put."""
    number = len(shift)
    center, spread = scaler.center.copy(), scaler.spread.copy()
    center[:number] = shift + stretch * center[:number]
    spread[:number] = stretch * spread[:number]
    low, high = ((edge * scaler.spread + scaler.center - center) / spread for edge in (scaler.low, scaler.high))
    return scaler._replace(center=center, spread=spread, low=low, high=high)


def to_scale(scaler: arrays.Scaler, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values (..., V) on the scales they are modelled on."""
    flat = np.ascontiguousarray(values.reshape(-1, values.shape[-1]))
    scaled = np.empty_like(flat)
    draws.rescale(scaler, np.arange(len(flat)), flat, scaled)
    return scaled.reshape(values.shape)


def standardised(scaler: arrays.Scaler, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values (..., V) in standard deviations of the history: what networks are asked for."""
    scaled = to_scale(scaler, values)
    standard: npt.NDArray[np.float64] = (scaled - scaler.center) / scaler.spread
    for v in ranked_variables(scaler):
        standard[..., v] = np.interp(scaled[..., v], scaler.knots[v], scaler.scores[v])
    return standard


def from_scale(scaler: arrays.Scaler, scaled: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The inverse of `to_scale`, (..., V)."""
    flat = np.ascontiguousarray(scaled.reshape(-1, scaled.shape[-1]))
    values = np.empty_like(flat)
    draws.unscale(scaler, np.arange(len(flat)), flat, values)
    return values.reshape(scaled.shape)


def encode(layout: Layout, scaler: arrays.Scaler, history: History) -> Encoded:
    """Features and targets of a history."""
    n, slices = len(history), layout.scenario.num_slices
    measured = measured_by(history)
    sequences = history.sequences()
    first = np.array([block.start for block in sequences])
    units = np.ascontiguousarray(layout.lifted(history.allocation))
    before, held = np.roll(measured, 1, axis=0), np.roll(units, 1, axis=0)
    before[first], held[first] = np.nan, 0
    before[:, :slices] = history.arrivals
    controls = one_hot(layout, history.controls, n)
    features = np.zeros((n, layout.num_features), np.float32)
    held = np.ascontiguousarray(held)
    kernel.encode(scaler, np.arange(n), before, held, units, controls, features)
    return Encoded(features, measured, before, held, controls, sequences)


def choice_features(
    layout: Layout,
    scaler: arrays.Scaler,
    encoded: Encoded,
    held: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    units: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    """Features (n, F) of allocations (n, S), each decided on after one of these rows (n,) of a history.

    Args:
        layout: of a twin.
        scaler: likewise.
        encoded: the history, by these.
        held: units of the rows (n, S).
        rows: numbers of decisions (n,).
        units: the allocations (n, S).
    """
    features = np.zeros((len(rows), layout.num_features), np.float32)
    order, before, chosen = np.arange(len(rows)), layout.lifted(held), layout.lifted(units)
    kernel.encode(scaler, order, encoded.measured[rows], before, chosen, encoded.controls[rows], features)
    return features


def target_bounds(
    scaler: arrays.Scaler, measured: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Between which standardised values (n, V each) the same value is drawn; `OPEN` at a column's own bounds."""
    half = 0.5 * scaler.resolution
    at_lower, at_upper = measured < scaler.lower + half, measured > scaler.upper - half
    below, above = standardised(scaler, measured - half), standardised(scaler, measured + half)
    for v in ranked_variables(scaler):  # nothing is drawn beyond the ends of a table
        at_lower[:, v] |= below[:, v] <= scaler.low[v]
        at_upper[:, v] |= above[:, v] >= scaler.high[v]
    # at a bound all that lies beyond counts; inside, a bin of one resolution
    return np.where(at_lower, -OPEN, below), np.where(at_upper, OPEN, above)
