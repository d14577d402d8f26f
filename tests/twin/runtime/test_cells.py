"""Cells of a twin: draws, batches and threads, and how far the members disagree."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from slicing_gym import allocation_table
from tests.helpers.twins import history_of
from twin import (
    DigitalTwin,
    PerformanceSettings,
    TrainingSettings,
)
from twin.models.mixture import Mixture
from twin.runtime.cells import TwinCells
from twin.runtime.encoding import to_scale


def test_draws_follow_the_distribution_that_is_predicted(twin, history):
    """Many draws of one decision against the mixture's own distribution function and mean."""
    model = twin.model
    few = history.take(np.arange(3))
    prediction = twin.predict(few)
    generator = np.random.default_rng(0)
    drawn = np.stack([model.draw(prediction, generator) for _ in range(4000)], axis=1)  # (3, draws, V)
    assert (drawn[:, :, :3] == np.floor(drawn[:, :, :3])).all()
    assert (drawn >= model.scaler.lower).all()
    assert (drawn <= model.scaler.upper).all()
    mixture = Mixture.of(torch.from_numpy(prediction.transition).double(), model.transition.components)
    for row in range(3):
        for v in range(3):
            count = np.median(drawn[row, :, v])
            edge = (
                to_scale(model.scaler, np.full((1, 7), count + 0.5))[0, v] - model.scaler.center[v]
            ) / model.scaler.spread[v]
            expected = float(mixture.cdf(torch.full((3, 1, 3), edge, dtype=torch.float64)).mean(dim=1)[row, v])
            assert (drawn[row, :, v] <= count).mean() == pytest.approx(expected, abs=0.03)
    parts = slice(3, 7)
    expected = prediction.expected.mean(axis=1)
    np.testing.assert_allclose(drawn[:, :, parts].mean(axis=1), expected, rtol=0.05, atol=0.05)


def test_numbers_do_not_depend_on_batch_or_threads(twin):
    table = allocation_table(20, 3)
    plan = table[np.random.default_rng(0).integers(len(table), size=(6, 5))]  # (T, cells, S)
    together, threaded = twin.sample(plan, range(5)), twin.sample(plan, range(5), num_threads=3)
    for cell in range(5):
        alone = twin.sample(plan[:, cell : cell + 1], [cell])
        for one, all_of_them, shared in zip(alone, together, threaded, strict=True):
            for name in ("arrivals", "utility", "epistemic_std"):
                np.testing.assert_array_equal(getattr(one, name)[0], getattr(all_of_them, name)[cell])
                np.testing.assert_array_equal(getattr(shared, name), getattr(all_of_them, name))


def test_clones_go_on_as_the_cells_would(twin):
    cells = TwinCells(twin.model, [5, 6, 7])
    cells.begin_episode()
    cells.advance([4, 4, 12])
    untouched = deepcopy(cells)
    copies = cells.clone(np.array([2, 0, 2]))
    assert copies.model is cells.model  # no network is copied
    units = np.array([[1, 7, 12], [9, 8, 3], [1, 7, 12]])
    brought = [copies.advance(units) for _ in range(3)] + [copies.begin_episode()]
    for each in (cells, untouched):  # what clones do changes nothing in the cells
        rows = np.array([2, 0])
        again = [each.advance(units[:2], rows) for _ in range(3)] + [each.begin_episode(rows)]
        for one, other in zip(brought, again, strict=True):
            for key, array in other.info().items():
                np.testing.assert_array_equal(one.info()[key], array[[0, 1, 0]], err_msg=key)


@pytest.mark.parametrize("structure", ["joint", "per_slice"])
def test_uncertainty_grows_where_the_history_was_silent(structure):
    """A history that never gave URLLC more than a quarter, asked about giving it nearly all."""
    past = history_of("paper-1mhz", 1200)
    narrow = past.take(past.allocation[:, 2] <= 5)
    twin = DigitalTwin("lstm", PerformanceSettings(structure=structure), TrainingSettings(max_epochs=15)).fit(narrow)
    table = allocation_table(20, 3)
    known, unknown = table[table[:, 2] <= 5], table[table[:, 2] >= 14]
    spread = [twin.sample(part[None], range(len(part)))[0].epistemic_std.mean() for part in (known, unknown)]
    assert spread[1] > 2.0 * spread[0]
