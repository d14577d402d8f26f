"""Means over seeds with their intervals, and what twins are worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit  # scipy.stats has it too, and takes most of a second to import


class Estimate(NamedTuple):
    """A mean and half the width of its 95 % interval (nan for a single value)."""

    mean: float
    half_width: float

    def __str__(self) -> str:
        """As tables show it."""
        return self.show(3)

    def show(self, digits: int) -> str:
        """The mean, and the interval if there is one."""
        mean = f"{self.mean:.{digits}f}"
        return mean if math.isnan(self.half_width) else f"{mean} ± {self.half_width:.{digits}f}"

    def reach(self) -> tuple[float, float]:
        """How far the interval goes below and above the mean; not at all where there is none."""
        half = 0.0 if math.isnan(self.half_width) else self.half_width
        return half, half


class Share(Estimate):
    """An estimate of what lies between 0 and 1; an interval that would reach beyond them is shown by its ends."""

    __slots__ = ()

    def show(self, digits: int) -> str:
        """The mean ± half the width, or mean [low, high] where that goes further than 0 or 1."""
        low, high = (round(self.mean, digits) + sign * round(self.half_width, digits) for sign in (-1.0, 1.0))
        tiny = 10.0 ** -(digits + 1)
        if not (low < -tiny or high > 1.0 + tiny):  # nor of a single value
            return super().show(digits)
        return f"{self.mean:.{digits}f} [{max(low, 0.0):.{digits}f}, {min(high, 1.0):.{digits}f}]"

    def reach(self) -> tuple[float, float]:
        """The same, and no further than 0 and 1."""
        below, above = super().reach()
        return min(below, self.mean), min(above, 1.0 - self.mean)


class Interval(NamedTuple):
    """A statistic and the ends of its 95 % interval, arrays of one shape."""

    value: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    def show(self, digits: int, infinite: str = "inf") -> str:
        """As tables show a single one: value [low, high], or the value alone if there is no interval.

        Args:
            digits: behind the point.
            infinite: what is shown of an infinite number, as ">5" of episodes that were not enough.
        """
        value, low, high = (infinite if np.isinf(each) else f"{each:.{digits}f}" for each in self)
        return value if np.isnan(self.low) else f"{value} [{low}, {high}]"


def mean_over(number: int) -> str:
    """What an estimate over so many seeds is, behind its numbers."""
    return f"mean over {number} seeds ± 95 %" if number > 1 else "one seed"


def over_few_seeds(numbers: Iterable[int]) -> str:
    """What has to be said of intervals if one is of two to four seeds: they end at the lowest and highest value.

    What is averaged, of four the middle half, is the highest value alone in one of 27 resamples of three values, and in
    one of 20 of four: that is more than the 2.5 % above the interval.

    Args:
        numbers: of seeds, of all methods that are shown together.
    """
    few = sorted({2, 3, 4} & set(numbers))
    return f"; of {' or '.join(map(str, few))} seeds their range" if few else ""


def base_name(method: str) -> str:
    """Of ddqn-dt: ddqn."""
    return method.partition("-dt")[0]


def worth_of_twins(utility: Mapping[tuple[str, str], Mapping[int, float]]) -> list[str]:
    """A line for each method with a twin, by how much its utility is above that without, seed by seed.

    Args:
        utility: by method and what is said of it (", students 2x4"), then by seed.
    """
    lines = []
    for (method, what), own in utility.items():
        base = base_name(method)
        without = utility.get((base, what), {})
        if method != base and own.keys() <= without.keys():
            gained = estimate([own[seed] - without[seed] for seed in own])
            lines.append(f"{method} minus {base}{what}: {gained.show(3)} ({mean_over(len(own))})")
    return lines


def estimate(values: npt.ArrayLike) -> Estimate:
    """Mean over seeds (n,) and Student's 95 % interval."""
    sample = np.asarray(values, np.float64)
    if len(sample) < 2:
        return Estimate(float(sample.mean()), float("nan"))
    half = stdtrit(len(sample) - 1, 0.975) * sample.std(ddof=1) / np.sqrt(len(sample))
    return Estimate(float(sample.mean()), float(half))


def blocks_of(run: npt.NDArray[np.int64], block: int = 25) -> list[npt.NDArray[np.int64]]:
    """Numbers of consecutive decisions, `block` at most and of one run each, from the run of each decision (n,)."""
    edges = np.flatnonzero(np.diff(run, prepend=run[0] - 1))
    return [
        np.arange(start, min(start + block, stop))
        for begin, stop in zip(edges, [*edges[1:], len(run)], strict=True)
        for start in range(begin, stop, block)
    ]


def block_bootstrap(
    statistic: Callable[[npt.NDArray[np.int64]], float],
    run: npt.NDArray[np.int64],
    block: int = 25,
    resamples: int = 300,
    seed: int = 0,
) -> Estimate:
    """A statistic of consecutive decisions and half the width of its 95 % interval, nan of a single block.

    Blocks of decisions are drawn with replacement, none across runs, so that what depends on what went before stays
    together (Künsch 1989).

    Args:
        statistic: of numbers of decisions.
        run: run of each decision (n,).
        block: decisions in a block.
        resamples: drawn.
        seed: of the draws.
    """
    blocks, generator = blocks_of(run, block), np.random.default_rng(seed)
    values = []
    for _ in range(resamples if len(blocks) > 1 else 0):  # all resamples of one block are the same
        chosen = generator.integers(len(blocks), size=len(blocks))
        values.append(statistic(np.concatenate([blocks[i] for i in chosen])))
    known = [value for value in values if not math.isnan(value)]
    low, high = np.quantile(known, [0.025, 0.975]) if known else (math.nan, math.nan)
    return Estimate(float(statistic(np.arange(len(run)))), float(high - low) / 2.0)


def interquartile_mean(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mean of the middle half along the first axis (n, ...) -> (...); of fewer than four values, of all.

    An infinite value (a goal never reached) counts as the largest.
    """
    ordered = np.sort(np.asarray(values, np.float64), axis=0)
    cut = len(ordered) // 4
    return np.asarray(ordered[cut : len(ordered) - cut].mean(axis=0), np.float64)


_NUMBERS_AT_ONCE = 1_000_000
"""That resamples hold."""


def until_shortest(curves: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Curves of different lengths as an array (curves, points), up to where the shortest ends."""
    return np.array([curve[: min(map(len, curves))] for curve in curves])


def bootstrap_interval(
    values: npt.ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    statistic: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]] = interquartile_mean,
) -> Interval:
    """A statistic over runs and its 95 % percentile interval, runs resampled (Agarwal et al. 2021).

    Args:
        values: of the runs (runs, ...).
        resamples: drawn.
        seed: of the draws.
        statistic: of the values (runs, ...), along the first axis; by default the interquartile mean.

    Returns:
        The statistic, and the ends of its interval (...), nan for a single run.

    Raises:
        ValueError: there is no run.
    """
    runs = np.asarray(values, np.float64)
    if len(runs) == 0:
        raise ValueError("values: none given, allowed are those of one or more runs")
    value = statistic(runs)
    if len(runs) == 1:
        return Interval(value, np.full_like(value, np.nan), np.full_like(value, np.nan))
    chosen = np.random.default_rng(seed).integers(len(runs), size=(resamples, len(runs)))
    at_once = max(1, _NUMBERS_AT_ONCE // runs.size)  # long curves would not fit into memory
    drawn = np.concatenate(
        [statistic(runs[chosen[start : start + at_once].T]) for start in range(0, resamples, at_once)]
    )
    # The nearest rank, for a mean between a number and infinity is none.
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0, method="nearest")
    return Interval(value, low, high)


def probability_of_improvement(
    own: npt.ArrayLike, other: npt.ArrayLike, resamples: int = 2000, seed: int = 0
) -> Interval:
    """How probable it is that a run of one method is above a run of another (Agarwal et al. 2021), ties as halves.

    Args:
        own: values of the one method (seeds,).
        other: of the other on the same seeds (seeds,).
        resamples: of the seeds, the same for both.
        seed: of the draws.

    Returns:
        The share of all pairs of a run of each, and its 95 % percentile interval, nan for fewer than three seeds:
        resamples of two say nothing of how far it is off.
    """
    one, two = np.asarray(own, np.float64), np.asarray(other, np.float64)
    above = (one[:, None] > two) + 0.5 * (one[:, None] == two)
    value, number = np.asarray(above.mean()), len(one)
    if number < 3:
        return Interval(value, np.asarray(np.nan), np.asarray(np.nan))
    chosen = np.random.default_rng(seed).integers(number, size=(resamples, number))
    drawn = above[chosen[:, :, None], chosen[:, None, :]].mean(axis=(1, 2))
    return Interval(value, *np.quantile(drawn, [0.025, 0.975]))


def performance_profile(values: npt.ArrayLike, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Runs (runs,) that reach each score (points,), 1 or 0 (runs, points): their mean is the share that does.

    The mean over runs, as a function of the score, is the performance profile of Agarwal et al. (2021).
    """
    return (np.asarray(values, np.float64)[:, None] >= np.asarray(scores, np.float64)).astype(np.float64)
