"""What if: the same cell, the same random numbers, other allocations; and the best of all of them, found exactly.

Run: python examples/what_if.py [intervals]   (needs slicing-gym alone; seconds)
"""

from __future__ import annotations

import sys

import numpy as np

from slicing_gym import Simulator


def main(intervals: int = 20) -> float:
    """Walk through an episode; how much the best allocation of every interval earns above hard slicing."""
    cell = Simulator("diurnal", seeds=[0])
    cell.begin_episode()
    (interval,) = cell.what_if([[33, 33, 34], [1, 94, 5], [1, 50, 49]])
    for units, utility, satisfied in zip(interval.allocation, interval.utility, interval.ssr, strict=True):
        print(f"{'-'.join(map(str, units)):>9}: utility {utility:.2f}, met their agreement {np.round(satisfied, 2)}")

    gained = []
    for number in range(intervals):
        (outcomes,) = cell.what_if_slices()  # of every slice with every number of units: all 4851 allocations at once
        best, utility = outcomes.best()
        (hard,) = cell.what_if([[33, 33, 34]])
        gained.append(float(utility[0] - hard.utility[0]))
        if number % 10 == 0:
            print(f"interval {number}: {'-'.join(map(str, best[0]))} earns {gained[-1]:.2f} more than hard slicing")
        cell.advance(best)
    print(f"mean gain over {intervals} intervals: {np.mean(gained):.2f}")
    return float(np.mean(gained))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
