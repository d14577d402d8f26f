"""The command that exports: it finds the policy, verifies the file, and names what is wrong before any work."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import stable_baselines3
import torch
from hydra import compose, initialize_config_dir

from agents import DDQN, DQN, SlicePolicy
from agents.deploy.export import to_onnx
from agents.search import best_fixed_allocation
from experiments.config.hydra import CONFIG_FOLDER, check_overrides
from experiments.export import run as command
from experiments.export.run import (
    Source,
    compare,
    fallback_units,
    find_source,
    met_states,
    random_states,
    trained_range,
)
from slicing_gym import get_scenario
from tests.helpers.exported import SCENARIO, make_env, restless, restless_student, some_policy
from tests.helpers.learners import _one_thread as _one_thread
from twin import Recorder

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = {"trained_on": ([50.0, 1000.0, 0.0], [200.0, 2500.0, 30.0]), "fallback": None, "name": "it"}
ARGUMENTS["made_from"] = "a test"


def states(number=2000, seed=0):
    return random_states(SCENARIO, number, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """What a finished run leaves that the command reads."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    (folder / ".hydra").mkdir(parents=True)
    agent = some_policy("DDQN", "dense")
    agent.save(folder / "agent.zip")
    config = {"scenario": SCENARIO.to_dict(), "reward": "utility", "agent": {"_target_": "agents.DDQN"}}
    summary = {"scenario": SCENARIO.name, "head": "dense", "agent": "ddqn-dt", "seed": 0, "config": config}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "episodes.csv").write_text("utility\n5.0\n")
    (folder / ".hydra" / "config.yaml").write_text("agent:\n  _target_: agents.DDQN\n")
    env, recorder = make_env(), Recorder(SCENARIO)
    env.action_space.seed(0)
    _, info = env.reset(seed=0)
    recorder.begin(0, info)
    for _ in range(60):
        *_, info = env.step(env.action_space.sample())
        recorder.add(0, info)
    recorder.history().save(folder / "history.npz")
    return folder


def composed(*overrides):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return compose("export", ["states=600", "progress=false", *overrides])


def test_the_command_exports_a_run(run_folder, tmp_path, capsys):
    command.export(composed(f"policy={run_folder}", "fallback=2-14-4"), tmp_path)
    printed = capsys.readouterr().out
    assert "ddqn-dt: DDQN of run/agent.zip; scenario paper-1mhz" in printed
    origins = re.search(
        r"verified on 600 states \((\d+) of the history, 200 met in the simulator, (\d+) random\)", printed
    )
    assert int(origins[1]) + int(origins[2]) == 400
    assert 30 <= int(origins[1]) <= 61
    equal, ties = map(
        int, re.search(r"(\d+) the same allocation as the policy, (\d+) of equal value", printed).groups()
    )
    assert equal + ties == 600
    deployed = SlicePolicy(tmp_path / "policy.onnx")
    assert deployed.fallback == (2, 14, 4)
    assert deployed.scenario == SCENARIO.replace(reward={"kind": "utility"})
    history = find_source(str(run_folder), None).history
    everything = np.concatenate([history.arrivals, history.next_arrivals])
    np.testing.assert_array_equal(deployed.trained_on, [everything.min(axis=0), everything.max(axis=0)])
    again = tmp_path / "again" / "it.onnx"
    command.export(composed(f"policy={run_folder}/agent.zip", "fallback=2-14-4", f"output={again}"), tmp_path)
    assert again.read_bytes() == (tmp_path / "policy.onnx").read_bytes()


def test_the_command_exports_a_student(tmp_path, capsys):
    restless_student().save(tmp_path / "student.safetensors")
    command.export(composed(f"policy={tmp_path}/student.safetensors", "fallback=proportional", "name=small"), tmp_path)
    assert "small: StudentPolicy of" in capsys.readouterr().out
    deployed = SlicePolicy(tmp_path / "policy.onnx")
    assert deployed.fallback == (2, 17, 1)
    source = find_source(f"{tmp_path}/student.safetensors", None)
    np.testing.assert_array_equal(deployed.trained_on, trained_range(source, met_states(source, 200, 100)))
    assert (deployed.trained_on[0] > [50, 1000, -1]).all()
    assert (deployed.trained_on[1] < [200, 2500, 40]).all()


def test_an_agent_outside_its_run_needs_its_scenario(run_folder, tmp_path, capsys):
    alone = tmp_path / "agent.zip"
    alone.write_bytes((run_folder / "agent.zip").read_bytes())
    with pytest.raises(SystemExit, match=r"error: scenario: not given, and '.*agent\.zip' is not in the folder"):
        command.export(composed(f"policy={alone}"), tmp_path)
    command.export(composed(f"policy={alone}", "scenario=paper-1mhz"), tmp_path)
    assert "dqn: DQN of" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="error: scenario: 'paper' has 4851 allocations"):
        command.export(composed(f"policy={alone}", "scenario=paper"), tmp_path)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "policy: not given, allowed are a finished run's folder"),
        (["policy=nowhere"], "policy: there is no file 'nowhere'; allowed are"),
        (["policy=conf"], "policy: there is no file 'conf/agent.zip'; allowed are"),
        (["policy=README.md"], "policy: 'README.md' is not an agent's file, or is damaged"),
        (["policy=RUN", "scenario=paper"], "scenario: 'paper' given, but the run of .* names its own"),
        (["policy=RUN", "fallback=hrd"], "fallback: unknown name 'hrd'; did you mean 'hard'.*, or units like 1-94-5"),
        (["policy=RUN", "fallback=1-2-3"], r"fallback: units: \[1, 2, 3\] given"),
        (
            ["policy=RUN", "output=policy.bin"],
            "output: 'policy.bin' given, allowed is a file's name that ends in .onnx",
        ),
        (["policy=RUN", "states=5"], "states: 5 given, allowed is 100 or more"),
        (["policy=RUN", "seed=-1"], "seed: -1 given"),
        (["policy=RUN", "torch_threads=0"], "torch_threads: 0 given"),
    ],
)
def test_wrong_configurations_are_named_before_anything_is_done(overrides, message, run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    given = [override.replace("RUN", str(run_folder)) for override in overrides]
    with pytest.raises(SystemExit, match=f"^error: {message}"):
        command.export(composed(*given), tmp_path)
    assert not list(tmp_path.iterdir())


def test_typing_errors_on_the_command_line(run_folder):
    check_overrides("export", [f"policy={run_folder}", "scenario=paper", "fallback=1-94-5"])
    with pytest.raises(SystemExit, match="falback: unknown name 'falback'; did you mean 'fallback'"):
        check_overrides("export", ["falback=hard"])


def test_a_file_that_chooses_otherwise_is_not_written(run_folder, tmp_path, monkeypatch):
    """The verification can fail: here the agent is changed after its export."""
    made = command.to_onnx

    def then_changed(policy, *arguments, **others):
        content = made(policy, *arguments, **others)
        restless(policy.policy.q_net, seed=5)
        return content

    monkeypatch.setattr(command, "to_onnx", then_changed)
    with pytest.raises(
        SystemExit, match=r"error: in \d+ of 600 states the file does not choose .* nothing was written"
    ):
        command.export(composed(f"policy={run_folder}"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_ties_are_no_errors():
    """Two actions of the same value: whichever is chosen, it is no error; a third one is."""
    policy = some_policy("DQN", "dense")
    head = policy.policy.q_net.q_net[-1]
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.bias[[3, 9]] = torch.tensor([1.0, 1.0 + 2e-6])
    source, seen = Source(policy, SCENARIO, None, "", ""), states(1200)
    content = to_onnx(policy, SCENARIO, **ARGUMENTS)
    assert compare(source, SlicePolicy(content), seen).equal == 1200
    with torch.no_grad():
        head.bias[3] = 1.0 + 4e-6
    found = compare(source, SlicePolicy(content), seen)
    assert (found.equal, found.ties, found.wrong, found.example) == (0, 1200, 0, None)
    with torch.no_grad():
        head.bias[5] = 1.1
    found = compare(source, SlicePolicy(content), seen)
    assert (found.equal, found.ties, found.wrong) == (0, 0, 1200)
    assert found.example == tuple(seen[0])


def test_fallbacks_by_name(small):
    scenario = get_scenario("paper")
    assert fallback_units("hard", scenario).tolist() == [33, 33, 34]
    assert fallback_units("proportional", scenario).tolist() == [7, 92, 1]
    assert fallback_units("1-94-5", scenario).tolist() == [1, 94, 5]
    assert fallback_units("best_fixed", small).tolist() == best_fixed_allocation(small).tolist()


def test_random_states_reach_everywhere():
    seen = states(20_000)
    largest = SCENARIO.largest_arrivals
    assert (seen == np.floor(seen)).all()
    assert (seen.min(axis=0) == 0.0).all()
    assert (seen.max(axis=0) <= largest).all()
    assert (seen.max(axis=0) > 0.9 * largest).all()
    nominal = SCENARIO.nominal_arrivals
    near = (seen > nominal / 3.0) & (seen < 3.0 * nominal)
    assert (near.mean(axis=0) > 0.1).all()


def test_a_run_without_a_twin_next_to_one_with_it(run_folder, tmp_path):
    folder = tmp_path / "both"
    (folder / "plain").mkdir(parents=True)
    for name in ("summary.json", "episodes.csv"):
        (folder / name).write_bytes((run_folder / name).read_bytes())
    (folder / "plain" / "agent.zip").write_bytes((run_folder / "agent.zip").read_bytes())
    source = find_source(str(folder / "plain" / "agent.zip"), None)
    assert source.scenario.name == "paper-1mhz"
    assert source.history is None
    assert source == replace(source, made_from="DQN of both/plain/agent.zip")
    assert isinstance(source.policy, DQN | stable_baselines3.DQN)
    assert not isinstance(source.policy, DDQN)
