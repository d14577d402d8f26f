"""Environments on twins of logs: units that belong to nobody, slices that come and go, few allocations."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from agents import DDQN, Planner, StudentPolicy, action_values, distill
from agents.deploy.export import check_exportable
from agents.log_actions import EMPTY, HELD
from experiments.offline.checks import about_export
from slicing_gym import AllocationIndexCodec, AllocationListCodec, AllocationSpace
from tests.twin.data.logs.conftest import CASES, mapping_of
from twin import DigitalTwin, History, PerformanceSettings, PlanningTwin, concatenate, read_log
from twin.data.transitions import transitions_of

LOGS = {
    "idle": ("09_idle_rest.csv", {"allocation": {"column": "prb_next", "idle": True}}),
    "absent": ("06_slices_come_and_go.csv", {"absent": {"arrivals": 0, "rate": 0}}),
    "held": ("12_seven_allocations.csv", {"allowed": "held"}),
}


@pytest.fixture(scope="module")
def histories():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: read_log(CASES / file, mapping_of(**keys)) for name, (file, keys) in LOGS.items()}


@pytest.fixture(scope="module")
def twins(histories):
    settings = PerformanceSettings(structure="per_slice")
    return {name: DigitalTwin("autoregressive", settings).fit(history) for name, history in histories.items()}


def test_action_spaces_follow_from_the_smallest_units(twins):
    made = {name: gym.make("SliceTwin-v0", twin=twin) for name, twin in twins.items()}
    assert made["idle"].action_space == AllocationSpace(51, 4)
    assert made["absent"].action_space == AllocationSpace(54, 4)
    assert made["held"].action_space == gym.spaces.Discrete(7)
    for name, env in made.items():
        check_env(env.unwrapped, skip_render_check=True)
        table = env.unwrapped.allocations
        assert len(table) == env.action_space.n
        assert (table.sum(axis=1) == 50).all()
        assert table.min() == (5 if name == "held" else 0)
        assert table[:, :3].min() == {"idle": 1, "absent": 0, "held": 5}[name]
        env.reset(seed=0)
        for action in (0, int(env.action_space.n) - 1):
            assert env.step(action)[4]["allocation"].tolist() == table[action].tolist()


def test_a_batch_is_its_cells(twins):
    for twin in twins.values():
        envs = gym.make_vec("SliceTwin-v0", num_envs=2, twin=twin)
        env = gym.make("SliceTwin-v0", twin=twin)
        envs.reset(seed=[3, 4])
        env.reset(seed=4)
        seen, _, _, _, info = envs.step(np.array([1, 5]))
        alone, _, _, _, own = env.step(5)
        np.testing.assert_array_equal(seen[1], alone)
        np.testing.assert_array_equal(info["allocation"][1], own["allocation"])


@pytest.mark.parametrize(
    ("name", "head"), [("idle", "factored"), ("absent", "factored"), ("absent", "dense"), ("held", "dense")]
)
def test_agents_learn_there(twins, name, head):
    env = gym.make("SliceTwin-v0", twin=twins[name], reward="utility")
    agent = DDQN("MlpPolicy", env, policy_kwargs={"net_arch": [8], "head": head}, learning_starts=8, seed=0)
    agent.learn(16)
    action, _ = agent.predict(env.reset(seed=0)[0], deterministic=True)
    assert env.action_space.contains(np.int64(action))


def test_a_planner_chooses_among_held_allocations_and_is_refused_where_slices_may_be_empty(histories, twins):
    env = gym.make("SliceTwin-v0", twin=twins["held"], reward="utility")
    planner = Planner(env, PlanningTwin(env.unwrapped.scenario))
    planner.learn(12)
    action, _ = planner.predict(env.reset(seed=0)[0], deterministic=True)
    assert env.unwrapped.allocations[action].tolist() in histories["held"].allocation.tolist()
    file = io.BytesIO()
    planner.save(file)
    again = Planner.load(io.BytesIO(file.getvalue()), PlanningTwin.from_bytes, env)
    assert again.predict(env.reset(seed=0)[0], deterministic=True)[0] == action
    with pytest.raises(ValueError, match="env: None given, the planner chose among 7 allocations of its environment"):
        Planner.load(io.BytesIO(file.getvalue()), PlanningTwin.from_bytes)
    empty = gym.make("SliceTwin-v0", twin=twins["idle"], reward="utility")
    with pytest.raises(ValueError, match="env: its slices may hold no unit"):
        Planner(empty, PlanningTwin(empty.unwrapped.scenario))


@pytest.mark.parametrize("name", ["idle", "absent", "held"])
def test_what_was_learned_there_is_neither_exported_nor_distilled(histories, twins, name):
    agent = DDQN("MlpPolicy", gym.make("SliceTwin-v0", twin=twins[name], reward="utility"), seed=0)
    scenario = twins[name].scenario
    reason = HELD if name == "held" else EMPTY
    for key in ("`allowed: held`", "`allowed: all`") if name == "held" else ("`idle`", "`smallest: 0`", "`absent`"):
        assert key in reason
    with pytest.raises(ValueError, match=rf"; of a log: {re.escape(reason)}$"):
        check_exportable(agent, scenario)
    assert about_export(histories[name].layout) == f"agents of this history are not exported: {reason}"
    student, states = StudentPolicy(scenario, 4, "dense"), np.ones((3, scenario.num_slices), np.float32)
    network = action_values(agent)
    for teacher, refused in (
        (network, "it values [0-9]+ allocations, allowed are"),
        (network.forward, "its values have"),
    ):
        with pytest.raises(ValueError, match=rf"^teacher: {refused} .*; of a log: {re.escape(reason)}$"):
            distill(student, teacher, states, np.random.default_rng(0), updates=1)


def test_what_nobody_holds_never_matters(twins):
    """The expected utility of an allocation does not change with what the idle slice is expected to bring."""
    env = gym.make("SliceTwin-v0", twin=twins["idle"], reward="utility").unwrapped
    model = twins["idle"].model
    weights = model.performance_parameters["weights"]
    assert not weights[model.layout.idle].any()
    assert weights[0].any()
    env.reset(seed=0)
    info = env.step(0)[4]
    assert info["rate"][3] == 0.0
    assert info["arrivals"][3] == 0
    assert info["ssr"][3] == 1.0


def test_files_hold_what_a_layout_says(histories, tmp_path):
    for name, history in histories.items():
        history.save(tmp_path / "history.npz")
        again = History.load(tmp_path / "history.npz")
        assert again.layout == history.layout, name
        both = concatenate([history, again])
        assert (both.smallest, both.held) == (history.smallest, history.held)
        actions = transitions_of(history).actions
        np.testing.assert_array_equal(history.layout.codec.units(history.scenario, actions), history.allocation)


def test_codecs_are_inverse():
    scenario = mapping_of().network
    for codec in (
        AllocationIndexCodec(),
        AllocationIndexCodec((0, 1, 0)),
        AllocationListCodec([[1, 9, 40], [20, 15, 15]]),
    ):
        numbers = np.arange(codec.space(scenario).n)
        units = codec.units(scenario, numbers)
        np.testing.assert_array_equal(units, codec.allocations(scenario))
        np.testing.assert_array_equal(codec.index(scenario, units), numbers)
    assert AllocationIndexCodec((0, 1, 0)).allocations(scenario).min(axis=0).tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match=r"units: \[1, 1, 48\] given, allowed are 2 allocations"):
        AllocationListCodec([[1, 9, 40], [20, 15, 15]]).index(scenario, np.array([1, 1, 48]))
    with pytest.raises(ValueError, match="rows: allowed are different allocations"):
        AllocationListCodec([[20, 15, 15], [1, 9, 40]])


def test_a_history_refuses_a_slice_below_its_fewest_units(histories):
    history = histories["idle"]
    wrong = history.allocation.copy()
    wrong[3] = [0, 10, 35, 5]
    with pytest.raises(
        ValueError, match=r"allocation: \[0, 10, 35, 5\] in row 3 .* at least \[1, 1, 1, 0\] and 50 in all"
    ):
        replace(history, allocation=wrong)


def test_an_absent_slice_stays_absent_as_in_the_log(histories, twins):
    """The chance of staying absent, and of staying, over 40 cells of the twin under the log's allocations."""
    history, twin = histories["absent"], DigitalTwin.from_bytes(twins["absent"].to_bytes())
    drawn = twin.sample(history.allocation, range(40))
    in_log = history.performance["present"]
    in_twin = np.stack([each.performance["present"] for each in drawn])
    for n in (1, 2):
        for state in (0.0, 1.0):
            wanted = (in_log[1:, n] == in_log[:-1, n])[in_log[:-1, n] == state].mean()
            found = (in_twin[1:, :, n] == in_twin[:-1, :, n])[in_twin[:-1, :, n] == state].mean()
            assert found == pytest.approx(wanted, abs=0.015)
    assert (in_twin[..., 0] == 1.0).all()  # never absent in the log
    assert (in_twin[..., 3] == 0.0).all()  # nobody uses idle units
    away = in_twin == 0.0
    assert not np.stack([each.arrivals for each in drawn])[away].any()
    assert not np.stack([each.performance["rate"] for each in drawn])[away].any()
    assert (np.stack([each.performance["ssr"] for each in drawn])[away] == 1.0).all()


def test_twins_of_slices_that_are_always_there_have_no_such_state(twins):
    assert twins["idle"].model.presence is None
    assert twins["absent"].model.presence is not None
