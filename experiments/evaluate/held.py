"""What a policy chooses in its history's states, compared with what the history held: the rest nobody has measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.evaluate.rollout import Predictor
from slicing_gym.space_spec import SpaceSpec
from twin import History

CHUNK = 4096
"""States of which a policy is asked at once: it may value thousands of allocations in each."""


NEARER = "learn with twin=none, which stays nearer to the history; or "

REMEDY = (
    "read the log with `allowed: held`, where nothing else can be chosen, but agents are not exported; or log more "
    "decisions there (docs/logs.md)"
)

RARELY = 0.01
"""Share of the decisions below which it is a note that they are outside the range, and no warning."""


def actions_in(policy: Predictor, history: History) -> npt.NDArray[np.int64]:
    """What a policy chooses (n,) in the n states of a history."""
    states = SpaceSpec(history.scenario).observe(history.arrivals)
    parts = np.array_split(states, -(-len(states) // CHUNK))
    return np.concatenate([np.asarray(policy.predict(part, deterministic=True)[0], np.int64) for part in parts])


def compare_with_held(policy: Predictor, history: History) -> dict[str, Any]:
    """How many of a policy's decisions, in its history's states, the history says nothing of; as builtin types.

    Returns:
        `states` of the history; `allocations` that it holds; `never_held`, the share of decisions that are none of
        these, and `most`, the most frequent of them (None: none is); `outside`, the share in which a slice gets fewer
        or more units than it ever held; and by the name of each such slice its `share`, the units `given` there and
        those `held`, fewest and most each.
    """
    units = history.layout.codec.units(history.scenario, actions_in(policy, history))
    held = {tuple(row) for row in np.unique(history.allocation, axis=0).tolist()}
    chosen, times = np.unique(units, axis=0, return_counts=True)
    new = np.array([tuple(row) not in held for row in chosen.tolist()])
    low, high = history.allocation.min(axis=0), history.allocation.max(axis=0)
    outside = (units < low) | (units > high)
    if history.layout.idle is not None:  # units of nobody serve no slice
        outside[:, history.layout.idle] = False
    slices = {}
    for n in np.flatnonzero(outside.any(axis=0)):
        given = units[outside[:, n], n]
        slices[history.scenario.slice_names[n]] = {
            "share": float(outside[:, n].mean()),
            "given": [int(given.min()), int(given.max())],
            "held": [int(low[n]), int(high[n])],
        }
    return {
        "states": len(units),
        "allocations": len(held),
        "never_held": float(times[new].sum() / len(units)),
        "most": "-".join(map(str, chosen[new][times[new].argmax()])) if new.any() else None,
        "outside": float(outside.any(axis=1).mean()),
        "slices": slices,
    }


def warning_lines(found: Mapping[str, Any], with_twin: bool = True) -> list[str]:
    """What `compare_with_held` found, as text to end a report with; none where all that is chosen was held.

    Args:
        found: by `compare_with_held`.
        with_twin: whether the policy may have learned in a twin.
    """
    states, lines = f"the history's {found['states']:,} states", []
    if found["most"] is not None:
        lines.append(
            f"note: {_percent(found['never_held'])} of the policy's decisions in {states} ({found['most']} most often) "
            f"are none of the {found['allocations']:,} allocations that it holds: nothing measured says what they bring"
        )
    if found["slices"]:
        rare = found["outside"] < RARELY
        lines.append(
            f"{'note' if rare else 'WARNING'}: {_percent(found['outside'])} of the policy's decisions in {states} are "
            "outside the range of units that the history gave a slice. There a twin only guesses, and an agent seeks "
            "its mistakes"
        )
        lines += [
            f"  {name}: {_range(each['given'])} units in {_percent(each['share'])} of the states; the history held "
            f"{_range(each['held'])}"
            for name, each in found["slices"].items()
        ]
        lines += [] if rare else [f"  to do: {NEARER if with_twin else ''}{REMEDY}"]
    return lines


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "under 1%"


def _range(ends: tuple[int, int]) -> str:
    low, high = ends
    return f"{low}" if low == high else f"{low} to {high}"
