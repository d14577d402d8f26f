"""The ensemble's prior: certain where decisions were held, uncertain where none ever was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from slicing_gym import Simulator, allocation_table, get_scenario
from tests.helpers.queues import queue_history
from tests.helpers.twins import SMALL, history_of
from twin import DigitalTwin, PerformanceSettings, TrainingSettings, concatenate
from twin.data.recorder import Recorder
from twin.fidelity.simulated import _info
from twin.fitting.loop import Prior
from twin.fitting.networks import data_of, fit_networks, parameters_of
from twin.fitting.prior import mean_remoteness, random_functions, remoteness
from twin.fitting.windows import hold_out
from twin.models.performance import EnsembleNetwork
from twin.runtime.draws import num_outputs
from twin.runtime.encoding import encode, make_scaler, measured_by, ranked_variables, standardised, to_scale

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
    held, never = (_std(narrow, units, members=6, prior_scale=10.0) for units in (HELD, FAR))
    assert never > 3.0 * held
    assert never > 2.0 * _std(narrow, FAR, members=6, prior_scale=0.0)


def test_remoteness_falls_with_the_decisions_near_by():
    held = np.repeat(HELD, 50, axis=0)
    far, near = remoteness(FAR, held), remoteness(HELD, held)
    assert (far > 0.99).all()
    assert (near < 0.55).all()
    table = allocation_table(20, 3)
    assert (remoteness(table, np.repeat(table, 20, axis=0)) < 0.55).all()
    assert (remoteness(HELD, np.concatenate([held, HELD + np.array([1, -1, 0])])) < near).all()


def test_random_functions_are_those_of_the_history_and_add_up_to_nothing(narrow):
    scaler, members = make_scaler(narrow.layout, measured_by(narrow)), 3
    features, functions, weight = random_functions(narrow.layout, scaler, narrow, members, np.random.default_rng(0))
    assert features.shape == (len(weight), narrow.layout.num_features)
    assert functions.shape == (members, len(weight), narrow.layout.num_variables)
    np.testing.assert_allclose(functions.sum(axis=0), 0.0, atol=1e-9)
    varying = np.ptp(measured_by(narrow), axis=0) > 0.0
    assert (np.ptp(functions, axis=1)[:, varying] > 0.0).all()  # no constant: other regions, other values
    measured = (to_scale(scaler, measured_by(narrow)) - scaler.center) / scaler.spread
    apart = functions[0] - functions[1]  # of two decisions of the history
    known = {row.tobytes() for row in np.round((measured[:, None] - measured[None]).reshape(-1, apart.shape[1]), 6)}
    assert {row.tobytes() for row in np.round(apart, 6)} <= known
    assert ((weight >= 0.0) & (weight <= 1.0)).all()


def test_random_functions_are_on_the_scale_that_networks_predict_on():
    """Of two members each differs by half of what one decision has more than another, in ranks where these count."""
    history = queue_history()
    measured = measured_by(history)
    scaler = make_scaler(history.layout, measured)
    _, functions, _ = random_functions(history.layout, scaler, history, 2, np.random.default_rng(0))
    for v in ranked_variables(scaler):
        scores = standardised(scaler, measured)[:, v]
        apart = np.abs(scores[:, None] - scores)
        assert np.isin(np.abs(2.0 * functions[0, :, v]).round(6), apart.round(6)).all()


def test_the_prior_leaves_the_mean_of_members_alone(narrow):
    """The gradient of its loss by a shift that all members share is zero."""
    scaler = make_scaler(narrow.layout, measured_by(narrow))
    settings = PerformanceSettings(structure="joint", members=4, hidden_size=8, components=1)
    variables = narrow.layout.num_variables
    network = EnsembleNetwork(settings, narrow.layout.num_features, num_outputs(1, variables))
    parts = random_functions(narrow.layout, scaler, narrow, 4, np.random.default_rng(0))
    prior = Prior(*(torch.from_numpy(part).float() for part in parts))
    data = data_of(scaler, encode(narrow.layout, scaler, narrow), slice(0, variables))
    data = replace(data, low=torch.full((variables,), -1e6), high=torch.full((variables,), 1e6))  # nothing is clipped
    prior.loss(network, torch.arange(64), data, 1).backward()
    slope = network.output_bias.grad[:, 0, 1 : 1 + variables]  # of the locations
    assert (slope.abs() > 1e-4).any(dim=0).all()
    torch.testing.assert_close(slope.sum(dim=0), torch.zeros(variables), atol=1e-5, rtol=0.0)


def test_a_planner_leaves_most_allocations_remote(narrow):
    everything = history_of("paper-1mhz", 400)
    assert mean_remoteness(narrow.layout, narrow) > 0.8
    assert mean_remoteness(everything.layout, everything) < 0.5
    assert mean_remoteness(replace(narrow.layout, held=tuple(map(tuple, HELD.tolist()))), narrow) < 0.5


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
