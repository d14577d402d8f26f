"""The loops as a user calls them in Python: with an agent of sb3-contrib, and without Hydra."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

EXAMPLE = """
import sys

import torch
from sb3_contrib import QRDQN

import experiments.calibration
from experiments import fidelity
from experiments.config.schemas import EvaluationSettings
from experiments.evaluate import Settings as EvaluateSettings, evaluate
from experiments.offline import Algorithm2Settings, EstimateSettings, Settings as OfflineSettings, offline
from experiments.train import Algorithm1Settings, Settings, train
from twin import DigitalTwin, LstmSettings, PerformanceSettings, TrainingSettings


def make(env, role):
    learning_rate = 1e-3 if role == "twin" else 1e-5
    policy = {"n_quantiles": 8, "net_arch": [64, 64]}
    return QRDQN("MlpPolicy", env, policy_kwargs=policy, learning_rate=learning_rate, buffer_size=6000, device="cpu")


def twin():
    return DigitalTwin(
        LstmSettings(members=1, memory_size=8, hidden_size=8),
        PerformanceSettings(members=1, hidden_size=8),
        TrainingSettings(max_epochs=2),
    )


folder = sys.argv[1]
short = {"twin_decisions": 512, "num_envs": 64, "selection_cells": 4, "selection_decisions": 5}
evaluation = EvaluationSettings(policies=["hard"], seeds=[100, 101], decisions=10)
algorithm = Algorithm1Settings(later_twin_decisions=384, fine_tune=52, warm_replay=100, **short)
settings = Settings(decisions=252, progress=False, algorithm=algorithm, evaluation=evaluation)
result = train(make, scenario="paper-1mhz", twin=twin(), settings=settings, folder=folder, seed=0)
assert type(result.agent) is QRDQN
assert list(result.episodes["decisions"]) == [200, 52]
assert result.twin.scenario.name == "paper-1mhz"
assert len(result.history) == 252
assert [each.policy for each in result.evaluation] == ["qrdqn-dt-planner", "hard"]

settings = OfflineSettings(
    progress=False,
    algorithm=Algorithm2Settings(epochs=1, **short),
    estimate=EstimateSettings(epochs=1),
    evaluation=evaluation,
)
learned = offline(make, result.history, twin=twin(), settings=settings)
assert type(learned.agent) is QRDQN
assert learned.estimates.keys() == {"fitted_q", "twin"}

compared = evaluate([folder, "hard"], "paper-1mhz", EvaluateSettings(seeds=[100, 101], decisions=10, progress=False))
assert [each.policy for each in compared.evaluations] == ["qrdqn-dt-planner", "hard"]
assert list(compared.evaluations[0].utility) == list(result.evaluation[0].utility)
assert list(compared.evaluations[1].utility) == list(result.evaluation[1].utility)

torch.set_num_threads(1)
more = {"policies": [], "tree": False, "torch_threads": 2, "progress": False}
settings = fidelity.Settings(seeds=[0], decisions=64, held_out_runs=1, run_length=20, copies=2, allocations=3, **more)
trusted = fidelity.fidelity(DigitalTwin(training=TrainingSettings(max_epochs=1)), "paper-1mhz", settings)
assert "CRPS / noise floor's" in trusted.report()
assert torch.get_num_threads() == 1

assert not {"hydra", "omegaconf"} & set(sys.modules)
"""


def test_the_loops_and_fidelity_run_in_a_process_that_never_imports_hydra(tmp_path):
    done = subprocess.run([sys.executable, "-c", EXAMPLE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
