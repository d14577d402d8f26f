"""Traffic as it was measured: a distribution by its quantiles, and a load that follows a trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from slicing_gym.distributions import LARGEST, Distribution
from slicing_gym.errors import check_instance, check_integer, check_number

EMPIRICAL = 5
TRACE = 4
"""What the kernel calls the two."""

MOST_KNOTS = 512
"""Knots of an empirical distribution."""

_KNOTS = 64
"""Of these, parts of equal shares that samples are cut into."""

MOST_LEVELS = 10_000
"""Levels of a trace: 2000 s of decisions of 0.2 s, and 50 to 90 kB in every file that holds a log's."""

_LISTED = 32
"""Numbers that are written as a list; more are written as a text, which a reader of YAML need not scroll by."""

_TAIL = 8.0
"""Samples in the thinnest shares of an empirical distribution, those at its ends."""


@dataclass(frozen=True, repr=False)
class Empirical(Distribution):
    """Inverse of a cumulative distribution that is a straight line between its knots.

    Args:
        values: knots, rising.
        shares: of the draws that stay below each knot, rising from 0 to 1; by default evenly spaced.
    """

    values: tuple[float, ...]
    shares: tuple[float, ...] = ()
    kind: ClassVar[str] = "empirical"
    code: ClassVar[int] = EMPIRICAL

    def __post_init__(self) -> None:
        values = numbers("values", self.values, at_least=2, at_most=MOST_KNOTS)
        shares = tuple(np.linspace(0.0, 1.0, len(values)).tolist())
        if len(self.shares):
            shares = numbers("shares", self.shares, at_least=len(values), at_most=len(values))
        for key, knots, strictly in (("values", values, False), ("shares", shares, True)):
            for before, after in pairwise(knots):
                if after < before or (strictly and after == before):
                    raise ValueError(f"{key}: {after!r} follows {before!r}, allowed are rising numbers")
        if (shares[0], shares[-1]) != (0.0, 1.0):
            raise ValueError(f"shares: {shares[0]!r} to {shares[-1]!r} given, allowed is 0 to 1")
        if not values[-1] > 0.0:
            raise ValueError("values: all are 0, allowed is one above 0 or more")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "shares", shares)

    @classmethod
    def of(cls, samples: npt.ArrayLike) -> Empirical:
        """The distribution of some samples (n,): knots evenly spaced in between, and denser towards both ends.

        Half of a tail is left out from knot to knot until few samples are left in it, so that a heavy tail keeps its
        weight.

        Raises:
            ValueError, TypeError: there are no samples, or one is negative or not finite.
        """
        given = np.sort(np.asarray(samples, np.float64).ravel())
        if not len(given) or not np.isfinite(given).all():
            raise ValueError("samples: none given, or not all finite; allowed are one finite number or more")
        tail = np.geomspace(1.0 / _KNOTS, min(1.0 / _KNOTS, _TAIL / len(given)), 1 + _KNOTS // 4)
        shares = np.unique(np.concatenate([np.linspace(0.0, 1.0, _KNOTS + 1), tail, 1.0 - tail]))
        shares = np.unique(shares.round(7))
        return cls(_short(np.quantile(given, shares)), tuple(shares.tolist()))

    def __repr__(self) -> str:
        """Without its knots, which may be many."""
        return f"Empirical({len(self.values)} knots, {self.values[0]:g} to {self.values[-1]:g}, mean {self.mean:g})"

    @property
    def mean(self) -> float:
        """Expected value."""
        middles = [0.5 * (before + after) for before, after in pairwise(self.values)]
        return float(np.dot(np.diff(self.shares), middles))

    @property
    def largest(self) -> float:
        """Bound that no draw exceeds."""
        return self.values[-1]

    def parameters(self, factor: float) -> tuple[float, ...]:
        """Numbers the kernel draws from, the unit of the result multiplied by `factor`."""
        return (float(len(self.values)), *self.shares, *(value * factor for value in self.values))


@dataclass(frozen=True, repr=False)
class Trace:
    """Levels that were measured, one per decision, replayed in windows.

    After every `window_decisions` another window begins, at a place that the cell's random stream draws evenly from the
    whole trace; past its end a window goes on at its beginning, so that every level is as likely as the others. All
    traces of a scenario begin at the same share of their length: what was measured together is replayed together.

    Args:
        levels: one or more, at most `MOST_LEVELS`.
        window_decisions: length of a window; with that of an episode, each episode is a window.
    """

    levels: tuple[float, ...]
    window_decisions: int = 200
    kind: ClassVar[str] = "trace"
    code: ClassVar[int] = TRACE

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", numbers("levels", self.levels, at_least=1, at_most=MOST_LEVELS))
        check_integer("window_decisions", self.window_decisions, at_least=1, at_most=2**31)

    def __repr__(self) -> str:
        """Without its levels, which may be many."""
        return f"Trace({len(self.levels)} levels, {self.low:g} to {self.high:g}, mean {self.mean:g})"

    @property
    def mean(self) -> float:
        """Long-run average level."""
        return float(np.mean(self.levels))

    @property
    def low(self) -> float:
        """Lowest level."""
        return min(self.levels)

    @property
    def high(self) -> float:
        """Highest level."""
        return max(self.levels)

    def mean_with(self, other: Trace) -> float:
        """Long-run average of the product with another trace of the same length.

        Raises:
            ValueError: it has another length or other windows.
        """
        if (len(self.levels), self.window_decisions) != (len(other.levels), other.window_decisions):
            raise ValueError(f"intensity: {other!r} given with {self!r}, allowed is one of the same length and windows")
        return float(np.mean(np.multiply(self.levels, other.levels)))

    def parameters(self) -> tuple[float, ...]:
        """Numbers the kernel looks the level up in."""
        return (float(len(self.levels)), float(self.window_decisions), *self.levels)


def _short(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Six digits of each: files are no longer than what was measured deserves."""
    return tuple(float(f"{value:.6g}") for value in values)


def plain(value: Any) -> Any:
    """A value as builtin types: a tuple is a list, or one line of text where its numbers are many."""
    if not isinstance(value, tuple):
        return value
    return list(value) if len(value) <= _LISTED else " ".join(repr(number).removesuffix(".0") for number in value)


def numbers(key: str, given: Sequence[float] | str, *, at_least: int, at_most: int) -> tuple[float, ...]:
    """So many numbers from 0 to `LARGEST`, of a list or of one text with spaces between them.

    Raises:
        ValueError, TypeError: there are too few or too many, or one is no such number.
    """
    check_instance(key, given, (tuple, list, str))
    parts = given.split() if isinstance(given, str) else given
    check_integer(key, len(parts), at_least=at_least, at_most=at_most)
    if isinstance(given, str):
        try:
            parts = [float(part) for part in parts]
        except ValueError as error:
            raise ValueError(f"{key}: {error}, allowed are numbers with spaces between them") from None
    return tuple(check_number(key, part, at_least=0.0, at_most=LARGEST) for part in parts)
