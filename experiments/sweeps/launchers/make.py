"""The launcher that `hydra/launcher=` chose."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from experiments.config.files import CONFIG_FOLDER
from experiments.sweeps.launchers.job import Launcher
from experiments.sweeps.launchers.local import LocalLauncher

_FOLDER = Path(CONFIG_FOLDER) / "hydra" / "launcher"

NAMES = ("basic", *sorted(path.stem for path in _FOLDER.glob("*.yaml")))
"""The launchers of this project."""

_BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
"""What Hydra means by `basic`: it has that name already, and warns of a file of ours by it."""


def make_launcher(config: DictConfig) -> Launcher:
    """The launcher of a composed `hydra.launcher`.

    Raises:
        ValueError: it is a plugin of Hydra's, which runs functions, not processes; or a setting is not allowed.
        TypeError: it is no `Launcher`, or a setting is of the wrong type.
        ImportError: what it needs is not installed; the message says how to install it.
    """
    settings = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True))
    target = str(settings.pop("_target_", None))
    if target == _BASIC:
        return LocalLauncher(n_jobs=1)
    if target.startswith(("hydra_plugins.", "hydra._internal.")):
        raise ValueError(
            f"hydra/launcher: {target!r} is a plugin for Hydra's own sweeps, which run functions; here each run is a "
            f"process. Allowed are {', '.join(NAMES)}, and files with the _target_ of a class of your own that is an "
            "experiments.sweeps.launchers.Launcher"
        )
    launcher = get_object(target)(**settings)
    if not isinstance(launcher, Launcher):
        raise TypeError(f"hydra/launcher: {target!r} makes no experiments.sweeps.launchers.Launcher")
    return launcher
