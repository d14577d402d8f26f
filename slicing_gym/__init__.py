"""slicing-gym: one radio cell cut into slices, as Gymnasium environments.

Importing registers `SliceRAN-v0`. What needs compiled code, and so numba, is imported when it is first asked for: a
controller that runs an exported policy does without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from slicing_gym.distributions import Distribution, register_distribution
from slicing_gym.extras import explain
from slicing_gym.measured import Empirical, Trace
from slicing_gym.presets import SCENARIOS, get_scenario
from slicing_gym.radio import Radio
from slicing_gym.registration import register_environments
from slicing_gym.scenario import Reward, Scenario, Slice
from slicing_gym.standard_distributions import Choice, Constant, Exponential, Lomax, Uniform
from slicing_gym.traffic import Daily, Drift, Jumps, Steady, Traffic
from slicing_gym.version import __version__

if TYPE_CHECKING:
    from slicing_gym.action import ActionCodec, AllocationIndexCodec, AllocationListCodec, DiscreteCodec
    from slicing_gym.allocation import allocation_index, allocation_table, allocation_units, even_split
    from slicing_gym.allocation_search import allocation_shares, best_allocations, log_sum_exp, top_allocations
    from slicing_gym.env import SliceRANEnv
    from slicing_gym.interval import Interval
    from slicing_gym.observation import ArrivalsObserver, Observer
    from slicing_gym.reward import RewardFunction, ScenarioReward
    from slicing_gym.simulator import Simulator
    from slicing_gym.spaces import AllocationSpace
    from slicing_gym.vector_env import SliceRANVectorEnv
    from slicing_gym.what_if import SliceOutcomes

_COMPILED = {
    "ActionCodec": "slicing_gym.action",
    "AllocationIndexCodec": "slicing_gym.action",
    "AllocationListCodec": "slicing_gym.action",
    "AllocationSpace": "slicing_gym.spaces",
    "ArrivalsObserver": "slicing_gym.observation",
    "DiscreteCodec": "slicing_gym.action",
    "Interval": "slicing_gym.interval",
    "Observer": "slicing_gym.observation",
    "RewardFunction": "slicing_gym.reward",
    "ScenarioReward": "slicing_gym.reward",
    "Simulator": "slicing_gym.simulator",
    "SliceOutcomes": "slicing_gym.what_if",
    "SliceRANEnv": "slicing_gym.env",
    "SliceRANVectorEnv": "slicing_gym.vector_env",
    "allocation_index": "slicing_gym.allocation",
    "allocation_shares": "slicing_gym.allocation_search",
    "allocation_table": "slicing_gym.allocation",
    "allocation_units": "slicing_gym.allocation",
    "best_allocations": "slicing_gym.allocation_search",
    "even_split": "slicing_gym.allocation",
    "log_sum_exp": "slicing_gym.allocation_search",
    "top_allocations": "slicing_gym.allocation_search",
}

__all__ = [
    "SCENARIOS",
    "ActionCodec",
    "AllocationIndexCodec",
    "AllocationListCodec",
    "AllocationSpace",
    "ArrivalsObserver",
    "Choice",
    "Constant",
    "Daily",
    "DiscreteCodec",
    "Distribution",
    "Drift",
    "Empirical",
    "Exponential",
    "Interval",
    "Jumps",
    "Lomax",
    "Observer",
    "Radio",
    "Reward",
    "RewardFunction",
    "Scenario",
    "ScenarioReward",
    "Simulator",
    "Slice",
    "SliceOutcomes",
    "SliceRANEnv",
    "SliceRANVectorEnv",
    "Steady",
    "Trace",
    "Traffic",
    "Uniform",
    "__version__",
    "allocation_index",
    "allocation_shares",
    "allocation_table",
    "allocation_units",
    "best_allocations",
    "even_split",
    "get_scenario",
    "log_sum_exp",
    "register_distribution",
    "register_environments",
    "top_allocations",
]


def __getattr__(name: str) -> Any:
    if name not in _COMPILED:
        raise AttributeError(f"module 'slicing_gym' has no attribute {name!r}")
    return getattr(import_module(_COMPILED[name]), name)


explain()
register_environments()
