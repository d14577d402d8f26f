"""From a history to a `TwinModel`: what is fitted, on which decisions, and what the history was like (PyTorch)."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from twin.data.allocations import about_allocations
from twin.data.history import History
from twin.data.layout import IDLE, Layout
from twin.fitting.choice import gain_of_autoregression
from twin.fitting.closed import Rows, solve_arrivals, solve_performance
from twin.fitting.devices import check_device
from twin.fitting.loop import Fitted
from twin.fitting.marginals import sharpened, shrunk, with_marginals
from twin.fitting.networks import Folds, Networks, fit_networks, parameters_of
from twin.fitting.scales import moved_scaler
from twin.fitting.structure import FEW, Candidate, structure_of
from twin.fitting.windows import about_hold_out, hold_out, initial_windows, mixed, modal_controls
from twin.models.parameters import Parameters
from twin.models.performance import EnsembleNetwork
from twin.models.registry import transition_settings
from twin.models.settings import NEURAL_DECISIONS, PerformanceSettings, TrainingSettings, TransitionSettings
from twin.runtime import arrays
from twin.runtime.coverage import Coverage
from twin.runtime.encoding import encode, make_scaler, measured_by, opened, widen
from twin.runtime.model import TwinModel
from twin.runtime.presence import Presence

STAND_IN = "autoregressive"
"""The kind of transition that stands in for networks."""


@dataclass(frozen=True)
class Report:
    """How a twin came about.

    Args:
        decisions, runs: of the history.
        transition, performance: how what was taken was fitted; 0 epochs in closed form.
        notes: which structure was taken and why, what is unusual about the history, and how it was handled.
        choice: seconds that the choice between structures took, with those of all networks that were not taken: a
            cross-validation alone fits five.
    """

    decisions: int
    runs: int
    transition: Fitted
    performance: Fitted
    notes: tuple[str, ...]
    choice: float = 0.0

    @property
    def seconds(self) -> float:
        """Time the two fits took, and the choice of what is fitted."""
        return self.transition.seconds + self.performance.seconds + self.choice


def fit(
    history: History,
    transition: TransitionSettings,
    performance: PerformanceSettings,
    settings: TrainingSettings,
    seed: int,
    present: TwinModel | None = None,
    progress: float = False,
    log_folder: Path | None = None,
    device: str = "cpu",
) -> tuple[TwinModel, Report]:
    """Fit a model to a history, from scratch or from a present model, whose structure stays what it is.

    Torch's own generator is seeded for the time of the fit and then put back. Networks learn on the device; all else,
    and what is left behind, is on the CPU.
    """
    check_device("device", device)
    enough = len(history) >= NEURAL_DECISIONS
    f, structure = (present.transition, present.structure) if present else (transition, performance.structure)
    if present:  # what was fitted without random functions goes on so, whatever was asked for
        performance = replace(performance, prior_scale=present.performance.prior_scale)
    neural_f = f if enough and not f.closed_form else None
    neural_g = performance if enough and structure != "per_slice" else None
    scaler = _scaler(present, history, neural_f is not None)
    folds = [hold_out(history, settings.validation_share, number) for number in range(f.members)]
    how = (settings, seed, present, progress, log_folder, device)
    networks = fit_networks(history, scaler, folds, neural_f, neural_g, *how)
    notes: list[str] = []
    started, choosing = time.perf_counter(), not present and structure != "joint"
    if choosing:
        f, why = _arrivals_of(networks, f, scaler, folds)
        notes += why
    made = cache(partial(_model, history, folds[0][1], networks, f, scaler, seed, present))
    taken = Candidate(structure, performance, networks.performance, networks.about_performance)
    if choosing:
        ensemble = partial(_ensemble, scaler, (settings, seed, None, progress, None, device))
        given = (performance, scaler, folds, history, settings.validation_share, seed)
        taken, why = structure_of(networks, *given, ensemble, lambda candidate: made(candidate)[0])
        notes += why
    choice = time.perf_counter() - started
    if networks:
        notes.append(about_hold_out(history, folds[0][1]))
    model, seconds = made(taken)
    closed = [Fitted(0, 0, float("nan"), each) for each in seconds]
    learned = None if f.closed_form else networks.about_transition, taken.about
    choice += _seconds(networks.about_transition, networks.about_performance) - _seconds(*learned)
    about = learned[0] or closed[0], learned[1] or closed[1]
    return model, Report(len(history), len(history.runs), *about, (*notes, *_remarks(history, model)), choice)


def _seconds(*fits: Fitted | None) -> float:
    """That fits of networks took."""
    return sum(each.seconds for each in fits if each is not None)


def _ensemble(
    scaler: arrays.Scaler, how: Any, performance: PerformanceSettings, fold: tuple[History, History]
) -> tuple[EnsembleNetwork, Fitted]:
    """The networks of the performance alone, fitted to a fold with these settings, and how they were."""
    history, _ = fold
    fitted = fit_networks(history, scaler, [fold], None, performance, *how)
    assert fitted.performance is not None
    assert fitted.about_performance is not None
    return fitted.performance, fitted.about_performance


def _scaler(present: TwinModel | None, history: History, neural: bool) -> arrays.Scaler:
    """The scales of the history, or those of a present model with room for it."""
    layout, measured = history.layout, measured_by(history)
    if present is None:
        return make_scaler(layout, measured)
    return moved_scaler(present, layout, history) if neural else widen(present.scaler, layout, measured)


def _arrivals_of(
    networks: Networks, asked: TransitionSettings, scaler: arrays.Scaler, folds: Folds
) -> tuple[TransitionSettings, list[str]]:
    """The transition that is taken, and why: of decisions enough for both, what explains held-out ones better."""
    if asked.closed_form:
        return asked, []
    other = transition_settings(STAND_IN)
    if networks.transition is None:
        return other, [f"arrivals: {other.name} instead of {asked.name}, as {FEW}"]
    gain = gain_of_autoregression(networks.transition, asked, other, scaler, folds)
    taken, left = (other, asked) if gain > 0.0 else (asked, other)
    return taken, [f"arrivals: {taken.name}, better than {left.name} by {abs(gain):.3f} nat a held-out decision"]


def _model(
    history: History,
    held_out: History,
    networks: Networks,
    f: TransitionSettings,
    scaler: arrays.Scaler,
    seed: int,
    present: TwinModel | None,
    taken: Candidate,
) -> tuple[TwinModel, tuple[float, float]]:
    """The model of what was taken, closed forms being solved for all decisions; and the seconds that these took."""
    layout, started = history.layout, time.perf_counter()
    encoded = encode(layout, scaler, history)
    rows = Rows.of(encoded)
    if f.closed_form or networks.transition is None:
        f_parameters = solve_arrivals(f, scaler, rows, layout.scenario.num_slices)
    else:
        f_parameters = parameters_of(networks.transition)
    solved_f = time.perf_counter()
    network = taken.network if taken.structure == "joint" else None
    scaler, g_parameters = _performance_of(network, layout, scaler, rows, seed, present)
    solved_g = time.perf_counter()
    windows = initial_windows(encoded, history)
    model = TwinModel(
        layout=layout,
        scaler=scaler,
        transition=f,
        performance=taken.settings,
        transition_parameters=f_parameters,
        performance_parameters=g_parameters,
        initial_windows=windows,
        rehearsal=mixed(present.rehearsal, windows.features) if present else windows.features,
        modal_controls=modal_controls(layout, history),
        structure=taken.structure,
        presence=Presence.of(history, encoded.measured),
        coverage=_coverage(present, history),
    )
    if present is None:
        stop = encode(layout, scaler, held_out)
        model = with_marginals(shrunk(sharpened(model, stop), stop), encoded.features)
    return model, (solved_f - started, solved_g - solved_f)


def _coverage(present: TwinModel | None, history: History) -> Coverage | None:
    """What a history covers, with what a present model was fitted to; None if that is unknown."""
    if present is None:
        return Coverage.of(history)
    return None if present.coverage is None else present.coverage.with_decisions(history)


def _performance_of(
    network: EnsembleNetwork | None,
    layout: Layout,
    scaler: arrays.Scaler,
    rows: Rows,
    seed: int,
    present: TwinModel | None,
) -> tuple[arrays.Scaler, Parameters]:
    """Scales and parameters of the performance: of networks, or solved for all decisions."""
    if network is not None:
        return scaler, parameters_of(network)
    if present:
        return scaler, solve_performance(layout, scaler, rows.with_kept(present), seed)
    scaler = opened(scaler, layout, rows.measured, slice(layout.scenario.num_slices, None))
    return scaler, solve_performance(layout, scaler, rows, seed)


_STAYS = "it is predicted so, whatever the allocation"
_SPREADS = (
    "nothing says what would change it. It is predicted so within the units held; further off predictions spread, and "
    "their mean moves from it"
)


def _remarks(history: History, model: TwinModel) -> list[str]:
    """What is unusual about a history, and what a model makes of it."""
    notes, layout = [], model.layout
    gaps = len(history.sequences()) - len(history.runs)
    if gaps:
        notes.append(f"{gaps} gaps in the numbers of the intervals: memory begins again after each")
    measured, nobody = measured_by(history), None if layout.idle is None else f"_{IDLE}"
    for v, (name, _) in enumerate(layout.variables):
        if nobody is not None and name.endswith(nobody):
            continue  # nobody's units have nothing that could vary
        if (measured[:, v] == measured[0, v]).all():
            spreads = model.structure == "per_slice" and v >= layout.scenario.num_slices
            notes.append(f"{name} is constant ({measured[0, v]:g}): {_SPREADS if spreads else _STAYS}")
    return [*notes, *about_allocations(history)]
