"""Running counters: columns that add up since a device started, of which only the differences are of an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym.errors import unknown_name

FEWEST = 30
"""Steps from an interval to the next from which on it is unusual that hardly any falls."""

FALLS = 0.02
"""Most of the steps that fall where a counter runs: half of them do where counts are of an interval."""

RESETS = 0.15
"""The same with those that fall to less than half, as a counter does that starts again."""


def is_running(values: npt.NDArray[np.float64], follow: npt.NDArray[np.bool_]) -> bool:
    """Whether values are those of running counters: most steps rise, and hardly any falls but to start again.

    Args:
        values: of the intervals (m, S); NaN where there is none.
        follow: whether the next interval follows (m - 1,).
    """
    before, after = values[:-1][follow], values[1:][follow]
    known = np.isfinite(before) & np.isfinite(after)
    before, after = before[known], after[known]
    if len(before) < FEWEST:
        return False
    falls, again = after < before, after < 0.5 * before
    return bool((after > before).mean() > 0.5 and (falls & ~again).mean() <= FALLS and falls.mean() <= RESETS)


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


def about_counters(name: str, arrivals: npt.NDArray[Any], follow: npt.NDArray[np.bool_]) -> list[str]:
    """That a log's arrivals are those of a running counter, if they are.

    Args:
        name: of their column.
        arrivals: of the intervals (m, S).
        follow: whether the next interval follows (m - 1,).
    """
    if not is_running(arrivals.astype(np.float64), follow):
        return []
    return [
        f"{name}: hardly ever falls from an interval to the next: is it a counter that runs on (running: [{name}])?"
    ]


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
