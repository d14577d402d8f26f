"""`python -m experiments.landscape agent=runs/dense`: how flat the loss is around what agents learned (Fig. 7)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments.config.hydra import CONFIG_FOLDER, check_overrides, with_lists
from experiments.landscape.run import landscape


def with_runs(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments in which `agent=<folder>` is `runs=<folder>`; Hydra would look for it in conf/agent."""
    named = [f"runs={each.removeprefix('agent=')}" if each.startswith("agent=") else each for each in arguments]
    return with_lists(named, ("agents", "imports"))


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="landscape")
def main(config: DictConfig) -> None:
    """The command."""
    landscape(config, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    sys.argv[1:] = with_runs(sys.argv[1:])
    check_overrides("landscape", sys.argv[1:])
    main()
