"""`distill`: small students of trained agents, and what they keep of their teachers (the paper's Fig. 8)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.base_class import BaseAlgorithm

from agents import Planner, check_head
from agents.log_actions import reason
from agents.student import StudentPolicy
from experiments.config.bounds import check_bounds
from experiments.config.threads import torch_threads
from experiments.distill.report import StudentResult, plot_students, student_tables, write_students
from experiments.distill.settings import Settings
from experiments.distill.teaching import check_values, network_of, states_of, teach_student
from experiments.evaluate.policies import check_policies, given_as, labelled, load_policies
from experiments.evaluate.report import as_table
from experiments.evaluate.rollout import Evaluation, Predictor, compare, evaluate_policy, make_cells, states_met
from experiments.reporting.cards import write_agent_card
from experiments.runs.compare import check_same_configuration
from experiments.runs.folder import (
    AGENT,
    HISTORY,
    OFFLINE_SUMMARY,
    PLANNER_FILE,
    STUDENT,
    STUDENT_SUMMARY,
    SUMMARY,
    TWIN,
    Run,
    find_runs,
)
from experiments.runs.lock import RunLock
from experiments.runs.stored import read_summary
from slicing_gym import Scenario
from slicing_gym.errors import check_instance
from slicing_gym.files import atomic_write
from slicing_gym.reading import parsing
from slicing_gym.space_spec import SpaceSpec
from twin import History
from twin.fitting.devices import check_device

_NOT_COMPARED = ("agents", "hidden", "progress", "device")
"""Settings that may be others when students are not to be taught again."""

_FILES = {"history": (HISTORY,), "twin": (TWIN,), "both": (HISTORY, TWIN)}
"""Files of a run that hold the states which students learn on."""


@dataclass(frozen=True)
class DistillResult:
    """Teachers and their students.

    Args:
        results: of each teacher and, after it, of its students.
        students: of each result with hidden layers, in their order.
        others: by scenario, the policies that teachers and students are compared with.
    """

    results: list[StudentResult]
    students: list[StudentPolicy]
    others: dict[Scenario, list[Evaluation]]

    def report(self) -> str:
        """Tables of what students keep, what the twin is worth to them, and of the other policies."""
        texts = [student_tables(self.results)]
        for scenario, evaluations in self.others.items():
            texts.append(f"\nscenario {scenario.name}, for comparison\n{as_table(scenario, evaluations)}")
        return "\n".join(texts)

    def write(self, folder: str | Path) -> list[Path]:
        """Write `students.csv` and `students.png` into a folder."""
        paths = [Path(folder) / "students.csv", Path(folder) / "students.png"]
        write_students(paths[0], self.results)
        plot_students(paths[1], self.results)
        return paths


def distill(
    teachers: str | Path | Run | Sequence[Run],
    settings: Settings | None = None,
    folder: str | Path | None = None,
    *,
    resume: bool = False,
    trust: bool = False,
) -> DistillResult:
    """Teach students to choose as trained agents do, and compare both on unseen cells.

    Args:
        teachers: folder of a run, of runs, the agent.zip of a run, a run, or runs (`experiments.runs.find_runs`).
        settings: of the students.
        folder: where students go, each into a folder of its own, and `students.csv` and `students.png`; None: nowhere.
        resume: students that the folder already has are not taught again.
        trust: let files of agents run code.

    Raises:
        ValueError, TypeError, FileNotFoundError: something is not allowed; the message names it. No student was taught.
        RunIsLocked: another process writes into the folder.
    """
    with nullcontext() if folder is None else RunLock(folder):
        result = Distillation(teachers, settings, folder, resume=resume, trust=trust).run()
        if folder is not None:
            result.write(folder)
    return result


class Distillation:
    """Students to be taught, checked.

    Args:
        teachers, settings, folder, resume, trust: see `distill`.

    Attributes:
        settings: of the students.
        teachers: the runs.
    """

    def __init__(
        self,
        teachers: str | Path | Run | Sequence[Run],
        settings: Settings | None = None,
        folder: str | Path | None = None,
        *,
        resume: bool = False,
        trust: bool = False,
    ) -> None:
        self.settings = Settings() if settings is None else settings
        check_instance("settings", self.settings, (Settings,))
        check_bounds(self.settings)
        check_device("device", self.settings.device)
        teachers = [teachers] if isinstance(teachers, Run) else teachers
        if isinstance(teachers, str | Path):
            _refuse_offline(Path(teachers))
        self.teachers = find_runs(teachers, self.settings.agents, "teacher")
        self._folder, self._trust = None if folder is None else Path(folder), trust
        self._root = _root(teachers)
        for run in self.teachers:
            self._check_teacher(run)
        if not self.settings.evaluation.seeds:
            raise ValueError("evaluation.seeds: none given, allowed are one or more")
        policies = self.settings.evaluation.policies
        for scenario in self._scenarios if policies else ():
            with given_as("evaluation.policies"):
                check_policies(policies, scenario)
                load_policies(policies, scenario, make_cells(scenario, 1), trust=trust)
        self._stored: dict[Path, StudentResult] = {}
        for run in self.teachers if resume else ():
            self._read_stored(run)

    def _check_teacher(self, run: Run) -> None:
        """Refuse a run that cannot teach what is wanted.

        Raises:
            ValueError, TypeError: a file is missing or damaged; the agent sees other observations than its students
                do, or its values are wanted and not known; it has seen a cell of the comparison; it chooses among more
                allocations than the students' head lists.
        """
        settings = self.settings
        for name in (run.agent_file.name, *_FILES[settings.states]):
            if not (run.folder / name).is_file():
                raise ValueError(f"states: {settings.states!r} given, but {str(run.folder)!r} has no {name}")
        if settings.states != "history":
            run.twin()
        if not run.keeps_observations:
            raise ValueError(
                f"teacher: {str(run.folder)!r} was trained under {run.wrappers}, so it sees other observations than "
                "students do; allowed are runs whose wrappers change the reward alone"
            )
        if settings.head is not None:
            check_head(settings.head, SpaceSpec(run.scenario).action_space)
        if settings.target == "soft":
            check_values(run, run.agent(trust=self._trust))
        if run.seed in settings.evaluation.seeds:
            raise ValueError(f"evaluation.seeds: {run.seed} is the cell of {str(run.folder)!r}")

    @property
    def _scenarios(self) -> list[Scenario]:
        """Those of the teachers, each once."""
        return list(dict.fromkeys(run.scenario for run in self.teachers))

    def _read_stored(self, run: Run) -> None:
        """Keep the figures of a teacher and its students that an earlier start left.

        Raises:
            ValueError: they had another teacher, or were taught otherwise.
        """
        for size in (0, *self.settings.hidden):
            folder = self._student_folder(run, size)
            needed = (STUDENT_SUMMARY, STUDENT) if size else (STUDENT_SUMMARY,)
            if folder is not None and all((folder / name).is_file() for name in needed):
                stored = read_summary("students", folder / STUDENT_SUMMARY, ["config"])
                check_same_configuration(folder, stored.pop("config") or {}, self._configuration(run))
                with parsing("students", folder / STUDENT_SUMMARY):
                    self._stored[folder] = StudentResult(**stored)

    def _student_folder(self, run: Run, size: int) -> Path | None:
        """Where a student of a run goes; None if it is not to be kept."""
        if self._folder is None:
            return None
        return self._folder / run.folder.resolve().relative_to(self._root) / (f"hidden-{size}" if size else "teacher")

    def _configuration(self, run: Run) -> dict[str, Any]:
        """What has to be the same for a student not to be taught again."""
        names = [each.name for each in fields(Settings) if each.name not in _NOT_COMPARED]
        given = asdict(self.settings)
        agent = hashlib.sha256(run.agent_file.read_bytes()).hexdigest()
        return {**{name: given[name] for name in names}, "agent": agent}

    def run(self, on_teacher: Callable[[Run, Sequence[StudentResult]], object] | None = None) -> DistillResult:
        """Teach and evaluate all students.

        Args:
            on_teacher: is called with each teacher, and what came of it and of its students.
        """
        with torch_threads(self.settings.torch_threads):
            return self._run(on_teacher)

    def _run(self, on_teacher: Callable[[Run, Sequence[StudentResult]], object] | None) -> DistillResult:
        settings = self.settings
        results: list[StudentResult] = []
        students: list[StudentPolicy] = []
        for run in self.teachers:
            taught = list(self._teach(run))
            results += [result for result, _ in taught]
            students += [student for _, student in taught if student is not None]
            if on_teacher is not None:
                on_teacher(run, [result for result, _ in taught])
        others = {}
        for scenario in self._scenarios if settings.evaluation.policies else ():
            cells = make_cells(scenario, len(settings.evaluation.seeds))
            found = labelled(load_policies(settings.evaluation.policies, scenario, cells, trust=self._trust), ())
            others[scenario] = compare(scenario, found, cells, settings.evaluation.seeds, settings.evaluation.decisions)
        return DistillResult(results, students, others)

    def _teach(self, run: Run) -> Iterator[tuple[StudentResult, StudentPolicy | None]]:
        """A teacher, and a student of each size; those that are stored are not taught again."""
        settings, agent = self.settings, run.agent(trust=self._trust)
        evaluator = _Evaluator(run, agent, settings)
        states: npt.NDArray[np.float32] | None = None
        for size in (0, *settings.hidden):
            folder, student = self._student_folder(run, size), None
            if folder in self._stored:
                yield self._stored[folder], StudentPolicy.load(folder / STUDENT, device="cpu") if size else None
                continue
            if size:
                states = states_of(run, agent, settings) if states is None else states
                student = teach_student(f"{run.method} seed {run.seed}", agent, states, run.scenario, size, settings)
            result = evaluator.evaluate(student)
            if folder is not None:
                if student is not None:
                    student.save(folder / STUDENT)
                    self._write_card(folder / STUDENT, run, result)
                with atomic_write(folder / STUDENT_SUMMARY) as file:  # last: one that has it is finished
                    stored = {"config": self._configuration(run), **result._asdict()}
                    file.write(json.dumps(stored, indent=2).encode())
            yield result, student

    def _write_card(self, path: Path, run: Run, result: StudentResult) -> None:
        summary = {
            "agent": f"student of {result.teacher}, {result.network}",
            "head": result.head,
            "twin": None,
            "utility": result.utility,
            "seed": result.seed,
        }
        data = f"what its teacher chooses in the states of its {self.settings.states}"
        where = f"unseen cells of seeds {list(self.settings.evaluation.seeds)}"
        write_agent_card(path, run.scenario, summary, data, where)


def _root(teachers: str | Path | Sequence[Run]) -> Path:
    """The folder below which runs were looked for, or are."""
    if isinstance(teachers, str | Path):
        given = Path(teachers).resolve()
        return given.parent if given.name in (AGENT, PLANNER_FILE) else given
    return Path(os.path.commonpath([run.folder.resolve() for run in teachers]))


def _refuse_offline(given: Path) -> None:
    """Refuse agents that learned from a history: they have no cell that students could be compared in.

    Raises:
        ValueError: the folder, or what is below it, holds runs of this kind alone; the message names the key of the
            log's mapping, too, where that would have to be another.
    """
    folder = given.parent if given.name == AGENT else given
    found = sorted(path.parent for path in folder.rglob(OFFLINE_SUMMARY))
    if not found or any(folder.rglob(SUMMARY)):
        return
    layout = History.load(found[0] / HISTORY).layout
    why = reason(bool(layout.held), bool(layout.smallest))
    more = len(found) - 1
    others = f" (as {'is 1 other' if more == 1 else f'are {more} others'} below {str(folder)!r})" if more else ""
    raise ValueError(
        f"teacher: {str(found[0])!r} is a run of experiments.offline{others}, allowed are runs of experiments.train, "
        f"as `python -m experiments.train hydra.run.dir=<folder>` leaves them{'; ' if why else ''}{why}"
    )


class _Evaluator:
    """The evaluation of a teacher and its students, on the same unseen cells.

    Args:
        run: of the teacher.
        agent: the teacher.
        settings: of the evaluation.
    """

    def __init__(self, run: Run, agent: BaseAlgorithm | Planner, settings: Settings) -> None:
        self._run, self._agent = run, agent
        self._seeds = settings.evaluation.seeds
        self._cells = make_cells(run.scenario, len(self._seeds))
        self._decisions = settings.evaluation.decisions or run.scenario.decisions_per_episode
        self._met = states_met(agent, self._cells, list(self._seeds), self._decisions * len(self._seeds))
        self._wanted: npt.NDArray[np.int64] = agent.predict(self._met, deterministic=True)[0]

    def evaluate(self, student: StudentPolicy | None) -> StudentResult:
        """The figures of a student; None: of the teacher."""
        policy: Predictor = self._agent if student is None else student
        evaluation = evaluate_policy("", policy, self._cells, self._seeds, self._decisions)
        chosen, _ = policy.predict(self._met, deterministic=True)
        network = network_of(self._agent) if student is None else student  # a planner has none, and no parameters
        return StudentResult(
            scenario=self._run.scenario.name,
            head=str(self._run.summary["head"]),
            teacher=self._run.method,
            seed=self._run.seed,
            hidden=0 if student is None else student.hidden,
            utility=float(evaluation.utility.mean()),
            reward_at_c_max=float(evaluation.reward.mean()),
            agreement=float(np.mean(chosen == self._wanted)),
            allocations=len(np.unique(chosen)),
            parameters=0 if network is None else sum(weights.numel() for weights in network.parameters()),
        )
