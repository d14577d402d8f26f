"""`python -m experiments.evaluate policy=random,hard,best_fixed scenario=paper`: policies side by side."""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments.config.hydra import CONFIG_FOLDER, check_overrides, with_lists
from experiments.evaluate.run import evaluate

LISTS = ("policy", "imports")
"""Keys of which `key=a,b` is a list."""


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="evaluate")
def main(config: DictConfig) -> None:
    """The command."""
    evaluate(config, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    sys.argv[1:] = with_lists(sys.argv[1:], LISTS)
    check_overrides("evaluate", sys.argv[1:])
    main()
