"""Decisions and what-if outcomes of the simulator in a second, and decisions of its reference implementation."""

from __future__ import annotations

import runpy
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from experiments.benchmark.timing import alternate, machine
from slicing_gym import Scenario, Simulator, SliceOutcomes, allocation_table, allocation_units, even_split, kernel
from slicing_gym._jit import njit
from slicing_gym.counter_rng import STREAM_FADING, cell_key, counter, exponential
from slicing_gym.physics import compile_physics, draw_cells, empty_outcome, empty_scratch
from twin import TwinCells

_POOL = 1 << 13
_MOST_LISTED = 100_000

_FIRST_STEP = """
import time
start = time.perf_counter()
import slicing_gym
imported = time.perf_counter()
slicing_gym.Simulator("paper", [0]).warm_up()
print(imported - start, time.perf_counter() - imported)
"""


@njit
def _draw_many(key: np.uint64, number: int) -> float:
    """Sum of many exponential numbers, to time one."""
    total = 0.0
    for index in range(number):
        total += exponential(key, counter(STREAM_FADING, index & 63, index))
    return total


def time_simulator(scenario: Scenario, seconds: float, reference: Path) -> None:
    """Print decisions/s by batch and threads, the ratio to the reference implementation, what a decision is made of.

    Args:
        scenario: of the cells.
        seconds: of measuring for each row.
        reference: file with the class `OracleCell`, the reference implementation.
    """
    print(f"{machine()}; scenario {scenario.name}, random allocations")
    imported, first = map(float, subprocess.check_output([sys.executable, "-c", _FIRST_STEP]).split())
    print(f"fresh process, code cached: import {imported:.2f} s, first step {first:.2f} s")
    one_core = _by_batch(scenario, seconds)
    _what_if(scenario, seconds)
    _time_steps(scenario, seconds)
    compare_with_reference(scenario, one_core, reference)
    _anatomy(scenario, one_core)


def _time_steps(scenario: Scenario, seconds: float) -> None:
    """Print how long a step of `gym.make` takes, compared with the kernel for the same decisions of the same cell."""
    env, single = gym.make("SliceRAN-v0", scenario=scenario).unwrapped, np.arange(1)
    actions = np.random.default_rng(0).integers(scenario.num_allocations, size=scenario.decisions_per_episode)
    units = allocation_units(actions[:, None], scenario.num_units, scenario.num_slices)  # (length, 1, n_slices)
    first = even_split(scenario.num_units, scenario.num_slices)[None]
    physics = compile_physics(scenario)
    scratch, outcome = empty_scratch(physics), empty_outcome(1, scenario.num_slices)

    def play() -> None:
        env.reset(seed=0)
        for action in actions:
            env.step(action)

    def play_kernel() -> None:
        cells = draw_cells(scenario, [0])
        kernel.advance(physics, cells, single, first, outcome, scratch)
        for held in units:
            kernel.advance(physics, cells, single, held, outcome, scratch)
            cells.decision[0] += 1

    whole, inside = alternate([play, play_kernel], seconds)
    ratio = np.median(np.divide(whole, inside))
    step_s, kernel_s = np.median(whole) / len(actions), np.median(inside) / len(actions)
    print(
        f"gym.make, env.step one by one: {1.0 / step_s:,.0f} decisions/s; a step takes {step_s * 1e6:.0f} us, the "
        f"kernel {kernel_s * 1e6:.0f} us of it: {ratio:.2f} times as long"
    )


def _by_batch(scenario: Scenario, seconds: float) -> float:
    """Print decisions/s by batch and threads; those of 64 cells in one thread."""
    print(f"\n{'batch':>6} {'threads':>8} {'decisions/s':>12} {'best':>8} {'two threads / one':>18}")
    one_core = 0.0
    for size in (1, 64, 1024):
        threads = (1,) if size == 1 else (1, 2)
        batches = [advance_batch(Simulator(scenario, range(size), number), scenario, size) for number in threads]
        times = alternate(batches, seconds)
        decisions = max(size, 256)
        for number, taken in zip(threads, times, strict=True):
            ratio = "" if number == 1 else f"{np.median(np.divide(times[0], taken)):.2f}x"
            median, best = decisions / np.median(taken), decisions / min(taken)
            print(f"{size:>6} {number:>8} {median:>12,.0f} {best:>8,.0f} {ratio:>18}")
        if size == 64:
            one_core = decisions / float(np.median(times[0]))
    return one_core


def _what_if(scenario: Scenario, seconds: float, size: int = 64) -> None:
    """Print outcomes of allocations in a second, their ratio to decisions/s, and what the time goes into."""
    results: dict[str, Callable[[SliceOutcomes], object]] = {"best": SliceOutcomes.best}
    if scenario.num_allocations <= _MOST_LISTED:
        table = allocation_table(scenario.num_units, scenario.num_slices)
        results["utilities"] = lambda outcomes: outcomes.utilities(table)
    print(f"\nwhat-if, {size} cells, the outcomes of all {scenario.num_allocations} allocations of each")
    print(
        f"{'threads':>8} {'decisions/s':>12} {'result':>10} {'cells/s':>9} {'outcomes/s':>11} {'/ decisions/s':>14} "
        f"{'beyond the runs':>16}"
    )
    for threads in (1, 2):
        cells = Simulator(scenario, range(size), threads)
        steps: list[Callable[[], object]] = [advance_batch(cells, scenario, size), cells.what_if_slices]
        for result in results.values():
            steps += _what_if_steps(cells, result)
        plain, runs, *times = (float(np.median(taken)) for taken in alternate(steps, seconds))
        decision = plain / max(size, 256)
        for name, taken, beyond in zip(results, times[::2], times[1::2], strict=True):
            outcomes = scenario.num_allocations * size / taken
            print(
                f"{threads:>8} {1 / decision:>12,.0f} {name:>10} {size / taken:>9,.0f} {outcomes:>11,.3g} "
                f"{outcomes * decision:>13,.3g}x {beyond / taken:>16.1%}"
            )
        number = scenario.num_units - scenario.num_slices + 1
        print(f"{'':>8} {number} runs a cell, each {runs / size / number / decision:.2f} of a decision")


def _what_if_steps(cells: Simulator, result: Callable[[SliceOutcomes], object]) -> list[Callable[[], object]]:
    """What-if with a result, and the result alone, of outcomes that have nothing computed yet."""
    (known,) = cells.what_if_slices()
    return [lambda: result(cells.what_if_slices()[0]), lambda: result(replace(known))]


def advance_batch(cells: Simulator | TwinCells, scenario: Scenario, size: int) -> Callable[[], None]:
    """Advances `size` cells, 256 decisions or a step at a time."""
    draw = random_allocations(scenario)
    cells.begin_episode()

    def step() -> None:
        for _ in range(max(1, 256 // size)):
            cells.advance(draw(size))

    return step


def random_allocations(scenario: Scenario, seed: int = 0) -> Callable[[int], npt.NDArray[np.int64]]:
    """Draws allocations (size, n_slices) from some thousand that are drawn once."""
    random = np.random.default_rng(seed)
    actions = random.integers(scenario.num_allocations, size=_POOL)
    pool = allocation_units(actions, scenario.num_units, scenario.num_slices)
    return lambda size: pool[random.integers(_POOL, size=size)]


def compare_with_reference(scenario: Scenario, fast: float, reference: Path) -> None:
    """Print how many times as fast as the reference implementation the simulator is."""
    if not reference.is_file():
        print(f"no reference implementation at {reference}: run this from a checkout to compare with it")
        return
    cell = runpy.run_path(str(reference))["OracleCell"](scenario, 0)
    rows = random_allocations(scenario)(6).tolist()
    start = time.perf_counter()
    for row in rows:
        cell.advance(row)
    slow = len(rows) / (time.perf_counter() - start)
    print(
        f"reference implementation: {slow:.1f} decisions/s; the kernel (batch 64, one thread) is {fast / slow:,.0f} "
        "times as fast"
    )


def _anatomy(scenario: Scenario, fast: float) -> None:
    """Print what a decision is made of: packets, and the share of the time that goes into random numbers."""
    cells, draw = Simulator(scenario, range(8)), random_allocations(scenario, seed=1)
    packets = np.mean([cells.advance(draw(8)).arrivals.sum(axis=1) for _ in range(50)])
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
