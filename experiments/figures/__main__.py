"""`python -m experiments.figures convergence runs/<sweep>`: draw pictures of finished runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.config.hydra import readable_errors
from experiments.figures import draw_convergence, draw_headroom, draw_offline, draw_regret
from experiments.reporting.output import steady_output
from slicing_gym.errors import unknown_name

FIGURES = {"convergence": draw_convergence, "headroom": draw_headroom, "offline": draw_offline, "regret": draw_regret}
"""Figures by name."""


@steady_output()
def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m experiments.figures", description=__doc__)
    parser.add_argument("figure", help=f"what is drawn: {', '.join(FIGURES)}")
    parser.add_argument("folder", type=Path, help="a run, or a folder of runs")
    parser.add_argument("--output", type=Path, help="PNG to write; by default <folder>/<figure>.png")
    options = parser.parse_args(arguments)
    if options.figure not in FIGURES:
        parser.error(unknown_name("figure", options.figure, FIGURES))
    with readable_errors():
        print(FIGURES[options.figure](options.folder, options.output or options.folder / f"{options.figure}.png"))


if __name__ == "__main__":
    main()
