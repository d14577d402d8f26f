"""What the settings of an agent are worth: it is trained in one twin and evaluated in another, at no real decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from agents.protocols import Experience, Learner
from experiments.config.agents import maker
from experiments.config.planner import make_planner
from experiments.config.schemas import AgentSettings, PlannerSettings
from experiments.environments import Environments
from experiments.evaluate.rollout import evaluate_policy
from experiments.offline.histories import record_history
from experiments.search.settings import Settings
from experiments.train.callbacks import HistoryLog, Listener
from experiments.train.learners import make_learner
from slicing_gym import Scenario
from twin import DigitalTwin, History

FIRST_RUN = 1_000
"""Seed of the first training run of a trial; those of finalists follow after `FIRST_FINAL`."""
FIRST_FINAL = 2_000
FIRST_CELL = 5_000
"""Seed of the first cell in which agents are evaluated."""


class Twins(NamedTuple):
    """Two twins, fitted to one history with different seeds.

    An agent makes use of what its twin has wrong; the other has other things wrong, so that this earns it nothing.

    Args:
        training: in which agents are trained.
        evaluation: in which they are evaluated.
    """

    training: DigitalTwin
    evaluation: DigitalTwin

    @property
    def swapped(self) -> Twins:
        """The other way round."""
        return Twins(self.evaluation, self.training)


def collect(scenario: Scenario, settings: Settings, seed: int) -> History:
    """The first decisions of a real cell, random ones or a planner's."""
    if settings.collect_by == "random":
        return record_history("random", scenario, seed, settings.collect)
    log = HistoryLog(scenario)
    planner = make_planner(PlannerSettings(), Environments(scenario).real(), seed)
    planner.learn(settings.collect, log)
    return log.recorder.history()


class _Evaluations(Listener):
    """Calls a function at equal distances while an agent learns, but for the last time, which is when it has learned.

    Args:
        every: decisions between two.
        most: how often.
        evaluate: is called.
    """

    def __init__(self, every: int, most: int, evaluate: Callable[[], object]) -> None:
        self._every, self._left, self._evaluate, self._seen = every, most, evaluate, 0

    def on_decision(self, experience: Experience) -> None:
        """See `Listener`."""
        del experience
        self._seen += 1

    def on_settled(self) -> None:
        """See `Listener`."""
        if self._seen == self._every and self._left:
            self._seen, self._left = 0, self._left - 1
            self._evaluate()


class Rehearsal:
    """Training runs in a twin, as they would be on the simulator.

    Args:
        environments: of the scenario.
        twins: in which agents are trained and evaluated.
        settings: of the search.
    """

    def __init__(self, environments: Environments, twins: Twins, settings: Settings) -> None:
        self._environments, self._twins, self._settings = environments, twins, settings

    def value(
        self, agent: AgentSettings, first_seed: int, runs: int, evaluated: Callable[[int, float], None] | None = None
    ) -> float:
        """Mean U of trained agents in cells of the other twin.

        Args:
            agent: its settings.
            first_seed: of the runs: of the agent and of its cell.
            runs: how many.
            evaluated: called after each evaluation with its number and the mean over the runs so far.
        """
        found: list[float] = []
        for seed in range(first_seed, first_seed + runs):
            step = len(found) * self._settings.evaluations

            def tell(value: float, before: Sequence[float] = tuple(found)) -> None:
                nonlocal step
                step += 1
                if evaluated is not None:
                    evaluated(step, float(np.mean([*before, value])))

            found.append(self._run(agent, seed, tell))
        return float(np.mean(found))

    def _run(self, agent: AgentSettings, seed: int, tell: Callable[[float], None]) -> float:
        """Train an agent in a cell of the one twin; what it earns in the other, now and then and at the end."""
        settings = self._settings
        envs = self._environments.twin(1, twin=self._twins.training)
        learner = make_learner(maker(agent, seed, {"real": {}}), envs, "real", seed)
        every = max(1, settings.decisions // settings.evaluations)
        marks = _Evaluations(every, settings.evaluations - 1, lambda: tell(self._utility(learner)))
        learner.learn(settings.decisions, marks)
        value = self._utility(learner)
        tell(value)
        return value

    def _utility(self, learner: Learner) -> float:
        settings = self._settings
        cells = self._environments.twin(settings.cells, twin=self._twins.evaluation)
        seeds = range(FIRST_CELL, FIRST_CELL + settings.cells)
        return float(evaluate_policy("", learner, cells, seeds, settings.cell_decisions).utility.mean())
