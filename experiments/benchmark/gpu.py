"""What a GPU is worth: updates by the size of the batch, a twin's fit, and cells of a twin stepped as one batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.logger import Logger

from agents import DDQN
from agents.learner import for_sb3
from experiments.benchmark.simulator import advance_batch
from experiments.benchmark.timing import alternate, machine
from experiments.reporting.tables import aligned
from slicing_gym import Scenario
from slicing_gym.allocation import allocation_units
from twin import DigitalTwin, History, LstmSettings, PerformanceSettings, TrainingSettings
from twin.fidelity.simulated import SimulatedCell
from twin.runtime.torch_cells import TorchCells

UPDATE_BATCHES = (64, 256, 1024, 4096, 16_384)
"""Transitions in an update."""

TWIN_CELLS = (10_000, 100_000, 1_000_000)
"""Cells of a twin that are stepped together."""

COMPILED_CELLS = 4096
"""Of the compiled kernel, whose rate depends little on the batch."""

NET_ARCH = [256, 256, 128, 128]
HEADS = ("dense", "factored")
PASSES = 5
_DECISIONS = 2_000
"""Of the history that twins are fitted to."""
_TRANSITIONS = 20_000
"""In the replay buffer."""


def devices() -> list[str]:
    """The CPU, and a GPU where there is one."""
    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def time_gpu(
    scenario: Scenario, seconds: float, batches: Sequence[int] = UPDATE_BATCHES, cells: Sequence[int] = TWIN_CELLS
) -> None:
    """Print the rates on each device that there is; without a GPU its rows say that they were not measured.

    Args:
        scenario: of the cells.
        seconds: of measuring for each row.
        batches: transitions in an update, a row each.
        cells: of the twin that are stepped together, a row each.
    """
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "none, cuda was not measured"
    print(f"{machine()}, {torch.get_num_threads()} thread; GPU: {name}; scenario {scenario.name}")
    print(f"\nupdates of DDQN, layers {NET_ARCH}")
    print(
        aligned(["head", "batch", "device", "updates/s", "transitions/s"], list(_updates(scenario, seconds, batches)))
    )
    history = SimulatedCell(scenario, 0).record(_DECISIONS)
    print(f"\na twin's fit: lstm, structure joint, {_DECISIONS} decisions, {PASSES} passes")
    rows = [[device, f"{_fit(history, device).report.seconds / PASSES:.2f}"] for device in devices()]  # type: ignore[union-attr]
    print(aligned(["device", "seconds a pass"], rows))
    print("\ncells of that twin, an interval of all at once")
    twin = _fit(history, "cpu")
    print(aligned(["stepping", "cells", "device", "steps/s"], list(_steps(scenario, twin, seconds, cells))))


def _updates(scenario: Scenario, seconds: float, batches: Sequence[int]) -> Iterator[list[str]]:
    """Rows of updates in a second."""
    for head in HEADS:
        agents = {device: _agent(scenario, head, device) for device in devices()}
        for size in batches:
            steps = [lambda agent=agent: agent.train(1, size) for agent in agents.values()]  # noqa: B023
            for device, times in zip(agents, alternate(steps, seconds), strict=True):
                rate = 1.0 / float(np.median(times))
                yield [head, str(size), device, f"{rate:,.1f}", f"{rate * size:,.0f}"]


def _agent(scenario: Scenario, head: str, device: str) -> DDQN:
    """An agent whose replay buffer is full of random transitions."""
    env = for_sb3(gym.make("SliceRAN-v0", scenario=scenario, reward="utility"))
    agent = DDQN(
        "MlpPolicy",
        env,
        policy_kwargs={"net_arch": NET_ARCH, "head": head},
        buffer_size=_TRANSITIONS,
        seed=0,
        device=device,
    )
    agent.set_logger(Logger(None, []))
    random, buffer = np.random.default_rng(0), agent.replay_buffer
    assert buffer is not None
    size = (_TRANSITIONS + 1, 1, scenario.num_slices)
    seen = random.uniform(0.0, 2.0, size).astype(np.float32)
    actions = random.integers(scenario.num_allocations, size=(_TRANSITIONS, 1))
    rewards = random.normal(size=(_TRANSITIONS, 1))
    for number in range(_TRANSITIONS):
        moved = seen[number], seen[number + 1], actions[number], rewards[number]
        buffer.add(*moved, np.zeros(1), [{}])
    return agent


def _fit(history: History, device: str) -> DigitalTwin:
    """A twin that was fitted for some passes."""
    settings = replace(TrainingSettings(), max_epochs=PASSES, patience=PASSES)
    return DigitalTwin(LstmSettings(), PerformanceSettings(structure="joint"), settings, device=device).fit(history)


def _steps(scenario: Scenario, twin: DigitalTwin, seconds: float, cells: Sequence[int]) -> Iterator[list[str]]:
    """Rows of steps in a second, of the compiled kernel and of PyTorch."""
    for threads in (1, 2):
        step = advance_batch(twin.cells(range(COMPILED_CELLS), threads), scenario, COMPILED_CELLS)
        rate = COMPILED_CELLS / np.median(alternate([step], seconds)[0])
        yield [f"compiled, {threads} thread{'s' * (threads > 1)}", str(COMPILED_CELLS), "cpu", f"{rate:,.0f}"]
    for number in cells:
        for device in devices():
            times = _times(_advance(scenario, twin, number, device), seconds, device)
            yield ["PyTorch", str(number), device, f"{number / np.median(times):,.0f}"]


def _advance(scenario: Scenario, twin: DigitalTwin, number: int, device: str) -> Callable[[], object]:
    """An interval of so many cells, each with a random allocation."""
    batch = TorchCells(twin.model, number, device)
    actions = np.random.default_rng(0).integers(scenario.num_allocations, size=number)
    units = torch.from_numpy(allocation_units(actions, scenario.num_units, scenario.num_slices)).to(device)
    return lambda: batch.advance(units)


def _times(step: Callable[[], object], seconds: float, device: str) -> list[float]:
    """Times [s] of single calls, each with all that it leaves a GPU to do; the first is warm-up."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < 4 or time.perf_counter() < until:
        start = time.perf_counter()
        step()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return times[1:]
