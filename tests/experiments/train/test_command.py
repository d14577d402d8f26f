"""`python -m experiments.train`: what a configuration becomes, what is refused, and what `resume=` stands for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from agents.registry import import_modules
from experiments.config.agents import maker
from experiments.config.files import with_files
from experiments.environments import Environments
from experiments.runs.folder import find_runs, read_run
from experiments.runs.lifecycle import clear
from experiments.train.__main__ import how_to_go_on, prepare, with_resumed_run, without_effect
from experiments.train.makers import roles_of
from slicing_gym import get_scenario
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import OWN, SCENARIO, composed, raw, read_rows

TINY = ["+experiment=debug", "agent.net_arch=[16,16]"]


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN, __name__])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["decisions=0"], "decisions: 0 given, allowed is 1 to "),
        (["seed=-1"], "seed: -1 given"),
        (["torch_threads=0"], "torch_threads: 0 given"),
        (["checkpoint_s=-1"], "checkpoint_s: -1.0 given"),
        (["reward=shapd"], "reward: unknown name 'shapd'; did you mean 'shaped'"),
        (["resume=yes"], "resume: unknown name 'yes'.*allowed: auto"),
        (["evaluation.policies=[rndom]"], "evaluation.policies: unknown name 'rndom'; did you mean 'random'"),
        (["evaluation.policies=[runs/none/agent.zip]"], "the file 'runs/none/agent.zip' does not exist"),
        (["evaluation.seeds=[]"], "evaluation.seeds: none given"),
        (["evaluation.decisions=0"], "evaluation.decisions: 0 given"),
        (["seed=100"], "evaluation.seeds: 100 is the cell that the agent learns on"),
        (["without_twin=true"], "without_twin: true given, allowed with a twin only"),
        (["imports=[my_own_agents]"], "imports: 'my_own_agents' cannot be imported .* allowed are modules"),
        (["agent=custom"], r"agent\._target_: not given, allowed is the dotted name of a class"),
        (["agent.name=hard"], "agent.name: 'hard' is the name of a policy it is compared with"),
        (["agent.batch_size=0"], "agent.batch_size: 0 given"),
        (["agent=dqn", "agent.head=densse"], "agent.head: unknown name 'densse'; did you mean 'dense'"),
        (
            ["agent.train_freq=7", "decisions=250"],
            "decisions: 250 given, allowed are multiples of agent.train_freq = 7",
        ),
        (["scenario.slices.urllc.traffic=3"], "slices.urllc.traffic: 3 given"),
        (["scenario.slices.urllc.num_users=0"], "slices.urllc.num_users: 0 given"),
        (["scenario.radio.resolution_hz=3e5"], "does not divide"),
        (["+scenario.slices.urllc.nonsense=1"], "slices.urllc: unknown name 'nonsense'"),
    ],
)
def test_bad_values_are_refused_before_anything_runs(overrides, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message):
        prepare(composed("train", *overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["decisions=0"], "decisions: 0 given"),
        (["algorithm.collect=7"], "algorithm.collect: 7 given, allowed is 8 to "),
        (
            ["decisions=100"],
            r"decisions: 100 given, allowed are 200 \(algorithm\.collect.*algorithm\.collect of 8 to 100$",
        ),
        (["algorithm.fine_tune=0"], "algorithm.fine_tune: 0 given"),
        (["algorithm.twin_decisions=0"], "algorithm.twin_decisions: 0 given"),
        (["algorithm.twin_decisions=2000"], "algorithm.twin_decisions: 2000 given, allowed is 2816 or"),
        (["algorithm.uncertainty=some"], "algorithm.uncertainty: unknown name 'some'"),
        (["algorithm.refit=false", "decisions=630"], "leaves 30 for the last calibration"),
        (["+algorithm.agent_2.gama=0.5"], "algorithm.agent_2: unknown name 'gama'; did you mean 'gamma'"),
        (["algorithm.agent_2.batch_size=0"], "algorithm.agent_2.batch_size: 0 given"),
        (["+algorithm.agent_2.center_rewards=false"], "algorithm.agent_2: unknown name 'center_rewards'"),
        (["+algorithm.agent_1.learning_starts=0"], "algorithm.agent_1: unknown name 'learning_starts'"),
        (["+algorithm.agent_2.n_steps=3"], "algorithm.agent_2: unknown name 'n_steps'"),
        (["agent.head=dense", "agent.buffer_size=300"], "agent.buffer_size .* 300 given, allowed is 6000 or more"),
        (["agent.head=factored", "agent.buffer_size=300"], "agent.buffer_size .* 300 given, allowed is 1000 or more"),
        (["twin.transition.members=0"], "transition.members: 0 given"),
    ],
)
def test_bad_values_with_a_twin_are_refused_before_anything_runs(overrides, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message):
        prepare(composed("train", "twin=lstm", *overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="says that there is no such device")
@pytest.mark.parametrize("key", ["device", "agent.device", "algorithm.agent_2.device"])
def test_a_device_that_is_not_there_is_refused(key, tmp_path):
    override = f"+{key}=cuda" if key.startswith("algorithm") else f"{key}=cuda"
    named = "agent.device" if "." in key else "device"
    with pytest.raises(ValueError, match=f"^{named}: 'cuda' given, allowed is cpu: PyTorch finds no CUDA device here"):
        prepare(composed("train", "twin=lstm", override), tmp_path)
    assert list(tmp_path.iterdir()) == []


OWN_WRAPPER = [f"env.wrappers=[{{_target_: {OWN}.LogObservation}}]", f"imports=[{OWN}]"]


@pytest.mark.parametrize(
    ("overrides", "head"),
    [
        ([], "factored"),
        (["agent=gan_ddqn", "twin=lstm"], "factored"),
        (["agent.head=geometry"], "geometry"),
        (["+agent.policy_kwargs.head=geometry"], "geometry"),
        (["agent=sb3_dqn"], "dense"),
        (["agent=sb3_qrdqn"], "dense"),
        (["reward=shaped"], "dense"),
        (["reward=clip"], "dense"),
        (["twin=lstm", "algorithm.uncertainty=penalty"], "dense"),
        (["twin=lstm", "algorithm.uncertainty=truncate"], "factored"),
        (OWN_WRAPPER, "dense"),
        ([*OWN_WRAPPER, "agent.head=factored"], "factored"),
        (["reward=shaped", "agent.head=factored", "+agent.policy_kwargs.head_kwargs.approximate=true"], "factored"),
    ],
)
def test_the_head_follows_the_reward_where_none_is_named(overrides, head, tmp_path):
    config = composed("train", "scenario=paper-1mhz", "agent.head=null", *overrides)
    prepare(config, tmp_path)
    assert config.agent.head == head


@pytest.mark.parametrize("why", ["reward=shaped", "reward=clip", "algorithm.uncertainty=penalty"])
def test_a_factored_head_is_refused_before_anything_runs(why, tmp_path):
    with pytest.raises(ValueError, match=r"agent\.head: 'factored' given, allowed where .* sum over slices"):
        prepare(composed("train", "twin=lstm", "agent.head=factored", why), tmp_path)
    assert list(tmp_path.iterdir()) == []


SHORT = [
    *("twin.transition.members=1", "twin.training.max_epochs=2", "twin.performance.members=1"),
    *("decisions=220", "algorithm.fine_tune=20", "algorithm.twin_decisions=512", "algorithm.later_twin_decisions=384"),
]


def test_a_configuration_is_run_and_reported(tmp_path, capsys):
    """With a twin and, in the same cell, without; a class that has no argument for a setting is told of it."""
    own = ["agent=custom", "agent.name=scratch", f"agent._target_={OWN}.FromScratch", f"imports=[{OWN}]"]
    logs = f"env.wrappers=[{{_target_: {OWN}.LogObservation}}]"
    config = composed("train", *TINY, *own, "twin=lstm", *SHORT, "without_twin=true", logs, "resume=auto")
    prepare(config, tmp_path)()
    printed = capsys.readouterr().out
    assert "FromScratch has no target_update_interval, exploration_fraction, exploration_initial_eps" in printed
    assert "env.wrappers without env.vector_wrappers: the twin's 64 cells are run one by one" in printed
    assert "no checkpoint; the run begins" in printed
    assert "on unseen cells, seeds [100, 101], ± 95 % interval over cells:" in printed
    assert "written to " in printed
    assert [row["policy"] for row in read_rows(tmp_path / "evaluation.csv")][::2] == [
        *("scratch-dt-planner", "scratch", "random", "hard", "proportional", "best_fixed")
    ]
    assert [row["decisions"] for row in read_rows(tmp_path / "without_twin" / "episodes.csv")] == ["200", "20"]
    assert not list(tmp_path.rglob("checkpoint.npz"))
    _check_card(tmp_path, capsys)
    before = (tmp_path / "agent.zip").stat().st_mtime_ns
    prepare(config, tmp_path)()
    assert "this run is finished" in capsys.readouterr().out
    assert (tmp_path / "agent.zip").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["agent.exploration_fraction=0.1"],
            "0.1 is 40 of 400 decisions, and the first 50 are random",
        ),
        (["agent.exploration_fraction=0.125"], "is 50 of 400 decisions"),
        (["agent.exploration_fraction=0.13"], ""),
        (["agent.exploration_fraction=0.1", "agent.learning_starts=39"], ""),
        (["agent=custom", "agent.name=own", f"agent._target_={OWN}.FromScratch", "agent.exploration_fraction=0.1"], ""),
    ],
    ids=["below", "at", "above", "earlier", "not its own"],
)
def test_exploration_that_ends_before_it_begins_is_told(overrides, said):
    note = without_effect(composed("train", *TINY, *overrides))
    assert said in note
    assert bool(said) == bool(note)


def test_it_is_told_where_it_is_run_and_both_values_are_one_run(tmp_path, capsys):
    """As the comment on the setting says."""
    digests = set()
    for fraction in (0.01, 0.2):
        few = [
            "decisions=60",
            "evaluation.policies=[]",
            "evaluation.seeds=[100]",
            f"agent.exploration_fraction={fraction}",
        ]
        folder = tmp_path / str(fraction)
        prepare(composed("train", *TINY, *few), folder)()
        assert f"agent.exploration_fraction: {fraction} is " in capsys.readouterr().out
        digests.add(read_run(folder).summary["learned"])
    assert len(digests) == 1


def _check_card(folder, capsys):
    """What the card says to type loads an agent of a class, and under a wrapper, of the user's own."""
    card = (folder / "agent.card.md").read_text()
    (typed,) = re.findall(r"^\| Use \| `python -m experiments.evaluate (.*?)`", card, re.MULTILINE)
    assert typed == f"policy=agent.zip scenario=paper-1mhz imports=[{OWN}]"
    capsys.readouterr()
    shorter = ["seeds=[100,101]", "decisions=3", "progress=false", f"hydra.run.dir={folder / 'evaluated'}"]
    command = [sys.executable, "-m", "experiments.evaluate", *typed.split(), *shorter]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(command, cwd=folder, env=path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "scratch-dt-planner" in done.stdout


def test_a_planner_is_trained_beside_the_agent_and_drawn_with_it(tmp_path):
    config = composed("train", *TINY, "twin=lstm", *SHORT, "with_planner=true", "without_twin=true")
    prepare(config, tmp_path)()
    names = [row["policy"] for row in read_rows(tmp_path / "evaluation.csv")][::2]
    assert names == ["ddqn-dt-planner", "ddqn", "planner", "random", "hard", "proportional", "best_fixed"]
    runs = find_runs(tmp_path)
    folders = {"ddqn-dt-planner": tmp_path.name, "ddqn": "without_twin", "planner": "planner"}
    assert {run.method: run.folder.name for run in runs} == folders
    mine, alone = (read_run(tmp_path / name).history().allocation for name in (".", "planner"))
    np.testing.assert_array_equal(mine[:200], alone[:200])
    clear(tmp_path)
    assert not list(tmp_path.rglob("summary.json"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("reward=shaped", "with_planner: reward: 'shaped' given, allowed with a planner is 'utility'"),
        (OWN_WRAPPER[0], r"with_planner: env\.wrappers: .* given, allowed with a planner is none"),
    ],
)
def test_a_planner_that_could_not_be_compared_is_refused(override, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        prepare(composed("train", *TINY, "with_planner=true", override), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_roles_change_the_arguments_of_their_agents():
    config = composed("train", *TINY, "twin=lstm", *SHORT, "algorithm.agent_2.batch_size=77")
    environments = Environments(SCENARIO)
    config.algorithm = config.algorithm.for_agent(config.agent)
    make = maker(config.agent, config.seed, roles_of(config, environments))
    agent_1, agent_2 = make(environments.real(), "real"), make(environments.cells(2), "twin")
    assert (agent_1.batch_size, agent_2.batch_size) == (16, 77)
    assert [agent_1.lr_schedule(left) for left in (1.0, 0.0)] == pytest.approx([1e-5, 1e-5])
    assert [agent_2.lr_schedule(left) for left in (1.0, 0.0)] == pytest.approx([1e-3, 1e-5])
    assert (agent_1.exploration_initial_eps, agent_2.exploration_initial_eps) == (0.0, 1.0)
    assert (agent_2.buffer_size, agent_2.gradient_steps) == (512, 8)
    assert (agent_1.seed, agent_1.learning_starts, agent_2.learning_starts) == (0, 50, 256)


@pytest.mark.parametrize(
    ("head", "learning_rate", "gradient_steps", "warm_replay", "select"),
    [("dense", 1e-5, 1, 5000, True), ("geometry", 1e-5, 1, 5000, True), ("factored", 3e-4, 8, 0, False)],
)
def test_fine_tuning_is_as_the_head_wants_it_unless_it_is_set(head, learning_rate, gradient_steps, warm_replay, select):
    config = composed("train", "twin=lstm", f"agent.head={head}")
    found = config.algorithm.for_agent(config.agent)
    assert (found.agent_1["learning_rate"], found.agent_1["gradient_steps"]) == (learning_rate, gradient_steps)
    assert (found.warm_replay, found.select_in_twin) == (warm_replay, select)
    given = ["algorithm.agent_1.learning_rate=0.5", "algorithm.warm_replay=7", "algorithm.select_in_twin=true"]
    config = composed("train", "twin=lstm", f"agent.head={head}", *given)
    found = config.algorithm.for_agent(config.agent)
    assert (found.agent_1["learning_rate"], found.warm_replay, found.select_in_twin) == (0.5, 7, True)


def test_the_reward_is_the_scenarios_unless_overridden(tmp_path):
    for reward, kind in (("null", "clip"), ("utility", "utility")):
        prepare(composed("train", *TINY, "scenario.reward.kind=clip", f"reward={reward}", "decisions=10"), tmp_path)()
        config = OmegaConf.load(tmp_path / "summary.json").config
        assert (config.scenario.reward.kind, config.reward) == ("clip", None if reward == "null" else reward)
        assert read_run(tmp_path).scenario.reward.kind == kind
    assert read_run(tmp_path).scenario == SCENARIO


def stored(folder, own, *more):
    """The folder of a run that was begun with these overrides."""
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(raw("train", *own, *more), folder / ".hydra" / "config.yaml")
    OmegaConf.save(OmegaConf.create(own), folder / ".hydra" / "overrides.yaml")
    return folder


def test_resume_on_the_command_line_stands_for_the_run_itself(tmp_path):
    own = [*TINY, "seed=3"]
    folder = stored(tmp_path / "run", own)
    arguments = with_resumed_run([f"resume='{folder}'"])
    assert arguments[: len(own)] == own
    assert f"hydra.run.dir='{folder}'" in arguments
    with pytest.raises(ValueError, match=r"agent\.gama: unknown name 'gama'; did you mean 'gamma'"):
        with_resumed_run([f"resume={folder}", "agent.gama=0.2"])
    with pytest.raises(ValueError, match="seed: 3 there, 4 given"):
        with_resumed_run([f"resume={folder}", "seed=4"])
    with pytest.raises(FileNotFoundError, match="resume: there is no folder"):
        with_resumed_run([f"resume={tmp_path / 'none'}"])
    with pytest.raises(ValueError, match="is not the folder of a run"):
        with_resumed_run([f"resume={tmp_path}"])
    assert with_resumed_run(["seed=1", "resume=auto"]) == ["seed=1", "resume=auto"]


def test_a_resumed_run_imports_only_what_is_typed(tmp_path):
    (tmp_path / "mine" / "agent").mkdir(parents=True)
    (tmp_path / "mine" / "agent" / "own.yaml").write_text(
        f"defaults: [custom]\nname: own\n_target_: {OWN}.SoftTargets\n"
    )
    planted = ["imports=[planted]", "+trust=true", "++hydra.searchpath=[file:///planted]", "~imports"]
    own = ["agent=own", "seed=3"]
    folder = stored(tmp_path / "run", own, f"hydra.searchpath=[file://{tmp_path / 'mine'}]")
    OmegaConf.save(OmegaConf.create([*own, *planted]), folder / ".hydra" / "overrides.yaml")
    typed = [f"--config-dir={tmp_path / 'mine'}", f"resume={folder}", "imports=[mine]"]
    arguments = with_resumed_run(typed)
    assert arguments[:3] == [typed[0], "agent=own", "seed=3"]
    assert [each for each in arguments if each.startswith(("imports", "+trust", "trust"))] == [
        *("imports=[mine]", "trust=false")
    ]
    OmegaConf.save(OmegaConf.create(["twin=own", "seed=3"]), folder / ".hydra" / "overrides.yaml")
    with pytest.raises(ValueError, match=r"resume: .* was begun with \['twin=own', 'seed=3'\], which do not compose"):
        with_resumed_run(typed[1:])


def test_a_run_of_a_scenario_file_goes_on_with_a_folder_of_choices(tmp_path):
    (tmp_path / "mine" / "agent").mkdir(parents=True)
    (tmp_path / "mine" / "agent" / "own.yaml").write_text("defaults: [custom]\nname: own\n_target_: agents.DDQN\n")
    data = get_scenario("paper-1mhz").replace(decisions_per_episode=7).to_dict()
    (tmp_path / "cell_of_mine.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    own = with_files("train", ["agent=own", f"scenario={tmp_path / 'cell_of_mine.yaml'}"])
    folder = stored(tmp_path / "run", own, f"hydra.searchpath=[file://{tmp_path / 'mine'}]")
    ConfigStore.instance().repo["scenario"].pop("cell_of_mine.yaml")  # as in another process
    typed = [f"--config-dir={tmp_path / 'mine'}", f"resume={folder}"]
    assert with_resumed_run(typed)[:3] == [typed[0], *own]
    (tmp_path / "mine" / "agent" / "own.yaml").write_text("defaults: [custom]\nname: own\n_target_: agents.DQN\n")
    with pytest.raises(ValueError, match=r"another configuration:\n  agent\._target_: 'agents\.DDQN' there"):
        with_resumed_run(typed)


def test_ctrl_c_says_how_to_go_on(tmp_path):
    config = composed("train", *TINY)
    assert how_to_go_on(config, tmp_path) == "no checkpoint yet"
    (tmp_path / "checkpoint.npz").touch()
    assert "python -m experiments.train resume=" in how_to_go_on(config, tmp_path)
    assert "imports" in how_to_go_on(composed("train", *TINY, f"imports=[{OWN}]"), tmp_path)
