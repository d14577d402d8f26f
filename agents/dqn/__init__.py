"""DQN over allocations: the algorithm, its policy, and the heads of its network."""

from agents.dqn import hooks  # noqa: F401  # registers what is known of these classes
from agents.dqn.dqn import DQN
from agents.dqn.factored import FactoredHead
from agents.dqn.heads import HEADS, DenseHead, GeometryHead, check_head
from agents.dqn.policies import SlicingPolicy

__all__ = ["DQN", "HEADS", "DenseHead", "FactoredHead", "GeometryHead", "SlicingPolicy", "check_head"]
