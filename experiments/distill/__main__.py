"""`python -m experiments.distill teacher=runs/dense hidden=4`: students of trained agents (the paper's Fig. 8)."""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments.config.hydra import (
    CONFIG_FOLDER,
    check_overrides,
    resumable,
    with_lists,
)
from experiments.distill.run import run

LISTS = ("hidden", "agents", "imports")
"""Keys that may be typed as `hidden=4,16`."""


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="distill")
def main(config: DictConfig) -> None:
    """The command."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    with resumable(folder):
        run(config, folder)


if __name__ == "__main__":
    sys.argv[1:] = with_lists(sys.argv[1:], LISTS)
    check_overrides("distill", sys.argv[1:])
    main()
