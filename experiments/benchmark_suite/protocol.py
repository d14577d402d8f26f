"""The protocol of the benchmark: seeds, budgets, evaluation and score, frozen in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from slicing_gym import SCENARIOS
from slicing_gym.errors import check_integer, unknown_name

LOWER = "hard"
"""The method whose score is 0."""
FIXED = "best_fixed"
"""The method that probabilities of improvement and regret compare with."""
UPPER = "one_step_oracle"
"""The method whose score is 1."""


@dataclass(frozen=True)
class Protocol:
    """What every run of the benchmark has in common. Another protocol is another version.

    Args:
        version: written into every row; rows of another version are not counted.
        scenarios: names of presets, in the order of the tables.
        training_seeds: by budget (real decisions), the seeds of training runs: of the cell, of the agent and of its
            exploration.
        twin_budget: largest budget at which methods with a digital twin are run.
        evaluation_seeds: of the unseen cells; every method meets the same ones, with common random numbers.
        evaluation_decisions: in each of them.
        reward: what agents learn from.
    """

    version: int = 1
    scenarios: tuple[str, ...] = SCENARIOS
    training_seeds: Mapping[int, tuple[int, ...]] = field(
        default_factory=lambda: {1_000: tuple(range(10)), 20_000: tuple(range(3))}
    )
    twin_budget: int = 1_000
    evaluation_seeds: tuple[int, ...] = tuple(range(100, 120))
    evaluation_decisions: int = 200
    reward: str = "utility"

    @property
    def first_budget(self) -> int:
        """The smallest budget: that of methods that do not learn."""
        return min(self.training_seeds)

    def seeds(self, budget: int) -> tuple[int, ...]:
        """Training seeds of a budget.

        Raises:
            ValueError: the protocol has no such budget.
        """
        if budget not in self.training_seeds:
            allowed = ", ".join(map(str, self.training_seeds))
            raise ValueError(f"budget: {budget} given, allowed are {allowed}")
        return self.training_seeds[budget]

    def check_part(self, scenarios: tuple[str, ...], seeds: tuple[int, ...], budget: int) -> None:
        """Refuse scenarios and seeds that the protocol does not have.

        Raises:
            ValueError, TypeError: the message names the key, the value and what is allowed.
        """
        for name in scenarios:
            if name.endswith((".yaml", ".yml")):
                raise ValueError(
                    f"scenarios: {name!r} given, allowed are presets alone ({', '.join(self.scenarios)}), for the "
                    "protocol is frozen; a file is trained on by python -m experiments.train scenario=<file>"
                )
            if name not in self.scenarios:
                raise ValueError(unknown_name("scenarios", name, self.scenarios))
        allowed = self.seeds(budget)
        for seed in seeds:
            check_integer("seeds", seed, at_least=min(allowed), at_most=max(allowed))


PROTOCOL = Protocol()
"""The protocol of the published benchmark (docs/benchmark.md)."""


def normalised_score(utility: float, lower: float, upper: float) -> float:
    """Where a utility is between that of hard slicing (0) and that of the one-step oracle (1).

    Args:
        utility: mean U on the unseen cells.
        lower: of hard slicing on the same cells.
        upper: of the one-step oracle on the same cells.

    Raises:
        ValueError: the oracle is not above hard slicing.
    """
    if not upper > lower:
        raise ValueError(f"score: U of the one-step oracle is {upper}, allowed is above that of hard slicing, {lower}")
    return (utility - lower) / (upper - lower)
