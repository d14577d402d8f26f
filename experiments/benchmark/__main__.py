"""`python -m experiments.benchmark simulator`, `twin`, `training` or `decision`: how fast, as ratios of one run."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from experiments.benchmark.decision import decision
from experiments.benchmark.training import training
from slicing_gym import SCENARIOS, Simulator, allocation_table, get_scenario
from slicing_gym._jit import njit
from slicing_gym.counter_rng import STREAM_FADING, cell_key, counter, exponential
from twin import DigitalTwin, TrainingSettings, TwinCells, transition_kinds
from twin.fidelity.simulated import SimulatedCell

_FIRST_STEP = """
import time
start = time.perf_counter()
import slicing_gym
imported = time.perf_counter()
slicing_gym.Simulator("paper", [0]).warm_up()
print(imported - start, time.perf_counter() - imported)
"""


_BLOCK_S = 0.4


def alternate(steps: Sequence[Callable[[], object]], seconds: float) -> list[list[float]]:
    """Mean times [s] of a call, in blocks of 0.4 s made in turn, so that a busy moment meets all alike."""
    times: list[list[float]] = [[] for _ in steps]
    for step in steps:
        step()
    until = time.perf_counter() + seconds * len(steps)
    while time.perf_counter() < until or len(times[0]) < 3:
        for step, taken in zip(steps, times, strict=True):
            calls, start = 0, time.perf_counter()
            while calls == 0 or time.perf_counter() < start + min(_BLOCK_S, seconds):
                step()
                calls += 1
            taken.append((time.perf_counter() - start) / calls)
    return times


@njit
def _draw_many(key: np.uint64, number: int) -> float:
    """Sum of many exponential numbers, to time one."""
    total = 0.0
    for index in range(number):
        total += exponential(key, counter(STREAM_FADING, index & 63, index))
    return total


def simulator(scenario_name: str, seconds: float) -> None:
    """Print decisions/s by batch and threads, the ratio to the plain oracle, and what a decision is made of."""
    scenario = get_scenario(scenario_name)
    table = allocation_table(scenario.num_units, scenario.num_slices)
    random = np.random.default_rng(0)
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; "
        f"scenario {scenario_name}, random allocations"
    )
    imported, first = map(float, subprocess.check_output([sys.executable, "-c", _FIRST_STEP]).split())
    print(f"fresh process, code cached: import {imported:.2f} s, first step {first:.2f} s")

    def cells(size: int, threads: int) -> Callable[[], None]:
        simulator = Simulator(scenario, range(size), threads)

        def step() -> None:
            for _ in range(max(1, 256 // size)):
                simulator.advance(table[random.integers(len(table), size=size)])

        return step

    print(f"\n{'batch':>6} {'threads':>8} {'decisions/s':>12} {'best':>8} {'two threads / one':>18}")
    one_core = 0.0
    for size in (1, 64, 1024):
        threads = (1,) if size == 1 else (1, 2)
        times = alternate([cells(size, number) for number in threads], seconds)
        decisions = max(size, 256)
        for number, taken in zip(threads, times, strict=True):
            ratio = "" if number == 1 else f"{np.median(np.divide(times[0], taken)):.2f}x"
            median, best = decisions / np.median(taken), decisions / min(taken)
            print(f"{size:>6} {number:>8} {median:>12,.0f} {best:>8,.0f} {ratio:>18}")
        if size == 64:
            one_core = decisions / float(np.median(times[0]))

    env = gym.make("SliceRAN-v0", scenario=scenario).unwrapped
    actions = random.integers(len(table), size=scenario.decisions_per_episode)

    def play() -> None:
        env.reset(seed=0)
        for action in actions:
            env.step(action)

    (taken,) = alternate([play], seconds)
    print(f"gym.make, env.step one by one: {len(actions) / np.median(taken):,.0f} decisions/s")
    _against_oracle(scenario_name, one_core)
    _anatomy(scenario_name, one_core)


def _against_oracle(scenario_name: str, fast: float) -> None:
    """Print the ratio to the oracle of the tests, which is only there in a checkout."""
    try:
        from tests.helpers.oracle import OracleCell
    except ImportError:
        print("the plain oracle lives in tests/: run this from a checkout to compare with it")
        return
    scenario = get_scenario(scenario_name)
    table = allocation_table(scenario.num_units, scenario.num_slices)
    cell = OracleCell(scenario, 0)
    rows = table[np.random.default_rng(0).integers(len(table), size=6)].tolist()
    start = time.perf_counter()
    for row in rows:
        cell.advance(row)
    slow = len(rows) / (time.perf_counter() - start)
    print(
        f"plain oracle: {slow:.1f} decisions/s; the kernel (batch 64, one thread) is {fast / slow:,.0f} times as fast"
    )


def _anatomy(scenario_name: str, fast: float) -> None:
    """Print what a decision is made of: packets, and the share of the time that goes into random numbers."""
    cells = Simulator(scenario_name, range(8))
    random = np.random.default_rng(1)
    table = allocation_table(cells.scenario.num_units, cells.scenario.num_slices)
    packets = np.mean(
        [cells.advance(table[random.integers(len(table), size=8)]).arrivals.sum(axis=1) for _ in range(50)]
    )
    number = 2_000_000
    _draw_many(cell_key(0), 1)
    start = time.perf_counter()
    _draw_many(cell_key(0), number)
    draw_s = (time.perf_counter() - start) / number
    decision_s = 1.0 / fast
    # Each packet has a gap; nearly each is served alone and so has a fading of its own.
    print(
        f"a decision: {decision_s * 1e6:.0f} us for {packets:.0f} packets, {decision_s / packets * 1e9:.0f} ns each, "
        f"of which {2 * draw_s * 1e9:.0f} ns are two random numbers ({2 * draw_s * packets / decision_s:.0%})"
    )


REAL_DECISIONS_PER_S = 5.0
"""A real network decides every 0.2 s."""


def twin(scenario_name: str, seconds: float) -> None:
    """Print the twin's steps/s by transition, batch and threads, beside the simulator and a real network."""
    scenario = get_scenario(scenario_name)
    table = allocation_table(scenario.num_units, scenario.num_slices)
    random = np.random.default_rng(0)
    history = SimulatedCell(scenario, 0).record(2 * scenario.decisions_per_episode)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; scenario {scenario_name}")
    print(f"\n{'':>12} {'batch':>6} {'threads':>8} {'steps/s':>9} {'/ simulator':>12} {'/ real network':>15}")

    def stepped(cells: Simulator | TwinCells, size: int) -> Callable[[], None]:
        cells.begin_episode()

        def step() -> None:
            for _ in range(max(1, 256 // size)):
                cells.advance(table[random.integers(len(table), size=size)])

        return step

    for name in transition_kinds():
        settings = TrainingSettings(max_epochs=1)  # a step costs the same whatever was learned
        made = DigitalTwin(name, training=settings).fit(history)
        for size in (1, 64, 1024, 4096):
            for threads in (1,) if size == 1 else (1, 2):
                both = [
                    stepped(made.cells(range(size), threads), size),
                    stepped(Simulator(scenario, range(size), threads), size),
                ]
                mine, simulators = (float(np.median(taken)) for taken in alternate(both, seconds))
                rate = max(size, 256) / mine
                print(
                    f"{name:>12} {size:>6} {threads:>8} {rate:>9,.0f} {simulators / mine:>11.1f}x "
                    f"{rate / REAL_DECISIONS_PER_S:>14,.0f}x"
                )
        for label, envs in (
            ("gym.make", gym.make("SliceTwin-v0", twin=made)),
            ("gym.make_vec, 1024 cells, 2 threads", gym.make_vec("SliceTwin-v0", 1024, twin=made, num_threads=2)),
        ):
            rate = _steps_per_s(envs, seconds)
            print(f"{name:>12} {label}: {rate:,.0f} steps/s")


def _steps_per_s(env: gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any], seconds: float) -> float:
    """Steps of an environment in a second, observations, info and all."""
    number = getattr(env, "num_envs", 0)
    length = 40 if number else 200
    actions = env.action_space.sample

    def play() -> None:
        env.reset(seed=0)
        for _ in range(length):
            env.step(actions())

    (taken,) = alternate([play], seconds)
    return float(length * max(number, 1) / np.median(taken))


_BENCHMARKS = {"simulator": simulator, "twin": twin, "training": training, "decision": decision}


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmark", description=__doc__)
    parser.add_argument("what", choices=list(_BENCHMARKS))
    parser.add_argument("--scenario", default="paper", choices=SCENARIOS)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    _BENCHMARKS[options.what](options.scenario, options.seconds)


if __name__ == "__main__":
    main()
