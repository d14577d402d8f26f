"""The planner: a learner that chooses by a model of the network, from the first decision on."""

from agents.planner.planner import Planner
from agents.planner.policy import CHOOSE_BY, PlanningPolicy
from agents.planner.protocol import PlanningModel

__all__ = ["CHOOSE_BY", "Planner", "PlanningModel", "PlanningPolicy"]
