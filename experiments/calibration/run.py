"""`calibration`: after the traffic has changed, a calibrated twin compared with one fitted from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.calibration.report import Summary, as_table, plot_calibration, summarize, write_trials
from experiments.calibration.settings import Settings
from experiments.calibration.trials import Trial, run_trials
from experiments.config.bounds import check_bounds
from experiments.config.threads import torch_threads
from slicing_gym import Scenario, get_scenario
from slicing_gym.errors import check_instance, check_integer
from twin import DigitalTwin, TransitionSettings

TABLE = "calibration.csv"


@dataclass(frozen=True)
class CalibrationResult:
    """Twins after the traffic has changed.

    Args:
        scenario: before the change.
        seeds: of the cells.
        trials: of each twin on each cell.
    """

    scenario: Scenario
    seeds: Sequence[int]
    trials: Sequence[Trial]

    @property
    def summary(self) -> list[Summary]:
        """Means over cells, by twin and number of fresh decisions."""
        return summarize(self.trials)

    def report(self) -> str:
        """The comparison as text: one row per twin, one column per metric."""
        return (
            f"scenario {self.scenario.name} before, changed after; seeds {list(self.seeds)}, ± 95 % interval over "
            f"cells\n{as_table(self.summary)}"
        )

    def write(self, folder: str | Path) -> list[Path]:
        """Write `calibration.csv` and `calibration.png` into a folder."""
        paths = [Path(folder) / TABLE, Path(folder) / "calibration.png"]
        write_trials(paths[0], self.trials)
        plot_calibration(paths[1], self.summary)
        return paths


def calibration(
    twin: str | TransitionSettings | DigitalTwin = "lstm",
    scenario: str | Scenario = "paper",
    settings: Settings | None = None,
    folder: str | Path | None = None,
    *,
    changed: str | Scenario,
) -> CalibrationResult:
    """Compare a twin calibrated on few decisions since the traffic changed with one fitted to them from scratch.

    Args:
        twin: "lstm", "transformer", settings of a transition, or a `DigitalTwin` with the settings of every fit.
        scenario: before the change: a preset's name or a `Scenario`.
        settings: of the comparison.
        folder: where files go, the table after each cell; None: nowhere.
        changed: the scenario after the change, as `scenario.replace(...)` makes it, with the same slices and units.

    Raises:
        ValueError, TypeError: something is not allowed; the message names it. Nothing was run.
    """
    made = twin if isinstance(twin, DigitalTwin) else DigitalTwin(twin)
    settings = Settings() if settings is None else settings
    return Calibration(made, get_scenario(scenario), get_scenario(changed), settings, folder).run()


@dataclass(frozen=True)
class Calibration:
    """A comparison that has passed its checks.

    Args:
        twin: with the settings of every fit.
        before: the scenario before the change.
        after: the scenario after it.
        settings, folder: see `calibration`.
    """

    twin: DigitalTwin
    before: Scenario
    after: Scenario
    settings: Settings
    folder: str | Path | None = None

    def __post_init__(self) -> None:
        check_instance("settings", self.settings, (Settings,))
        check_bounds(self.settings)
        check_integer("decisions", self.settings.decisions, at_least=self.twin.min_decisions)
        for what in ("slice_names", "num_units"):
            given, allowed = getattr(self.after, what), getattr(self.before, what)
            if given != allowed:
                raise ValueError(f"changed: {what} {given} given, allowed is what it was before the change: {allowed}")

    def run(self) -> CalibrationResult:
        """Fit, calibrate and evaluate the twins; if there is a folder, its table grows cell by cell."""
        found: list[Trial] = []
        with torch_threads(self.settings.torch_threads):
            for seed in self.settings.seeds:
                found += run_trials(self.twin, self.before, self.after, seed, self.settings)
                if self.folder is not None:
                    write_trials(Path(self.folder) / TABLE, found)
        result = CalibrationResult(self.before, self.settings.seeds, found)
        if self.folder is not None:
            result.write(self.folder)
        return result
