"""The ensemble's prior: certain where decisions were held, uncertain where none ever was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicing_gym import Simulator, allocation_table, get_scenario
from tests.helpers.twins import SMALL, history_of
from twin import DigitalTwin, PerformanceSettings, TrainingSettings, concatenate
from twin.data.recorder import Recorder
from twin.fidelity.simulated import _info
from twin.fitting.networks import fit_networks, parameters_of
from twin.fitting.prior import _remoteness, made_up_decisions
from twin.fitting.windows import hold_out
from twin.runtime.encoding import make_scaler, measured_by

HELD = np.array([[4, 12, 4], [5, 10, 5], [3, 13, 4]])
FAR = np.array([[16, 2, 2], [2, 2, 16], [10, 2, 8]])


@pytest.fixture(scope="module")
def narrow():
    """A history of three allocations."""
    scenario = get_scenario("paper-1mhz")
    cell, recorder = Simulator(scenario, [0]), Recorder(scenario)
    for number in range(400):
        if number % 200 == 0:
            recorder.begin(0, _info(cell.begin_episode()))
        recorder.add(0, _info(cell.advance(HELD[number % 3])))
    return recorder.history()


def _std(history, units, **performance):
    """Mean epistemic standard deviation of the first interval under each allocation."""
    settings = PerformanceSettings(structure="joint", hidden_size=16, components=2, **performance)
    twin = DigitalTwin(SMALL["lstm"], settings, TrainingSettings(max_epochs=40), seed=0).fit(history)
    return np.mean([twin.sample(allocation[None], range(20))[0].epistemic_std.mean() for allocation in units])


def test_allocations_never_held_are_less_certain_than_held_ones(narrow):
    held, never = (_std(narrow, units, members=6, prior_scale=0.3) for units in (HELD, FAR))
    assert never > 5.0 * held
    assert never > 2.0 * _std(narrow, FAR, members=6, prior_scale=0.0)


def test_remoteness_falls_with_the_decisions_near_by():
    held = np.repeat(HELD, 50, axis=0)
    far, near = _remoteness(FAR, held), _remoteness(HELD, held)
    assert (far > 0.99).all()
    assert (near < 0.55).all()
    table = allocation_table(20, 3)
    assert (_remoteness(table, np.repeat(table, 20, axis=0)) < 0.55).all()
    assert (_remoteness(HELD, np.concatenate([held, HELD + np.array([1, -1, 0])])) < near).all()


def test_made_up_decisions_bring_what_the_history_brought(narrow):
    scaler, members = make_scaler(narrow.layout, measured_by(narrow)), 3
    features, brought = made_up_decisions(narrow.layout, scaler, narrow, members, np.random.default_rng(0))
    assert len(features) == len(brought)
    assert len(features) % members == 0
    known = {row.tobytes() for row in measured_by(narrow)}
    assert {row.tobytes() for row in brought} <= known
    means = brought.reshape(members, -1, brought.shape[1]).mean(axis=1)
    assert (means[0] != means[1]).any()


def test_without_a_prior_a_twins_file_is_as_before():
    """The header of a twin without a prior does not name it, so that its bytes are those of earlier versions."""
    history = history_of("paper-1mhz")
    contents = {
        scale: DigitalTwin(
            SMALL["lstm"],
            PerformanceSettings(members=2, hidden_size=8, prior_scale=scale),
            TrainingSettings(max_epochs=1),
        )
        .fit(history)
        .to_bytes()
        for scale in (0.0, 0.5)
    }
    assert b"prior_scale" not in contents[0.0]
    assert b"prior_scale" in contents[0.5]
    for scale, content in contents.items():
        again = DigitalTwin.from_bytes(content)
        assert again.performance.prior_scale == scale  # missing means none
        assert again.to_bytes() == content


def test_what_is_held_out_is_not_learned_from():
    """Networks that were stopped by other decisions, the scales being the same, have learned the same in an epoch."""
    history = history_of("paper-1mhz")
    scaler, (learn, stop) = make_scaler(history.layout, measured_by(history)), hold_out(history, 0.15, 0)
    others = replace(stop, performance={name: values[::-1] for name, values in stop.performance.items()})
    assert any((values != values[::-1]).any() for values in stop.performance.values())
    settings = PerformanceSettings(structure="joint", members=2, hidden_size=8, prior_scale=0.5)
    found = []
    for part in (stop, others):
        whole, once = concatenate([learn, part]), TrainingSettings(max_epochs=1)
        networks = fit_networks(whole, scaler, [(learn, part)], None, settings, once, 0, None, False, None)
        assert networks.about_performance.best_epoch == 1
        found.append(parameters_of(networks.performance))
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, found[1][name], err_msg=name)
