"""The stepping in PyTorch against the compiled kernel, for the same random numbers; and on a GPU where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from slicing_gym.counter_rng import cell_key, counter, uniform
from tests.helpers.queues import queue_history
from tests.helpers.twins import ENSEMBLE, SMALL, cold_twin, history_of
from twin import DigitalTwin, TrainingSettings
from twin.runtime import kernel
from twin.runtime.torch_cells import TorchCells

CELLS, INTERVALS = 256, 5
TOLERANCE = 1e-4
"""Of what networks predict and of values, relative and absolute; both are sums of float32 in another order."""
APART = 0.005
"""Share of cells that may be farther apart: where a number is rounded, or a component chosen, the other way."""

HAS_GPU = torch.cuda.is_available()


@pytest.fixture(scope="module", params=["paper-1mhz", "paper", "queues"])
def fitted(request) -> DigitalTwin:
    """Columns of every kind among them: ratios, counts, and queues by their ranks."""
    history = queue_history() if request.param == "queues" else history_of(request.param)
    return DigitalTwin(SMALL["lstm"], ENSEMBLE, TrainingSettings(max_epochs=3)).fit(history)


def draws_of(cells: TorchCells, keys, interval: int, slices: int):
    """The numbers that the kernel draws for an interval (n, num_draws)."""
    rest = cells.num_draws - 3 - slices
    names = [(kernel.STREAM_TRANSITION, v) for v in range(1 + slices)]
    names += [(kernel.STREAM_MEMBER, kernel.STREAM_PERFORMANCE)]
    names += [(kernel.STREAM_PERFORMANCE, v) for v in range(1 + rest)]
    rows = [[uniform(key, counter(stream, v, interval)) for stream, v in names] for key in keys]
    return torch.tensor(rows, dtype=torch.float64)


def share(number: float, most: int) -> int:
    """Which of so many a uniform number falls to."""
    return min(int(number * most), most - 1)


def begun(fitted, device):
    """Compiled cells and cells in PyTorch at the same windows, and their keys."""
    model, keys = fitted.model, [cell_key(seed) for seed in range(CELLS)]
    compiled, batch = fitted.cells(range(CELLS)), TorchCells(model, CELLS, device)
    compiled.begin_episode()
    drawn = [[uniform(key, counter(kernel.STREAM_WINDOW, v, 0)) for v in (0, 1)] for key in keys]
    windows = [share(first, len(model.initial_windows.units)) for first, _ in drawn]
    batch.begin(windows, [share(second, model.transition.members) for _, second in drawn])
    return compiled, batch, keys


def apart(found, expected) -> float:
    """Share of the rows (n, ...) that are not the same within the tolerance."""
    same = np.isclose(np.asarray(found), np.asarray(expected), rtol=TOLERANCE, atol=TOLERANCE)
    return 1.0 - float(same.reshape(len(same), -1).all(axis=1).mean())


def check_steps(fitted, device):
    """Some intervals of both with the same random numbers; those that have come apart once stay out of it."""
    compiled, batch, keys = begun(fitted, device)
    scenario = fitted.scenario
    slices, rng = scenario.num_slices, np.random.default_rng(0)
    assert apart(batch.measured.cpu(), compiled.measured) == 0.0
    together = np.ones(CELLS, np.bool_)
    for interval in range(INTERVALS):
        first = rng.integers(1, scenario.num_units - 1, size=CELLS)
        units = np.stack([first, scenario.num_units - 1 - first, np.ones(CELLS, np.int64)], axis=1)
        compiled.advance(units)
        draws = draws_of(batch, keys, interval, slices).to(device)
        measured = batch.advance(torch.from_numpy(units).to(device), draws).cpu().numpy()
        arrivals, _ = batch.raw
        assert apart(arrivals.cpu()[together], compiled._buffers.transition[together, 0]) == 0.0
        same = np.isclose(measured, compiled.measured, rtol=TOLERANCE, atol=TOLERANCE).all(axis=1)
        assert (together & ~same).mean() <= APART
        together &= same
    assert len(np.unique(measured[:, 0])) > 10  # cells do differ


def test_the_batch_in_pytorch_is_what_the_kernel_computes(fitted):
    check_steps(fitted, "cpu")


@pytest.mark.skipif(not HAS_GPU, reason="there is no CUDA device")
def test_so_it_is_on_a_gpu(fitted):
    check_steps(fitted, "cuda")


def test_its_own_numbers_have_the_kernels_distribution(fitted):
    """Means over cells after some intervals, within five standard errors of the difference."""
    units = np.array([fitted.scenario.num_units - 2, 1, 1])
    batch = TorchCells(fitted.model, 4000, seed=1)
    compiled = fitted.cells(range(4000))
    compiled.begin_episode()
    for _ in range(3):
        compiled.advance(units)
        batch.advance(torch.from_numpy(units).expand(4000, -1))
    one, other = compiled.measured, batch.measured.numpy()
    error = np.sqrt((one.var(axis=0) + other.var(axis=0)) / 4000)
    assert (np.abs(one.mean(axis=0) - other.mean(axis=0)) <= 5.0 * error + 1e-9).all()
    again = TorchCells(fitted.model, 4000, seed=1)
    for _ in range(3):
        again.advance(torch.from_numpy(units).expand(4000, -1))
    assert torch.equal(again.measured, batch.measured)


def test_other_twins_are_refused(history):
    with pytest.raises(ValueError, match="structure 'per_slice' given, allowed is structure 'joint'"):
        TorchCells(cold_twin(history).model, 2)
    other = DigitalTwin(SMALL["transformer"], ENSEMBLE, TrainingSettings(max_epochs=1)).fit(history)
    with pytest.raises(ValueError, match="transition 'transformer' given, allowed are those whose network has step"):
        TorchCells(other.model, 2)
