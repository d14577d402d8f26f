"""`evaluate`: policies compared on the same cells, with common random numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents import FixedPolicy
from agents.baselines import BASELINES
from experiments.config.bounds import check_bounds
from experiments.evaluate.figure import plot_evaluation
from experiments.evaluate.origin import from_elsewhere
from experiments.evaluate.policies import check_policies, labelled, load_policies
from experiments.evaluate.report import as_table, headroom, queue_warnings, write_csv
from experiments.evaluate.rollout import Evaluation, Predictor, compare, make_cells
from experiments.evaluate.settings import Settings
from slicing_gym import Scenario, get_scenario
from slicing_gym.errors import check_instance


@dataclass(frozen=True)
class EvaluationResult:
    """Policies on the same cells.

    Args:
        scenario: of the cells.
        policies: by what they are called.
        evaluations: of each.
        notes: a line for each policy that was trained in another scenario.
    """

    scenario: Scenario
    policies: Mapping[str, Predictor]
    evaluations: Sequence[Evaluation]
    notes: Sequence[str] = ()

    def report(self) -> str:
        """The comparison as text."""
        seeds = list(self.evaluations[0].seeds)
        lines = [
            f"scenario {self.scenario.name}: {self.scenario.num_allocations} allocations; seeds {seeds}, ± 95 % "
            "interval over cells",
            as_table(self.scenario, self.evaluations, with_reward=self.scenario.reward.kind == "shaped"),
            *self.notes,
        ]
        for name, policy in self.policies.items():
            if isinstance(policy, FixedPolicy):
                units = "-".join(map(str, policy.units))
                lines.append(f"{name} holds {units} units ({', '.join(self.scenario.slice_names)})")
        room = headroom(self.evaluations)
        lines += [] if room is None else [f"headroom (one-step oracle - best fixed): {room}"]
        return "\n".join([*lines, *queue_warnings(self.scenario, self.evaluations)])

    def write(self, folder: str | Path) -> list[Path]:
        """Write `evaluation.csv` and `evaluation.png` into a folder."""
        paths = [Path(folder) / "evaluation.csv", Path(folder) / "evaluation.png"]
        write_csv(paths[0], self.scenario, self.evaluations)
        plot_evaluation(paths[1], self.scenario, self.evaluations)
        return paths


def evaluate(
    policies: str | Path | Sequence[str | Path] | Mapping[str, Predictor | str | Path],
    scenario: str | Scenario = "paper",
    settings: Settings | None = None,
    *,
    trust: bool = False,
) -> EvaluationResult:
    """Compare policies on the same cells.

    Args:
        policies: names of baselines, allocations, files, classes (see `experiments.evaluate.policies`); or, by what
            they are called, such names and objects with Stable-Baselines3's `predict`.
        scenario: a preset's name or a `Scenario`.
        settings: of the evaluation.
        trust: let files of agents run code.

    Raises:
        ValueError, TypeError: something is not allowed; the message names it. Nothing was run.
    """
    return Comparison(policies, scenario, settings, trust=trust).run()


class Comparison:
    """A comparison that has passed its checks.

    Args:
        policies, scenario, settings, trust: see `evaluate`.
    """

    def __init__(
        self,
        policies: str | Path | Sequence[str | Path] | Mapping[str, Predictor | str | Path],
        scenario: str | Scenario = "paper",
        settings: Settings | None = None,
        *,
        trust: bool = False,
    ) -> None:
        self.settings = Settings() if settings is None else settings
        check_instance("settings", self.settings, (Settings,))
        check_bounds(self.settings)
        self.scenario = get_scenario(scenario)
        self._trust = trust
        self._cells = make_cells(self.scenario, len(self.settings.seeds), self.settings.threads)
        given = [policies] if isinstance(policies, str | Path) else policies
        self._labelled = isinstance(given, Mapping)
        self._given = dict(given) if isinstance(given, Mapping) else {str(each): str(each) for each in given}
        if not isinstance(given, Mapping) or not given:
            check_policies([str(each) for each in given], self.scenario)
        names = [str(each) for each in self._given.values() if isinstance(each, str | Path)]
        for name, policy in self._given.items():
            if not isinstance(policy, str | Path) and not callable(getattr(policy, "predict", None)):
                raise TypeError(
                    f"policies: {name!r} is {policy!r}, allowed is a name, or what has predict(observation)"
                )
        if names:
            check_policies(names, self.scenario)
            self._load([name for name in names if name not in BASELINES])  # these may search for long

    def _load(self, names: Sequence[str]) -> dict[str, Predictor]:
        threads = self.settings.threads
        return load_policies(names, self.scenario, self._cells, num_threads=threads, trust=self._trust)

    def run(self) -> EvaluationResult:
        """Evaluate each policy."""
        settings = self.settings
        names = [str(each) for each in self._given.values() if isinstance(each, str | Path)]
        loaded = self._load(names)
        policies = {
            name: loaded[str(each)] if isinstance(each, str | Path) else each for name, each in self._given.items()
        }
        policies = policies if self._labelled else labelled(policies, ())
        found = compare(self.scenario, policies, self._cells, settings.seeds, settings.decisions, settings.progress)
        return EvaluationResult(self.scenario, policies, found, from_elsewhere(names, self.scenario))
