"""All allocations of a small cell one by one, and values to search them for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from scipy.special import logsumexp


class Search(NamedTuple):
    """Values (k, S, M) of a cell, bounds, and by brute force all allocations that meet them and their values."""

    values: np.ndarray
    num_units: int
    lowest: list[int] | None
    highest: list[int] | None
    table: np.ndarray  # (num_allocations, S), in lexicographic order
    totals: np.ndarray  # (k, num_allocations)

    @property
    def arguments(self):
        return self.values, self.num_units, self.lowest, self.highest

    def shares(self):
        """Softmax over all allocations, added up by what each slice holds (k, S, M)."""
        softmax = np.exp(self.totals - logsumexp(self.totals, axis=1, keepdims=True))
        most = self.values.shape[2]
        held = self.table[:, :, None] == np.arange(1, most + 1)  # (num_allocations, S, M)
        return np.einsum("ka,asm->ksm", softmax, held)


def brute_force(values, num_units, lowest=None, highest=None):
    """A `Search`, from every combination of units that there is."""
    num_slices, most = values.shape[1:]
    table = np.indices((most,) * num_slices).reshape(num_slices, -1).T + 1
    table = table[table.sum(axis=1) == num_units]
    if lowest is not None:
        table = table[(table >= lowest).all(axis=1)]
    if highest is not None:
        table = table[(table <= highest).all(axis=1)]
    totals = values[:, np.arange(num_slices), table - 1].sum(axis=2)
    return Search(values, num_units, lowest, highest, table, totals)


@st.composite
def searches(draw, kind="integers", rows=40):
    """Cells of one to four slices and up to 15 units, with bounds or without; one value in ten may be forbidden."""
    num_slices = draw(st.integers(1, 4))
    num_units = num_slices - 1 + draw(st.integers(1, 12 if num_slices < 4 else 9))
    some = draw(st.lists(st.integers(1, num_units), min_size=num_slices, max_size=num_slices))
    # Around an allocation that is drawn, so that one meets the bounds.
    cuts = np.sort(np.array(draw(st.permutations(range(1, num_units))))[: num_slices - 1].astype(int))
    met = np.diff(cuts, prepend=0, append=num_units)
    lowest = draw(st.sampled_from([None, np.minimum(met, some).tolist()]))
    highest = draw(st.sampled_from([None, np.maximum(met, some).tolist()]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (rows, num_slices, num_units - num_slices + 1)
    if kind == "integers":
        values = random.integers(-3, 4, shape).astype(float)
    else:
        values = random.normal(size=shape) * draw(st.sampled_from([1e-3, 1.0, 30.0, 1e3]))
    if draw(st.booleans()):
        forbidden = random.random(shape) < 0.1
        forbidden[:, np.arange(num_slices), met - 1] = False
        values[forbidden] = -np.inf
    return brute_force(values, num_units, lowest, highest)
