"""Whether a run that is to be resumed has the same configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slicing_gym.builtin_types import differences
from slicing_gym.errors import shown

_NOT_COMPARED = ("progress", "resume", "checkpoint_s", "imports", "trust", "device")
"""Keys that may be others when a run is resumed; a run that was begun on a GPU may go on without."""


def comparable(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What of a configuration, as builtin types, has to be the same for a run to be resumed."""
    found = {key: value for key, value in configuration.items() if key not in _NOT_COMPARED}
    if isinstance(found.get("agent"), Mapping):
        found["agent"] = {key: value for key, value in found["agent"].items() if key != "device"}
    return found


def check_same_configuration(folder: Path, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse to go on with another configuration.

    Raises:
        ValueError: the message shows every key that differs.
    """
    if "plain" in stored:
        raise ValueError(
            f"resume: the run in {str(folder)!r} was begun by an earlier version; end it with that one, or begin "
            "it again in another folder"
        )
    found = differences(comparable(_as_today(stored, given)), comparable(given))
    if found:
        lines = "".join(f"\n  {key}: {shown(own)} there, {shown(other)} given" for key, own, other in found)
        raise ValueError(f"resume: the run in {str(folder)!r} has another configuration:{lines}")


def _as_today(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with the keys that versions before planners had not.

    Decisions before a twin were random, and its performance were networks without priors.
    """
    whole = {"planner": given["planner"], **stored} if "planner" in given else dict(stored)
    if "with_planner" in given:
        whole.setdefault("with_planner", False)
    if "num_envs" in given:  # there was one cell
        whole.setdefault("num_envs", 1)
    if isinstance(whole.get("algorithm"), Mapping) and "collect_by" in given.get("algorithm", {}):
        whole["algorithm"] = {"collect_by": "random", **whole["algorithm"]}
    twin = whole.get("twin")
    if isinstance(twin, Mapping) and "performance" in twin:
        whole["twin"] = {**twin, "performance": {"structure": "joint", "prior_scale": 0.0, **twin["performance"]}}
    return whole
