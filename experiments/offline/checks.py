"""What is refused before an agent learns from a history."""

from __future__ import annotations

import io
from collections.abc import Sequence

from agents.learner import OffPolicyLearner
from agents.log_actions import reason
from agents.safe_load import read_checked
from twin import History
from twin.data.layout import Layout


def check_simulated(seeds: Sequence[int], history: History) -> None:
    """Refuse an evaluation in the simulator for a history whose actions are not the simulator's.

    Raises:
        ValueError: the message names the key, the value and what is allowed.
    """
    if seeds and (history.layout.held or history.layout.smallest):
        kind = "a choice among held allocations" if history.layout.held else "slices that may hold no unit"
        raise ValueError(f"evaluation.seeds: {list(seeds)} given, allowed is [] for {kind}, which nothing simulates")


def about_export(layout: Layout) -> str | None:
    """Why an agent of such a history will not be exported, and what to do instead; None if it can be."""
    why = reason(bool(layout.held), bool(layout.smallest))
    return f"agents of this history are not exported: {why}" if why else None


def check_loadable(learner: OffPolicyLearner, trust: bool) -> None:
    """Refuse an agent whose file would hold code of the user's own, if that is not trusted: it is loaded in the end.

    Raises:
        ValueError: the message says what to type.
    """
    if trust:
        return
    content = io.BytesIO()
    learner.save(content)
    try:
        read_checked(io.BytesIO(content.getvalue()))
    except ValueError as error:
        raise ValueError(f"trust: false given, allowed is true for this agent ({error})") from None
