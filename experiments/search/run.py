"""`search`: settings of an agent, found in twins and confirmed on the simulator."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config.agents import check_agent, maker, with_head
from experiments.config.bounds import MAX_SEED, check_bounds
from experiments.config.parts import make_scenario, make_twin
from experiments.config.schemas import PLANNER, AgentSettings, EvaluationSettings
from experiments.config.threads import torch_threads
from experiments.environments import Environments
from experiments.reporting.cards import UNMEASURED, write_twin_card
from experiments.runs import checkpoint
from experiments.runs.compare import check_same_configuration
from experiments.runs.folder import HISTORY, SUMMARY
from experiments.runs.lifecycle import builtin
from experiments.runs.lock import RunLock
from experiments.runs.naming import as_twin, describe_twin
from experiments.search.found import DEFAULTS, FOUND, Candidate, SearchResult, paired, write_agent
from experiments.search.pictures import study_pictures
from experiments.search.settings import MAY_CHANGE, Settings
from experiments.search.space import defaults_in, make_space, with_values
from experiments.search.study import ERROR, JOURNAL, STUDY, Study, check_journal
from experiments.search.trial import FIRST_FINAL, FIRST_RUN, Rehearsal, Twins, collect
from experiments.search.workers import run_workers, wait_for_workers
from experiments.train.check import check_evaluation, check_multiple
from experiments.train.run import train
from experiments.train.settings import Settings as TrainSettings
from slicing_gym import Scenario, get_scenario
from slicing_gym.errors import check_instance, check_integer
from slicing_gym.files import atomic_write
from slicing_gym.reading import read_json
from twin import DigitalTwin, History, TransitionSettings

if TYPE_CHECKING:
    from experiments.sweeps.launchers import Launcher

TWINS = ("twin.safetensors", "evaluation_twin.safetensors")

_log = logging.getLogger(__name__)


def search(
    agent: AgentSettings,
    space: Mapping[str, Any],
    scenario: str | Scenario = "paper",
    twin: str | TransitionSettings | DigitalTwin = "lstm",
    settings: Settings | None = None,
    *,
    folder: str | Path,
    seed: int = 0,
    name: str | None = None,
    resume: bool = False,
    imports: Sequence[str] = (),
    launcher: Launcher | None = None,
) -> SearchResult:
    """Search for settings of an agent that learns without a twin, and confirm what is found on the simulator.

    Args:
        agent: whose settings are searched; what the space does not have stays as it is.
        space: ranges and choices by dotted key, as a file of `conf/search` has them.
        scenario: a preset's name or a `Scenario`.
        twin: "lstm", "transformer", settings of a transition, or a `DigitalTwin` that was not fitted.
        settings: of the search.
        folder: where journal, twins, tables, pictures and the agent's file go.
        seed: of the study, and of the cell that the twins are fitted to.
        name: of what is found; None: that of the agent and `_found`.
        resume: go on with the folder's study, if there is one.
        imports: modules that processes of several workers import, of classes of the user's own.
        launcher: that runs trials, finals and confirmations as jobs; None: `workers` processes of this machine.

    Raises:
        ValueError, TypeError: something is not allowed; the message names it. Nothing was run.
        RunIsLocked: another process writes into the folder.
    """
    more: dict[str, Any] = {"resume": resume, "imports": imports, "launcher": launcher}
    return Search(agent, space, scenario, twin, settings, folder, seed, name, **more).run()


class Search:
    """A search that has passed its checks.

    Args:
        agent, space, scenario, twin, settings, folder, seed, name, resume, imports, launcher: see `search`.
    """

    def __init__(
        self,
        agent: AgentSettings,
        space: Mapping[str, Any],
        scenario: str | Scenario = "paper",
        twin: str | TransitionSettings | DigitalTwin = "lstm",
        settings: Settings | None = None,
        folder: str | Path = ".",
        seed: int = 0,
        name: str | None = None,
        *,
        resume: bool = False,
        imports: Sequence[str] = (),
        launcher: Launcher | None = None,
    ) -> None:
        self.settings = Settings() if settings is None else settings
        check_instance("settings", self.settings, (Settings,))
        check_bounds(self.settings)
        self.folder, self.imports, self.launcher = Path(folder), imports, launcher
        self.seed = check_integer("seed", seed, at_least=0, at_most=MAX_SEED)
        if agent._target_ == PLANNER:
            raise ValueError("agent: the planner has nothing that a twin could say more of, allowed are other agents")
        self.given, kind = get_scenario(scenario), self.settings.reward
        self.scenario = self.given if kind is None else self.given.replace(reward={"kind": kind})
        self.environments = Environments(self.scenario)
        made = as_twin(twin)
        assert made is not None
        self.twin = made
        check_integer("collect", self.settings.collect, at_least=self.twin.min_decisions)
        self.agent = with_head(agent, self.scenario.reward.kind == "utility")
        learner = check_agent(self.agent, self.environments.real())
        check_multiple("decisions", self.settings.decisions, learner)
        self.given_space = builtin(space)
        self.space = make_space(self.given_space, self.agent, self.environments.real(), self.settings.decisions)
        self.name = f"{agent.name}_found" if name is None else name
        self._check_confirmation()
        self.configuration = self._configuration()
        self.resume = resume
        self._check_folder(resume)

    def _check_confirmation(self) -> None:
        if not self.name.isidentifier() or self.name == self.agent.name:
            raise ValueError(
                f"name: {self.name!r} given, allowed are letters, digits and underscores, and not the agent's own name"
            )
        evaluation = self.settings.evaluation
        check_instance("evaluation", evaluation, (EvaluationSettings,))
        for seed in self.settings.confirm:
            if seed == self.seed:
                raise ValueError(f"confirm: {seed} given, the cell that the twins are fitted to; allowed are others")
            check_evaluation(evaluation, self.scenario, seed, self.name, trust=False)

    def _check_folder(self, resume: bool) -> None:
        path = self.folder / STUDY
        if not path.is_file():
            return
        if not resume:
            raise ValueError(f"folder: {str(self.folder)!r} has a study already; resume=auto goes on with it")
        stored = {key: value for key, value in read_json("folder", path).items() if key not in MAY_CHANGE}
        given = {key: value for key, value in self.configuration.items() if key not in MAY_CHANGE}
        check_same_configuration(self.folder, stored, given)
        check_journal(self.folder)

    def _configuration(self) -> dict[str, Any]:
        """All that makes the study what it is, as builtin types."""
        return builtin(
            {
                "scenario": self.given.to_dict(),
                "agent": asdict(self.agent),
                "twin": describe_twin(self.twin),
                "space": self.given_space,
                "name": self.name,
                "seed": self.seed,
                **{key: value for key, value in asdict(self.settings).items() if hasattr(Settings(), key)},
            }
        )

    def run(self) -> SearchResult:
        """Go on until the winner is confirmed; what is there already is not done again.

        Raises:
            RunIsLocked: another process writes into the folder.
        """
        with RunLock(self.folder), torch_threads(self.settings.torch_threads):
            self._check_folder(self.resume)  # which may have got a study since
            wait_for_workers(self.folder)
            with atomic_write(self.folder / STUDY) as file:
                file.write(json.dumps(self.configuration, indent=2).encode())
            self._fit_twins()
            study = self.study()
            study.begin(defaults_in(self.space, self.agent))
            self._do(["trials"] * self.settings.workers)
            study_pictures(self.folder)
            if not study.completed:
                errors = {str(each.user_attrs.get(ERROR)) for each in study.trials}
                raise RuntimeError(
                    f"n_trials: none of {len(study.trials)} came to an end ({'; '.join(sorted(errors))})"
                )
            candidates = self._finals(study)
            winner = max(candidates, key=lambda each: each.in_final)
            result = SearchResult(self.folder, self.name, self.settings, candidates, winner, len(study.trials), [])
            if winner.label == DEFAULTS:
                return result.write()
            write_agent(result, self.found(winner.label))
            result = replace(result, confirmation=self._confirm(winner.label))
            write_agent(result, self.found(winner.label))
        return result.write()

    def study(self) -> Study:
        """The study, as it is by now."""
        warm_up = self.settings.evaluations // 2  # what an agent is worth that still explores says little
        return Study(self.folder, self.space, self.seed, self.settings.prune, warm_up)

    def _fit_twins(self) -> None:
        """Collect the history and fit both twins, unless they are there."""
        history_file = self.folder / HISTORY
        if not history_file.is_file():
            _log.info("%d real decisions (%s)", self.settings.collect, self.settings.collect_by)
            collect(self.scenario, self.settings, self.seed).save(history_file)
        for number, name in enumerate(TWINS):
            if not (self.folder / name).is_file():
                _log.info("fitting twin %d of %d", number + 1, len(TWINS))
                twin = deepcopy(self.twin)
                twin.seed += number
                twin.fit(History.load(history_file)).save(self.folder / name)
                data = f"{self.settings.collect} decisions of the simulated cell of seed {self.seed}"
                write_twin_card(self.folder / name, twin, data, UNMEASURED, simulated=True)

    def _rehearsal(self, swapped: bool = False) -> Rehearsal:
        twins = Twins(*(DigitalTwin.load(self.folder / name) for name in TWINS))
        return Rehearsal(self.environments, twins.swapped if swapped else twins, self.settings)

    def _do(self, tasks: Sequence[str]) -> None:
        """Perform tasks here, or several at once in processes of their own.

        Raises:
            ChildProcessError: a process failed; the message names where it says why.
        """
        workers = min(self.settings.workers, len(tasks))
        if workers > 1 or (tasks and self.launcher is not None):
            run_workers(self.folder, self.imports, tasks, workers, self.launcher)
            return
        for task in tasks:
            self.perform(task)

    def perform(self, task: str) -> None:
        """A part of the search: "trials", "final <label>", or "confirm <agent> <seed>"."""
        kind, *rest = task.split()
        with torch_threads(self.settings.torch_threads):
            if kind == "trials":
                self._trials()
            elif kind == "final":
                self._final(*rest)
            else:
                self._train(rest[0], int(rest[1]), rest[2])

    def _trials(self) -> None:
        rehearsal, study, settings = self._rehearsal(), self.study(), self.settings

        def objective(values: dict[str, Any], evaluated: Any) -> float:
            return rehearsal.value(with_values(self.agent, values), FIRST_RUN, settings.runs, evaluated)

        study.run(settings.n_trials, objective)

    def _finals(self, study: Study) -> list[Candidate]:
        """The best trials and the defaults, trained again: other cells, and the twins the other way round."""
        defaults = defaults_in(self.space, self.agent)
        best = [each for each in study.completed if each.params != defaults][: self.settings.finalists]
        tried = {DEFAULTS: next((each.value for each in study.completed if each.params == defaults), None)}
        tried |= {str(each.number): each.value for each in best}
        self._do([f"final {label}" for label in tried if not self._final_file(label).is_file()])
        values = {label: read_json("folder", self._final_file(label), ["utility"])["utility"] for label in tried}
        return [Candidate(label, self.values(label), tried[label], values[label]) for label in tried]

    def _final_file(self, label: str) -> Path:
        return self.folder / "finals" / f"{label}_{self.settings.final_runs}_runs.json"

    def _final(self, label: str) -> None:
        utility = self._rehearsal(swapped=True).value(self.found(label), FIRST_FINAL, self.settings.final_runs)
        _log.info("%s: %.3f in the final", label, utility)
        with atomic_write(self._final_file(label)) as file:
            file.write(json.dumps({"utility": utility}).encode())

    def values(self, label: str) -> dict[str, Any]:
        """What a trial has in place of the defaults, by dotted key."""
        if label == DEFAULTS:
            return {}
        (trial,) = (each for each in self.study().trials if each.number == int(label))
        return {key: dimension.restored(trial.params[key]) for key, dimension in self.space.items()}

    def found(self, label: str) -> AgentSettings:
        """The agent with the settings of a trial, or the defaults."""
        return with_values(self.agent, self.values(label))

    def _confirm(self, label: str) -> list[dict[str, Any]]:
        """Train winner and defaults on the simulator; one row per seed."""
        methods = {DEFAULTS: DEFAULTS, FOUND: label}
        every = [(method, seed, own) for seed in self.settings.confirm for method, own in methods.items()]
        self._do(["confirm {} {} {}".format(*each) for each in every if not self._is_trained(*each)])
        summaries = {
            (method, seed): read_json("folder", self._run_folder(method, seed, own) / SUMMARY)
            for method, own in methods.items()
            for seed in self.settings.confirm
        }
        return paired(summaries, self.settings.confirm)

    def _is_trained(self, method: str, seed: int, label: str) -> bool:
        folder = self._run_folder(method, seed, label)
        return (folder / SUMMARY).is_file() and not (folder / checkpoint.FILE).exists()

    def _run_folder(self, method: str, seed: int, label: str) -> Path:
        return self.folder / "confirm" / (f"{method}_seed{seed}" if method == DEFAULTS else f"trial{label}_seed{seed}")

    def _train(self, method: str, seed: int, label: str) -> None:
        settings = TrainSettings(
            decisions=self.settings.decisions,
            reward=self.settings.reward,
            torch_threads=self.settings.torch_threads,
            progress=False,
            evaluation=self.settings.evaluation,
        )
        make = maker(self.found(label), seed, {"real": {}})
        name = self.agent.name if method == DEFAULTS else self.name
        folder = self._run_folder(method, seed, label)
        found = train(make, self.given, None, settings, folder, seed, name=name, resume=True)
        _log.info("%s on cell %d of the simulator: %.3f", name, seed, found.summary["utility"])


def read_search(folder: str | Path) -> Search:
    """The search whose study is in a folder, as its processes go on with it.

    Raises:
        ValueError: there is none.
    """
    path = Path(folder) / STUDY
    if not path.is_file() or not (Path(folder) / JOURNAL).is_file():
        raise ValueError(f"folder: {str(folder)!r} has no study")
    stored = read_json("folder", path)
    twin = make_twin(stored["twin"])
    assert twin is not None
    own = {key: stored[key] for key in asdict(Settings())}
    own["evaluation"] = EvaluationSettings(**own["evaluation"])
    agent, scenario = AgentSettings(**stored["agent"]), make_scenario(stored["scenario"])
    return Search(
        agent, stored["space"], scenario, twin, Settings(**own), folder, stored["seed"], stored["name"], resume=True
    )
