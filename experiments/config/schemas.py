"""Settings that several topics share: agents, environments, training in a twin, evaluation; types, bounds, defaults.

`conf/` holds the same defaults with comments; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.config.bounds import (
    MAX_CELLS,
    MAX_DECISIONS,
    MAX_FACTOR,
    MAX_LAYERS,
    MAX_RUNS,
    MAX_SEED,
    MAX_WIDTH,
    bounded,
)
from twin.env import UNCERTAINTIES
from twin.planning import STRUCTURES

TARGET_MISSING = "???"
"""What stands in place of the class of an agent that has to be given."""

PLANNER = "agents.Planner"
"""The class that `agent=planner` names, which has the settings of `planner` in place of those of agents."""


@dataclass
class AgentSettings:
    """An agent as a configuration names it: its class, the arguments of its constructor, and those of its policy.

    Bounds of the constructor's arguments are in `experiments.config.agents`: roles may change each of them.

    Args:
        name: what tables call it.
        _target_: dotted name of its class.
        policy: of the class, by its name or dotted name.
        policy_kwargs: arguments of the policy in addition to head and net_arch.
        head: "dense", "geometry" or "factored"; None: factored where the reward is the utility, else dense.
        net_arch: widths of the hidden layers.
        learning_rate: of the first update.
        learning_rate_end: of the last one, in a straight line; None: it stays.
        buffer_size: transitions that are kept.
        learning_starts: decisions before the first update.
        batch_size: transitions of an update.
        gamma: discount factor.
        train_freq: decisions between updates.
        gradient_steps: updates that are then made.
        target_update_interval: decisions between copies to the target network.
        exploration_fraction: share of the decisions over which epsilon falls.
        exploration_initial_eps, exploration_final_eps: epsilon at first and at last.
        center_rewards: subtract the mean reward of the first decisions.
        twin_gradient_steps: updates of Agent 2 per step of its batch in the twin.
        device: of the agent alone; None: that of the run.
        kwargs: arguments that only this class has; they go before those above.
    """

    name: str = TARGET_MISSING
    _target_: str = TARGET_MISSING
    policy: str = "MlpPolicy"
    policy_kwargs: dict[str, Any] = field(default_factory=dict)
    head: str | None = None
    net_arch: list[int] | None = bounded(
        factory=lambda: [256, 256, 128, 128], at_least=1, at_most=MAX_WIDTH, filled=True, longest=MAX_LAYERS
    )
    learning_rate: float | None = 1e-3
    learning_rate_end: float | None = 1e-5
    buffer_size: int | None = 100_000
    learning_starts: int | None = 200
    batch_size: int | None = 32
    gamma: float | None = 0.8
    train_freq: int | None = 1
    gradient_steps: int | None = 1
    target_update_interval: int | None = 200
    exploration_fraction: float | None = 0.5
    exploration_initial_eps: float | None = 1.0
    exploration_final_eps: float | None = 0.02
    center_rewards: bool = True
    twin_gradient_steps: int = bounded(8, at_least=1, at_most=MAX_RUNS)
    device: str | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass
class EnvironmentSettings:
    """Wrappers, observer and reward function of the environments that agents act in, see `experiments.environments`.

    Args:
        wrappers: of a scalar environment, the innermost first; each a mapping with `_target_` and arguments.
        vector_wrappers: the same of a batch.
        observer: what agents see in place of arrivals, with `_target_`; None: the arrivals.
        reward_function: what they earn in place of the scenario's reward, with `_target_`; None: that.
    """

    wrappers: list[Any] = field(default_factory=list)
    vector_wrappers: list[Any] = field(default_factory=list)
    observer: Any = None
    reward_function: Any = None


@dataclass
class PlannerSettings:
    """How a planner chooses, be it the agent or the one that collects for another.

    Args:
        choose_by: "sample": by a sample of what may be true (Thompson); "mean": by what is expected.
        horizon: intervals that it looks ahead; above 1 what is left in the queues counts.
        gamma: discount of these.
        structure: of its model, see `twin.PlanningTwin`.
        memory: decisions after which what was seen counts 1/e; None: everything counts alike.
        lowest, highest: units by slice name; None: no bound.
        allowed: allocations in units by slice, the only ones that may be chosen; None: all.
        min_ssr: expected SSR over an episode that an allocation has to reach, by slice name; None: none has to.
        min_probability: with which it has to.
    """

    choose_by: str = bounded("sample", choices=("sample", "mean"))
    horizon: int = bounded(1, at_least=1, at_most=MAX_RUNS)
    gamma: float = bounded(0.8, at_least=0.0, at_most=1.0)
    structure: str = bounded("per_slice", choices=STRUCTURES)
    memory: int | None = bounded(None, at_least=1, at_most=MAX_DECISIONS)
    lowest: Any = None  # of mappings that may be None OmegaConf can override nothing
    highest: Any = None
    allowed: list[Any] | None = None
    min_ssr: Any = None
    min_probability: float = bounded(0.9, above=0.0, at_most=1.0)


@dataclass
class TwinTrainingSettings:
    """How Agent 2 learns in the twin.

    Args:
        twin_decisions: of Agent 2 in the first twin.
        num_envs: cells of the twin that it acts in at once.
        uncertainty: "none"; "penalty": its reward is that of U less `penalty` epistemic standard deviations.
        penalty: see there.
        selection_cells, selection_decisions: cells in the twin, and decisions in each, by which the better of two
            candidates is kept.
    """

    twin_decisions: int = bounded(102_400, at_least=1, at_most=MAX_DECISIONS)
    num_envs: int = bounded(256, at_least=1, at_most=MAX_CELLS)
    uncertainty: str = bounded("none", choices=UNCERTAINTIES)
    penalty: float = bounded(1.0, at_least=0.0, at_most=MAX_FACTOR)
    selection_cells: int = bounded(64, at_least=1, at_most=MAX_CELLS)
    selection_decisions: int = bounded(50, at_least=1, at_most=MAX_DECISIONS)


@dataclass
class EvaluationSettings:
    """The comparison that ends a run, on cells that the agent has not seen.

    Args:
        policies: baselines, allocations, files, classes to compare with, see `experiments.evaluate`.
        seeds: of the cells.
        decisions: in each; None: an episode.
    """

    policies: list[str] = field(default_factory=lambda: ["random", "hard", "proportional", "best_fixed"])
    seeds: list[int] = bounded(factory=lambda: [100, 101, 102, 103, 104], at_least=0, at_most=MAX_SEED, distinct=True)
    decisions: int | None = bounded(200, at_least=1, at_most=MAX_DECISIONS)


@dataclass
class CommandSettings:
    """What commands take that load or make agents: modules to import, and whether files may hold code."""

    imports: list[str] = field(default_factory=list)
    trust: bool = False
