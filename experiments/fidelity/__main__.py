"""`python -m experiments.fidelity scenario=paper`: fit twins to histories, and tell how far they can be trusted."""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments.config.hydra import CONFIG_FOLDER, check_overrides
from experiments.fidelity.run import run


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="fidelity")
def main(config: DictConfig) -> None:
    """The command."""
    run(config, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    check_overrides("fidelity", sys.argv[1:])
    main()
