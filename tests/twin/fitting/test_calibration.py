"""Calibration on fresh decisions of a network that changed, or did not."""

from __future__ import annotations

import numpy as np
import torch

from slicing_gym import get_scenario
from slicing_gym.reward import utility
from tests.helpers.twins import JOINT, history_of
from twin import (
    DigitalTwin,
    History,
    TrainingSettings,
)


def _error(twin: DigitalTwin, history: History) -> dict[str, float]:
    """Mean squared errors of a twin's predictions."""
    model = twin.model
    prediction = twin.predict(history)
    said = model.expected_utility(prediction.expected).mean(axis=1)
    truth = utility(history.scenario, history.spectral_efficiency, history.ssr)
    drawn = np.mean([model.draw(prediction, np.random.default_rng(i)) for i in range(20)], axis=0)
    urllc = (drawn[:, 2] - history.next_arrivals[:, 2]) ** 2
    return {"arrivals": float(urllc.mean()), "utility": float(((said - truth) ** 2).mean())}


def test_calibration_follows_the_traffic_and_forgets_nothing_else():
    torch.set_num_threads(1)
    from twin.fidelity.simulated import SimulatedCell

    past = history_of("paper-1mhz", 1200)
    twin = DigitalTwin("lstm", JOINT, TrainingSettings(max_epochs=20)).fit(past)
    busy = get_scenario("paper-1mhz").replace(
        slices={"urllc": {"traffic": {"interarrival_s": {"kind": "exponential", "scale": 0.06}}}}
    )
    network = SimulatedCell(busy, 0)
    fresh, after = network.record(400), network.record(400)
    stale = _error(twin, after)
    before_elsewhere = _error(twin, past)
    twin.calibrate(fresh)
    assert _error(twin, after)["arrivals"] < 0.2 * stale["arrivals"]
    assert _error(twin, after)["utility"] < stale["utility"]
    assert _error(twin, past)["utility"] < 2.0 * before_elsewhere["utility"]
    assert twin.scenario == busy


def test_calibrating_on_more_of_the_same_moves_nothing():
    """Where nothing changed, predictions are neither shifted nor stretched, and stay as good."""
    for name in ("paper-1mhz", "diurnal"):
        past = history_of(name, 1000)
        twin = DigitalTwin("lstm", JOINT, TrainingSettings(max_epochs=60)).fit(past)
        same = history_of(name, 1000, seed=0).take(past.run >= 3)
        before = twin.model
        error = _error(twin, same)
        twin.calibrate(same)
        np.testing.assert_array_equal(twin.model.scaler.center, before.scaler.center)
        np.testing.assert_array_equal(twin.model.scaler.spread, before.scaler.spread)
        after = _error(twin, same)
        assert after["utility"] < 1.1 * error["utility"]
        assert after["arrivals"] < 1.1 * error["arrivals"]
