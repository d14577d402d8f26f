"""Your own log to a file for a controller: mapping, history, digital twin, an agent that learns offline, ONNX.

Run: python examples/log_to_onnx.py [epochs]   (needs slicing-gym[train,logs,export]; 2 minutes)
The log is the synthetic one of the repository; the mapping says which column is what (docs/logs.md).
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import mkdtemp

import gymnasium as gym

from agents import DDQN, SlicePolicy
from experiments import export
from experiments.config import EvaluationSettings
from experiments.offline import Algorithm2Settings, EstimateSettings, Settings, offline
from twin import DigitalTwin, LogMapping, TrainingSettings, read_log

ROOT = Path(__file__).resolve().parents[1]
LOG = ROOT / "docs" / "data" / "synthetic_log.csv"


def make(env: gym.Env, role: str) -> DDQN:
    """An agent for the history or for the twin."""
    network = {"net_arch": [32], "head": "factored"}
    return DDQN("MlpPolicy", env, policy_kwargs=network, gamma=0.8, learning_starts=50, device="cpu")


def main(epochs: int = 50) -> SlicePolicy:
    """The exported policy."""
    mapping = LogMapping.from_yaml(ROOT / "conf" / "mapping" / "colosseum.yaml")
    history = read_log(LOG, mapping)
    print(f"{len(history)} decisions in {len(history.runs)} runs, slices {', '.join(history.scenario.slice_names)}")

    unfitted = DigitalTwin("lstm", training=TrainingSettings(max_epochs=epochs))
    algorithm = Algorithm2Settings(epochs=epochs, twin_decisions=1000 * epochs, num_envs=64, selection_cells=4)
    nowhere = EvaluationSettings(policies=[], seeds=[])  # there is no simulator of one's own network
    short = EstimateSettings(epochs=epochs)
    settings = Settings(progress=False, algorithm=algorithm, estimate=short, evaluation=nowhere)
    result = offline(make, history, twin=unfitted, settings=settings)
    print(f"estimates of the utility, by the history and by the twin: {result.estimates}")

    file = Path(mkdtemp()) / "policy.onnx"
    written = export.export(
        result.agent, export.Settings(states=300, progress=False), file, scenario=history.scenario, history=history
    )
    print(written.report())
    policy = SlicePolicy(file)  # needs no PyTorch
    print(dict(zip(history.scenario.slice_names, policy.decide(history.arrivals[-1].tolist()).units, strict=True)))
    return policy


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
