"""What estimates of a policy's worth say of deploying it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

ESTIMATE_ERROR = 0.25
"""Utility by which estimates count as different: a little more than any was off by (docs/offline.md, 0.242)."""

NO = "DO NOT DEPLOY"
"""How a report begins that speaks against a policy; such a one is not exported unless that is forced."""


def why_not(estimates: Mapping[str, float | None], brought: float) -> str:
    """Why a policy is not to be deployed by its estimates; "" if they do not say so. See `in_words`."""
    values = {**estimates, "history": brought}
    broken = [name for name, value in values.items() if value is not None and isnan(value)]
    if broken:
        return f"{' and '.join(broken)} gave no number (nan), so nothing says what it earns"
    lower, least = _lower(estimates)
    less = f"by {lower} it earns {brought - least:.3f} less than the history's own decisions did"
    return less if least < brought else ""


def shown(estimates: Mapping[str, float | None], brought: float) -> str:
    """The estimates of a policy, and what they compare with, in a line; see `in_words`."""
    known = ", ".join(f"{name} {value:.3f}" for name, value in estimates.items() if value is not None)
    return f"estimated from the history alone: {known}; the history's own decisions brought {brought:.3f}"


def _lower(estimates: Mapping[str, float | None]) -> tuple[str, float]:
    """The name and the value of the lower estimate."""
    return min(((name, value) for name, value in estimates.items() if value is not None), key=lambda pair: pair[1])


def in_words(estimates: Mapping[str, float | None], brought: float) -> list[str]:
    """What to do by the estimates of a policy.

    Args:
        estimates: "fitted_q", from the history alone, and "twin" (None without one): mean utilities a decision.
        brought: mean utility of the history's own decisions.

    Returns:
        Lines of a report; the last says what to do. A loss, however small, is none to deploy, while a gain has to be
        beyond the error: that is one-sided on purpose, since nothing is lost by keeping what is there.
    """
    against = why_not(estimates, brought)
    lower, least = _lower(estimates)
    gain, apart = least - brought, max(value for value in estimates.values() if value is not None) - least
    lines = []
    if apart > ESTIMATE_ERROR:
        lines.append(f"  the estimates are {apart:.3f} apart, more than {ESTIMATE_ERROR}: take the lower, {lower}")
    if against:
        lines.append(f"  {NO}: {against}")
    elif gain <= ESTIMATE_ERROR:
        lines.append(
            f"  by {lower} it earns {gain:.3f} more than the history's own decisions did, which is within the error of "
            f"such an estimate ({ESTIMATE_ERROR}): nothing says that it is better"
        )
    else:
        lines.append(f"  by {lower} it earns {gain:.3f} more than the history's own decisions did: worth a trial")
    return lines
