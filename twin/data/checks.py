"""Checks of a history's arrays; every error names the column, the row, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym.errors import unknown_name

LARGEST_WHOLE = 2**53
"""Beyond it a float64 does not hold every whole number."""

LEAST_VARIANCE = 1e-12
"""Of what varies, in its mean square: the mean of 45 times 0.3 is not quite 0.3, so that their variance is not 0."""

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def checked(
    name: str, values: npt.ArrayLike, shape: tuple[int, ...], whole: bool, dtype: npt.DTypeLike = np.int64
) -> npt.NDArray[Any]:
    """A read-only copy of that shape and type, its values being finite, and whole if asked for.

    Raises:
        ValueError, TypeError: they are not.
    """
    given = np.asarray(values)
    if given.shape != shape:
        raise ValueError(f"{name}: shape {given.shape} given, allowed is {shape}")
    if not np.issubdtype(given.dtype, np.number) or np.iscomplexobj(given):  # truth values are no numbers
        raise TypeError(f"{name}: {given.dtype} given, allowed are numbers")
    bad = is_not_whole(given) if whole else ~np.isfinite(given)
    if bad.any():
        place = tuple(np.argwhere(bad)[0])
        raise ValueError(
            f"{name}: {given[place]} in row {place[0]}, allowed are {'whole' if whole else 'finite'} numbers"
        )
    array = np.array(given, dtype)
    array.flags.writeable = False
    return array


def is_not_whole(values: npt.NDArray[Any]) -> BoolArray:
    """Where values are not whole numbers that both int64 and float64 hold."""
    bad: BoolArray = ~np.isfinite(values) | (values != np.floor(values))
    bad |= (values > LARGEST_WHOLE) | (values < -LARGEST_WHOLE)
    return bad


def same_names(key: str, given: Mapping[str, object], wanted: Sequence[str]) -> None:
    """Refuse columns that are missing or not described."""
    for name in given:
        if name not in wanted:
            raise ValueError(unknown_name(key, name, wanted))
    missing = [name for name in wanted if name not in given]
    if missing:
        raise ValueError(f"{key}: {', '.join(missing)} missing")


def check_bounds(
    name: str, values: npt.NDArray[Any], lower: float, upper: npt.ArrayLike, slice_names: Sequence[str]
) -> None:
    """Refuse values (n,) or (n, S) that are not between the bounds; `upper` may differ from slice to slice (S,)."""
    limit = np.broadcast_to(np.asarray(upper), values.shape)
    wrong = (values < lower) | (values > limit)
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        raise ValueError(
            f"{name}: {values[place]} in {_where(place, slice_names)}, allowed are {lower:g} to {limit[place]:g}"
        )


def check_choices(name: str, values: IntArray, allowed: Sequence[int], slice_names: Sequence[str]) -> None:
    """Refuse values (n, S) that are none of the allowed ones."""
    wrong = ~np.isin(values, allowed)
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        raise ValueError(
            f"{name}: {values[place]} in {_where(place, slice_names)}, allowed are {', '.join(map(str, allowed))}"
        )


def _where(place: tuple[Any, ...], slice_names: Sequence[str]) -> str:
    return f"row {place[0]}" + (f", slice {slice_names[place[1]]!r}" if len(place) > 1 else "")


def follows(run: IntArray, interval: IntArray) -> BoolArray:
    """Whether the row after each row but the last is the next interval of its run (n - 1,)."""
    result: BoolArray = (run[1:] == run[:-1]) & (interval[1:] == interval[:-1] + 1)
    return result


def check_order(run: IntArray, interval: IntArray) -> None:
    """Refuse runs that do not rise, and intervals that do not rise in a run."""
    same = run[1:] == run[:-1]
    repeated = same & (interval[1:] == interval[:-1])
    if repeated.any():
        row = int(repeated.argmax()) + 1
        raise ValueError(f"interval: {interval[row]} of run {run[row]} occurs twice (rows {row - 1} and {row})")
    for name, values, falling in (
        ("run", run, run[1:] < run[:-1]),
        ("interval", interval, same & (interval[1:] < interval[:-1])),
    ):
        if falling.any():
            row = int(falling.argmax()) + 1
            raise ValueError(
                f"{name}: {values[row]} in row {row} comes after {values[row - 1]}; sort by run and interval"
            )


def check_arrivals(run: IntArray, interval: IntArray, arrivals: IntArray, next_arrivals: IntArray) -> None:
    """Refuse arrivals that a decision brought, but that the decision after it did not see."""
    wrong = follows(run, interval) & (next_arrivals[:-1] != arrivals[1:]).any(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"next_arrivals: {next_arrivals[row].tolist()} in row {row}, allowed are the arrivals of row {row + 1}, "
            f"which follows: {arrivals[row + 1].tolist()}"
        )


def varies(values: npt.NDArray[np.float64]) -> BoolArray:
    """Whether values (n, ...) vary along the first axis (...), by more than rounding."""
    found: BoolArray = values.var(axis=0) > LEAST_VARIANCE * (values**2).mean(axis=0)
    return found
