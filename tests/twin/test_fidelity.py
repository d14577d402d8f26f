"""Scores against closed forms, yardsticks against what they are for, and the commands that print them."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from scipy import stats

from experiments.calibration.run import check_config as check_calibration
from experiments.config.hydra import CONFIG_FOLDER, register_configs
from experiments.fidelity.measures import one_step_measures, over_blocks
from experiments.fidelity.run import check_config
from experiments.reporting.statistics import block_bootstrap
from experiments.tools.ship import ship_log
from slicing_gym import Simulator, get_scenario
from tests.helpers.twins import history_of, small_twin
from twin import DigitalTwin, TrainingSettings
from twin.data.log import LogMapping, read_log
from twin.fidelity.evaluator import Evaluator, Floor
from twin.fidelity.scores import crps, density_nll, r_squared, rank_correlation, wasserstein
from twin.fidelity.simulated import SimulatedCell
from twin.runtime.encoding import encode

ROOT = Path(__file__).resolve().parents[2]

register_configs()


def test_crps_is_that_of_the_normal_distribution():
    """Gneiting and Raftery (2007), equation 21."""
    generator = np.random.default_rng(0)
    truth = np.array([-1.0, 0.0, 0.5, 3.0])
    closed = truth * (2.0 * stats.norm.cdf(truth) - 1.0) + 2.0 * stats.norm.pdf(truth) - 1.0 / np.sqrt(np.pi)
    np.testing.assert_allclose(crps(generator.normal(size=(4, 40_000)), truth), closed, atol=0.02)
    few = crps(generator.normal(size=(4 * 20_000, 5)), np.repeat(truth, 20_000)).reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(few, closed, atol=0.02)  # unbiased with five samples too
    with pytest.raises(ValueError, match="samples: 1 given"):
        crps(np.zeros((3, 1)), np.zeros(3))


def test_density_is_nearly_that_of_the_samples():
    generator = np.random.default_rng(0)
    truth = np.linspace(-2.0, 2.0, 9)
    found = density_nll(generator.normal(size=(9, 5000)), truth - 0.05, truth + 0.05)
    exact = -np.log(stats.norm.cdf(truth + 0.05) - stats.norm.cdf(truth - 0.05))
    np.testing.assert_allclose(found, exact, atol=0.12)
    far = density_nll(np.zeros((1, 10)), [20.0], [20.1])
    assert np.isfinite(far[0])
    assert far[0] > 8.0


def test_distances_and_correlations():
    generator = np.random.default_rng(1)
    sample = generator.normal(size=5000)
    assert wasserstein(sample, sample + 0.7) == pytest.approx(0.7)
    assert wasserstein(sample, 2.0 * sample) == pytest.approx(
        stats.wasserstein_distance(sample, 2.0 * sample), abs=0.03
    )
    one, other = generator.integers(10, size=50), generator.integers(10, size=50)
    assert rank_correlation(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5)))
    assert r_squared([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 1.0
    assert r_squared([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]) == 0.0


def test_block_bootstrap_covers_the_mean_of_dependent_values():
    """An autoregressive series: the interval has to be wider than that of independent values, and cover."""
    generator = np.random.default_rng(0)
    covered, wider = 0, 0
    for trial in range(60):
        noise, series = generator.normal(size=1000), np.zeros(1000)
        for t in range(1, 1000):
            series[t] = 0.8 * series[t - 1] + noise[t]
        run = np.repeat(np.arange(4), 250)
        found = block_bootstrap(lambda rows, s=series: float(s[rows].mean()), run, block=25, seed=trial)
        assert found.mean == pytest.approx(series.mean())
        covered += abs(found.mean) < found.half_width
        wider += found.half_width > 1.5 * 1.96 * series.std() / np.sqrt(1000)
    assert 48 <= covered <= 60
    assert wider == 60


def test_a_cell_with_other_luck_keeps_users_queues_and_load():
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
def judged():
    """A fitted twin of `diurnal`, an untrained one, and held-out runs with their floor."""
    torch.set_num_threads(1)
    network = SimulatedCell(get_scenario("diurnal"), 0)
    history = network.record(1000)
    held_out = network.hold_out(2, 120, copies=40, every=60)
    good = DigitalTwin(training=TrainingSettings(max_epochs=60)).fit(history)
    bad = small_twin(history, epochs=1)
    judges = [Evaluator(twin.model, history, held_out.history, held_out.floor) for twin in (good, bad)]
    return history, held_out, judges


def test_the_floor_is_a_fair_sample_of_the_network(judged):
    """What really happened is one more of the copies: its rank among them is even."""
    _, held_out, _ = judged
    truth = held_out.history.next_arrivals
    below = (held_out.floor.measured[:, :, :3] < truth[:, None]).mean(axis=1)
    ties = (held_out.floor.measured[:, :, :3] == truth[:, None]).mean(axis=1)
    place = below + 0.5 * ties
    assert place.mean(axis=0) == pytest.approx(np.full(3, 0.5), abs=0.08)
    assert ((place > 0.05) & (place < 0.95)).mean(axis=0) == pytest.approx(np.full(3, 0.9), abs=0.06)


def test_a_good_twin_is_between_floor_and_climatology_and_a_bad_one_is_seen_to_be_bad(judged):
    _, _, (good, bad) = judged
    for v, scores in enumerate(good.one_step().scores[:3]):
        means = {who: values.mean() for who, values in scores.crps.items()}
        assert means["floor"] < 1.05 * means["twin"], (v, means)
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
    assert measures["CRPS / floor's", "state", "floor"] == pytest.approx(1.0)
    assert measures["R²", "utility", "twin"] < measures["R²", "utility", "floor"]
    assert measures["R²", "utility", "twin"] > 0.9


def test_rollouts_follow_the_held_out_decisions(judged):
    _, held_out, (good, _) = judged
    rollout = good.roll_out(30, copies=8, window=16, spacing=25)
    encoded = encode(good.model.layout, good.model.table, held_out.history)
    np.testing.assert_array_equal(rollout.last[0], encoded.measured[15])
    np.testing.assert_array_equal(rollout.truth[:, 0], encoded.measured[16:46])
    np.testing.assert_array_equal(rollout.floor[4, 1], held_out.floor.measured[16 + 25 + 4])
    urllc = rollout.crps(2)
    assert urllc["twin"].mean() < 0.6 * urllc["climatology"].mean()
    far = good.roll_out(100, copies=8, window=16)
    assert far.marginal_distance(2, 20)["floor"] < far.marginal_distance(2, 20)["climatology"]
    with pytest.raises(ValueError, match="no held-out run has 16 \\+ 200"):
        good.roll_out(200)


def test_judges_refuse_what_does_not_fit(judged):
    history, held_out, (good, _) = judged
    with pytest.raises(ValueError, match="held_out: is of another network"):
        Evaluator(good.model, history, history_of("paper-1mhz"))
    with pytest.raises(ValueError, match="floor: shape"):
        Evaluator(good.model, history, held_out.history, Floor(held_out.floor.measured[:5]))


def test_intervals_of_a_single_network_come_from_its_decisions(judged):
    _, held_out, (good, _) = judged
    found = over_blocks(one_step_measures(good.one_step(), 3), held_out.history.run)
    value = found["CRPS", "arrivals_urllc", "twin"]
    assert 0.0 < value.half_width < value.mean


def test_the_synthetic_log_is_what_its_command_makes(tmp_path):
    made = tmp_path / "log.csv"
    ship_log(made)
    assert made.read_bytes() == (ROOT / "docs" / "data" / "synthetic_log.csv").read_bytes()
    mapping = LogMapping.from_dict(yaml.safe_load((ROOT / "conf" / "mapping" / "colosseum.yaml").read_text()))
    history = read_log(made, mapping)
    assert (len(history.runs), len(history)) == (8, 8 * 99)


SMALL = [
    "progress=false",
    "twin.training.max_epochs=2",
    "twin.transition.memory_size=8",
    "policies=[hard]",
    "allocations=10",
    "copies=8",
]


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (
            ["scenario=paper-1mhz", "seeds=[0,1]", "decisions=400", "held_out_runs=2", "run_length=60"],
            ["twin_1.safetensors"],
        ),
        (["mapping=colosseum", "log=docs/data/synthetic_log.csv", "held_out_runs=2"], ["twin.safetensors"]),
    ],
    ids=["scenario", "log"],
)
def test_the_command_prints_a_table_and_leaves_its_files(tmp_path, arguments, files):
    command = [sys.executable, "-m", "experiments.fidelity", *SMALL, *arguments, f"hydra.run.dir={tmp_path}"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    assert "CRPS" in ran.stdout
    assert "climatology" in ran.stdout
    for name in (*files, "fidelity.csv", "fidelity.png"):
        assert (tmp_path / name).stat().st_size > 0
    with (tmp_path / "fidelity.csv").open() as file:
        rows = list(csv.DictReader(file))
    metrics = {row["metric"] for row in rows}
    assert {"CRPS", "NLL [nat]", "inside 90 %", "R²", "CRPS 20 ahead", "skill"} <= metrics
    assert DigitalTwin.load(tmp_path / files[0]).scenario.name == rows[0]["network"]


def test_calibration_prints_its_table(tmp_path):
    command = [sys.executable, "-m", "experiments.calibration", "scenario=paper-1mhz", "seeds=[0,1]", "fresh=[100,200]"]
    options = ["decisions=400", "copies=4", "held_out_runs=1", "twin.training.max_epochs=2", "progress=false"]
    ran = subprocess.run([*command, *options, f"hydra.run.dir={tmp_path}"], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    assert "fitted anew" in ran.stdout
    with (tmp_path / "calibration.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2 * 5
    assert (tmp_path / "calibration.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("twin.transition.memory_size=0", "transition.memory_size: 0 given"),
        ("+twin.transition.heads=3", "twin.transition: unknown name 'heads'"),
        ("+twin.training.epochs=3", "unknown name 'epochs'; did you mean 'max_epochs'"),
        ("twin.transition.name=gru", "twin.transition.name: unknown name 'gru'"),
        ("seeds=[]", "seeds: none given"),
        ("run_length=10", "run_length: 10 given, allowed is 18 or more"),
        ("decisions=30", "decisions: 30 given, allowed is 64 or more"),
        ("~twin.performance", "twin.performance: missing"),
        ("copies=1", "copies: 1 given, allowed is 2 or more"),
        ("policies=[one_step_oracle]", "policies: unknown name 'one_step_oracle'"),
        ("mapping=colosseum", "log: null given"),
        ("log=x.csv", "log: 'x.csv' given without a mapping"),
    ],
)
def test_bad_configurations_are_refused(override, message):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        config = compose("fidelity", [override])
    with pytest.raises((ValueError, TypeError), match=message):
        check_config(config)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fresh=[10]", "fresh: 10 given, allowed is 64 or more"),
        ("+change.slices.urllc.num_users=-1", "num_users: -1 given"),
        ("+change.slices.urlc.num_users=1", "unknown name 'urlc'"),
    ],
)
def test_bad_calibrations_are_refused(override, message):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        config = compose("calibration", [override])
    with pytest.raises((ValueError, TypeError), match=message):
        check_calibration(config)
