"""`python -m experiments.distill teacher=runs/dense hidden=4`: teach students what trained agents choose."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.registry import import_modules
from experiments.commands import command
from experiments.distill.report import StudentResult
from experiments.distill.run import Distillation
from experiments.distill.settings import DistillConfig
from experiments.evaluate.origin import from_elsewhere
from experiments.runs.folder import Run

LISTS = ("hidden", "agents", "imports")
"""Keys of which `key=a,b` is a list."""


def prepare(config: DistillConfig, folder: Path) -> Callable[[], None]:
    """The students of a configuration, checked; an error names the key, the value and what is allowed."""
    import_modules(config.imports)
    if config.teacher is None:
        raise ValueError("teacher: not given, allowed are a run's folder, or one of runs")
    wanted = Distillation(config.teacher, config, folder, resume=config.resume is not None, trust=config.trust)

    def run() -> None:
        result = wanted.run(_print_teacher)
        try:
            result.write(folder)
        finally:  # what cannot be written is shown all the same
            elsewhere = [line for each in result.others for line in from_elsewhere(config.evaluation.policies, each)]
            print(result.report(), *elsewhere, sep="\n")
        print(f"written to {os.path.relpath(folder)}: students.csv, students.png, and one folder per student")

    return run


def _print_teacher(teacher: Run, results: Sequence[StudentResult]) -> None:
    utilities = ", ".join(f"{result.network} {result.utility:.3f}" for result in results)
    print(f"{teacher.method} seed {teacher.seed}: U {utilities}", flush=True)


if __name__ == "__main__":
    command("distill", DistillConfig, prepare, lists=LISTS, main_key="teacher")
