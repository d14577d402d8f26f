"""What twins make of queues that nothing explains: the history's distribution, one interval ahead and in free runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers.queues import queue_history
from tests.helpers.twins import ENSEMBLE, SMALL, cold_twin
from twin import DigitalTwin, TrainingSettings
from twin.fidelity.evaluator import Evaluator
from twin.fitting import loop
from twin.fitting.marginals import WIDTH, sharpened
from twin.fitting.networks import data_of
from twin.runtime.encoding import encode, measured_by, ranked_variables


@pytest.fixture(scope="module", params=["joint", "per_slice"])
def fitted(request):
    torch.set_num_threads(1)
    past, other = queue_history(), queue_history(seed=1)
    if request.param == "per_slice":
        return cold_twin(past), past, other
    return DigitalTwin(SMALL["lstm"], ENSEMBLE, TrainingSettings(max_epochs=20)).fit(past), past, other


def test_queues_that_follow_from_nothing_are_predicted_as_they_are_distributed(fitted):
    twin, past, other = fitted
    scores = Evaluator(twin.model, past, other).one_step().scores
    for v in ranked_variables(twin.model.scaler):
        crps = scores[v].crps
        assert crps["twin"].mean() < 1.05 * crps["climatology"].mean()


def test_free_runs_keep_the_mean_of_queues(fitted):
    twin, past, _ = fitted
    rollout = Evaluator(twin.model, past, past).roll_out(100, copies=64)
    for v in ranked_variables(twin.model.scaler):
        assert rollout.relative_mean(v, 40)["twin"] == pytest.approx(1.0, abs=0.15)


def test_networks_say_no_more_than_held_out_decisions_bear_out(fitted):
    """Nothing is to be learned of these queues: what is predicted of them is their distribution, all but its noise."""
    twin, past, _ = fitted
    model, slices = twin.model, twin.scenario.num_slices
    if model.structure != "joint":
        pytest.skip("regressions are not shrunk")
    number, components = model.layout.num_variables - slices, model.performance.components
    outputs = twin.predict(past).performance
    for v in ranked_variables(model.scaler):
        scales = outputs[..., components + components * number + v - slices]
        assert np.abs(scales - WIDTH).mean() < 0.3


@pytest.mark.parametrize(("blunted", "least", "most"), [(1.0, 1.0, 1.5), (3.0, 2.5, 4.0)])
def test_components_are_chosen_as_surely_as_held_out_decisions_bear_out(blunted, least, most):
    """Decisions drawn from a twin of two components far apart; another one knows them, but not their weights."""
    history = queue_history()
    model = DigitalTwin(SMALL["lstm"], ENSEMBLE, TrainingSettings(max_epochs=1)).fit(history).model
    parameters = {name: np.zeros_like(values) for name, values in model.performance_parameters.items()}
    bias = parameters["output_bias"]
    number = (bias.shape[-1] - 2) // 4
    bias[..., :2], bias[..., 2 : 2 + number], bias[..., 2 + number : 2 + 2 * number] = [1.5, -1.5], -1.5, 1.5
    bias[..., 2 + 2 * number :] = -2.0
    true = replace(model, performance_parameters=parameters)
    encoded = encode(history.layout, model.scaler, history)
    drawn = true.draw(true.predict(encoded), np.random.default_rng(0))
    blunt = {**parameters, "output_bias": bias.copy()}
    blunt["output_bias"][..., :2] /= blunted
    made = sharpened(replace(model, performance_parameters=blunt), replace(encoded, measured=drawn))
    factor = made.performance_parameters["output_bias"][0, 0, 0] / blunt["output_bias"][0, 0, 0]
    assert least <= factor <= most


def test_long_histories_are_fitted_to_and_stopped_by_a_part_of_them(monkeypatch):
    monkeypatch.setattr(loop, "STOP_DECISIONS", 100)
    monkeypatch.setattr(loop, "STOP_WINDOW", 20)
    monkeypatch.setattr(loop, "EPOCH_DECISIONS", 128)
    history = queue_history()
    twin = cold_twin(history)
    data = data_of(twin.model.scaler, encode(history.layout, twin.model.scaler, history), slice(0, 2))
    cuts = loop._stop_windows(data)
    assert 80 <= sum(stop - start for start, stop in cuts) <= 120
    assert max(stop for _, stop in cuts) > len(history) - 40
    part = DigitalTwin(SMALL["lstm"], ENSEMBLE, TrainingSettings(max_epochs=2)).fit(history)
    assert part.report is not None
    assert np.isfinite(part.report.performance.validation_loss)
    assert measured_by(history).shape[0] == len(history)
