"""One contract for all that learn in the loops: our agents, Stable-Baselines3's, sb3-contrib's and a user's own."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sb3_contrib
import stable_baselines3

from agents import DDQN, DQN, DuelingGANDDQN, SlicePolicy
from agents.hooks import action_values, has_hook
from agents.registry import import_modules
from experiments.config.schemas import EvaluationSettings
from experiments.distill import Settings as DistillSettings
from experiments.distill import distill
from experiments.evaluate.policies import load_policy
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.export import Settings as ExportSettings
from experiments.export import export
from experiments.offline import offline
from experiments.runs import checkpoint
from experiments.train import train
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.offline_runs import offline_settings
from tests.helpers.own_agents import FromScratch, Logarithms, SoftTargets
from tests.helpers.runs import OWN, SCENARIO, interrupted, maker, read_rows, short_settings, twin_settings

EXTRACTOR = {"features_extractor_class": Logarithms, "features_extractor_kwargs": {"width": 6}}
FASTER = {"learning_rate": 0.01}  # so that fine-tuning makes a difference
KINDS = {
    "dqn": maker(DQN, **FASTER),
    "ddqn": maker(DDQN, **FASTER),
    "gan_ddqn": maker(DuelingGANDDQN, **FASTER, critic_steps=2),
    "sb3_dqn": maker(stable_baselines3.DQN, **FASTER),
    "sb3_dqn with a seed": maker(stable_baselines3.DQN, **FASTER, seed=7),
    "sb3_dqn of 3 steps": maker(stable_baselines3.DQN, **FASTER, n_steps=3),
    "sb3_qrdqn": maker(sb3_contrib.QRDQN, **FASTER, policy={"n_quantiles": 8}),
    "subclass": maker(SoftTargets, **FASTER, temperature=0.2, seed=0),
    "extractor": maker(stable_baselines3.DQN, **FASTER, policy=EXTRACTOR),
    "from scratch": maker(FromScratch, **FASTER, epsilon=0.1),
}
"""Makers, without seeds but for what draws from a generator of its own."""

TRUST = {"subclass": True}
"""Its file holds a tensor of its own, which only a pickle could."""

each_kind = pytest.mark.parametrize("kind", KINDS)


def settings(decisions=280):
    return short_settings(decisions)


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Runs with a twin that were not interrupted, made when they are first asked for."""
    results = {}

    def result(kind):
        if kind not in results:
            folder = tmp_path_factory.mktemp("whole")
            results[kind] = train(KINDS[kind], SCENARIO, twin_settings(), settings(), folder, name="agent")
        return results[kind]

    return result


KILL = """
import os, signal, sys
from pathlib import Path
import torch
from experiments.train import Listener, Training, train
from tests.experiments.train.test_any_agent import KINDS, SCENARIO, settings, twin_settings

class Dies(Listener):
    decisions = 0
    def on_decision(self, experience):
        self.decisions += 1
        if self.decisions == 263:
            os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads(1)
Training(KINDS["dqn"], SCENARIO, twin_settings(), settings(), Path(sys.argv[1]) / "warm").algorithm.run()
for kind, make in KINDS.items():
    if os.fork() == 0:
        train(make, SCENARIO, twin_settings(), settings(), Path(sys.argv[1]) / kind, name="agent", listeners=[Dies()])
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Folders of runs, each of a process that was killed while it fine-tuned for the second time.

    They are forks of one that has imported and compiled everything.
    """
    folder = tmp_path_factory.mktemp("killed")
    ran = subprocess.run([sys.executable, "-c", KILL, str(folder)], capture_output=True, text=True)
    assert ran.stdout.split() == [str(-signal.SIGKILL)] * len(KINDS), ran.stderr
    return folder


@each_kind
def test_it_learns_with_a_twin_and_is_the_same_after_a_kill(kind, finished, killed):
    """Its weights from the twin, its history and replay resumed."""
    folder, whole = killed / kind, finished(kind)
    header, _ = checkpoint.read(folder / checkpoint.FILE)
    assert (header["iterations"], header["next_step"]) == (1, 3)
    assert not (folder / "summary.json").exists()
    found = train(KINDS[kind], SCENARIO, twin_settings(), settings(), folder, name="agent", resume=True)
    assert found.summary["learned"] == whole.summary["learned"]
    for name in ("episodes.csv", "history.npz", "evaluation.csv", "twin.safetensors"):
        assert (folder / name).read_bytes() == (whole.folder / name).read_bytes()


@each_kind
def test_without_a_twin_it_goes_on_from_any_decision(kind, tmp_path):
    whole, part, again = interrupted(KINDS[kind], tmp_path, 63, settings(90))
    assert again.agent.digest() == whole.agent.digest() != part.agent.digest()
    assert (again.folder / "episodes.csv").read_bytes() == (whole.folder / "episodes.csv").read_bytes()


@each_kind
def test_its_file_chooses_as_it_did(kind, finished):
    whole = finished(kind)
    cells = make_cells(SCENARIO, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Stable-Baselines3 warns of `n_steps` in files that it has written itself
        policy = load_policy(str(whole.folder), SCENARIO, cells, 1, trust=kind in TRUST)
    found = evaluate_policy("", policy, cells, [100, 101], 20)
    own = [float(row["utility"]) for row in read_rows(whole.folder / "evaluation.csv") if row["policy"] == "agent-dt"]
    assert own == pytest.approx(found.utility, abs=1e-6)


NO_LOSS = ("subclass", "from scratch")
"""Nothing says what their loss is."""


@each_kind
def test_it_learns_from_its_history(kind, finished, tmp_path):
    """Where no loss is known, without a conservative term alone."""
    make, history = maker_from_history(kind), finished(kind).history

    def settings(weight):
        return offline_settings(policies=[], seeds=[], epochs=1, conservative_weight=weight)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = offline(make, history, settings=settings(0.0 if kind in NO_LOSS else 0.1), folder=tmp_path)
    assert np.isfinite(found.estimates["fitted_q"])
    assert type(found.agent) is type(finished(kind).agent)
    if kind in NO_LOSS:
        with pytest.raises(
            TypeError, match=r"conservative_weight above 0: not possible with .* lacks the hook td_loss"
        ):
            offline(make, history, settings=settings(0.1), folder=tmp_path)


def maker_from_history(kind):
    """With room for the history of a run."""

    def make(env, role):
        agent = KINDS[kind](env, "real" if role == "history" else role)
        agent.learning_starts = 0
        return agent

    return make


@each_kind
def test_it_teaches_a_student_by_arg_max_and_ends_as_a_file(kind, finished, tmp_path):
    """What has no `action_values` is exported through its student."""
    folder, trust = finished(kind).folder, kind in TRUST
    evaluation = EvaluationSettings(policies=[], seeds=[100], decisions=10)
    lessons = DistillSettings(hidden=[4], updates=60, progress=False, evaluation=evaluation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (student,) = distill(folder, lessons, trust=trust).students
        short = ExportSettings(states=150, progress=False)
        known = has_hook(action_values, type(finished(kind).agent))
        result = export(folder if known else student, short, tmp_path / "policy.onnx", trust=trust)
    deployed = SlicePolicy(tmp_path / "policy.onnx")
    assert sum(deployed.decide([100.0, 1750.0, 9.0]).units) == 20
    assert deployed.decide([100.0, 1750.0, 9.0]).units == result.deployed.decide([100.0, 1750.0, 9.0]).units
    if not known:
        with pytest.raises(TypeError, match=r"FromScratch has no action_values to export; .* export a student of it"):
            export(folder, short, tmp_path / "other.onnx", trust=trust)


@pytest.mark.parametrize("kind", ["sb3_dqn", "sb3_dqn with a seed"])
def test_a_seed_of_the_run_decides_what_a_maker_leaves_open(kind, finished):
    """The cell is another in both; with a seed of its own the agent begins with the same weights."""
    other = train(KINDS[kind], SCENARIO, twin_settings(), settings(), seed=1, name="agent")
    assert other.summary["learned"] != finished(kind).summary["learned"]
