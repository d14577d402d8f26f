"""`python -m experiments.calibration`: after the traffic has changed, a calibrated twin beside one fitted anew."""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments.calibration.run import run
from experiments.config.hydra import CONFIG_FOLDER, check_overrides


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="calibration")
def main(config: DictConfig) -> None:
    """The command."""
    run(config, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    check_overrides("calibration", sys.argv[1:])
    main()
