"""The launcher that `hydra/launcher=` chose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate

from experiments.sweeps.launchers.job import Launcher
from experiments.sweeps.launchers.local import LocalLauncher

NAMES = ("basic", "joblib")
"""The launchers of this project."""

_BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
"""What Hydra means by `basic`: it has that name already, and warns of a file of ours by it."""


def make_launcher(config: Mapping[str, Any]) -> Launcher:
    """The launcher of a composed `hydra.launcher`.

    Raises:
        ValueError: it is a plugin of Hydra's, which runs functions, not processes.
        TypeError: it is no `Launcher`.
        ModuleNotFoundError: what it needs is not installed; the message says how to install it.
    """
    target = str(config.get("_target_"))
    if target == _BASIC:
        return LocalLauncher(n_jobs=1)
    if target.startswith(("hydra_plugins.", "hydra._internal.")):
        raise ValueError(
            f"hydra/launcher: {target!r} is a plugin of Hydra's own launching; sweeps start each run as a process, "
            f"allowed are {', '.join(NAMES)} and classes with `launch` as experiments.sweeps.launchers.Launcher has it"
        )
    launcher = instantiate(config)
    if not isinstance(launcher, Launcher):
        raise TypeError(f"hydra/launcher: {target!r} is no experiments.sweeps.launchers.Launcher")
    return launcher
