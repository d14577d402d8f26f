"""Finished runs as other experiments find them."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from agents import DDQN
from experiments.offline import record_history
from experiments.runs import find_runs, read_run
from slicing_gym import get_scenario
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import composed
from twin import History

TWIN = Path(__file__).resolve().parents[3] / "twin" / "shipped" / "paper.safetensors"


def leave(folder, agent="ddqn", seed=0, scenario="paper-1mhz", head="dense", **changes):
    """What `experiments.train` leaves last in the folder of a run."""
    folder.mkdir(parents=True)
    own = {"scenario": get_scenario(scenario).to_dict(), "reward": "utility", "agent": {"_target_": "agents.DDQN"}}
    summary = {
        "scenario": scenario,
        "head": head,
        "agent": agent,
        "seed": seed,
        "episodes_to_goal": None,
        "config": own,
    }
    (folder / "summary.json").write_text(json.dumps(summary | changes))
    with (folder / "episodes.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerows([["decisions", "utility"], [200, 5.25], [100, 6.5]])
    return folder


def test_runs_are_found_wherever_they_are(tmp_path):
    leave(tmp_path / "b" / "seed-0")
    leave(tmp_path / "b" / "seed-0" / "without_twin", agent="dqn")
    leave(tmp_path / "a", seed=1)
    (tmp_path / "unfinished").mkdir()
    found = find_runs(tmp_path)
    assert {(run.method, run.seed) for run in found} == {("ddqn", 1), ("ddqn", 0), ("dqn", 0)}
    (alone,) = find_runs(tmp_path / "a")
    assert alone.folder == tmp_path / "a"
    (by_file,) = find_runs(tmp_path / "a" / "agent.zip")
    assert by_file.folder == alone.folder


def test_runs_may_be_chosen_by_the_name_of_their_agent(tmp_path):
    for number, agent in enumerate(("dqn", "ddqn", "ddqn-dt")):
        leave(tmp_path / str(number), agent)
    assert [run.method for run in find_runs(tmp_path, ["ddqn-dt", "dqn"])] == ["dqn", "ddqn-dt"]
    assert len(find_runs(tmp_path, None)) == len(find_runs(tmp_path, [])) == 3
    with pytest.raises(ValueError, match=r"agents: unknown name 'ddqn-d'; did you mean 'ddqn-dt'.*allowed: "):
        find_runs(tmp_path, ["ddqn", "ddqn-d"])


def test_none_and_two_of_a_kind_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no finished run \(summary\.json\) below '.*nowhere'"):
        find_runs(tmp_path / "nowhere")
    leave(tmp_path / "one")
    for number, other in enumerate(({"seed": 1}, {"agent": "dqn"}, {"head": "geometry"}, {"scenario": "diurnal"})):
        leave(tmp_path / f"other-{number}", **other)
    assert len(find_runs(tmp_path)) == 5
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with pytest.raises(ValueError, match=r"paper-1mhz/dense/ddqn/0 is there twice, in '.*one' and '.*two'"):
        find_runs(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no finished run"):
        find_runs(tmp_path / "empty")


def test_of_a_flat_sweep_over_a_setting_it_says_to_move_the_runs_and_they_can_be_moved(tmp_path):
    for rate in (0.1, 0.2):
        for seed in (0, 1):
            agent = {"_target_": "agents.DDQN", "learning_rate": rate}
            leave(tmp_path / f"agent.learning_rate-{rate}_seed-{seed}", seed=seed, config={"agent": agent})
    with pytest.raises(
        ValueError, match=r"there twice.*differ in agent\.learning_rate 0\.1 and 0\.2: move the"
    ) as said:
        find_runs(tmp_path)
    assert "python -m experiments.report of the folder of all of them compares" in str(said.value)
    for run in sorted(tmp_path.glob("*rate-0.1*")):
        (tmp_path / "one").mkdir(exist_ok=True)
        shutil.move(run, tmp_path / "one")
    assert [run.seed for run in find_runs(tmp_path / "one")] == [0, 1]


def test_of_a_sweep_over_a_setting_it_says_how_its_runs_have_names_of_their_own(tmp_path):
    for number, fraction in enumerate((0.1, 0.5)):
        agent = {"_target_": "agents.DDQN", "name": "ddqn", "exploration_fraction": fraction}
        leave(tmp_path / str(number), config={"agent": agent})
    with pytest.raises(ValueError, match="is there twice") as said:
        find_runs(tmp_path)
    (typed,) = re.findall(r"type '(agent\.name=.*?)' in the sweep", str(said.value))
    swept = composed("train", typed, "agent.exploration_fraction=0.25")
    assert swept.agent.name == "ddqn-0.25"
    for number, layers in enumerate(([8], [16])):  # a list is no name
        agent = {"_target_": "agents.DDQN", "name": "ddqn", "net_arch": layers}
        leave(tmp_path / "layers" / str(number), config={"agent": agent})
    with pytest.raises(ValueError, match=r"differ in agent\.net_arch .*: move the runs"):
        find_runs(tmp_path / "layers")


def test_what_is_no_finished_run_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"run: '.*none' holds no finished run of experiments\.train"):
        read_run(tmp_path / "none")
    spoilt = {
        "text": ("summary.json", "a summary"),
        "half": ("summary.json", '{"scenario": "pap'),
        "old": ("summary.json", '{"scenario": "paper"}'),
        "empty": ("episodes.csv", ""),
        "header": ("episodes.csv", "decisions,utility\n"),
        "words": ("episodes.csv", "decisions,utility\n200,good\n"),
    }
    for name, (file, content) in spoilt.items():
        (leave(tmp_path / name) / file).write_text(content)
        with pytest.raises(ValueError, match=rf"run: '.*{name}' holds no finished run of experiments\.train"):
            read_run(tmp_path / name)
    (leave(tmp_path / "none-left") / "episodes.csv").unlink()
    with pytest.raises(ValueError, match=r"run: '.*none-left' holds no finished run"):
        read_run(tmp_path / "none-left")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("summary.json", "7"),
        *(
            ("episodes.csv", f"decisions,utility\n{rows}")
            for rows in ("200\n", "200,5,1\n", "200,\n", "200,inf\n", "200,nan\n", "200,1e999\n", "200,True\n")
        ),
        *(("episodes.csv", f"decisions,utility\n{row}\n") for row in ("1,2j", '1,"[5]"', "1,\x00", "1,2\n\n1,2,3")),
        ("episodes.csv", "decisions,utility\n" + "9" * 400 + ",5\n"),
    ],
)
def test_other_things_in_its_files_are_refused_by_name(tmp_path, file, content):
    (leave(tmp_path / "run") / file).write_text(content)
    with pytest.raises(ValueError, match=r"run: '.*run' holds no finished run of experiments\.train") as refused:
        read_run(tmp_path / "run")
    assert "\n" not in str(refused.value)


def test_a_column_that_is_not_there_is_named(tmp_path):
    run = read_run(leave(tmp_path / "run"))
    with pytest.raises(ValueError, match=r"^run: '.*run/episodes\.csv' has no column 'reward_at_c_max'$"):
        run.curve("reward_at_c_max")


def test_a_run_tells_what_it_was(tmp_path):
    run = read_run(leave(tmp_path / "run", agent="ddqn-dt", seed=3, head="geometry"))
    assert (run.group, run.method, run.seed) == (("paper-1mhz", "geometry"), "ddqn-dt", 3)
    assert run.episodes_to_goal == float("inf")
    assert run.episodes["utility"].tolist() == [5.25, 6.5]
    assert run.episodes["decisions"].tolist() == [200.0, 100.0]
    assert run.scenario == get_scenario("paper-1mhz").replace(reward={"kind": "utility"})
    own = {**run.summary["config"], "reward": None}
    other = read_run(leave(tmp_path / "other", config=own, episodes_to_goal=4))
    assert other.scenario == get_scenario("paper-1mhz")
    assert other.episodes_to_goal == 4.0


def test_a_run_hands_out_agent_history_and_twin(small, tmp_path):
    config = {"scenario": small.to_dict(), "reward": None, "agent": {"_target_": "agents.DDQN"}}
    run = read_run(leave(tmp_path / "run", config=config))
    for part, name in ((run.agent, "agent.zip"), (run.history, "history.npz"), (run.twin, "twin.safetensors")):
        with pytest.raises(ValueError, match=rf"run: '.*run' has no {name}"):
            part()
    env = gym.make("SliceRAN-v0", scenario=small)
    agent = DDQN("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu")
    agent.save(run.folder / "agent.zip")
    loaded = run.agent()
    assert type(loaded) is DDQN
    seen = np.random.default_rng(0).random((20, 2), dtype=np.float32)
    np.testing.assert_array_equal(
        loaded.predict(seen, deterministic=True)[0], agent.predict(seen, deterministic=True)[0]
    )
    record_history("random", small, 0, 30).save(run.folder / "history.npz")
    assert isinstance(run.history(), History)
    assert len(run.history()) == 30
    shutil.copy(TWIN, run.folder / "twin.safetensors")
    assert run.twin().scenario.name == "paper"
    (run.folder / "agent.zip").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"agent: '.*agent\.zip' is not an agent's file, or is damaged"):
        run.agent()
    agent.save(run.folder / "agent.zip")
    for target, message in (
        ("nowhere.Agent", "run: 'nowhere.Agent' is of a module that was not asked for; type imports=.nowhere. as well"),
        ("agents.HardPolicy", "run: 'agents.HardPolicy' is no algorithm of Stable-Baselines3"),
        ("stable_baselines3.PPO", r"run: '.*agent\.zip' does not hold an agent of class stable_baselines3\.PPO"),
    ):
        config["agent"]["_target_"] = target
        wrong = read_run(leave(tmp_path / target, config=config))
        shutil.copy(run.folder / "agent.zip", wrong.folder)
        with pytest.raises(ValueError, match=message):
            wrong.agent()
