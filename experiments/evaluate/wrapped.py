"""An agent that learned under wrappers, in cells that are wrapped as its own were."""

from __future__ import annotations

from typing import Any

from agents.packing import Arrays
from experiments.environments import AnyVectorEnv, Environments


class WrappedAgent:
    """An agent that learned under wrappers which change what it sees; it acts in cells that are wrapped so.

    Args:
        agent: sees what the wrappers make of observations.
        environments: with these wrappers.
        statistics: what they learned while they ran: packed, and arrays.
    """

    def __init__(self, agent: Any, environments: Environments, statistics: tuple[Any, Arrays]) -> None:
        self.agent, self._environments, self._statistics = agent, environments, statistics

    def predict(self, observation: Any, **arguments: Any) -> tuple[Any, Any]:
        """As the agent's."""
        found: tuple[Any, Any] = self.agent.predict(observation, **arguments)
        return found

    def make_wrapped_cells(self, number: int) -> AnyVectorEnv:
        """Cells for it."""
        return self._environments.with_statistics(self._environments.cells(number), *self._statistics)
