"""Settings of distillation, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field

from agents import HEADS
from agents.student import TARGETS
from experiments.config.bounds import (
    MAX_BATCH,
    MAX_DECISIONS,
    MAX_FACTOR,
    MAX_RATE,
    MAX_SEED,
    MAX_THREADS,
    MAX_WIDTH,
    bounded,
)
from experiments.config.schemas import CommandSettings, EvaluationSettings

STATES = ("history", "twin", "both")


@dataclass
class Settings:
    """How students are taught (equation 12).

    Args:
        agents: only runs of these names (dqn, dqn-dt, ...) teach; None: all.
        hidden: neurons in each of the two hidden layers: a student of each size.
        head: of the students, one of `agents.HEADS`; None: "factored" for teachers that have it, are
            planners, or choose among too many allocations to list, else "dense".
        target: "argmax": the teacher's choice; "soft": how it values all allocations.
        temperature: of these values, with "soft" [U].
        states: that students learn on: of the teacher's "history"; of the "twin": those that the teacher meets in its
            twin; or "both".
        twin_states: how many of the twin's.
        updates: the budget; the paper's is 10 000.
        batch_size: states in a batch.
        learning_rate: of Adam; falls to 0 along a cosine.
        seed: of the first weights and the batches.
        torch_threads: threads that PyTorch computes in.
        device: that students learn on: "cpu", "cuda" or "cuda:<number>"; teachers, files and comparison are on the CPU.
        progress: show progress bars.
        evaluation: of teachers and students, on cells that no teacher has seen.
    """

    agents: list[str] | None = None
    hidden: list[int] = bounded(factory=lambda: [4, 16], at_least=1, at_most=MAX_WIDTH, distinct=True, filled=True)
    head: str | None = bounded(None, choices=HEADS)
    target: str = bounded("argmax", choices=TARGETS)
    temperature: float = bounded(0.1, at_least=1e-6, at_most=MAX_FACTOR)
    states: str = bounded("history", choices=STATES)
    twin_states: int = bounded(5_000, at_least=1, at_most=MAX_DECISIONS)
    updates: int = bounded(10_000, at_least=1, at_most=MAX_DECISIONS)
    batch_size: int = bounded(64, at_least=1, at_most=MAX_BATCH)
    learning_rate: float = bounded(0.01, above=0.0, at_most=MAX_RATE)
    seed: int = bounded(0, at_least=0, at_most=MAX_SEED)
    torch_threads: int = bounded(1, at_least=1, at_most=MAX_THREADS)
    device: str = "cpu"
    progress: bool = True
    evaluation: EvaluationSettings = field(default_factory=lambda: EvaluationSettings(policies=[]))


@dataclass
class DistillConfig(Settings, CommandSettings):
    """`conf/distill.yaml`.

    Args:
        teacher: a run, or a folder of runs.
        resume: None; "auto": students that the folder already has are not taught again.
    """

    teacher: str | None = None
    resume: str | None = bounded(None, choices=("auto",))
