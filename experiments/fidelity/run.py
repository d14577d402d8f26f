"""`fidelity`: twins fitted to histories, and how far they can be trusted on runs that they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.baselines import unknown_policy
from experiments.config.bounds import check_bounds
from experiments.config.threads import torch_threads
from experiments.fidelity.evaluation import Outcome, evaluate_on_cell, evaluate_on_history, split
from experiments.fidelity.measures import Figures, over_blocks, over_cells
from experiments.fidelity.report import as_lines, as_table, not_learned, plot_fidelity, write_figures, write_text
from experiments.fidelity.settings import POLICIES, WINDOW, Settings
from experiments.fidelity.uncertainty import Uncertainty, left_out_in_turn
from experiments.fidelity.uncertainty_picture import plot_uncertainty
from experiments.fidelity.verdict import Evidence, Verdict, verdicts
from experiments.reporting.cards import write_twin_card
from experiments.reporting.statistics import blocks_of
from experiments.runs.folder import FIDELITY, HISTORY, TWIN
from slicing_gym import Scenario, get_scenario
from slicing_gym.errors import check_instance, check_integer
from slicing_gym.progress import ProgressBar
from twin import DigitalTwin, History, TransitionSettings
from twin.runtime.monotonicity import remedies, starved

REPORT = "fidelity.txt"
"""What the command prints."""

UNCERTAINTY = "uncertainty.png"
"""The picture of what the uncertainty of twins is worth."""


@dataclass(frozen=True)
class FidelityResult:
    """How far twins can be trusted.

    Args:
        scenario: of the cells.
        title: what was done, in a line.
        figures: means with their 95 % intervals by metric, variable and predictor.
        outcomes: of each twin: its figures, a rollout and the fitted twin.
        names: of the twins' files.
        parts: cells, or blocks of held-out decisions, that intervals are over.
        history: that a twin was fitted to and evaluated on; None of cells.
        remarks: lines at the end of the report.
    """

    scenario: Scenario
    title: str
    figures: Figures
    outcomes: Sequence[Outcome]
    names: Sequence[str]
    parts: int
    history: History | None = None
    remarks: Sequence[str] = ()

    def report(self) -> str:
        """What the twins are good for; below it the figures, a row per metric and variable, a column per predictor."""
        report = self.outcomes[0].twin.report
        of_fit = () if report is None else report.notes
        notes = [*of_fit, *not_learned(self.figures)]
        units = {name: column.unit for name, column in self.outcomes[0].twin.model.layout.variables}
        table = as_table(self.figures, units)
        evidence = self._evidence
        if evidence.arrivals_alone:
            notes.append(
                "the twin predicts arrivals alone; of a log that has decisions, a mapping with ssr and "
                "spectral_efficiency brings verdicts on the utility"
            )
        advice = remedies(self.outcomes[0].twin.model, of_fit) if evidence.contradicted else []
        verdict = as_lines(verdicts(evidence), evidence.range, advice)
        return "\n".join([self.title, *verdict, *(f"note: {note}" for note in notes), table, *self.remarks])

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Go, go with care, cannot tell or no-go for each use of the twins."""
        return verdicts(self._evidence)

    @property
    def _evidence(self) -> Evidence:
        shares = np.array([outcome.held_out for outcome in self.outcomes])
        held_out = int(shares.sum())
        new = float(shares @ [outcome.new for outcome in self.outcomes]) / held_out
        first = self.outcomes[0]
        ssr = {name: float(shares @ [each.ssr[name] for each in self.outcomes]) / held_out for name in first.ssr}
        restricted = bool(first.twin.model.layout.held)
        alone = not first.twin.model.layout.columns
        held = {} if self.history is None or alone else first.held  # units are nothing to arrivals
        part = "cell" if self.history is None else "block"
        return Evidence(
            self.figures,
            self.scenario,
            held_out,
            new,
            self.parts,
            part,
            restricted,
            ssr,
            first.terms,
            held,
            self._starved,
            arrivals_alone=alone,
        )

    @property
    def _starved(self) -> tuple[str, ...]:
        """Slices that may count as met where nothing arrives: in a cell all, of a log those of which it has such."""
        return self.scenario.slice_names if self.history is None else starved(self.history)

    def write(self, folder: str | Path) -> list[Path]:
        """Write its files into a folder."""
        paths = [Path(folder) / name for name in self.files]
        if self.history is not None:  # all of it, for agents that learn offline
            self.history.save(Path(folder) / HISTORY)
        write_figures(paths[0], self.scenario.name, self.figures)
        write_text(paths[1], self.report())
        plot_fidelity(paths[2], self.figures, self.outcomes[0], self.verdicts)
        for path, outcome in zip(paths[3:], self.outcomes, strict=False):
            outcome.twin.save(path)
            write_twin_card(
                path, outcome.twin, self.title, self._in_a_line(), simulated=True if self.history is None else None
            )
        if self._uncertainties:
            plot_uncertainty(Path(folder) / UNCERTAINTY, self.scenario.name, self._uncertainties)
        return paths

    def _in_a_line(self) -> str:
        """The figures of the twins' utility, as their cards have them."""
        wanted = [key for key in self.figures if key[1:] == ("utility", "twin")]
        found = [f"{metric} of utility {self.figures[metric, name, by].mean:.3g}" for metric, name, by in wanted]
        told = [f"{verdict.use}: {verdict.answer}" for verdict in self.verdicts]
        return "; ".join([*found, *told, f"all figures in {FIDELITY}"])

    @property
    def files(self) -> list[str]:
        """What it writes: figures, report, picture, twins; a picture of the uncertainty and a history if any."""
        also = {UNCERTAINTY: self._uncertainties, HISTORY: self.history is not None}
        return [FIDELITY, REPORT, "fidelity.png", *self.names, *(name for name, there in also.items() if there)]

    @property
    def _uncertainties(self) -> list[Uncertainty]:
        return [outcome.uncertainty for outcome in self.outcomes if outcome.uncertainty is not None]


def fidelity(
    twin: str | TransitionSettings | DigitalTwin = "lstm",
    scenario: str | Scenario = "paper",
    settings: Settings | None = None,
    folder: str | Path | None = None,
    *,
    history: History | None = None,
) -> FidelityResult:
    """Fit twins to random decisions on simulated cells, or one to a history, and evaluate them on held-out runs.

    Args:
        twin: "lstm", "transformer", settings of a transition, or a `DigitalTwin` with the settings of every fit.
        scenario: a preset's name or a `Scenario`; not used with a history.
        settings: of the evaluation.
        folder: where figures, report, picture and twins go; None: nowhere.
        history: the twin is fitted to the first runs and evaluated on the last; of few runs, to the first part of each.

    Raises:
        ValueError, TypeError: something is not allowed; the message names it. Nothing was run.
    """
    if history is not None:
        check_instance("history", history, (History,))
        scenario = history.scenario
    made = twin if isinstance(twin, DigitalTwin) else DigitalTwin(twin)
    settings = Settings() if settings is None else settings
    return Fidelity(made, get_scenario(scenario), settings, folder, history).run()


@dataclass(frozen=True)
class Fidelity:
    """An evaluation of twins that has passed its checks.

    Args:
        twin: with the settings of every fit.
        scenario: of the cells, or of the history.
        settings, folder, history: see `fidelity`.
        remarks: lines at the end of the report.
    """

    twin: DigitalTwin
    scenario: Scenario
    settings: Settings
    folder: str | Path | None = None
    history: History | None = None
    remarks: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_instance("settings", self.settings, (Settings,))
        check_bounds(self.settings)
        for name in self.settings.policies:
            if name not in POLICIES:
                raise ValueError(unknown_policy("policies", name, POLICIES))
        if self.history is not None:
            self._check_runs(self.history)
        else:
            check_integer("decisions", self.settings.decisions, at_least=self.twin.min_decisions)

    def _check_runs(self, history: History) -> None:
        """Refuse a history that leaves too little to fit to, or to evaluate on."""
        past, held_out = split(history, self.settings.held_out_runs)
        longest = max(block.stop - block.start for block in held_out.sequences())
        least = self.twin.min_decisions
        if len(past) < least or longest < WINDOW + 2:
            raise ValueError(
                f"held_out_runs: {self.settings.held_out_runs} given, the history has {len(history.runs)} runs; that "
                f"leaves {len(past)} decisions to fit to and at most {longest} in a row to evaluate on, allowed are "
                f"{least} and {WINDOW + 2} or more"
            )

    def ahead(self) -> str:
        """How many fits a history takes, if it is more than one; they take minutes each where decisions are many."""
        left_out = () if self.history is None else left_out_in_turn(self.history, self.settings)
        if not len(left_out):
            return ""
        return (
            f"{1 + len(left_out)} fits of the twin: one to all that is not held out, and {len(left_out)} with an "
            "allocation left out in turn (left_out=0 skips these, left_out=<number> takes the most often held)"
        )

    def run(self) -> FidelityResult:
        """Fit and evaluate the twins, and write what they brought if there is a folder."""
        with torch_threads(self.settings.torch_threads):
            result = self._on_cells() if self.history is None else self._on_history(self.history)
        if self.folder is not None:
            result.write(self.folder)
        return result

    def _on_cells(self) -> FidelityResult:
        settings, outcomes = self.settings, []
        names = [f"twin_{seed}.safetensors" for seed in settings.seeds]
        for seed, name in ProgressBar(list(zip(settings.seeds, names, strict=True)), "cells", delay=settings.delay):
            outcomes.append(evaluate_on_cell(self.twin, self.scenario, seed, settings, self._keep(name)))
        title = (
            f"scenario {self.scenario.name}: {settings.decisions} random decisions a cell, seeds {list(settings.seeds)}"
            f"; held out: {settings.held_out_runs} runs of {settings.run_length}; ± 95 % interval over cells"
        )
        figures = over_cells([outcome.measures for outcome in outcomes])
        return FidelityResult(self.scenario, title, figures, outcomes, names, len(outcomes), remarks=self.remarks)

    def _on_history(self, history: History) -> FidelityResult:
        if self.folder is not None:
            history.save(Path(self.folder) / HISTORY)
        name = TWIN
        outcome, held_out = evaluate_on_history(self.twin, history, self.settings, self._keep(name))
        runs, given = len(history.runs), self.settings.held_out_runs
        last = f"the last {given}" if runs > given else f"the last decisions of each run, {len(held_out)} in all"
        title = (
            f"history of {self.scenario.name}: {len(history)} decisions in {runs} run{'' if runs == 1 else 's'}; held "
            f"out: {last}; ± 95 % interval by bootstrap over blocks of 25 decisions"
        )
        figures = over_blocks(outcome.measures, held_out.run)
        parts = len(blocks_of(held_out.run))
        return FidelityResult(self.scenario, title, figures, [outcome], [name], parts, history, self.remarks)

    def _keep(self, name: str) -> Callable[[DigitalTwin], None]:
        """Saves a twin once it is fitted: what comes after may be interrupted, or fail."""

        def keep(twin: DigitalTwin) -> None:
            if self.folder is not None:
                twin.save(Path(self.folder) / name)

        return keep
