"""Launchers: where the runs of a sweep are run, each as a process of its own."""

from __future__ import annotations

from experiments.sweeps.launchers.job import Job, Launcher
from experiments.sweeps.launchers.local import LocalLauncher
from experiments.sweeps.launchers.make import make_launcher

__all__ = ["Job", "Launcher", "LocalLauncher", "make_launcher"]
