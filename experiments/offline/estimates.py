"""What estimates of a policy's worth say of deploying it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

ESTIMATE_ERROR = 0.25
"""Utility by which estimates count as different: a little more than any was off by (docs/offline.md, 0.242)."""


def in_words(estimates: Mapping[str, float | None], brought: float) -> list[str]:
    """What to do by the estimates of a policy.

    Args:
        estimates: "fitted_q", from the history alone, and "twin" (None without one): mean utilities a decision.
        brought: mean utility of the history's own decisions.

    Returns:
        Lines of a report; the last says what to do. A loss, however small, is none to deploy, while a gain has to be
        beyond the error: that is one-sided on purpose, since nothing is lost by keeping what is there.
    """
    broken = [name for name, value in {**estimates, "history": brought}.items() if value is not None and isnan(value)]
    if broken:
        return [f"  DO NOT DEPLOY: {' and '.join(broken)} gave no number (nan), so nothing says what it earns"]
    known = {name: value for name, value in estimates.items() if value is not None}
    lower = min(known, key=lambda name: known[name])
    gain, apart = known[lower] - brought, max(known.values()) - known[lower]
    lines = []
    if apart > ESTIMATE_ERROR:
        lines.append(f"  the estimates are {apart:.3f} apart, more than {ESTIMATE_ERROR}: take the lower, {lower}")
    if gain < 0.0:
        lines.append(f"  DO NOT DEPLOY: by {lower} it earns {-gain:.3f} less than the history's own decisions did")
    elif gain <= ESTIMATE_ERROR:
        lines.append(
            f"  by {lower} it earns {gain:.3f} more than the history's own decisions did, which is within the error of "
            f"such an estimate ({ESTIMATE_ERROR}): nothing says that it is better"
        )
    else:
        lines.append(f"  by {lower} it earns {gain:.3f} more than the history's own decisions did: worth a trial")
    return lines
