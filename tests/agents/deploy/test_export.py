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
from agents.deploy.slice_policy import KEY
from agents.hooks import action_values
from experiments.export.agreement import agreement_of, random_states
from experiments.export.source import Source
from slicing_gym import allocation_table, allocation_units, get_scenario
from slicing_gym.space_spec import SpaceSpec
from tests.helpers.exported import HEADS, SCENARIO, make_env, restless, restless_student, some_policy
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import learner, same

ROOT = Path(__file__).resolve().parents[3]
LOW, HIGH = [50.0, 1000.0, 0.0], [200.0, 2500.0, 30.0]
ARGUMENTS = {"trained_on": (LOW, HIGH), "fallback": None, "name": "it", "made_from": "a test"}


LAYERS = {"DQN": 3, "DuelingGANDDQN": 4, "StudentPolicy": 3}
"""Linear layers of the kinds of policy from the state on; a factored head needs none for the value of the state."""

LARGE = get_scenario("nr-8slices").replace(name="large", radio={"resolution_hz": 7 * 360e3})
"""39 units for 8 slices, 12.6 million allocations: more than are listed."""


def states(number=2000, seed=0, scenario=SCENARIO):
    return random_states(scenario, number, np.random.default_rng(seed))


def agreement(policy, deployed, seen, scenario=SCENARIO):
    return agreement_of(Source(policy, scenario, None, "", ""), deployed, seen)


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        *(("DQN", "dense"), ("DQN", "geometry"), ("DuelingGANDDQN", "dense"), ("DuelingGANDDQN", "geometry")),
        *(("StudentPolicy", "geometry"), ("stock", "dense")),  # a dense student: test_slice_policy.py
        *(("DQN", "factored"), ("DQN", "table"), ("DuelingGANDDQN", "factored"), ("StudentPolicy", "factored")),
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
    assert len(np.unique(wanted)) > 3
    found = agreement(policy, deployed, seen)
    assert found.wrong == 0
    assert found.ties <= 2
    same_units = (allocation_table(20, 3)[wanted] == deployed.units(seen)).all(axis=1)
    assert found.equal == same_units.sum() == 2000 - found.ties
    assert deployed.fallback == (6, 7, 7)
    model = onnx.load(tmp_path / "policy.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    factored = head in ("factored", "table")
    assert not any("shares" in tensor.name or tensor.external_data for tensor in model.graph.initializer)
    layers = sum(node.op_type == "Gemm" for node in model.graph.node)
    assert layers == LAYERS.get(kind, 2) - (factored and kind == "DuelingGANDDQN")  # what is constant is a constant
    assert len(model.graph.node) <= layers * 2 + (42 if factored else 16)


def test_a_wide_network_keeps_the_factors_of_its_geometry_head():
    """Which is less to compute; and chooses alike, too."""
    policy = learner(DQN, "geometry", env=make_env(), policy={"net_arch": [80]})
    restless(policy.policy.q_net)
    content = to_onnx(policy, SCENARIO, **ARGUMENTS)
    shapes = [tuple(tensor.dims) for tensor in onnx.ModelProto.FromString(content).graph.initializer]
    assert (171, 64) in shapes
    assert (171, 80) not in shapes
    assert agreement(policy, SlicePolicy(content), states()).wrong == 0


@pytest.mark.parametrize("kind", ["DQN", "StudentPolicy"])
def test_cells_with_more_allocations_than_are_listed(kind):
    policy, seen = some_policy(kind, "factored", LARGE), states(1000, scenario=LARGE)
    content = to_onnx(policy, LARGE, **ARGUMENTS | {"trained_on": (LARGE.nominal_arrivals, LARGE.nominal_arrivals)})
    deployed = SlicePolicy(content)
    found = agreement(policy, deployed, seen, LARGE)
    assert found.wrong == 0
    assert found.equal >= 998
    wanted, _ = policy.predict(SpaceSpec(LARGE).observe(seen), deterministic=True)
    assert len(np.unique(wanted)) > 20
    assert (allocation_units(wanted, 39, 8) == deployed.units(seen)).all(axis=1).sum() == found.equal
    decision = deployed.decide(LARGE.nominal_arrivals)
    assert decision.action == policy.predict(SpaceSpec(LARGE).observe(LARGE.nominal_arrivals), deterministic=True)[0]
    assert decision.prbs == tuple(7 * units for units in decision.units)
    assert len(content) < 60_000


def test_no_file_holds_a_table_of_allocations():
    """Its metadata say what is needed; no constant has one row per allocation but what a dense layer has learned."""
    for head, rows in (("dense", {171}), ("table", set())):
        model = onnx.ModelProto.FromString(to_onnx(some_policy("StudentPolicy", head), SCENARIO, **ARGUMENTS))
        keys = "format name made_from scenario trained_on fallback sha256"
        assert [entry.key for entry in model.metadata_props] == [KEY + key for key in keys.split()]
        constants = [tuple(tensor.dims) for tensor in model.graph.initializer]
        assert {dim for dims in constants if len(dims) == 2 for dim in dims if dim >= 171} == rows
        integers = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT64]
        assert sum(int(np.prod(tensor.dims)) for tensor in integers) < 100


@pytest.mark.parametrize("head", HEADS)
def test_of_equal_values_the_lowest_index_is_chosen(head):
    """Whole numbers, whose sums are exact, and few enough that many are equal."""
    policy = some_policy("DQN", head)
    last = policy.policy.q_net.q_net[-1]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in [module for module in policy.policy.q_net.modules() if isinstance(module, torch.nn.Linear)]:
            layer.weight.copy_(torch.randint(-1, 2, layer.weight.shape, generator=generator))
            layer.bias.copy_(torch.randint(-1, 2, layer.bias.shape, generator=generator))
        if head in ("geometry", "factored"):  # what it makes of shares is not whole
            last.state.weight.zero_()
            last.state.bias.zero_()
    content = to_onnx(policy, SCENARIO, **ARGUMENTS)
    seen = np.random.default_rng(0).integers(0, 3, (2000, 3)) * SCENARIO.nominal_arrivals  # whole observations, too
    observed = torch.as_tensor(SpaceSpec(SCENARIO).observe(seen))
    values = policy.policy.q_net(observed)
    assert ((values == values.amax(dim=1, keepdim=True)).sum(dim=1) > 1).sum() > 100
    lowest = allocation_table(20, 3)[values.argmax(dim=1)]
    np.testing.assert_array_equal(SlicePolicy(content).units(seen), lowest)


@pytest.fixture(scope="module")
def content():
    return to_onnx(restless_student(), SCENARIO, **ARGUMENTS)


def test_observations_are_made_to_the_bit(content):
    model = onnx.ModelProto.FromString(content)
    clipped = next(node for node in model.graph.node if node.op_type == "Min")
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(clipped.output[0], onnx.TensorProto.FLOAT, ["batch", 3])
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = np.concatenate([states(5000), np.random.default_rng(1).uniform(0.0, 3000.0, (5000, 3))])
    _, observed = session.run(None, {"arrivals": seen})
    assert observed.dtype == np.float32
    np.testing.assert_array_equal(observed, SpaceSpec(SCENARIO).observe(seen))


def test_a_factored_policy_makes_the_same_bytes_twice():
    one, other = (to_onnx(some_policy("StudentPolicy", "factored"), SCENARIO, **ARGUMENTS) for _ in range(2))
    assert one == other


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


def factored_agent():
    return some_policy("DQN", "factored")


class Listing(DQN):
    """An agent whose values are of all allocations, as far as its hook says."""


@action_values.register
def _(model: Listing):
    del model
    return torch.nn.Linear(8, 1)  # it must not come to a call


def listing_agent():
    return Listing("MlpPolicy", make_env(LARGE), policy_kwargs={"head": "factored"}, device="cpu", buffer_size=1)


def broken_factored_agent():
    policy = some_policy("DQN", "table")
    with torch.no_grad():
        policy.policy.q_net.q_net[-1].state.bias[-1] = np.nan
    return policy


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
        (dense_agent, {"scenario": "paper"}, ValueError, "'paper' has 4851 allocations of 100 units to 3 .* among 171"),
        (factored_agent, {"scenario": "paper"}, ValueError, "'paper' has 4851 allocations of 100 units .* among 171"),
        (factored_agent, {"scenario": LARGE}, ValueError, "'large' has 12620256 allocations of 39 units to 8 slices"),
        (restless_student, {"scenario": OTHER}, ValueError, "'other' given, the student was distilled on another"),
        (scaled_agent, {}, ValueError, "policy: it sees observations that VecNormalize has scaled"),
        (broken_agent, {}, ValueError, "policy: its values are not finite"),
        (listing_agent, {"scenario": LARGE}, ValueError, "values each of 12620256 allocations, allowed are 2000000; a"),
        (broken_factored_agent, {}, ValueError, "policy: its values are not finite"),
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
    ids=[
        *(
            "PPO",
            "spaces",
            "units",
            "factored slices",
            "another scenario",
            "VecNormalize",
            "NaN",
            "too many",
            "factored NaN",
        ),
        *("fallback", "slices", "range", "infinite range"),
    ],
)
def test_what_cannot_be_exported_is_named(policy, changes, error, message, tmp_path):
    arguments = {"scenario": SCENARIO, "path": tmp_path / "policy.onnx", "trained_on": (LOW, HIGH), **changes}
    with pytest.raises(error, match=message):
        export_policy(policy(), **arguments)
    assert not list(tmp_path.iterdir())
