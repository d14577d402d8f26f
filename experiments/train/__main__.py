"""`python -m experiments.train agent=ddqn twin=lstm scenario=paper`: train an agent and compare it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from experiments.config.hydra import (
    CONFIG_FOLDER,
    check_overrides,
    config_folders,
    readable_errors,
    with_lists,
    without_config_folders,
)
from experiments.runs import checkpoint
from experiments.runs.compare import comparable
from experiments.train.run import train


def with_resumed_run(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments in which `resume=<run folder>` stands for that run's own, in that folder.

    Raises:
        ValueError, FileNotFoundError: the folder is no run's, or was made with another configuration, or with a
            `--config-dir` that is not given.
    """
    given = {key: value for key, _, value in (argument.partition("=") for argument in arguments)}
    name = given.get("resume", "null").strip("'\"")
    if name in ("null", "auto", ""):
        return list(arguments)
    folder = Path(name)
    if not folder.is_dir():
        raise FileNotFoundError(f"resume: there is no folder {name!r}; allowed is the folder of a run, or auto")
    overrides, config = folder / ".hydra" / "overrides.yaml", folder / ".hydra" / "config.yaml"
    if not overrides.is_file() or not config.is_file():
        raise ValueError(f"resume: {name!r} is not the folder of a run; it has no .hydra/overrides.yaml")
    # What may be imported, trusted or searched counts only when it is typed: a folder's files could name anything.
    own = [each for each in map(str, OmegaConf.load(overrides)) if not each.lstrip("+~").startswith(_TYPED)]
    new = [argument for argument in arguments if not argument.startswith("resume=") and argument not in own]
    typed = {each.partition("=")[0] for each in new}
    new += [default for default in ("imports=[]", "trust=false") if default.partition("=")[0] not in typed]
    folders = config_folders(new)
    rest = [argument for argument in without_config_folders(new) if not argument.startswith("hydra")]
    check_overrides("train", new)
    try:
        with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
            now = compose("train", [*own, *rest, *folders])
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"resume: {name!r} was begun with {own}, which do not compose ({reason}); type "
            "--config-dir again, if it was typed then"
        ) from None
    stored = OmegaConf.load(config)
    assert isinstance(stored, DictConfig)
    checkpoint.check_same_config(folder, comparable(stored), comparable(now))
    first = [each for each in new if each not in without_config_folders(new)]
    return [
        *first,
        *own,
        *without_config_folders(new),
        "resume=auto",
        f"hydra.run.dir='{folder}'",
        "hydra.output_subdir=null",
    ]


_TYPED = ("imports", "trust", "hydra")
"""Keys that count only when they are typed, never when a run's files hold them."""


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="train")
def main(config: DictConfig) -> None:
    """The command."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        train(config, folder)
    except KeyboardInterrupt:
        there = (folder / checkpoint.FILE).exists()
        how = (
            f"go on with: python -m experiments.train resume={os.path.relpath(folder)}"
            + (" (and imports, trust, --config-dir as before)" if config.imports or config.trust else "")
            if there
            else "no checkpoint yet"
        )
        raise SystemExit(f"stopped; {how}") from None


if __name__ == "__main__":
    with readable_errors():
        sys.argv[1:] = with_resumed_run(with_lists(sys.argv[1:], ("imports",)))
    check_overrides("train", sys.argv[1:])
    main()
