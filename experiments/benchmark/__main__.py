"""`python -m experiments.benchmark simulator`, `twin`, `training`, `gpu`, ...: how fast simulator and agents run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
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
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmark", description=__doc__)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--scenario", default="paper", choices=SCENARIOS)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    parser.add_argument(
        "--reference",
        type=Path,
        default=Path("tests/helpers/oracle.py"),
        help="file of the simulator's reference implementation, which a checkout has",
    )
    parser.add_argument(
        "--batches", type=int, nargs="+", help="cells that a twin advances together; of gpu, transitions in an update"
    )
    parser.add_argument(
        "--twin-cells", type=int, nargs="+", default=TWIN_CELLS, help="of gpu, cells of a twin stepped together"
    )
    parser.add_argument("--history", type=int, default=LEARNED_FROM, help="decisions that the planner has learned from")
    parser.add_argument("--rows", type=int, default=ROWS, help="of the log that is read")
    parser.add_argument(
        "--cells", type=int, nargs="+", default=BATCH_SIZES, help="real cells that an agent learns in at once"
    )
    parser.add_argument("--decisions", type=int, help="that an agent learns from, in all cells or in the twin")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each agent, of seeds 0, 1, ...")
    parser.add_argument("--before", type=Path, help="root of an earlier checkout to compare the twin phase with")
    options = parser.parse_args(arguments)
    with readable_errors():
        _time(options)


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
