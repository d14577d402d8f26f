"""Variables that are modelled by the ranks of their values: tables, draws, expected values, files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.queues import queue_history
from twin import DigitalTwin, PerformanceSettings
from twin.runtime import draws, ranks
from twin.runtime.encoding import make_scaler, measured_by, ranked_variables, standardised, target_bounds, widen

LOGISTIC = np.log(np.arange(0.5, 20_000) / (20_000 - np.arange(0.5, 20_000)))


@pytest.fixture(scope="module")
def queues():
    history = queue_history()
    measured = measured_by(history)
    return history, measured, make_scaler(history.layout, measured)


def test_only_queues_have_tables(queues, history):
    _, measured, scaler = queues
    first = measured.shape[1] - history.scenario.num_slices
    assert ranked_variables(scaler).tolist() == list(range(first, measured.shape[1]))
    assert make_scaler(history.layout, measured_by(history)).knots.shape[1] == 0


def test_one_logistic_distribution_is_the_history(queues):
    """Whatever the shape: its mean, its empty queues and its tail come out of scores that say nothing."""
    _, measured, scaler = queues
    for v in ranked_variables(scaler):
        drawn = np.array([draws.to_value(scaler, v, score / ranks.DEVIATION) for score in LOGISTIC])
        assert drawn.mean() == pytest.approx(measured[:, v].mean(), rel=0.03)
        assert (drawn == 0.0).mean() == pytest.approx((measured[:, v] == 0.0).mean(), abs=0.01)
        for share in (0.7, 0.9, 0.97):
            assert np.quantile(drawn, share) == pytest.approx(np.quantile(measured[:, v], share), rel=0.1)
        assert drawn.max() <= measured[:, v].max() * (1.0 + 1e-12)


def test_values_are_drawn_back_from_their_scores(queues):
    _, measured, scaler = queues
    scores = standardised(scaler, measured)
    below, above = target_bounds(scaler, measured)
    for v in ranked_variables(scaler):
        assert (np.diff(scaler.scores[v]) >= 0.0).all()
        back = np.array([draws.to_value(scaler, v, score) for score in scores[:, v]])
        np.testing.assert_allclose(back, measured[:, v], rtol=1e-9, atol=1e-9)
        assert (below[:, v] < above[:, v]).all()
        assert (below[measured[:, v] == 0.0, v] < -100.0).all()
        assert above[measured[:, v].argmax(), v] > 100.0


@pytest.mark.parametrize(("location", "scale"), [(0.0, 0.55), (1.3, 0.05), (-2.0, 1.4), (4.0, 0.3)])
def test_expected_values_are_the_integral(queues, location, scale):
    _, _, scaler = queues
    v = int(ranked_variables(scaler)[0])
    scores = location + scale * LOGISTIC
    wanted = np.interp(scores, scaler.scores[v], scaler.knots[v]).mean()
    assert draws.mean_of_scores(scaler, v, location, scale) == pytest.approx(wanted, abs=2e-3)


def test_scales_make_room_for_longer_queues(queues):
    history, measured, scaler = queues
    longer = measured.copy()
    v = int(ranked_variables(scaler)[0])
    longer[0, v] = 1e6
    wide = widen(scaler, history.layout, longer)
    assert draws.to_value(wide, v, wide.high[v]) == pytest.approx(1e6)
    np.testing.assert_array_equal(wide.scores, scaler.scores)


def test_a_constant_queue_stays_constant(queues):
    history, _, _ = queues
    still = {**history.performance, "queue": np.full_like(history.performance["queue"], 7.0)}
    constant = replace(history, performance=still)
    scaler = make_scaler(constant.layout, measured_by(constant))
    assert len(ranked_variables(scaler)) == 0
    v = len(scaler.low) - 1
    assert [draws.to_value(scaler, v, score) for score in (-9.0, 0.0, 9.0)] == pytest.approx([7.0] * 3)


def test_files_keep_the_tables(queues):
    history, _, _ = queues
    twin = DigitalTwin("autoregressive", PerformanceSettings(structure="per_slice")).fit(history.take(slice(0, 100)))
    content = twin.to_bytes()
    again = DigitalTwin.from_bytes(content)
    np.testing.assert_array_equal(again.model.scaler.scores, twin.model.scaler.scores)
    assert again.to_bytes() == content
    assert b'\\"format\\": 3' in content[:20_000]
