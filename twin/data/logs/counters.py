"""Running counters: columns that add up since a device started, of which only the differences are of an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym.errors import unknown_name

FEWEST = 30
"""Steps with a change from which on it is unusual that hardly any falls."""

FALLS = 0.02
"""Most of these that fall where a counter runs: half of them do where counts are of an interval."""

RESETS = 0.15
"""The same with those where a counter starts again: it is then at no more than `AGAIN` usual steps."""

AGAIN = 3.0


def is_running(values: npt.NDArray[np.float64], follow: npt.NDArray[np.bool_]) -> bool:
    """Whether values are those of running counters: they hardly ever fall but to start again.

    Where nothing is counted, as of a slice that is idle, a step has no change and says nothing.

    Args:
        values: of the intervals (m, S); NaN where there is none.
        follow: whether the next interval follows (m - 1,).
    """
    changed = fallen = again = 0
    for before, after in zip(values[:-1][follow].T, values[1:][follow].T, strict=True):
        steps = (after - before)[np.isfinite(before) & np.isfinite(after)]
        rises, falls = steps > 0.0, steps < 0.0
        if not rises.any():
            continue
        ends = after[np.isfinite(before) & np.isfinite(after)]
        changed += int(rises.sum() + falls.sum())
        fallen += int(falls.sum())
        again += int((falls & (ends <= AGAIN * np.median(steps[rises]))).sum())
    return changed >= FEWEST and fallen - again <= FALLS * changed and fallen <= RESETS * changed


def differences(values: npt.NDArray[np.float64], follow: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """What running counters counted in each interval (m, S).

    NaN where that is unknown: in the first interval of a run and after a gap, and where a counter started again.

    Args:
        values: of the intervals (m, S); NaN where there is none.
        follow: whether the next interval follows (m - 1,).
    """
    found = np.full(values.shape, np.nan)
    with np.errstate(invalid="ignore"):
        steps = np.diff(values, axis=0)
        found[1:] = np.where(follow[:, None] & (steps >= 0.0), steps, np.nan)
    return found


def about_counters(
    name: str, arrivals: npt.NDArray[Any], follow: npt.NDArray[np.bool_], running: Sequence[str], aggregated: bool
) -> list[str]:
    """That a log's arrivals are those of a running counter, if they are.

    Args:
        name: of their column.
        arrivals: of the intervals (m, S).
        follow: whether the next interval follows (m - 1,).
        running: columns that are read as such counters.
        aggregated: whether a slice's are the sum of its users'.
    """
    if name in running or not is_running(arrivals.astype(np.float64), follow):
        return []
    how = f"running: [{name}]" if not aggregated else "a query may take the differences of each user's"
    return [f"{name}: hardly ever falls from an interval to the next: is it a counter that runs on ({how})?"]


def check_running(running: Sequence[str], measured: Sequence[str], aggregated: bool) -> None:
    """Refuse counters that are not measured, and those of users, which begin and end with these.

    Raises:
        ValueError: the message names the key.
    """
    for name in running:
        if name not in measured:
            raise ValueError(unknown_name("running", name, measured))
    if running and aggregated:
        raise ValueError(
            "running: given together with aggregate, allowed is one of the two; a query may take the differences of "
            "each user's counter"
        )
