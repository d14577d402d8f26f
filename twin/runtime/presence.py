"""Which slices are there: a state of each slice that goes its own way, whatever is decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slicing_gym.counter_rng import counter, uniform
from slicing_gym.exclusive import OwnArrays
from twin.data.checks import follows
from twin.data.columns import PRESENT
from twin.data.history import History
from twin.data.layout import Layout
from twin.runtime.kernel import STREAM_WINDOW

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_FIRST = 2
"""Numbers of `STREAM_WINDOW` before it name a cell's windows and members."""


@dataclass(frozen=True)
class Presence(OwnArrays):
    """A Markov chain for each slice.

    Args:
        chance: with which a slice is there in the next interval (2, S), after one without it and after one with it.
        absent: what the variables of slices measure where they are not there (V,).
    """

    chance: FloatArray
    absent: FloatArray

    @classmethod
    def of(cls, history: History, measured: FloatArray) -> Presence | None:
        """The chain of a history, by its frequencies; None where slices do not come and go.

        Args:
            history: to learn from.
            measured: what its intervals brought (n, V).
        """
        layout = history.layout
        if PRESENT not in layout.columns:
            return None
        there = history.performance[PRESENT.name] > 0.5  # (n, S)
        on = follows(history.run, history.interval)
        before, after = there[:-1][on], there[1:][on]
        chance, absent = np.zeros((2, there.shape[1])), np.zeros(layout.num_variables)
        for n in range(there.shape[1]):
            for state in (0, 1):
                came = after[before[:, n] == state, n]
                chance[state, n] = came.mean() if len(came) else state  # what never changed stays
            if not there[:, n].all():
                places = variables_of(layout, n)
                absent[places] = measured[np.ix_(~there[:, n], places)].mean(axis=0)
        return cls(chance, absent)

    def step(
        self,
        layout: Layout,
        before: FloatArray,
        measured: FloatArray,
        keys: npt.NDArray[np.uint64],
        intervals: IntArray,
        known: FloatArray | None = None,
    ) -> None:
        """Draw which slices are there, and write what the others measure.

        Args:
            layout: of the variables.
            before: what the last interval brought (k, V).
            measured: what was drawn for this one (k, V); written.
            keys: of the cells (k,).
            intervals: of the cells, naming the random numbers (k,).
            known: variables (V,) of the interval that are not drawn, among them perhaps which slices are there; NaN for
                all others.
        """
        place = layout.place(PRESENT.name)
        for n in range(self.chance.shape[1]):
            drawn = np.array(
                [
                    uniform(key, counter(STREAM_WINDOW, _FIRST + n, int(interval)))
                    for key, interval in zip(keys, intervals, strict=True)
                ]
            )
            there = drawn < self.chance[(before[:, place.start + n] > 0.5).astype(np.int64), n]
            if known is not None and not np.isnan(known[place.start + n]):
                there[:] = known[place.start + n] > 0.5
            places = variables_of(layout, n)
            measured[np.ix_(~there, places)] = self.absent[places]
            measured[:, place.start + n] = there


def as_measured(history: History, measured: FloatArray, expected: FloatArray) -> FloatArray:
    """Expected values (n, V), but those measured (n, V) for slices that are not there, whatever is allocated."""
    layout = history.layout
    if PRESENT not in layout.columns:
        return expected
    gone, found = history.performance[PRESENT.name] <= 0.5, expected.copy()
    for n in range(gone.shape[1]):
        at = np.ix_(gone[:, n], variables_of(layout, n))
        found[at] = measured[at]
    return found


def variables_of(layout: Layout, n: int) -> IntArray:
    """The places of the variables that slice n has of its own."""
    columns = [layout.place(column.name).start + n for column in layout.columns if column.per_slice]
    return np.array([n, *columns], np.int64)
