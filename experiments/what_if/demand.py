"""What of an interval is demand, which no allocation makes: the arrivals, columns that are the same, who is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.what_if.moment import Moment
from experiments.what_if.settings import OF_THE_LOG, OF_THE_TWIN
from twin import History
from twin.data.columns import PRESENT, Column
from twin.inspection.roles import TRANSMITTED, says, volume_unit
from twin.runtime.encoding import measured_by

FloatArray = npt.NDArray[np.float64]

ROUNDED = 0.5
"""Packets by which a volume, counted in packets, may be off."""

LEAST_DIFFERENT = 3
"""Numbers of packets that a slice's arrivals need to have: of fewer, what is proportional may be so by chance."""


@dataclass(frozen=True)
class Demand:
    """The arrivals of a moment.

    Args:
        moment: that is asked about.
        source: "logged" or "twin", see `Settings.arrivals`.
        same: the columns that hold the arrivals in another unit, and how many packets one of that is.
    """

    moment: Moment
    source: str
    same: dict[str, float]

    @classmethod
    def of(cls, moment: Moment, source: str) -> Demand:
        """The arrivals of a moment, from the log or the twin."""
        return cls(moment, source, same_as_arrivals(moment.history))

    @property
    def column(self) -> Column:
        """What shows the arrivals: a column of the log with its unit, before packets that a mapping made of it."""
        layout = self.moment.history.layout
        return next((each for each in layout.columns if each.name in self.same), layout.arrivals_column)

    @property
    def packets(self) -> float:
        """That one of `column` is."""
        return self.same.get(self.column.name, 1.0)

    @property
    def hidden(self) -> set[str]:
        """Variables that stand under another name, too."""
        layout = self.moment.history.layout
        names = layout.scenario.slice_names if self.same else ()
        return {f"{layout.arrivals_column.name}_{name}" for name in names}

    @property
    def names(self) -> list[str]:
        """The variables that show the arrivals, slice by slice."""
        return [f"{self.column.name}_{name}" for name in self.moment.history.scenario.slice_names]

    @property
    def held(self) -> set[str]:
        """The variables that are as measured for all."""
        names = [name for name, _ in self.moment.history.layout.variables]
        return {names[v] for v in self._places} if self.source == OF_THE_LOG else set()

    @property
    def _places(self) -> npt.NDArray[np.int64]:
        """Where the arrivals, what is the same, and who is there stand among the variables."""
        layout = self.moment.history.layout
        places = [np.arange(layout.scenario.num_slices)]
        for column in layout.columns:
            if column.name in self.same or column == PRESENT:
                places.append(np.arange(layout.num_variables)[layout.place(column.name)])
        return np.concatenate(places)

    def known(self) -> list[FloatArray | None]:
        """By interval, the variables (V,) that the twin does not draw, NaN for all others; None: it draws them all."""
        if self.source == OF_THE_TWIN:
            return [None] * self.moment.ahead
        brought = measured_by(self.moment.history.take(self.moment.rows))
        known = np.full(brought.shape, np.nan)
        known[:, self._places] = brought[:, self._places]
        return list(known)

    def consistent(self, measured: FloatArray) -> FloatArray:
        """Variables (k, V) of which those that are the same as the arrivals say the same: the twin draws them apart.

        Those of the log are as they were measured.
        """
        if self.source == OF_THE_LOG:
            return measured
        layout = self.moment.history.layout
        for name, packets in self.same.items():
            measured[:, layout.place(name)] = measured[:, : layout.scenario.num_slices] / packets
        return measured


def same_as_arrivals(history: History) -> dict[str, float]:
    """Columns of volumes that are a history's arrivals in another unit, and the packets in one of that.

    Not those whose name says that they were transmitted: an allocation that serves less would lower them, even if this
    history served all that was asked for.
    """
    return {name: packets for name, packets in _proportional(history).items() if not says(name, TRANSMITTED)}


def carried(history: History) -> list[str]:
    """Columns of volumes that were transmitted, by their name, and are the arrivals: these may be what was served."""
    return [name for name in _proportional(history) if says(name, TRANSMITTED)]


def _proportional(history: History) -> dict[str, float]:
    """Columns of volumes that are proportional to the arrivals in every interval, and the packets in one of that."""
    packets, found = history.next_arrivals.ravel(), {}
    different = [len(np.unique(each[each > 0])) for each in history.next_arrivals.T]
    if max(different) == 0 or any(0 < number < LEAST_DIFFERENT for number in different):
        return {}
    for column in history.columns:
        volume = volume_unit(f"[{column.unit}]") is not None
        if not column.per_slice or not volume:
            continue
        values = history.performance[column.name].ravel()
        some = values > 0.0
        if not some.any() or packets[~some].any():
            continue
        least = ((packets[some] - ROUNDED) / values[some]).max()
        most = ((packets[some] + ROUNDED) / values[some]).min()
        if 0.0 < least <= most * (1.0 + 1e-9):  # a factor gives all of them
            found[column.name] = float(0.5 * (least + most))
    return found
