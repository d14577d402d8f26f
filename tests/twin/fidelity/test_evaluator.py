"""References of an evaluation against what they are for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from experiments.fidelity.measures import one_step_measures, over_blocks
from slicing_gym import Simulator, get_scenario
from tests.helpers.twins import JOINT, history_of, small_twin
from twin import DigitalTwin, TrainingSettings
from twin.fidelity.evaluator import Evaluator, NoiseFloor
from twin.fidelity.simulated import SimulatedCell
from twin.runtime.encoding import encode


def test_a_cell_with_resampled_noise_keeps_users_queues_and_load():
    cell = Simulator("flash-crowd", [3])
    cell.warm_up()
    for _ in range(5):
        cell.advance([1, 1, 98])  # video's queues fill
    copies = cell.fork(0, [7, 8])
    before, after = cell.state(), copies.state()
    for name in ("snr_hz", "queued", "head_bits", "level", "slot", "decision", "next_arrival"):
        np.testing.assert_array_equal(after[name], np.repeat(before[name], 2, axis=0), err_msg=name)
    one = copies.advance([33, 33, 34])
    assert not np.array_equal(one.arrivals[0], one.arrivals[1])
    np.testing.assert_array_equal(cell.fork(0, [8]).advance([33, 33, 34]).arrivals[0], one.arrivals[1])
    copies.levels = np.repeat(cell.levels, 2, axis=0)
    np.testing.assert_array_equal(copies.levels[1], cell.levels[0])
    with pytest.raises(ValueError, match="levels: shape"):
        copies.levels = np.zeros((3, 3, 2))
    with pytest.raises(ValueError, match="seeds: -1"):
        cell.fork(0, [-1])


@pytest.fixture(scope="module")
def evaluated():
    """A fitted twin of `diurnal`, an untrained one, and held-out runs with their noise floor."""
    torch.set_num_threads(1)
    network = SimulatedCell(get_scenario("diurnal"), 0)
    history = network.record(1000)
    held_out = network.hold_out(2, 120, copies=40, every=60)
    good = DigitalTwin("lstm", JOINT, TrainingSettings(max_epochs=60)).fit(history)
    bad = small_twin(history, epochs=1)
    evaluators = [Evaluator(twin.model, history, held_out.history, held_out.noise_floor) for twin in (good, bad)]
    return history, held_out, evaluators


def test_the_noise_floor_is_a_fair_sample_of_the_network(evaluated):
    """What really happened is one more of the copies: its rank among them is even."""
    _, held_out, _ = evaluated
    truth = held_out.history.next_arrivals
    below = (held_out.noise_floor.measured[:, :, :3] < truth[:, None]).mean(axis=1)
    ties = (held_out.noise_floor.measured[:, :, :3] == truth[:, None]).mean(axis=1)
    place = below + 0.5 * ties
    assert place.mean(axis=0) == pytest.approx(np.full(3, 0.5), abs=0.08)
    assert ((place > 0.05) & (place < 0.95)).mean(axis=0) == pytest.approx(np.full(3, 0.9), abs=0.06)


def test_a_good_twin_is_between_noise_floor_and_climatology_and_a_bad_one_is_seen_to_be_bad(evaluated):
    _, _, (good, bad) = evaluated
    for v, scores in enumerate(good.one_step().scores[:3]):
        means = {who: values.mean() for who, values in scores.crps.items()}
        assert means["noise_floor"] < 1.05 * means["twin"], (v, means)
        assert means["twin"] < 0.5 * means["climatology"], (v, means)
        nll = {who: values.mean() for who, values in scores.nll.items()}
        assert nll["twin"] < nll["climatology"]
        assert 0.75 < scores.inside["twin"].mean() < 0.98
    worse = [
        scores.crps["twin"].mean() > 0.8 * scores.crps["climatology"].mean() for scores in bad.one_step().scores[:3]
    ]
    assert any(worse)
    assert np.mean([s.crps["twin"].mean() for s in bad.one_step().scores[:3]]) > 2.0 * np.mean(
        [s.crps["twin"].mean() for s in good.one_step().scores[:3]]
    )
    measures = {m.key: m.value for m in one_step_measures(good.one_step(), 3)}
    assert measures["CRPS / noise floor's", "state", "noise_floor"] == pytest.approx(1.0)
    assert measures["R²", "utility", "twin"] < measures["R²", "utility", "noise_floor"]
    assert measures["R²", "utility", "twin"] > 0.9


def test_rollouts_follow_the_held_out_decisions(evaluated):
    _, held_out, (good, _) = evaluated
    rollout = good.roll_out(30, copies=8, window=16, spacing=25)
    encoded = encode(good.model.layout, good.model.scaler, held_out.history)
    np.testing.assert_array_equal(rollout.last[0], encoded.measured[15])
    np.testing.assert_array_equal(rollout.truth[:, 0], encoded.measured[16:46])
    np.testing.assert_array_equal(rollout.noise_floor[4, 1], held_out.noise_floor.measured[16 + 25 + 4])
    urllc = rollout.crps(2)
    assert urllc["twin"].mean() < 0.6 * urllc["climatology"].mean()
    far = good.roll_out(100, copies=8, window=16)
    assert far.marginal_distance(2, 20)["noise_floor"] < far.marginal_distance(2, 20)["climatology"]
    with pytest.raises(ValueError, match="no held-out run has 16 \\+ 200"):
        good.roll_out(200)


def test_evaluators_refuse_what_does_not_fit(evaluated):
    history, held_out, (good, _) = evaluated
    with pytest.raises(ValueError, match="held_out: is of another network"):
        Evaluator(good.model, history, history_of("paper-1mhz"))
    with pytest.raises(ValueError, match="noise_floor: shape"):
        Evaluator(good.model, history, held_out.history, NoiseFloor(held_out.noise_floor.measured[:5]))


def test_intervals_of_a_single_network_come_from_its_decisions(evaluated):
    _, held_out, (good, _) = evaluated
    found = over_blocks(one_step_measures(good.one_step(), 3), held_out.history.run)
    value = found["CRPS", "arrivals_urllc", "twin"]
    assert 0.0 < value.half_width < value.mean
