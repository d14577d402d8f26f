"""What other allocations would have brought, by a twin, and the command.

`what_if` is for a moment of a history, `over_log` for many of its decisions.
"""

from experiments.what_if.moment import Moment, find_moment
from experiments.what_if.over_log import Expected, OverLogResult, over_log
from experiments.what_if.run import WhatIfResult, what_if
from experiments.what_if.settings import Settings
from experiments.what_if.simulation import Alternative

__all__ = [
    "Alternative",
    "Expected",
    "Moment",
    "OverLogResult",
    "Settings",
    "WhatIfResult",
    "find_moment",
    "over_log",
    "what_if",
]
