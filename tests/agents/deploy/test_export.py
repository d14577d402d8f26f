"""Export: the file chooses as the policy does, whatever the policy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from agents import DQN, SlicePolicy
from agents.deploy.export import export_policy, to_onnx
from experiments.export.agreement import agreement_of, random_states
from experiments.export.source import Source
from slicing_gym.space_spec import SpaceSpec
from tests.helpers.exported import SCENARIO, make_env, restless, restless_student, some_policy
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import learner, same

ROOT = Path(__file__).resolve().parents[3]
LOW, HIGH = [50.0, 1000.0, 0.0], [200.0, 2500.0, 30.0]
ARGUMENTS = {"trained_on": (LOW, HIGH), "fallback": None, "name": "it", "made_from": "a test"}


LAYERS = {"DQN": 3, "DuelingGANDDQN": 4, "StudentPolicy": 3}
"""Linear layers of the kinds of policy from the state on, with either head."""


def states(number=2000, seed=0):
    return random_states(SCENARIO, number, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        *(("DQN", "dense"), ("DQN", "geometry"), ("DuelingGANDDQN", "dense"), ("DuelingGANDDQN", "geometry")),
        *(("StudentPolicy", "geometry"), ("stock", "dense")),  # a dense student: test_slice_policy.py
    ],
)
def test_a_file_chooses_as_its_policy(kind, head, tmp_path):
    policy = some_policy(kind, head)
    network = policy if kind == "StudentPolicy" else policy.policy
    network.set_training_mode(True)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export_policy(policy, SCENARIO, tmp_path / "policy.onnx", trained_on=(LOW, HIGH))
    assert same(network.state_dict(), before)
    assert network.training
    assert [path.name for path in tmp_path.iterdir()] == ["policy.onnx"]
    deployed, seen = SlicePolicy(tmp_path / "policy.onnx"), states()
    wanted, _ = policy.predict(SpaceSpec(SCENARIO).observe(seen), deterministic=True)
    assert len(np.unique(wanted)) > 5
    found = agreement_of(Source(policy, SCENARIO, None, "", ""), deployed, seen)
    assert found.wrong == 0
    assert found.ties <= 2
    assert found.equal == (wanted == deployed.actions(seen)).sum() == 2000 - found.ties
    assert deployed.fallback == (6, 7, 7)
    model = onnx.load(tmp_path / "policy.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    assert not any("shares" in tensor.name or tensor.external_data for tensor in model.graph.initializer)
    layers = sum(node.op_type == "Gemm" for node in model.graph.node)
    assert layers == LAYERS.get(kind, 2)  # what does not depend on the state is a constant
    assert len(model.graph.node) <= layers * 2 + 6


def test_a_wide_network_keeps_the_factors_of_its_geometry_head():
    """Which is less to compute; and chooses alike, too."""
    policy = learner(DQN, "geometry", env=make_env(), policy={"net_arch": [80]})
    restless(policy.policy.q_net)
    content = to_onnx(policy, SCENARIO, **ARGUMENTS)
    shapes = [tuple(tensor.dims) for tensor in onnx.ModelProto.FromString(content).graph.initializer]
    assert (171, 64) in shapes
    assert (171, 80) not in shapes
    assert agreement_of(Source(policy, SCENARIO, None, "", ""), SlicePolicy(content), states()).wrong == 0


@pytest.fixture(scope="module")
def content():
    return to_onnx(restless_student(), SCENARIO, **ARGUMENTS)


def test_observations_are_made_to_the_bit(content):
    model = onnx.ModelProto.FromString(content)
    (cast,) = (node for node in model.graph.node if node.op_type == "Cast")
    model.graph.output.append(onnx.helper.make_tensor_value_info(cast.output[0], onnx.TensorProto.FLOAT, ["batch", 3]))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = np.concatenate([states(5000), np.random.default_rng(1).uniform(0.0, 3000.0, (5000, 3))])
    _, observed = session.run(None, {"arrivals": seen})
    assert observed.dtype == np.float32
    np.testing.assert_array_equal(observed, SpaceSpec(SCENARIO).observe(seen))


def test_the_same_policy_makes_the_same_bytes_that_tell_no_place(content, tmp_path):
    restless_student().save(tmp_path / "student")
    script = f"""
import sys
from agents.deploy.export import StudentPolicy, to_onnx
student = StudentPolicy.load(sys.argv[1])
sys.stdout.buffer.write(to_onnx(student, student.scenario, **{ARGUMENTS!r}))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "student")]
    assert subprocess.run(command, capture_output=True, check=True).stdout == content
    for telling in (str(ROOT), str(Path.home()), sys.prefix, str(tmp_path), ".py"):
        assert telling.encode() not in content


OTHER = SCENARIO.replace(name="other")


def ppo_agent():
    return stable_baselines3.PPO("MlpPolicy", make_env(), device="cpu")


def dense_agent():
    return some_policy("DQN", "dense")


def scaled_agent():
    envs = VecNormalize(DummyVecEnv([make_env]))
    return stable_baselines3.DQN("MlpPolicy", envs, policy_kwargs={"net_arch": [4]}, device="cpu")


def broken_agent():
    policy = dense_agent()
    with torch.no_grad():
        policy.policy.q_net.q_net[0].bias[0] = np.nan
    return policy


@pytest.mark.parametrize(
    ("policy", "changes", "error", "message"),
    [
        (ppo_agent, {}, TypeError, "policy: PPO has no action_values to export; register them"),
        (dense_agent, {"scenario": "paper"}, ValueError, "'paper' has 4851 allocations of 3 slices, .* among 171"),
        (restless_student, {"scenario": OTHER}, ValueError, "'other' given, the student was distilled on another"),
        (scaled_agent, {}, ValueError, "policy: it sees observations that VecNormalize has scaled"),
        (broken_agent, {}, ValueError, "policy: its values are not finite"),
        (restless_student, {"fallback": [20, 0, 0]}, ValueError, r"units: \[20, 0, 0\] given"),
        (
            restless_student,
            {"trained_on": ([1, 1], [2, 2])},
            ValueError,
            "trained_on: .* given, wanted are the smallest",
        ),
        (restless_student, {"trained_on": (HIGH, LOW)}, ValueError, "trained_on: .* given, wanted are the smallest"),
        (restless_student, {"trained_on": (LOW, [np.inf] * 3)}, ValueError, "trained_on: .* given, wanted are"),
    ],
    ids=["PPO", "spaces", "another scenario", "VecNormalize", "NaN", "fallback", "slices", "range", "infinite range"],
)
def test_what_cannot_be_exported_is_named(policy, changes, error, message, tmp_path):
    arguments = {"scenario": SCENARIO, "path": tmp_path / "policy.onnx", "trained_on": (LOW, HIGH), **changes}
    with pytest.raises(error, match=message):
        export_policy(policy(), **arguments)
    assert not list(tmp_path.iterdir())
