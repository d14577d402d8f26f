"""`python -m experiments.benchmark simulator`, `twin`, `training`, `gpu`, ...: time simulator, twins and agents."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from experiments.benchmark.batches import BATCH_DECISIONS, BATCH_SIZES, time_batches
from experiments.benchmark.decision import LEARNED_FROM, time_decision
from experiments.benchmark.gpu import TWIN_CELLS, UPDATE_BATCHES, time_gpu
from experiments.benchmark.log_reading import ROWS, time_log_reading
from experiments.benchmark.simulator import time_simulator
from experiments.benchmark.training import time_training
from experiments.benchmark.twin import BATCHES, time_twin
from experiments.benchmark.twin_phase import time_twin_phase
from experiments.config.hydra import readable_errors
from experiments.config.threads import torch_threads
from experiments.reporting.output import steady_output
from slicing_gym import SCENARIOS, Scenario, get_scenario

WHAT = ("simulator", "twin", "training", "batches", "twin_phase", "decision", "log_reading", "gpu")
"""What is timed."""


@steady_output()
def main(arguments: list[str] | None = None) -> None:
    """The command."""
    options = _parser().parse_args(arguments)
    with readable_errors():
        _time(options)


def _parser() -> argparse.ArgumentParser:
    """What is timed, and its options."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmark", description=__doc__)
    parser.add_argument("what", choices=WHAT, help="what is timed")
    parser.add_argument(
        "--scenario", default="paper", choices=SCENARIOS, help="preset of the cells (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="time that each row of the table takes (default: %(default)s)"
    )
    parser.add_argument(
        "--reference",
        type=Path,
        default=Path("tests/helpers/oracle.py"),
        help="of simulator: the file of the reference implementation, which a checkout has (default: %(default)s)",
    )
    parser.add_argument(
        "--batches",
        type=int,
        nargs="+",
        help="of twin: numbers of cells that a twin advances together; of gpu: numbers of transitions in an update",
    )
    parser.add_argument(
        "--twin-cells",
        type=int,
        nargs="+",
        default=TWIN_CELLS,
        help=f"of gpu: numbers of cells that a twin advances together (default: {_typed(TWIN_CELLS)})",
    )
    _add_own_options(parser)
    return parser


def _add_own_options(parser: argparse.ArgumentParser) -> None:
    """Options of decision, log_reading, batches and twin_phase: each says of which."""
    parser.add_argument(
        "--history",
        type=int,
        default=LEARNED_FROM,
        help="of decision: number of decisions that the planner has learned from (default: %(default)s)",
    )
    parser.add_argument(
        "--rows", type=int, default=ROWS, help="of log_reading: number of rows of the log (default: %(default)s)"
    )
    parser.add_argument(
        "--cells",
        type=int,
        nargs="+",
        default=BATCH_SIZES,
        help=f"of batches: numbers of cells that an agent learns in at once (default: {_typed(BATCH_SIZES)})",
    )
    parser.add_argument(
        "--decisions",
        type=int,
        help="of batches and twin_phase: number of decisions that an agent learns from, in all cells or in the twin",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=3,
        help="of batches and twin_phase: number of runs of each agent, from seed 0 on (default: %(default)s)",
    )
    parser.add_argument(
        "--before", type=Path, help="of twin_phase: root of an earlier checkout, whose twin phase is timed, too"
    )


def _typed(numbers: Sequence[int]) -> str:
    """Numbers as they are typed."""
    return " ".join(map(str, numbers))


def _time(options: argparse.Namespace) -> None:
    """What was asked for."""
    if options.what == "log_reading":
        time_log_reading(options.rows)
        return
    if options.what == "twin_phase":
        time_twin_phase(options.before, range(options.seeds), options.decisions)
        return
    batches = {
        "batches": options.cells,
        "decisions": options.decisions or BATCH_DECISIONS,
        "seeds": range(options.seeds),
    }
    benchmarks: dict[str, Callable[[Scenario, float], None]] = {
        "simulator": partial(time_simulator, reference=options.reference),
        "twin": partial(time_twin, batches=options.batches or BATCHES),
        "training": time_training,
        "decision": partial(time_decision, history=options.history),
        "gpu": partial(time_gpu, batches=options.batches or UPDATE_BATCHES, cells=options.twin_cells),
        "batches": lambda scenario, _: time_batches(scenario, **batches),
    }
    with torch_threads(1):
        benchmarks[options.what](get_scenario(options.scenario), options.seconds)


if __name__ == "__main__":
    main()
