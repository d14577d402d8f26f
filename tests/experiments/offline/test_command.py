"""`python -m experiments.offline`: what a configuration becomes, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from agents import DDQN
from experiments.config.hydra import check_overrides, register
from experiments.offline.__main__ import prepare
from experiments.offline.histories import record_history
from experiments.offline.settings import OfflineConfig
from slicing_gym import get_scenario
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import composed

TINY = [
    *("agent.net_arch=[16,16]", "progress=false", "algorithm.epochs=4", "estimate.epochs=2"),
    *("algorithm.twin_decisions=256", "algorithm.num_envs=32", "algorithm.agent_2.learning_starts=64"),
    *("algorithm.agent_2.target_update_interval=64", "algorithm.selection_cells=4", "algorithm.selection_decisions=5"),
    *("evaluation.policies=[hard]", "evaluation.seeds=[100,101]", "evaluation.decisions=6"),
]
COARSE = [
    *("scenario=paper-1mhz", "scenario.name=coarse", "scenario.radio.resolution_hz=4e6"),
    *("scenario.radio.slots_per_interval=40", "scenario.decisions_per_episode=10"),
]
TWIN = ["twin=lstm", "twin.training.max_epochs=2", "twin.transition.members=1", "twin.performance.members=2"]
WHOLE_RUN = ["history=random", "decisions=80", *COARSE, *TWIN, "algorithm.agent_1.learning_rate=0.03"]


@pytest.fixture(scope="module")
def file(history, tmp_path_factory):
    """The history in a file."""
    path = tmp_path_factory.mktemp("history") / "history.npz"
    history.save(path)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run on a recorded history."""
    folder = tmp_path_factory.mktemp("run")
    prepare(composed("offline", *TINY, *WHOLE_RUN), folder)()
    return folder


def summary_of(folder):
    return json.loads((folder / "offline.json").read_text())


def test_a_file_of_the_same_decisions_gives_the_same_figures(finished, file, tmp_path, capsys):
    options = [*WHOLE_RUN[2:], f"history='{file}'", "resume=auto"]  # nothing to resume: it begins
    prepare(composed("offline", *TINY, *options), tmp_path)()
    assert "ddqn-dt, estimated from the history alone: fitted_q " in capsys.readouterr().out
    mine, others = summary_of(tmp_path), summary_of(finished)
    assert mine["history"] == str(file)
    assert others["history"] == "random"
    assert mine["utility_on_own_cell"] is None  # of a file nobody knows which cell it is of
    assert others["utility_on_own_cell"] > 3.0
    assert others["choice"].pop("outside") is None  # of a recorded cell the twin alone decides
    assert set(mine["choice"].pop("outside").values()) == {0.0}  # here as well, then: neither leaves the units held
    for summary in (mine, others):
        for key in ("cpu_seconds", "config", "history", "utility_on_own_cell"):
            del summary[key]
    assert mine == others
    assert (tmp_path / "evaluation.csv").read_bytes() == (finished / "evaluation.csv").read_bytes()


def test_settings_reach_the_agents(finished):
    """Those of the role that learns from the history, and of Agent 1 in addition where there is a twin."""
    agent = DDQN.load(finished / "agent.zip", device="cpu")
    assert (agent.batch_size, agent.buffer_size, agent.target_update_interval) == (256, 80, 100)
    assert [agent.lr_schedule(left) for left in (1.0, 0.0)] == [0.03, 0.03]
    agent_2 = DDQN.load(finished / "agent_2.zip", device="cpu")
    assert (agent_2.batch_size, agent_2.learning_starts, agent_2.conservative_weight) == (128, 64, 0.0)


def test_a_finished_run_is_not_run_again(finished, capsys):
    before = (finished / "agent.zip").stat().st_mtime_ns
    again = [*TINY, *WHOLE_RUN, "resume=auto"]
    prepare(composed("offline", *again), finished)()
    assert "this run is finished" in capsys.readouterr().out
    assert (finished / "agent.zip").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match=r"another configuration:\n  agent.gamma: 0.8 there, 0.5 given"):
        prepare(composed("offline", *again, "agent.gamma=0.5"), finished)


@pytest.mark.parametrize(
    ("overrides", "head"),
    [
        ([], "factored"),
        (["reward=shaped"], "dense"),
        (["agent=sb3_dqn"], "dense"),
        (["agent.head=geometry"], "geometry"),
        ([*TWIN, "algorithm.uncertainty=penalty", "decisions=80"], "dense"),
    ],
)
def test_the_head_follows_the_reward_where_none_is_named(file, overrides, head, tmp_path):
    config = composed("offline", *TINY, f"history='{file}'", "agent.head=null", *overrides)
    prepare(config, tmp_path)
    assert config.agent.head == head


@pytest.mark.parametrize("kind", ["held", "all"])
def test_that_an_agent_will_not_be_exported_is_said_before_it_learns(kind, history, tmp_path, capsys):
    held = tuple(map(tuple, np.unique(history.allocation, axis=0).tolist())) if kind == "held" else ()
    replace(history, held=held).save(tmp_path / "history.npz")
    typed = [
        f"history='{tmp_path / 'history.npz'}'",
        "evaluation.seeds=[]",
        "evaluation.policies=[]",
        "agent.name=mine",
    ]
    prepare(composed("offline", *TINY, *typed), tmp_path / "run")()
    printed = capsys.readouterr().out
    assert (printed.startswith("note: agents of this history are not exported")) == (kind == "held")
    assert ("`allowed: all`" in printed.splitlines()[0]) == (kind == "held")
    card = (tmp_path / "run" / "agent.card.md").read_text()
    assert ("experiments.what_if" in card) == (kind == "held")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["agent.head=factored", "reward=clip"], r"agent\.head: 'factored' given, allowed where .* sum over slices"),
        (["history=randm"], "history: unknown name 'randm'; did you mean 'random'"),
        (["history=runs/none/history.npz"], "history: there is no file 'runs/none/history.npz'"),
        (["history=docs"], "history: there is no file 'docs/history.npz'"),
        (["history=docs/data/synthetic_log.csv"], "history: 'docs/data/synthetic_log.csv' is a log; .*read_log"),
        (["decisions=81"], "decisions: 81 given, the history '.*' has 80"),
        (["decisions=0"], "decisions: 0 given"),
        (["decisions=7", *TWIN], "decisions .*7 given, allowed is 8 or more"),
        (["reward=utilty"], "reward: unknown name 'utilty'; did you mean 'utility'"),
        (["resume=yes"], "resume: unknown name 'yes'.*allowed: auto"),
        (["seed=-1"], "seed: -1 given"),
        (["seed=100", "history=random"], "evaluation.seeds: 100 is the cell that the history is of"),
        (["evaluation.seeds=[3,3]"], "evaluation.seeds: .* allowed are different ones"),
        (["evaluation.decisions=0"], "evaluation.decisions: 0 given"),
        (["evaluation.policies=[hrd]"], "evaluation.policies: unknown name 'hrd'; did you mean 'hard'"),
        (["algorithm.epochs=0"], "algorithm.epochs: 0 given"),
        (["estimate.epochs=0"], "estimate.epochs: 0 given"),
        (["algorithm.conservative_weight=-1"], "algorithm.conservative_weight: -1.0 given"),
        (["+algorithm.agent.gama=0.5"], "algorithm.agent: unknown name 'gama'; did you mean 'gamma'"),
        (["+estimate.agent.gama=0.5"], "estimate.agent: unknown name 'gama'; did you mean 'gamma'"),
        (["+algorithm.agent_1.gama=0.5", *TWIN], "algorithm.agent_1: unknown name 'gama'; did you mean 'gamma'"),
        (["+algorithm.agent.center_rewards=false", *TWIN], "algorithm.agent: unknown name 'center_rewards'"),
        (["agent.name=hard"], "agent.name: 'hard' is the name of a policy it is compared with"),
        (["agent.name=behaviour_cloning"], "agent.name: 'behaviour_cloning' is the name of a policy"),
        (["+algorithm.agent.head=geometry"], "algorithm.agent: unknown name 'head'"),
        (["algorithm.agent.batch_size=0"], "algorithm.agent.batch_size: 0 given"),
        (["agent.gamma=1.5"], "agent.gamma: 1.5 given"),
        (["torch_threads=0"], "torch_threads: 0 given"),
        (["checkpoint_s=-1"], "checkpoint_s: -1.0 given"),
    ],
)
def test_bad_values_are_refused_before_anything_runs(file, overrides, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message):
        prepare(composed("offline", *TINY, f"history='{file}'", *overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["agent=sb3_dqn"], r"agent\._target_: 'stable_baselines3\.DQN' given, .* each of the 20218614631344 actions"),
        (["agent.head=dense"], r"agent: .* head: 'dense' given, which lists all of the 20218614631344 actions"),
        (["estimate.agent.head=geometry"], r"estimate\.agent\.head: 'geometry' given, which lists all"),
        (["estimate.agent.head=geometri"], r"estimate\.agent\.head: unknown name 'geometri'; did you mean 'geometry'"),
    ],
)
def test_what_cannot_list_the_allocations_of_a_file_is_refused(overrides, message, tmp_path):
    large = get_scenario("nr-8slices").replace(radio={"slots_per_interval": 20})
    record_history("random", large, 0, 20).save(tmp_path / "history.npz")
    with pytest.raises(ValueError, match=message):
        prepare(composed("offline", *TINY, f"history='{tmp_path}'", *overrides), tmp_path / "run")


def test_a_planner_and_collecting_have_no_environment_here(tmp_path):
    for twin in ("none", "lstm"):
        with pytest.raises(ValueError, match=r"agent: the planner learns by deciding, .*; experiments\.train takes it"):
            prepare(composed("offline", "agent=planner", f"twin={twin}", "history=random", "decisions=80"), tmp_path)
    register("offline", OfflineConfig)
    with pytest.raises(SystemExit, match=r"unknown name 'collect_by'.*; experiments\.train alone collects: a hist"):
        check_overrides("offline", ["history=random", "algorithm.collect_by=planner"])
    assert list(tmp_path.iterdir()) == []
