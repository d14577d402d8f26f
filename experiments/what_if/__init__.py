"""What other allocations would have brought at a moment of a history, by a twin: `what_if(...)`, and the command."""

from experiments.what_if.moment import Moment, find_moment
from experiments.what_if.run import WhatIfResult, what_if
from experiments.what_if.settings import Settings
from experiments.what_if.simulation import Alternative

__all__ = ["Alternative", "Moment", "Settings", "WhatIfResult", "find_moment", "what_if"]
