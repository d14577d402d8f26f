"""`python -m experiments.calibration`: compare a calibrated twin with a new one, after the traffic has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from agents.registry import import_modules
from experiments.calibration.run import Calibration
from experiments.calibration.settings import CalibrationConfig
from experiments.commands import command
from experiments.config.parts import change_scenario, make_scenario, make_twin
from twin import transition_kinds


def prepare(config: CalibrationConfig, folder: Path) -> Callable[[], None]:
    """The comparison of a configuration, checked; an error names the key, the value and what is allowed."""
    import_modules(config.imports)
    twin, before, shown = make_twin(config.twin), make_scenario(config.scenario), os.path.relpath(folder)
    if twin is None:
        raise ValueError(f"twin: none given, allowed are {', '.join(transition_kinds())}")
    comparison = Calibration(twin, before, change_scenario(before, config.change), config, shown)

    def run() -> None:
        print(comparison.run().report())
        print(f"written to {shown}: calibration.csv, calibration.png")

    return run


if __name__ == "__main__":
    command("calibration", CalibrationConfig, prepare, lists=("imports",))
