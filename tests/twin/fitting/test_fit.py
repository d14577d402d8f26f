"""Fits that learn and repeat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from slicing_gym import Simulator, allocation_table
from tests.helpers.twins import JOINT, SMALL, cold_twin, history_of, small_twin
from twin import (
    DigitalTwin,
    PerformanceSettings,
    TrainingSettings,
)
from twin.fitting.windows import hold_out
from twin.models.mixture import Mixture
from twin.runtime.encoding import encode, to_scale

each_transition = pytest.mark.parametrize("transition", list(SMALL))


@each_transition
def test_the_same_seed_gives_the_same_twin_and_others_differ(history, transition, tmp_path):
    short = history.take(history.run == 0)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        small_twin(short, transition, epochs=2, seed=seed).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_fitting_leaves_the_callers_randomness_alone(history):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    small_twin(history.take(history.run == 0), epochs=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("structure", ["joint", "per_slice"])
def test_a_fitted_twin_knows_good_allocations_from_bad_ones(structure):
    """It learns: on decisions it has not seen it explains the utility, and ranks allocations as the network does."""
    torch.set_num_threads(1)
    past = history_of("paper-1mhz", 1200)
    twin = DigitalTwin("lstm", PerformanceSettings(structure=structure), TrainingSettings(max_epochs=60)).fit(past)
    cell = Simulator("paper-1mhz", [0])
    cell.warm_up()
    table = allocation_table(20, 3)
    real = np.mean([interval.utility for interval in cell.what_if(table, intervals=10)], axis=0)
    in_twin = np.mean([interval.utility for interval in twin.sample(np.repeat(table[None], 10, 0), range(171))], axis=0)
    assert np.corrcoef(real, in_twin)[0, 1] > 0.98
    assert np.abs(real - in_twin).mean() < 0.1
    assert real[in_twin.argmax()] > real.max() - 0.3


def test_the_memory_matters():
    """Where the load rises and falls, a twin that remembers foresees the next arrivals better than the last value."""
    torch.set_num_threads(1)
    past = history_of("diurnal", 1000)
    seen, held_out = past.split_by_run(last=1)
    twin = DigitalTwin("lstm", JOINT, TrainingSettings(max_epochs=60)).fit(seen)
    model = twin.model
    mixture = Mixture.of(torch.from_numpy(twin.predict(held_out).transition).double(), model.transition.components)
    low, high = (torch.from_numpy(edge[:3]) for edge in (model.scaler.low, model.scaler.high))
    encoded = encode(model.layout, model.scaler, held_out)
    scaled = to_scale(model.scaler, encoded.measured)[:, :3]
    said = mixture.mean(low, high).mean(dim=1).numpy() * model.scaler.spread[:3] + model.scaler.center[:3]
    last = to_scale(model.scaler, np.nan_to_num(encoded.before))[:, :3]
    error, persistence = ((said - scaled) ** 2).mean(axis=0), ((last - scaled) ** 2).mean(axis=0)
    assert (error[[0, 2]] < 0.75 * persistence[[0, 2]]).all(), (error, persistence)


def test_members_of_the_transition_stop_by_different_runs():
    past = history_of("paper-1mhz", 2000)
    folds = [hold_out(past, 0.15, fold) for fold in range(4)]
    for learn, stop in folds:
        assert len(learn) + len(stop) == len(past)
        assert 0.05 * len(past) < len(stop) < 0.35 * len(past)
    assert not set(folds[0][1].runs) & set(folds[1][1].runs)
    cut_short = past.take(np.arange(401))  # a third run of one decision
    learn, stop = hold_out(cut_short, 0.15, 0)
    assert len(stop) >= 40
    assert len(learn) + len(stop) == 401


def test_a_single_run_and_constant_columns_are_handled_and_reported(history):
    alone = history.take(history.run == 0)
    still = replace(alone, performance={**alone.performance, "ssr": np.ones_like(alone.ssr)})
    twin = small_twin(still)
    notes = " ".join(twin.report.notes)
    assert "one single run: early stopping on 30 decisions in it" in notes
    assert "ssr_volte is constant (1)" in notes
    gap = small_twin(alone.take(np.delete(np.arange(200), [50, 51, 120])))
    assert any("2 gaps" in note for note in gap.report.notes)


def test_what_is_said_of_a_constant_column_is_so(history):
    """Of few units alone: a regression slice by slice does not know what more of them bring."""
    few = history.take(history.allocation[:, 0] <= 6)
    still = replace(few, performance={**few.performance, "ssr": np.ones_like(few.ssr)})
    asked = still.take(np.flatnonzero(still.allocation[:, 0] > 2)[:2])
    far = replace(asked, allocation=np.array([[16, 2, 2]] * 2))
    for twin in (small_twin(still), cold_twin(still)):
        place = twin.model.layout.place("ssr").start - twin.scenario.num_slices
        near, beyond = (twin.predict(each).expected[:, :, place].mean() for each in (asked, far))
        (said,) = [each for each in twin.report.notes if each.startswith("ssr_volte is constant (1)")]
        if twin.model.structure == "joint":
            assert near == beyond == 1.0
            assert said.endswith("it is predicted so, whatever the allocation")
        else:
            assert near > 0.99 > 0.98 > beyond
            assert "within the units held; further off predictions spread, and their mean moves from it" in said


def test_curves_reach_tensorboard(history, tmp_path):
    torch.set_num_threads(1)
    ensemble = PerformanceSettings(members=2, hidden_size=8, structure="joint")
    twin = DigitalTwin(SMALL["lstm"], ensemble, TrainingSettings(max_epochs=2))
    twin.fit(history, log_folder=tmp_path)
    (events,) = tmp_path.glob("events.*")
    content = events.read_bytes()
    for tag in (b"transition_1/validation_loss", b"performance/training_loss"):
        assert tag in content
