"""`python -m experiments.offline history=random agent=ddqn twin=lstm`: learn from a fixed history, and compare."""

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
from experiments.offline.run import offline


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="offline")
def main(config: DictConfig) -> None:
    """The command."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    with resumable(folder):
        offline(config, folder)


if __name__ == "__main__":
    sys.argv[1:] = with_lists(sys.argv[1:], ("imports",))
    check_overrides("offline", sys.argv[1:])
    main()
