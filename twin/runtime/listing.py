"""The utility that a twin expects of every allocation, from a state of the network on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slicing_gym.allocation import allocation_table
from twin.runtime import kernel
from twin.runtime.encoding import from_scale
from twin.runtime.model import TwinModel

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ROWS = 16_384
"""Allocations that are computed at once."""


def listed_utilities(
    model: TwinModel,
    arrivals: FloatArray,
    held: IntArray | None,
    ssr: FloatArray | None,
    *,
    horizon: int = 1,
    gamma: float = 0.8,
    member: int | None = None,
) -> FloatArray:
    """The expected utility of every allocation, in the order of their numbers (num_allocations,).

    Args:
        model: the twin's.
        arrivals: of the last interval (S,).
        held: units of the last interval (S,), lifted (`Layout.lifted`); None: not known.
        ssr: of the last interval (S,); None: not known.
        horizon: intervals that count. Later ones see the same arrivals and hold what is best in one interval; they
            depend on the first by how that is expected to leave the network.
        gamma: discount of an interval compared with the one before it.
        member: of the performance, whose expectation it is; None: that of all.
    """
    slices = model.scenario.num_slices
    units = allocation_table(model.layout.num_units, slices)
    measured = np.full((len(units), model.layout.num_variables), np.nan)
    measured[:, :slices] = arrivals
    if ssr is not None:
        measured[:, model.layout.place("ssr")] = ssr
    last = np.zeros_like(units) if held is None else np.broadcast_to(held, units.shape).copy()
    total, best = np.zeros(len(units)), units
    for interval in range(horizon):
        expected = _expected(model, measured, last, units if interval == 0 else best, member)
        utility = model.expected_utility(expected)
        total += gamma**interval * utility
        if interval == 0:
            last, best = units, np.broadcast_to(units[utility.argmax()], units.shape).copy()
        else:
            last = best
        measured = from_scale(model.scaler, np.concatenate([np.zeros((len(units), slices)), expected], axis=1))
        measured[:, :slices] = arrivals
    return total


def _expected(
    model: TwinModel, measured: FloatArray, held: IntArray, units: IntArray, member: int | None
) -> FloatArray:
    """The performance that is expected (n, V - S), on the scales that columns are modelled on."""
    parts = []
    for start in range(0, len(units), ROWS):
        stop = min(start + ROWS, len(units))
        rows, buffers = np.arange(stop - start), model.buffers(stop - start)
        controls = np.repeat(model.modal_controls[None], stop - start, axis=0)
        last, now = np.ascontiguousarray(held[start:stop]), np.ascontiguousarray(units[start:stop])
        seen = np.ascontiguousarray(measured[start:stop])
        kernel.encode(model.scaler, rows, seen, last, now, controls, buffers.features)
        model.performance_stepper(rows, buffers.features, buffers.performance, model.scratch())
        model.expect(rows, buffers)
        parts.append(buffers.expected.mean(axis=1) if member is None else buffers.expected[:, member])
    return np.concatenate(parts)
