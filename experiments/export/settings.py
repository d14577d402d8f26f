"""Settings of an export, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments.config.bounds import MAX_DECISIONS, MAX_SEED, MAX_THREADS, bounded
from experiments.config.schemas import CommandSettings


@dataclass
class Settings:
    """An export.

    Args:
        fallback: the safe allocation: "hard" (the same for all slices), "proportional" (to nominal arrivals),
            "best_fixed", or units like "1-94-5".
        name: of the policy; None: what its run, or its class, calls it.
        force: export an agent that the estimates of its run speak against, too.
        states: on which the file has to choose what the policy chooses.
        seed: of the first of 20 cells in which states are met, and of random states.
        torch_threads: threads that PyTorch computes in.
        progress: show a progress bar.
    """

    fallback: str = "hard"
    name: str | None = None
    force: bool = False
    states: int = bounded(10_000, at_least=100, at_most=MAX_DECISIONS)
    seed: int = bounded(100, at_least=0, at_most=MAX_SEED)
    torch_threads: int = bounded(1, at_least=1, at_most=MAX_THREADS)
    progress: bool = True


@dataclass
class ExportConfig(Settings, CommandSettings):
    """`conf/export.yaml`.

    Args:
        scenario: only for an agent.zip outside its run: the preset that it was trained on.
        policy: a finished run's folder, an agent.zip, or a student.safetensors.
        output: where the file goes; None: policy.onnx in the folder of the command.
    """

    scenario: dict[str, Any] | None = None
    policy: str | None = None
    output: str | None = None
