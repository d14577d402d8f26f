"""`python -m experiments.export policy=<run or student>`: a policy as one ONNX file, verified to choose as it does."""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments.config.hydra import CONFIG_FOLDER, check_overrides, with_lists
from experiments.export.run import export


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="export")
def main(config: DictConfig) -> None:
    """The command."""
    export(config, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    sys.argv[1:] = with_lists(sys.argv[1:], ("imports",))
    check_overrides("export", sys.argv[1:])
    main()
