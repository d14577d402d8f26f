"""`train`: Algorithm 1, an agent without a twin, or a planner, from settings to a folder of files and a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.logger import Logger

from agents import OffPolicyLearner, Planner, make_baseline
from agents.protocols import DecisionListener
from experiments.config.agents import MakeAgent
from experiments.config.bounds import MAX_SEED, check_bounds
from experiments.config.threads import torch_threads
from experiments.environments import Environments
from experiments.evaluate.policies import labelled, load_policies
from experiments.evaluate.report import write_csv
from experiments.evaluate.rollout import Evaluation, Predictor, check_seeds, compare, make_cells, roll_out
from experiments.evaluate.wrapped import WrappedAgent
from experiments.reporting.cards import UNMEASURED, write_agent_card, write_twin_card
from experiments.reporting.style import save_figure
from experiments.runs import checkpoint
from experiments.runs.folder import NO_HEAD, SUMMARY, TWIN, WRAPPERS, agent_file
from experiments.runs.lifecycle import builtin, clear, end, is_finished, save_learned
from experiments.runs.lock import RunLock
from experiments.runs.naming import as_twin, describe_agent, describe_twin, method_name, modules_of, twin_name
from experiments.train.algorithm_1 import Algorithm1
from experiments.train.callbacks import REWARD_GOAL
from experiments.train.check import (
    check_algorithm_1,
    check_batch,
    check_collecting,
    check_evaluation,
    check_multiple,
    check_off_policy,
    check_planner,
    check_same_shapes,
)
from experiments.train.curves import write_end
from experiments.train.figure import RULES, Learned, training_figure
from experiments.train.learners import learned_by
from experiments.train.result import EVALUATION, TrainResult, read_result
from experiments.train.settings import Settings
from experiments.train.twin_phase import Job
from slicing_gym import Scenario, get_scenario
from slicing_gym.errors import check_instance, check_integer
from twin import DigitalTwin
from twin.data.transitions import utilities_of
from twin.models.settings import TransitionSettings

FloatArray = npt.NDArray[np.float64]

PICTURE = "training.png"


def train(
    make: MakeAgent,
    scenario: str | Scenario = "paper",
    twin: str | TransitionSettings | DigitalTwin | None = None,
    settings: Settings | None = None,
    folder: str | Path | None = None,
    seed: int = 0,
    *,
    environments: Environments | None = None,
    name: str | None = None,
    resume: bool = False,
    listeners: Sequence[DecisionListener] = (),
    trust: bool = False,
) -> TrainResult:
    """Train an agent in the real environment, with a twin by the paper's Algorithm 1, and compare it with baselines.

    Args:
        make: `make(env, role)` makes an off-policy agent of Stable-Baselines3, or without a twin an `agents.Planner`,
            that acts in `env`; the role is "real", with a twin also "twin". Random streams are seeded from `seed`
            before it is called.
        scenario: a preset's name or a `Scenario`.
        twin: "lstm", "transformer", settings of a transition, or a `DigitalTwin` that was not fitted; None: without.
        settings: of the run.
        folder: where files go: agent, history, twin, episodes, TensorBoard, checkpoint, picture; None: nowhere.
        seed: of the cell, of the agents and of their exploration.
        environments: where the agents act, if they are wrapped.
        name: of the agent; by default that of its class, in small letters.
        resume: go on from the folder's checkpoint, if there is one; a finished run is read.
        listeners: called at every real decision.
        trust: let files of agents run code: those to compare with, and the run's own if it is finished already.

    Raises:
        ValueError, TypeError: something is not allowed; the message names it. Nothing was run.
        RunIsLocked: another process writes into the folder.
    """
    if resume and folder is None:
        raise ValueError("resume: True given, allowed with a folder only")
    with TemporaryDirectory() as nowhere, RunLock(nowhere if folder is None else folder):
        place = nowhere if folder is None else folder
        more: dict[str, Any] = {"environments": environments, "name": name, "resume": resume, "trust": trust}
        made = Training(make, scenario, twin, settings, place, seed, listeners=listeners, **more)
        if made.finished:
            return read_result(made.folder, made.kind, trust=trust)
        (result,) = finish([made])
        return replace(result, folder=None) if folder is None else result


class Training:
    """A training run that has passed its checks.

    Args:
        make, scenario, twin, settings, folder, seed, environments, name, resume, listeners, trust: see `train`.

    Attributes:
        name: of the agent, see `TrainResult`.
        kind: its class.
        finished: whether the folder has the run already, and it is to be resumed.
    """

    def __init__(
        self,
        make: MakeAgent,
        scenario: str | Scenario = "paper",
        twin: str | TransitionSettings | DigitalTwin | None = None,
        settings: Settings | None = None,
        folder: str | Path = ".",
        seed: int = 0,
        *,
        environments: Environments | None = None,
        name: str | None = None,
        resume: bool = False,
        listeners: Sequence[DecisionListener] = (),
        trust: bool = False,
    ) -> None:
        self.settings = Settings() if settings is None else settings
        check_instance("settings", self.settings, (Settings,))
        check_bounds(self.settings)
        self.seed = check_integer("seed", seed, at_least=0, at_most=MAX_SEED)
        check_instance("listeners", listeners, (list, tuple))
        self.folder, self.resume, self.trust = Path(folder), resume, trust
        self.twin = as_twin(twin)
        found = get_scenario(scenario)
        kind = self.settings.reward
        self.scenario = found if kind is None else found.replace(reward={"kind": kind})
        self.environments = (environments or Environments(found)).on(self.scenario)
        self.environments.check(self.twin is not None)
        agent_1 = self._checked_agent(make)
        self.kind: Any = type(learned_by(agent_1))
        own = self.kind.__name__.lower() if name is None else name
        chosen = self.settings.evaluation
        check_seeds("evaluation.seeds", chosen.seeds)
        check_evaluation(chosen, self.scenario, self.seed, own, trust=trust, num_envs=self.settings.num_envs)
        self._earned: dict[str, FloatArray] = {}  # by rule
        self.collect_by = None if self.twin is None else self.settings.algorithm.collect_by
        self.name = method_name(own, self.twin, self.collect_by)
        self.configuration = self._configuration(found, describe_agent(learned_by(agent_1)))
        self.finished = resume and is_finished(self.folder, SUMMARY, self.configuration)
        if not self.finished:
            self._prepare(make, listeners)

    def _checked_agent(self, make: MakeAgent) -> OffPolicyLearner | Planner:
        """Agent 1, after a look at what the loop needs of it."""
        agent_1 = check_batch(make, self.settings.num_envs, self.environments, self.twin, self.seed)
        if isinstance(agent_1, Planner):
            check_planner(self.environments, self.twin)
        else:
            self._check_algorithm(make, agent_1)
        return agent_1

    def _check_algorithm(self, make: MakeAgent, agent_1: OffPolicyLearner) -> None:
        check_multiple("decisions", self.settings.decisions, agent_1, self.settings.num_envs)
        if self.twin is not None:
            agent_2 = check_off_policy("twin", make, self.environments.cells(1), self.seed)
            check_algorithm_1(self.settings, agent_1, agent_2, self.twin)
            check_same_shapes(agent_1, agent_2)
            check_collecting(self.settings, self.environments, make, self.seed)

    def _prepare(self, make: MakeAgent, listeners: Sequence[DecisionListener]) -> None:
        """The loop, at its beginning or where a checkpoint left it."""
        self.has_checkpoint = self.resume and (self.folder / checkpoint.FILE).exists()
        job = Job(make, self.environments, self.twin, self.folder, self.seed, self.configuration, self.name)
        self.algorithm = Algorithm1(job, self.settings, listeners)
        if self.has_checkpoint:
            self.algorithm.resume()

    def _configuration(self, scenario: Scenario, agent: Mapping[str, Any]) -> dict[str, Any]:
        """All that makes the run what it is, as builtin types; a command's settings name more of it themselves."""
        return builtin(
            {
                "scenario": scenario.to_dict(),
                "agent": agent,
                "twin": describe_twin(self.twin),
                "env": self.environments.given,
                "seed": self.seed,
                **asdict(self.settings),
                **({"twin": describe_twin(None)} if self.twin is None else {}),  # a command's settings may have one
            }
        )

    def learn(self) -> None:
        """Run the loop to its end, and write what was learned into the folder."""
        if not self.resume:
            clear(self.folder)
        run = self.algorithm
        with torch_threads(self.settings.torch_threads):
            run.run()
        save_learned(self.folder, run.agent, run.history.recorder.history(), run.twin)
        if self.environments.wrapped or not self.environments.keep_observations:
            statistics, arrays = self.environments.statistics(run.real)
            checkpoint.write(self.folder / WRAPPERS, {"statistics": statistics}, arrays)

    @property
    def policy(self) -> Predictor:
        """What was learned, as it is compared with others."""
        run = self.algorithm
        if self.environments.keep_observations:
            return run.agent
        return WrappedAgent(run.agent, self.environments, self.environments.statistics(run.real))

    @property
    def cells(self) -> range:
        """Seeds of the cells that the agent learns in."""
        return range(self.seed, self.seed + self.settings.num_envs)

    def learned(self) -> Learned:
        """What Agent 1 earned while it learned; an agent's `learning_starts` says how long its decisions are random."""
        history = self.algorithm.history.recorder.history()
        in_first_cell = history.run % len(self.cells) == 0
        earned = (utilities_of(history)[in_first_cell], self.algorithm.log.utility)
        if self.collect_by == "planner":
            return Learned(*earned, self.settings.algorithm.collect, "planner")
        decisions, agent = self.algorithm.log.decisions, learned_by(self.algorithm.agent)
        starts = int(getattr(agent, "learning_starts", 0))
        first, last = (getattr(agent, f"exploration_{name}_eps", 0) for name in ("initial", "final"))
        explores = round(getattr(agent, "exploration_fraction", 0) * decisions) if first > last else 0
        return Learned(*earned, min(starts, decisions), cells=len(self.cells), explores=explores)

    def earned_by(self, rule: str) -> FloatArray:
        """Utility (decisions, cells) of a rule in the run's own cells, under common random numbers."""
        if rule not in self._earned:
            envs = make_cells(self.scenario, len(self.cells))
            policy = make_baseline(rule, self.scenario, envs)
            decisions = self.algorithm.log.decisions // len(self.cells)
            self._earned[rule] = roll_out(rule, policy, envs, self.cells, decisions)["utility"]
        return self._earned[rule]

    def write_summary(self, own: Evaluation) -> dict[str, Any]:
        """Write the figures by which runs are compared, last of all: a run that has them is finished.

        The regret is what Agent 1's decisions earned less than the best fixed allocation earns on the same cells in as
        many episodes [U].
        """
        run, reference = self.algorithm, float(self.earned_by("best_fixed").mean())
        decisions, episodes = run.log.decisions, run.log.episodes
        reached = [number for number, row in enumerate(episodes, start=1) if row["reward_at_c_max"] >= REWARD_GOAL]
        summary: dict[str, Any] = {
            "scenario": self.scenario.name,
            "agent": self.name,
            "twin": twin_name(self.twin),
            "collect_by": self.collect_by,
            "head": NO_HEAD if self.kind is Planner else self.configuration["agent"]["head"],
            "seed": self.seed,
            "decisions": decisions,
            "episodes_to_goal": reached[0] if reached else None,
            "utility": float(own.utility.mean()),
            "reward_at_c_max": float(own.reward.mean()),
            "best_fixed_on_own_cell": reference,
            "regret": sum(row["decisions"] * (reference - row["utility"]) for row in episodes),
            "cpu_seconds": run.seconds,
            "learned": run.agent.digest(),
        }
        self._write_cards(summary, own)
        return end(self.folder, SUMMARY, summary, self.configuration)

    def _write_cards(self, summary: Mapping[str, Any], own: Evaluation) -> None:
        """Write the cards of agent and twin."""
        cells = f"cell of seed {self.seed}"
        if len(self.cells) > 1:
            cells = f"cells of seeds {self.seed} to {self.cells[-1]}"
        data = f"{summary['decisions']} decisions on the simulated {cells}"
        where = f"unseen cells of seeds {list(own.seeds)}"
        modules = modules_of(learned_by(self.algorithm.agent), self.configuration["env"])
        write_agent_card(agent_file(self.folder), self.scenario, summary, data, where, modules, simulated=True)
        if self.algorithm.twin is not None:
            twin, notes = self.algorithm.twin, self.algorithm.twin_notes
            write_twin_card(self.folder / TWIN, twin, data, UNMEASURED, notes, simulated=True)

    def write_curves(self, own: Evaluation, summary: Mapping[str, Any]) -> None:
        """Write what TensorBoard shows of the end of the run."""
        figures, run = {key: summary[key] for key in ("regret", "episodes_to_goal")}, self.algorithm
        write_end(run.agent.logger, self.scenario, own, self.configuration, figures, run.log.decisions)
        run.agent.logger = Logger(None, [])

    def result(self, evaluation: list[Evaluation], summary: Mapping[str, Any]) -> TrainResult:
        """What it brought."""
        run = self.algorithm
        return TrainResult(
            name=self.name,
            folder=self.folder,
            agent=learned_by(run.agent),
            policy=self.policy,
            episodes=run.log.table(),
            history=run.history.recorder.history(),
            twin=run.twin,
            evaluation=evaluation,
            summary=dict(summary),
        )


def finish(trainings: Sequence[Training]) -> list[TrainResult]:
    """Let runs in the same cells of one scenario learn, and compare them on the same unseen cells.

    The comparison (`evaluation.csv`, `training.png`) goes to the folder of the first.
    """
    for each in trainings:
        each.learn()
    first = trainings[0]
    scenario, chosen = first.scenario, first.settings.evaluation
    cells = make_cells(scenario, len(chosen.seeds))
    policies = {each.name: each.policy for each in trainings}
    policies |= labelled(load_policies(chosen.policies, scenario, cells, trust=first.trust), policies)
    evaluations = compare(scenario, policies, cells, chosen.seeds, chosen.decisions, first.settings.progress)
    write_csv(first.folder / EVALUATION, scenario, evaluations)
    learned = {each.name: each.learned() for each in trainings}
    longest = max(trainings, key=lambda each: each.algorithm.log.decisions)
    rules = {rule: longest.earned_by(rule) for rule in RULES}
    save_figure(training_figure(scenario, learned, rules, evaluations), first.folder / PICTURE)
    own = list(zip(trainings, evaluations, strict=False))
    summaries = [each.write_summary(evaluation) for each, evaluation in reversed(own)][::-1]
    for (each, evaluation), summary in zip(own, summaries, strict=True):
        (each.folder / checkpoint.FILE).unlink(missing_ok=True)
        each.write_curves(evaluation, summary)
    rest = evaluations[len(trainings) :]
    return [each.result([found, *rest], summary) for (each, found), summary in zip(own, summaries, strict=True)]
