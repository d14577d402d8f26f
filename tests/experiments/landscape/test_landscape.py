"""The landscape of runs' losses, as a library and as a command."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import stable_baselines3
import torch
from torch.nn import functional

from agents import DQN
from experiments.landscape import Settings, landscape
from experiments.landscape.__main__ import prepare
from experiments.landscape.losses import STOCK, train_stock
from experiments.landscape.settings import LandscapeConfig
from experiments.runs.folder import find_runs, read_run
from tests.helpers.commands import configured, yaml_defaults
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.small_runs import small_run
from twin.data.transitions import transitions_of
from twin.fidelity.simulated import SimulatedCell

QUICK = Settings(points=5, surface_points=3, directions=2, data_decisions=60, progress=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three finished runs: two without a twin, one with."""
    folder = tmp_path_factory.mktemp("runs")
    for name, seed in (("a", 0), ("b", 1)):
        small_run(folder / name, DQN, seed=seed, net_arch=(16, 16))
    small_run(folder / "c", DQN, twin=True, collect=100, fine_tune=100, net_arch=(16, 16))
    return folder


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def measured(runs, tmp_path_factory):
    """What was written of them, and the result."""
    folder = tmp_path_factory.mktemp("measured")
    return folder, landscape(runs, QUICK, folder)


def test_runs_and_stock_sb3_are_measured(measured):
    folder, result = measured
    printed = result.report()
    assert "dqn-dt less dqn" in printed
    assert "stock SB3 less dqn" in printed
    numbers = rows(folder / "flatness.csv")
    assert [(row["method"], row["seed"]) for row in numbers] == [
        *(("dqn", "0"), ("dqn", "1"), ("dqn-dt", "0"), (STOCK, "0"), (STOCK, "1"))
    ]
    curves = rows(folder / "landscape.csv")
    assert len(curves) == len(numbers) * 2 * 5
    for row in numbers:
        own = [each for each in curves if (each["method"], each["seed"]) == (row["method"], row["seed"])]
        here = [float(each["loss"]) for each in own if float(each["step"]) == 0.0]
        assert here == pytest.approx([float(row["loss"])] * 2, rel=1e-5)
        step, loss = next((float(e["step"]), float(e["loss"])) for e in own if e["along"] == "epsilon")
        slope, curvature = float(row["gradient_norm"]), float(row["curvature"])
        wanted = here[0] + step * slope**2 + 0.5 * (step * slope) ** 2 * curvature  # to second order
        assert loss == pytest.approx(wanted, rel=1e-2)
    assert len(rows(folder / "surface.csv")) == 3 * 9
    for name in ("landscape", "surface"):
        assert (folder / f"{name}_paper-1mhz_dense.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_measured_alike_whatever_else_is_measured(measured, runs, tmp_path):
    landscape(find_runs(runs), replace(QUICK, agents=["dqn"]), tmp_path)
    for name in ("flatness.csv", "landscape.csv", "surface.csv"):
        everything = rows(measured[0] / name)
        assert rows(tmp_path / name) == [row for row in everything if row["method"] != "dqn-dt"]


@pytest.mark.parametrize("data", ["own", "random"])
def test_the_loss_of_a_run_is_that_of_the_data(runs, tmp_path, data):
    landscape(read_run(runs / "c"), replace(QUICK, stock=False, data=data, torch_threads=2), tmp_path)
    assert torch.get_num_threads() == 1  # as before
    (row,) = rows(tmp_path / "flatness.csv")
    run = read_run(runs / "c")
    agent, history = run.agent(), run.history()
    if data == "random":
        history = SimulatedCell(run.scenario, 1000).record(60)
    states, actions, rewards, following = (torch.as_tensor(part) for part in transitions_of(history)[:4])
    with torch.no_grad():
        targets = (rewards - agent.mean_reward).float() + 0.8 * agent.q_net_target(following).amax(dim=1)
        errors = targets - agent.q_net(states).gather(1, actions[:, None])[:, 0]
    huber = functional.huber_loss(errors, torch.zeros_like(errors))
    assert float(row["loss"]) == pytest.approx(huber.item(), rel=1e-5)
    assert float(row["td_error"]) == pytest.approx(errors.abs().mean().item(), rel=1e-5)


def test_stock_sb3_learns_on_the_runs_cell_with_its_settings(runs):
    (run,) = (run for run in find_runs(runs, ["dqn"]) if run.seed == 1)
    agent, data, mean = train_stock(run)
    assert type(agent) is stable_baselines3.DQN
    own = transitions_of(run.history())
    assert len(data.rewards) == len(own[2]) == 200
    np.testing.assert_array_equal(data.observations[0], own[0][0])  # the same cell, before the first decision
    assert (agent.gamma, mean) == (run.agent().gamma, run.agent().mean_reward)
    earned = run.scenario.reward
    assert earned.kind == "utility"
    assert 3.0 < data.rewards.mean() + mean < 8.5  # U, less the mean


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "owned"}, "data: unknown name 'owned'; did you mean 'own'"),
        ({"loss": "huber"}, "loss: unknown name 'huber'"),
        ({"agents": ["dqm"]}, "agents: unknown name 'dqm'; did you mean 'dqn'"),
        ({"points": 2}, "points: 2 given, allowed is 3 to "),
        ({"rise": 0.0}, "rise: 0.0 given, allowed is above 0"),
        ({"epsilon": -1.0}, "epsilon: -1.0 given"),
        ({"data": "random", "data_seed": 1}, "data_seed: 1 is the cell that"),
    ],
)
def test_what_makes_no_sense_is_refused(runs, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        landscape(runs, replace(QUICK, **changes), tmp_path)
    assert not list(tmp_path.iterdir())


def test_settings_of_something_else_are_refused(runs):
    with pytest.raises(TypeError, match=r"^settings: \{\} given, allowed is Settings"):
        landscape(runs, {})


def test_a_run_without_its_history_is_refused(runs, tmp_path):
    shutil.copytree(runs / "a", tmp_path / "a")
    (tmp_path / "a" / "history.npz").unlink()
    with pytest.raises(ValueError, match=r"runs: '.*a' has no history\.npz"):
        landscape(tmp_path, QUICK)


# The command


def test_its_yaml_sets_the_defaults_of_its_settings():
    assert yaml_defaults("landscape") == asdict(LandscapeConfig())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "agent: missing; allowed is a run of experiments.train"),
        (["runs=/nowhere"], r"agent: no finished run \(summary\.json\) below '/nowhere'"),
        (["runs=/nowhere", "directions=0"], "directions: 0 given, allowed is 1 to "),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_done(overrides, message, tmp_path):
    with pytest.raises((ValueError, OSError), match=f"^{message}"):
        prepare(configured("landscape", LandscapeConfig, *overrides), tmp_path)
    assert not list(tmp_path.iterdir())


def test_it_runs_as_typed(runs, measured, tmp_path):
    """`agent=` on the command line is the folder of runs."""
    quick = ["points=5", "surface_points=3", "directions=2", "data_decisions=60", "progress=false"]
    command = [sys.executable, "-m", "experiments.landscape", f"agent={runs}", "agents=dqn-dt", *quick]
    ran = subprocess.run([*command, f"hydra.run.dir={tmp_path}/out"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert (
        "scenario paper-1mhz, dense head: the algorithm's own loss over each agent's own real decisions" in ran.stdout
    )
    (row,) = rows(tmp_path / "out" / "flatness.csv")
    assert row in rows(measured[0] / "flatness.csv")
