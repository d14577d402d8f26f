"""A log's traffic as a scenario, replayed once; and a twin of the arrivals, evaluated on what it has not seen."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.config.bounds import check_bounds
from experiments.config.threads import torch_threads
from experiments.fidelity import FidelityResult, fidelity
from experiments.fidelity import Settings as FidelitySettings
from experiments.reporting.cards import write_card
from experiments.reporting.tables import aligned
from experiments.traffic.figure import plot_traffic
from experiments.traffic.settings import Settings
from slicing_gym import Empirical, Scenario, get_scenario
from slicing_gym.errors import check_instance
from slicing_gym.measured import MOST_LEVELS
from twin import DigitalTwin
from twin.traffic import KEPT_OUT, Replay, TrafficLog, TrafficTwin, replay, scenario_from_log

PATHS = 25
"""Paths of a twin that make a trace, an episode each."""


@dataclass(frozen=True)
class TrafficResult:
    """What became of a log's traffic.

    Args:
        scenario: whose traces hold it.
        log: the traffic.
        replayed: what reaches the simulator.
        twin: of the arrivals, fitted to all of the log; None without one.
        evaluation: of such a twin on what was held out; None without one.
    """

    scenario: Scenario
    log: TrafficLog
    replayed: Replay
    twin: TrafficTwin | None = None
    evaluation: FidelityResult | None = None

    def report(self) -> str:
        """The loads of log and simulator, one row per slice; and the figures of the twin."""
        found, interval_s = self.replayed, self.scenario.radio.interval_s
        wanted, arrived = (array.reshape(-1, array.shape[-1]) for array in (found.wanted, found.arrived))
        rows = []
        for place, part in enumerate(self.scenario.slices):
            packets = self.log.packets_of(part.name, part.traffic.packet_size_byte.mean) / self.log.period_s
            rows.append(
                [
                    part.name,
                    str(part.num_users),
                    f"{packets.mean():.4g} ± {packets.std():.3g}",
                    f"{wanted[:, place].mean() / interval_s:.4g} ± {wanted[:, place].std() / interval_s:.3g}",
                    f"{arrived[:, place].mean() / interval_s:.4g} ± {arrived[:, place].std() / interval_s:.3g}",
                    f"{found.offered_bps[place] / 1e6:.3g}",
                ]
            )
        header = ["slice", "users", "log [packets/s]", "trace", "replayed", "Mbit/s"]
        runs = len(np.unique(self.log.run))
        lines = [
            f"{len(self.log):,} intervals of {self.log.period_s:g} s in {runs} run{'s' if runs > 1 else ''}; "
            f"one becomes a decision of {interval_s:g} s",
            *(f"note: {note}" for note in self.log.notes),
            aligned(header, rows),
            "mean ± standard deviation over intervals; replayed: an episode of two cells, the bandwidth split evenly",
        ]
        for part, share in zip(self.scenario.slices, found.kept_out, strict=True):
            if share > KEPT_OUT:
                lines.append(f"note: full queues keep {share:.0%} of the packets of {part.name} out, were it split so")
        return "\n".join([*lines, *([] if self.evaluation is None else [self.evaluation.report()])])

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the scenario (YAML), the picture and, if there is one, the twin with its card into a folder."""
        place = Path(folder)
        paths = [place / f"{self.scenario.name}.yaml", place / "traffic.png"]
        self.scenario.save(paths[0])
        plot_traffic(paths[1], self.log, self.replayed)
        if self.twin is not None:
            paths.append(place / "arrivals.safetensors")
            self.twin.save(paths[-1])
            rows = {
                "What": "digital twin of arrivals alone: it makes paths of them, and no environment",
                "Of": f"slices {', '.join(self.twin.slices)} (in this order)",
                "Data": f"{len(self.log)} intervals of {self.log.period_s:g} s of a log",
                "Fidelity": "printed by the command that made it, if it held runs out",
                "Seed": f"{self.twin.twin.seed} (of the fit)",
                "Use": f"`twin.traffic.TrafficTwin.load({paths[-1].name!r})`",
            }
            write_card(paths[-1], f"A twin of the arrivals of {self.scenario.name}", rows, simulated=False)
        return paths


def traffic(
    log: TrafficLog,
    base: str | Scenario = "paper",
    settings: Settings | None = None,
    folder: str | os.PathLike[str] | None = None,
    *,
    twin: DigitalTwin | None = None,
) -> TrafficResult:
    """Make a scenario of a log's traffic, and a twin of its arrivals.

    Args:
        log: as of `twin.traffic.traffic_of`.
        base: a preset's name or a `Scenario`: see `scenario_from_log`.
        settings: what is made of the log.
        folder: where scenario, picture and twin go; None: nowhere.
        twin: with the settings of the fits; None: no twin.

    Raises:
        ValueError, TypeError: something is not allowed; the message names it.
    """
    settings = Settings() if settings is None else settings
    check_instance("settings", settings, (Settings,))
    check_bounds(settings)
    check_resample(settings, twin)
    of_base = get_scenario(base)
    source, fitted, evaluation = log, None, None
    with torch_threads(settings.torch_threads):
        if twin is not None:
            fitted = TrafficTwin(twin.transition, twin.training, twin.seed).fit(log, progress=settings.progress)
            evaluation = _evaluation(log, twin, settings)
    if settings.resample and fitted is not None:
        length = min(of_base.decisions_per_episode, MOST_LEVELS)
        source = fitted.sample(range(max(1, min(PATHS, MOST_LEVELS // length))), length)
    scenario = traced_scenario(source, log, of_base, settings)
    result = TrafficResult(scenario, log, replay(scenario), fitted, evaluation)
    if folder is not None:
        result.write(folder)
    return result


def check_resample(settings: Settings, twin: DigitalTwin | None) -> None:
    """Refuse to resample without a twin.

    Raises:
        ValueError: there is none.
    """
    if settings.resample and twin is None:
        raise ValueError("resample: true given without a twin; allowed with twin=lstm or twin=transformer")


def traced_scenario(source: TrafficLog, log: TrafficLog, base: Scenario, settings: Settings) -> Scenario:
    """The scenario of a log, or of paths of its twin; a twin of packets knows no sizes, which are the log's."""
    sizes = {name: log.packet_sizes(name) for name in log.slices}
    return scenario_from_log(
        source,
        base,
        name=settings.name,
        scale=settings.scale,
        users=settings.users,
        sla=settings.sla,
        reward=settings.reward,
        packet_size_byte={name: Empirical.of(values) for name, values in sizes.items() if values is not None},
    )


def _evaluation(log: TrafficLog, twin: DigitalTwin, settings: Settings) -> FidelityResult:
    """A twin fitted to all but the last part of a log, on this."""
    wanted = FidelitySettings(
        held_out_runs=settings.held_out_runs,
        tree=False,
        progress=settings.progress,
        torch_threads=settings.torch_threads,
    )
    made = TrafficTwin(twin.transition, twin.training, twin.seed).twin
    return fidelity(made, settings=wanted, history=log.history())
