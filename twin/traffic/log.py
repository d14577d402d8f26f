"""`TrafficLog`: what the users of a network sent, interval by interval, whoever decided what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym import Constant, Radio, Scenario, Slice, Traffic, even_split
from slicing_gym.errors import check_number, unknown_name
from twin.data.checks import check_bounds, check_order, checked, follows
from twin.data.columns import ARRIVALS
from twin.data.history import History
from twin.data.logs import Intervals, LogMapping, read_intervals
from twin.data.logs.builtin import slice_names
from twin.data.logs.rules import PACKET_BYTE

NOBODY = "nobody"
"""A slice that sends nothing and stands in where a log has only one: a history has two or more."""

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrafficLog:
    """What the users of S slices sent in n intervals, ordered by run and interval; nothing is said of decisions.

    Args:
        slices: names of the slices (S,).
        period_s: length of an interval [s].
        run: number of the run each interval belongs to (n,).
        interval: number of the interval in its run (n,).
        packets: (n, S); None where only volumes were measured.
        volume_byte: (n, S); None where only packets were.
        notes: what was cleaned or cut when the log was read.

    Raises:
        ValueError, TypeError: something does not fit together; the message names row, column and what is allowed.
    """

    slices: tuple[str, ...]
    period_s: float
    run: IntArray
    interval: IntArray
    packets: FloatArray | None
    volume_byte: FloatArray | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "slices", tuple(self.slices))
        check_number("period_s", self.period_s, above=0.0, at_most=1e9)
        if not self.slices or len(set(self.slices)) < len(self.slices):
            raise ValueError(f"slices: {list(self.slices)} given, allowed are one or more different names")
        if self.packets is None and self.volume_byte is None:
            raise ValueError("packets: None given and volume_byte: None, allowed is one of the two, or both")
        n, shape = np.size(self.run), (np.size(self.run), len(self.slices))
        if n == 0:
            raise ValueError("traffic: no intervals given, allowed are one or more")
        for name in ("run", "interval"):
            object.__setattr__(self, name, checked(name, getattr(self, name), (n,), whole=True))
        check_order(self.run, self.interval)
        for name in ("packets", "volume_byte"):
            if getattr(self, name) is not None:
                values = checked(name, getattr(self, name), shape, whole=False, dtype=np.float64)
                check_bounds(name, values, 0.0, 1e12, self.slices)
                object.__setattr__(self, name, values)

    def __len__(self) -> int:
        """Number of intervals."""
        return len(self.run)

    @property
    def arrivals(self) -> FloatArray:
        """What counts as arrivals (n, S): packets, or bytes where only volumes were measured."""
        found = self.volume_byte if self.packets is None else self.packets
        assert found is not None
        return found

    @property
    def unit(self) -> str:
        """Of the arrivals: "packets" or "byte"."""
        return "byte" if self.packets is None else "packets"

    def packets_of(self, name: str, packet_byte: float = PACKET_BYTE) -> FloatArray:
        """Packets of a slice (n,); of a log of volumes so many as packets of that size make (by default 1500 byte)."""
        place = self._place(name)
        if self.packets is not None:
            return self.packets[:, place]
        assert self.volume_byte is not None
        found: FloatArray = self.volume_byte[:, place] / packet_byte
        return found

    def packet_sizes(self, name: str, most: int = 100_000) -> FloatArray | None:
        """Mean sizes of the packets of a slice's intervals [byte], each as often as packets had it, at most `most`.

        None where packets or volumes were not measured, or the slice sent nothing.
        """
        place = self._place(name)
        if self.packets is None or self.volume_byte is None:
            return None
        number, volume = self.packets[:, place], self.volume_byte[:, place]
        sent = (number > 0.0) & (volume > 0.0)
        if not sent.any():
            return None
        weight = number[sent] * min(1.0, most / number[sent].sum())
        found: FloatArray = np.repeat(volume[sent] / number[sent], np.maximum(np.rint(weight), 1).astype(np.int64))
        return found

    def _place(self, name: str) -> int:
        return self.slices.index(name)

    def history(self) -> History:
        """The arrivals as a history without decisions: one allocation throughout, and no performance.

        Raises:
            ValueError: no interval of the log follows another.
        """
        whole = np.rint(self.arrivals).astype(np.int64)
        names = list(self.slices)
        if len(names) == 1:
            names, whole = [*names, NOBODY], np.concatenate([whole, np.zeros_like(whole)], axis=1)
        now = np.flatnonzero(follows(self.run, self.interval))
        if len(now) == 0:
            raise ValueError("traffic: no interval follows another, allowed are two in a row or more")
        scenario = _stand_in(names, self.period_s, float(whole.max()))
        units = even_split(scenario.num_units, scenario.num_slices)
        return History(
            scenario=scenario,
            run=self.run[now],
            interval=self.interval[now],
            allocation=np.repeat(units[None], len(now), axis=0),
            arrivals=whole[now],
            next_arrivals=whole[now + 1],
            performance={},
            columns=(),
            arrivals_column=replace(ARRIVALS, unit=self.unit),
        )


def _stand_in(names: Sequence[str], period_s: float, most: float) -> Scenario:
    """A scenario of that period whose slices may bring so many arrivals; nothing else is said of the network."""
    slots = 400
    room = int(np.clip(np.ceil(2.0 * most / slots), 1, 10_000))
    users = int(np.clip(np.ceil(2.0 * most / slots / room), 1, 2**14 // len(names)))
    radio = Radio(slot_s=period_s / slots, slots_per_interval=slots, queue_capacity=room)
    sent = Traffic(Constant(period_s), Constant(PACKET_BYTE))
    slices = tuple(Slice(name, users, sent, rate_sla_bps=0.0, latency_sla_s=period_s) for name in names)
    return Scenario("traffic", slices, radio)


def traffic_of(
    source: TrafficLog | History | Any,
    mapping: LogMapping | None = None,
    *,
    period_s: float | None = None,
    volume_byte: str | None = None,
) -> TrafficLog:
    """The traffic in a log or in a history; what was decided, if anything, does not matter.

    Args:
        source: files or a DataFrame, as `twin.data.read_log` takes them, with a mapping; or a `History`.
        mapping: what the log's columns mean; of a passive log it names no allocation.
        period_s: length of an interval [s]; None: what the log's times, or the history's scenario, say.
        volume_byte: column of the log with the bytes of each interval, its arrivals or one of `performance`; None: a
            column of `performance` with the unit byte, if there is one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError, TypeError: the log does not fit the mapping, or nothing says how long its intervals are; the message
            names column and row.
    """
    if isinstance(source, TrafficLog):
        return source if period_s is None else replace(source, period_s=period_s)
    if isinstance(source, History):
        return _of_history(source, period_s)
    if mapping is None:
        raise ValueError("mapping: None given, allowed is a LogMapping: it says what the log's columns mean")
    return _of_intervals(read_intervals(source, mapping), period_s, volume_byte)


def _of_intervals(found: Intervals, period_s: float | None, volume_byte: str | None) -> TrafficLog:
    """The arrivals and, where they were measured, the volumes of a log that was read."""
    mapping, rule = found.mapping, found.mapping.arrivals_rule
    columns = {name: column for name, column in mapping.columns().items() if column.per_slice}
    if volume_byte is None:
        volume_byte = next((name for name, column in columns.items() if column.unit in ("byte", "bytes")), None)
    elif volume_byte not in (rule.column, *columns):
        raise ValueError(unknown_name("volume_byte", volume_byte, [rule.column, *columns]))
    period_s = found.period_s if period_s is None else period_s
    if period_s is None:
        raise ValueError(
            f"period_s: not given, and {mapping.interval!r} numbers the intervals; allowed is their length in seconds"
        )
    arrivals, volume = found.arrivals.astype(np.float64), None
    if volume_byte is not None and volume_byte != rule.column:
        volume = found.performance[columns[volume_byte].name]
    elif rule.unit is not None:  # a volume that was counted in packets of one size
        volume = arrivals * rule.size_byte
    alone = volume_byte == rule.column and rule.unit is None
    return TrafficLog(
        slices=_names(mapping),
        period_s=period_s,
        run=found.run,
        interval=found.interval,
        packets=None if alone else arrivals,
        volume_byte=arrivals if alone else volume,
        notes=found.notes,
    )


def _names(mapping: LogMapping) -> tuple[str, ...]:
    """Names of the slices: the scenario's, or what the log calls them as far as names may be so."""
    if mapping.scenario is not None:
        return mapping.scenario.slice_names[: len(mapping.values)]
    return slice_names(mapping.values)


def _of_history(history: History, period_s: float | None) -> TrafficLog:
    """The arrivals before every decision, and those that the last one of a sequence brought."""
    last = np.array([block.stop - 1 for block in history.sequences()])
    run = np.concatenate([history.run, history.run[last]])
    interval = np.concatenate([history.interval, history.interval[last] + 1])
    every, idle = history.scenario.slice_names, history.layout.idle
    places = [place for place, name in enumerate(every) if name != NOBODY and place != idle]
    names = tuple(every[place] for place in places)
    arrivals = np.concatenate([history.arrivals, history.next_arrivals[last]])[:, places].astype(np.float64)
    order = np.lexsort((interval, run))
    keep = np.ones(len(order), np.bool_)  # a gap of one interval: what follows it was seen from both sides
    keep[1:] = (np.diff(run[order]) != 0) | (np.diff(interval[order]) != 0)
    rows = order[keep]
    volume = history.arrivals_column.unit == "byte"
    return TrafficLog(
        slices=names,
        period_s=history.scenario.radio.interval_s if period_s is None else period_s,
        run=run[rows],
        interval=interval[rows],
        packets=None if volume else arrivals[rows],
        volume_byte=arrivals[rows] if volume else None,
    )
