"""What Agent 2's phase of `make train` takes and brings, in this checkout and in an earlier one, phase by phase."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.benchmark.timing import machine
from experiments.reporting.statistics import estimate
from experiments.reporting.tables import aligned

_WORKER = """
import json, sys, tempfile, time
from dataclasses import asdict
from pathlib import Path
import torch
from hydra import compose, initialize_config_dir
from experiments.config.hydra import CONFIG_FOLDER, register, settings_of
from experiments.config.parts import make_scenario, make_twin
from experiments.environments import Environments
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.train.makers import agent_maker
from experiments.train.run import Training
from experiments.train.settings import TrainConfig

torch.set_num_threads(1)
register("train", TrainConfig)

def phase(seed, decisions):
    given = ["+experiment=quick", "progress=false", f"seed={seed}"]
    if decisions:
        given.append(f"algorithm.twin_decisions={decisions}")
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        config = settings_of(compose("train", given), TrainConfig)
    scenario, twin = make_scenario(config.scenario), make_twin(config.twin)
    environments = Environments(scenario, **asdict(config.env)).on(make_scenario(config.scenario, config.reward))
    make = agent_maker(config, environments, twin)
    with tempfile.TemporaryDirectory() as folder:
        training = Training(make, scenario, twin, config, folder, seed, environments=environments)
        run = training.algorithm
        run.collect()
        run.learn_twin()
        wall, cpu = time.perf_counter(), time.process_time()
        agent = run._learn_in_twin(0, config.algorithm.twin_decisions)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        twin = run.utility_in_twin(agent, 10_000)
    real = evaluate_policy("", agent, make_cells(scenario, 20), range(10_000, 10_020), 50).utility.mean()
    return [wall, cpu, twin, float(real)]

for line in sys.stdin:
    print(json.dumps(phase(*json.loads(line))), flush=True)
"""
"""Runs in the root of a checkout, an earlier one too: it takes seeds from its input and prints what `Phase` has."""


class Phase(NamedTuple):
    """One phase in a twin that was fitted to 200 decisions of a planner.

    Args:
        wall, cpu: seconds.
        twin: U of the agent in cells of the twin that it has not met.
        real: U on the simulator, in 20 cells of 50 decisions.
    """

    wall: float
    cpu: float
    twin: float
    real: float


def time_twin_phase(before: Path | None, seeds: Sequence[int], decisions: int | None = None) -> None:
    """Print time and U of the first phase of `+experiment=quick`, for each seed in both checkouts in turn.

    Args:
        before: root of an earlier checkout; None: this one alone.
        seeds: of the runs.
        decisions: of Agent 2; None: as `make train` has it.
    """
    roots = {"this": Path.cwd()} if before is None else {"before": before, "this": Path.cwd()}
    found: dict[str, list[Phase]] = {name: [] for name in roots}
    with _workers(roots.values()) as workers:
        for number, seed in enumerate(seeds):
            turns = list(zip(roots, workers, strict=True))
            for name, worker in turns if number % 2 else reversed(turns):
                found[name].append(_phase(worker, seed, decisions))
    print(f"{machine()}; +experiment=quick, first twin, seeds {list(seeds)}, ± 95 % over seeds; 1 thread")
    rows = [
        [name, *(estimate(column).show(3) for column in zip(*phases, strict=True))] for name, phases in found.items()
    ]
    print(aligned(["checkout", "wall [s]", "processor [s]", "U in the twin", "U in real cells"], rows))
    if before is not None:
        earlier, today = (np.array(found[name]) for name in ("before", "this"))
        ratios, gained = earlier[:, :2] / today[:, :2], today[:, 2:] - earlier[:, 2:]
        wall, processor = (estimate(each).show(2) for each in ratios.T)
        twin, real = (estimate(each).show(4) for each in gained.T)
        print(f"before / this: wall {wall}, processor {processor}")
        print(f"this - before: U in the twin {twin}, in real cells {real}")


@contextmanager
def _workers(roots: Iterable[Path]) -> Iterator[list[subprocess.Popen[str]]]:
    """A process in the root of each checkout."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen([sys.executable, "-c", _WORKER], cwd=root, **pipes) for root in roots]  # type: ignore[call-overload]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.stdin.close()
            worker.wait()
            worker.stdout.close()


def _phase(worker: subprocess.Popen[str], seed: int, decisions: int | None) -> Phase:
    """What a worker says of a seed.

    Raises:
        RuntimeError: it failed; it has said why.
    """
    worker.stdin.write(f"[{seed}, {decisions or 0}]\n")  # type: ignore[union-attr]
    worker.stdin.flush()  # type: ignore[union-attr]
    line = worker.stdout.readline()  # type: ignore[union-attr]
    if not line:
        raise RuntimeError(f"twin_phase: a checkout's process ended with status {worker.wait()}; it has said why above")
    return Phase(*json.loads(line))
