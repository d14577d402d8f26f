"""The slice of the units that belong to nobody."""

from __future__ import annotations

from slicing_gym import Scenario
from slicing_gym.scenario import Slice
from slicing_gym.standard_distributions import Constant
from slicing_gym.traffic import Traffic
from twin.data.layout import IDLE

_RARELY_S = 1e6


def with_idle(scenario: Scenario) -> Scenario:
    """The scenario with a last slice that nobody uses: nothing arrives there, and its SSR does not count.

    A scenario that has the slice already stays as it is.
    """
    if IDLE in scenario.slice_names:
        return scenario
    traffic = Traffic(interarrival_s=Constant(_RARELY_S), packet_size_byte=Constant(1.0))
    longest = max(part.latency_sla_s for part in scenario.slices)
    idle = Slice(IDLE, 1, traffic, rate_sla_bps=0.0, latency_sla_s=longest, ssr_weight=0.0)
    return scenario.replace(slices=(*scenario.slices, idle))
