"""A twin after the traffic has changed: `calibration(twin, scenario, changed=...)`, and the command over it."""

from experiments.calibration.report import Summary
from experiments.calibration.run import CalibrationResult, calibration
from experiments.calibration.settings import Settings
from experiments.calibration.trials import METRICS, Trial

__all__ = ["METRICS", "CalibrationResult", "Settings", "Summary", "Trial", "calibration"]
