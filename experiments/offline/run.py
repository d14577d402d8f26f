"""`offline`: Algorithm 2, with a twin or without, from a history to a folder of files and a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from agents.learner import OffPolicyLearner
from agents.loading import load_agent
from agents.offline import NoEnv
from experiments.config.agents import MakeAgent
from experiments.config.bounds import MAX_SEED, check_bounds
from experiments.config.schemas import AgentSettings
from experiments.config.threads import torch_threads
from experiments.environments import Environments
from experiments.evaluate.estimates import in_words, shown
from experiments.evaluate.held import compare_with_held, warning_lines
from experiments.evaluate.policies import labelled, load_policies
from experiments.evaluate.report import as_table, read_csv, write_csv
from experiments.evaluate.rollout import Evaluation, Predictor, compare, evaluate_policy, make_cells
from experiments.offline.algorithm_2 import Algorithm2, history_digest
from experiments.offline.baselines import LOWER_BASELINES, lower_baselines, modal_choice
from experiments.offline.checks import about_export, check_loadable, check_simulated
from experiments.offline.choice import CANDIDATES, choice_lines
from experiments.offline.earlier import EarlierTwin
from experiments.offline.settings import Settings, check_estimate
from experiments.reporting.cards import UNMEASURED, write_agent_card, write_twin_card
from experiments.runs import checkpoint
from experiments.runs.folder import AGENT, HISTORY, OFFLINE_SUMMARY, TWIN
from experiments.runs.lifecycle import builtin, clear, end, is_finished, save_learned
from experiments.runs.lock import RunLock
from experiments.runs.naming import as_twin, describe_agent, describe_twin, method_name, modules_of, twin_name
from experiments.runs.stored import read_summary
from experiments.train.check import (
    check_evaluation,
    check_off_policy,
    check_same_shapes,
    check_sums,
    check_twin_training,
)
from experiments.train.curves import write_end
from experiments.train.twin_phase import Job
from slicing_gym.errors import check_instance, check_integer
from twin import DigitalTwin, History
from twin.data.transitions import utilities_of
from twin.models.settings import TransitionSettings
from twin.runtime.monotonicity import about_physics

FIRST_SEED = 1_000_000
"""Of the cells in the twin that estimate what the policy is worth: not those by which it was chosen."""


@dataclass(frozen=True)
class OfflineResult:
    """What learning from a history brought.

    Args:
        name: of the agent: ddqn, with a twin ddqn-dt.
        folder: with its files; None if it was not to be kept.
        agent: of Stable-Baselines3.
        twin: fitted to the history; None without.
        history: what was learned from.
        estimates: what the policy is worth, estimated from the history alone [U]: "fitted_q", and with a twin "twin".
        evaluation: of the agent, the lower baselines, and those it is compared with, on unseen cells; none without
            seeds.
        summary: all figures.
    """

    name: str
    folder: Path | None
    agent: OffPolicyAlgorithm
    twin: DigitalTwin | None
    history: History
    estimates: dict[str, float | None]
    evaluation: list[Evaluation]
    summary: dict[str, Any]

    def report(self) -> str:
        """Estimates, choices and evaluation as text."""
        lines = []
        if self.evaluation:
            seeds = list(self.evaluation[0].seeds)
            lines += [f"on unseen cells, seeds {seeds}, ± 95 % interval over cells:"]
            lines += [as_table(self.history.scenario, self.evaluation)]
        lines.append(f"{self.name}, {shown(self.estimates, self.summary['utility_in_data'])}")
        lines += in_words(self.estimates, self.summary["utility_in_data"])
        for each, own in self.summary["modal"].items():
            share, times = f"{own['share']:.0%} of the history's states", own["in_data"]
            held = f"{times} times" if times else "never, so nothing measured says what it is worth"
            lines.append(f"{each.replace('_', ' ')}: {own['units']} in {share}; the history has it {held}")
        if self.summary.get("choice"):
            lines += choice_lines(self.summary["choice"], self.folder)
        if self.twin is not None and not self.evaluation:  # else the agents were compared on cells
            lines += about_physics(self.twin.model, self.history)
        if "held" in self.summary:  # versions before did not look
            lines += warning_lines(self.summary["held"], with_twin=self.twin is not None)
        return "\n".join(lines)


def offline(
    make: MakeAgent,
    history: History,
    twin: str | TransitionSettings | DigitalTwin | None = None,
    settings: Settings | None = None,
    folder: str | Path | None = None,
    seed: int = 0,
    *,
    name: str | None = None,
    own_seed: int | None = None,
    resume: bool = False,
    trust: bool = False,
) -> OfflineResult:
    """Learn from a history alone by the paper's Algorithm 2, and estimate what the policy is worth.

    Args:
        make: `make(env, role)` makes an off-policy agent of Stable-Baselines3; the role is "history" (it learns from
            the history; `env` has spaces, but nothing behind them), with a twin also "twin". Random streams are seeded
            from `seed` before it is called.
        history: what is learned from.
        twin: see `experiments.train.train`.
        settings: of the run.
        folder: where files go: agent, history, twin, TensorBoard, checkpoint; None: nowhere.
        seed: of the agents.
        name: of the agent; by default that of its class, in small letters.
        own_seed: of the simulated cell that the history is of, if it is one: policies are evaluated on it, too.
        resume: go on from the folder's checkpoint, if there is one.
        trust: let files of agents run code: those to compare with, and the run's own.

    Raises:
        ValueError, TypeError: something is not allowed; the message names it. Nothing was run.
        RunIsLocked: another process writes into the folder.
    """
    if resume and folder is None:
        raise ValueError("resume: True given, allowed with a folder only")
    with TemporaryDirectory() as nowhere, RunLock(nowhere if folder is None else folder) as lock:
        place = lock.folder
        more: dict[str, Any] = {"name": name, "own_seed": own_seed, "resume": resume, "trust": trust}
        made = OfflineTraining(make, history, twin, settings, place, seed, **more)
        result = made.read_result() if made.finished else made.run()
        return replace(result, folder=None) if folder is None else result


class OfflineTraining:
    """Learning from a history that has passed its checks.

    Args:
        make, history, twin, settings, folder, seed, name, own_seed, resume, trust: see `offline`.
        estimator: settings of the network of fitted Q evaluation, before the changes of `settings.estimate`.
        source: what the history is called.
        earlier: a twin of the same history with a verdict, which the card of this one names.

    Attributes:
        finished: whether the folder has the run already, and it is to be resumed.
    """

    def __init__(
        self,
        make: MakeAgent,
        history: History,
        twin: str | TransitionSettings | DigitalTwin | None = None,
        settings: Settings | None = None,
        folder: str | Path = ".",
        seed: int = 0,
        *,
        name: str | None = None,
        own_seed: int | None = None,
        resume: bool = False,
        trust: bool = False,
        estimator: AgentSettings | None = None,
        source: str = "history",
        earlier: EarlierTwin | None = None,
    ) -> None:
        self.settings = Settings() if settings is None else settings
        check_instance("settings", self.settings, (Settings,))
        check_instance("history", history, (History,))
        check_bounds(self.settings)
        check_estimate(self.settings.estimate, NoEnv(history.scenario, history.layout.codec))
        if own_seed is not None:
            check_integer("own_seed", own_seed, at_least=0, at_most=MAX_SEED)
        self.seed = check_integer("seed", seed, at_least=0, at_most=MAX_SEED)
        self.resume = resume
        self.folder, self.trust, self.source, self.own_seed = Path(folder), trust, source, own_seed
        self.earlier = earlier
        self.twin = as_twin(twin)
        kind = self.settings.reward
        scenario = history.scenario if kind is None else history.scenario.replace(reward={"kind": kind})
        self.history = replace(history, scenario=scenario)
        self.estimator = AgentSettings() if estimator is None else estimator
        agent = self._check(make)
        self._kind = type(agent.model)
        check_simulated(self.settings.evaluation.seeds, history)
        own = self._kind.__name__.lower() if name is None else name
        if own in LOWER_BASELINES:
            raise ValueError(f"agent.name: {own!r} is the name of a policy it is compared with")
        check_evaluation(self.settings.evaluation, self.history.scenario, own_seed, own, trust=trust)
        self.name = method_name(own, self.twin)
        self.configuration = self._configuration(agent.model)
        self.finished = resume and is_finished(self.folder, OFFLINE_SUMMARY, self.configuration)
        if not self.finished:
            self._prepare(make)
        elif history_digest(History.load(self.folder / HISTORY)) != history_digest(self.history):
            raise ValueError(f"resume: the history of the run in {str(self.folder)!r} is not the one given")

    def _prepare(self, make: MakeAgent) -> None:
        """The loop, at its beginning or where a checkpoint left it."""
        environments = Environments(self.history.scenario)
        job = Job(make, environments, self.twin, self.folder, self.seed, self.configuration, self.name)
        self.algorithm = Algorithm2(job, self.history, self.settings, stay=self.own_seed is None)
        if self.resume and (self.folder / checkpoint.FILE).exists():
            self.algorithm.resume()

    def _check(self, make: MakeAgent) -> OffPolicyLearner:
        """Agent 1, after a look at what could fail later."""
        scenario = self.history.scenario
        utilities_of(self.history)  # it has to have measured what they are made of
        spaces = NoEnv(scenario, self.history.layout.codec)
        agent = check_off_policy("history", make, spaces, self.seed)
        check_integer("agent.buffer_size", agent.model.buffer_size, at_least=len(self.history))
        check_sums(agent, scenario.reward.kind == "utility", f"reward: {scenario.reward.kind!r}")
        weight = self.settings.algorithm.conservative_weight
        OffPolicyLearner(agent.model, conservative_weight=weight)  # refuses one that lacks a hook
        if self.twin is not None:
            check_integer("decisions (of the history, for a twin)", len(self.history), at_least=self.twin.min_decisions)
            check_loadable(agent, self.trust)
            agent_2 = check_off_policy("twin", make, spaces, self.seed)
            check_twin_training(agent_2, self.settings.algorithm)
            check_same_shapes(agent, agent_2)
        return agent

    def _configuration(self, agent: OffPolicyAlgorithm) -> dict[str, Any]:
        """All that makes the run what it is, as builtin types; a command's settings name more of it themselves."""
        return builtin(
            {
                "scenario": self.history.scenario.to_dict(),
                "agent": describe_agent(agent),
                "twin": describe_twin(self.twin),
                "history": self.source,
                "seed": self.seed,
                **asdict(self.settings),
            }
        )

    def run(self) -> OfflineResult:
        """Learn, estimate, evaluate; files go to the folder, the summary last."""
        if not self.resume:
            clear(self.folder)
        with torch_threads(self.settings.torch_threads):
            return self._run()

    def _run(self) -> OfflineResult:
        run = self.algorithm
        run.run()
        save_learned(self.folder, run.agent, self.history, run.twin)
        estimates = {
            "fitted_q": run.estimate(self.estimator, self.seed),
            "twin": run.utility_in_twin(run.agent, FIRST_SEED) if run.twin else None,
        }
        candidates = self._candidates()
        evaluation, truth = self._evaluate(candidates) if self.settings.evaluation.seeds else ([], {})
        summary = {
            "scenario": self.history.scenario.name,
            "head": self.configuration["agent"]["head"],
            "agent": self.name,
            "twin": twin_name(self.twin),
            "history": self.source,
            "decisions": len(self.history),
            "seed": self.seed,
            "conservative_weight": self.settings.algorithm.conservative_weight,
            "utility_in_data": float(utilities_of(self.history).mean()),
            "estimates": estimates,
            "modal": {each: modal_choice(policy, self.history) for each, policy in candidates.items()},
            "choice": None if run.choice is None else run.choice.to_dict(),
            "held": compare_with_held(run.agent, self.history),
            **truth,
            "cpu_seconds": run.seconds,
        }
        self._write_cards(summary)
        summary = end(self.folder, OFFLINE_SUMMARY, summary, self.configuration)
        (self.folder / checkpoint.FILE).unlink(missing_ok=True)
        own = evaluation[0] if evaluation else None
        write_end(run.agent.logger, self.history.scenario, own, self.configuration, estimates, run.epochs)
        run.agent.logger = Logger(None, [])
        model = run.agent.model
        return OfflineResult(self.name, self.folder, model, run.twin, self.history, estimates, evaluation, summary)

    def _write_cards(self, summary: Mapping[str, Any]) -> None:
        """Write the cards of agent and twin."""
        data = f"a history of {len(self.history)} decisions ({self.source})"
        where = f"unseen cells of seeds {list(self.settings.evaluation.seeds)}" if "utility" in summary else ""
        modules, simulated = modules_of(self.algorithm.agent.model), None if self.own_seed is None else True
        fitted = "<folder of experiments.fidelity>" if self.algorithm.twin is None else TWIN
        only_in = None if about_export(self.history.layout) is None else fitted
        known = summary["estimates"], summary["utility_in_data"]
        estimates = "; ".join(map(str.strip, [shown(*known), *in_words(*known)]))
        agent = self.folder / AGENT
        write_agent_card(agent, self.history.scenario, summary, data, where, modules, simulated, only_in, estimates)
        if self.algorithm.twin is not None:
            twin, notes = self.algorithm.twin, self.algorithm.twin_notes
            fidelity = UNMEASURED if self.earlier is None else self.earlier.on_card(twin)
            write_twin_card(self.folder / TWIN, twin, data, fidelity, notes, simulated=simulated)

    def read_result(self) -> OfflineResult:
        """What the finished run in the folder brought."""
        summary = read_summary("resume", self.folder / OFFLINE_SUMMARY, ["estimates"])
        twin = None if self.twin is None else DigitalTwin.load(self.folder / TWIN)
        agent: Any = load_agent(self.folder / AGENT, self._kind, trust=self.trust)
        path = self.folder / "evaluation.csv"
        evaluation = read_csv(path) if path.is_file() else []
        estimates = summary["estimates"]
        return OfflineResult(self.name, self.folder, agent, twin, self.history, estimates, evaluation, summary)

    def _candidates(self) -> dict[str, Predictor]:
        """What Algorithm 2 ended with, and with a twin what Agent 2 brought from it."""
        run = self.algorithm
        if run.choice is None:
            return {CANDIDATES[0]: run.agent}
        return {name: load_agent(self.folder / f"{name}.zip", self._kind, trust=self.trust) for name in CANDIDATES}

    def _evaluate(self, candidates: Mapping[str, Predictor]) -> tuple[list[Evaluation], dict[str, Any]]:
        """What agent and lower baselines really earn: on unseen cells, and on the history's own, if it is known."""
        run, scenario, chosen = self.algorithm, self.history.scenario, self.settings.evaluation
        cells = make_cells(scenario, len(chosen.seeds))
        policies: dict[str, Predictor] = {self.name: run.agent, **lower_baselines(self.history, self.seed)}
        policies |= labelled(load_policies(chosen.policies, scenario, cells, trust=self.trust), policies)
        evaluations = compare(scenario, policies, cells, chosen.seeds, chosen.decisions, self.settings.progress)
        write_csv(self.folder / "evaluation.csv", scenario, evaluations)
        means = {evaluation.policy: float(evaluation.utility.mean()) for evaluation in evaluations}
        found: dict[str, Any] = {
            "utility": means.pop(self.name),
            "reward_at_c_max": float(evaluations[0].reward.mean()),
            "utility_on_own_cell": None,  # of a file nobody knows which it was
            "lower_baselines": means,
        }
        if self.own_seed is not None:
            decisions = 5 * scenario.decisions_per_episode
            own = evaluate_policy(self.name, run.agent, make_cells(scenario, 1), [self.own_seed], decisions)
            found["utility_on_own_cell"] = float(own.utility.mean())
        true = compare(scenario, candidates, cells, chosen.seeds, chosen.decisions)
        found["candidates"] = {
            evaluation.policy: {"in_twin": estimated, "utility": float(evaluation.utility.mean())}
            for evaluation, estimated in zip(true, (None,) if run.choice is None else run.choice.in_twin, strict=True)
        }
        return evaluations, found
