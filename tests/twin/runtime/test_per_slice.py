"""The performance slice by slice: the compiled step against plain NumPy, and means of clipped logistic variables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicing_gym import get_scenario
from tests.helpers.twins import ALL_COLUMNS, cold_twin, history_of
from twin import History, RecordHistory
from twin.models.per_slice.basis import LOAD_KNOTS, SliceBasis, load_place
from twin.runtime.draws import location_of, softplus
from twin.runtime.encoding import encode
from twin.runtime.performance import SAMPLES, hats, unit_hats


@pytest.fixture(scope="module")
def twin():
    return cold_twin(history_of("paper-1mhz"))


def inputs(model, encoded, history):
    """Units, loads and what was left over, by hand."""
    loads = history.arrivals / model.scenario.nominal_arrivals
    ssr = model.layout.place("ssr")
    left_over = np.nan_to_num(1.0 - encoded.before[:, ssr], nan=0.0)
    return history.allocation, loads, left_over


def test_the_step_computes_what_plain_numpy_computes(twin):
    """Expectations of the members and scales of the noise, of decisions that it was not fitted to."""
    model, history = twin.model, history_of("paper-1mhz", seed=1)
    encoded = encode(model.layout, model.scaler, history)
    units, loads, left_over = inputs(model, encoded, history)
    basis, parameters = SliceBasis(20, 3), model.performance_parameters
    weights = parameters["weights"].reshape(3, basis.width, SAMPLES, 2).astype(np.float64)
    each = [basis.features(units[:, n], loads[:, n], left_over[:, n]) for n in range(3)]
    expected = np.zeros((len(history), SAMPLES, 4)) + parameters["offset"]
    variance = np.zeros((len(history), 4))
    for n, features in enumerate(each):
        expected[:, :, n] += np.einsum("nw,wm->nm", features, weights[n, :, :, 0])
        expected[:, :, 3] += np.einsum("nw,wm->nm", features, weights[n, :, :, 1])
        near = np.einsum(
            "nu,nb->nub", unit_hats(model.layout)[units[:, n] - 1], hats(load_place(loads[:, n]), LOAD_KNOTS)
        )
        variance[:, n] = np.einsum("nub,ub->n", near, parameters["noise"][n, 0])
        variance[:, 3] += np.einsum("nub,ub->n", near, parameters["noise"][n, 1]) / 3.0
    low, high = model.scaler.low[3:], model.scaler.high[3:]
    wanted = np.clip(expected, low, high) * model.scaler.spread[3:] + model.scaler.center[3:]
    prediction = twin.predict(history)
    scale = np.sqrt(3.0 * variance) / math.pi
    # means nearer to a bound than a thousandth of a scale are taken to be that far from it
    np.testing.assert_allclose(prediction.expected, wanted, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(prediction.performance[:, 0, 5:], np.log(scale), rtol=1e-3, atol=1e-3)


@given(st.floats(0.0, 1.0), st.floats(-6.0, 2.0), st.floats(-3.0, 3.0), st.floats(0.1, 20.0))
def test_the_location_is_the_one_with_that_mean(share, log_scale, low, width):
    """Against the mean of a logistic variable clipped to an interval, as `expect` has it."""
    scale, high = math.exp(log_scale), low + width
    mean = low + share * width
    location = location_of(mean, low, high, scale)
    found = low + scale * (softplus((location - low) / scale) - softplus((location - high) / scale))
    nearest = 1e-3 * scale
    assert found == pytest.approx(min(max(mean, low + nearest), high - nearest), abs=1e-6 * (1.0 + width))


def test_a_variable_without_room_stays_where_it_is():
    assert location_of(0.3, 1.0, 1.0, 0.5) == 1.0


def test_numbers_do_not_depend_on_the_batch(twin):
    plan = [[5, 5, 10], [1, 1, 18], [10, 5, 5], [2, 16, 2]]
    together, threaded = twin.sample(plan, range(6)), twin.sample(plan, range(6), num_threads=2)
    alone = twin.sample(plan, [4])
    for one, batch, shared in zip(alone, together, threaded, strict=True):
        for name in ("arrivals", "utility", "epistemic_std"):
            np.testing.assert_array_equal(getattr(one, name)[0], getattr(batch, name)[4])
            np.testing.assert_array_equal(getattr(shared, name), getattr(batch, name))


def test_queues_and_what_the_cell_has_are_columns_like_others():
    """Counts of each slice on a square-root scale, and columns without which there is no utility."""
    import gymnasium as gym

    env = RecordHistory(gym.make("SliceRAN-v0", scenario=get_scenario("diurnal")), columns=ALL_COLUMNS)
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(200):
        env.step(env.action_space.sample())
    history: History = env.recorder.history()
    made = cold_twin(history)
    expected = made.predict(history).expected.mean(axis=1)
    queued = made.model.layout.place("queued")
    truth = np.sqrt(history.performance["queued"])
    said = expected[:, queued.start - 3 : queued.stop - 3]
    assert ((said - truth) ** 2).sum() < 0.5 * ((truth - truth.mean(axis=0)) ** 2).sum()
