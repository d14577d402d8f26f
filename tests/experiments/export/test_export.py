"""The export finds the policy, verifies the file, and names what is wrong before any work."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import stable_baselines3
import torch

from agents import DDQN, DQN, SlicePolicy
from agents.deploy.export import to_onnx
from agents.hooks import action_values
from agents.search import best_fixed_allocation
from experiments.config.hydra import check_overrides, register
from experiments.evaluate.held import compare_with_held, warning_lines
from experiments.export import DisagreementError, Settings, Source, export
from experiments.export.__main__ import prepare
from experiments.export.agreement import agreement_of, met_states, random_states, trained_range
from experiments.export.run import fallback_units
from experiments.export.settings import ExportConfig
from experiments.export.source import find_source
from slicing_gym import get_scenario
from slicing_gym.allocation import MAX_LISTED
from tests.helpers.commands import configured, yaml_defaults
from tests.helpers.exported import SCENARIO, make_env, restless_student, some_policy
from tests.helpers.learners import _one_thread as _one_thread
from twin import Recorder

ROOT = Path(__file__).resolve().parents[3]
ARGUMENTS = {"trained_on": ([50.0, 1000.0, 0.0], [200.0, 2500.0, 30.0]), "fallback": None, "name": "it"}
ARGUMENTS["made_from"] = "a test"
QUICK = Settings(states=600, progress=False)


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


def test_a_run_is_exported(run_folder, tmp_path):
    settings = replace(QUICK, fallback="2-14-4")
    result = export(run_folder, settings, tmp_path / "policy.onnx")
    printed = result.report()
    assert "ddqn-dt: DDQN of run/agent.zip; scenario paper-1mhz" in printed
    origins = re.search(
        r"verified on 600 states \((\d+) of the history, 200 met in the simulator, (\d+) random\)", printed
    )
    assert int(origins[1]) + int(origins[2]) == 400
    assert 30 <= int(origins[1]) <= 61
    equal, ties = map(
        int, re.search(r"(\d+) the same allocation as the policy, (\d+) of equal value", printed).groups()
    )
    assert equal + ties == result.agreement.equal + result.agreement.ties == 600
    deployed = SlicePolicy(tmp_path / "policy.onnx")
    assert deployed.fallback == (2, 14, 4)
    assert deployed.scenario == SCENARIO.replace(reward={"kind": "utility"})
    history = find_source(run_folder).history
    everything = np.concatenate([history.arrivals, history.next_arrivals])
    np.testing.assert_array_equal(deployed.trained_on, [everything.min(axis=0), everything.max(axis=0)])
    again = tmp_path / "again" / "it.onnx"
    export(str(run_folder / "agent.zip"), settings, again)
    assert again.read_bytes() == (tmp_path / "policy.onnx").read_bytes() == result.content


def test_the_traffic_of_a_log_is_not_simulated(run_folder, tmp_path):
    """An agent that learned offline names no scenario: that of its history is a mapping's, whose traffic is a guess."""
    for name in ("agent.zip", "history.npz"):
        (tmp_path / name).write_bytes((run_folder / name).read_bytes())
    result = export(tmp_path / "agent.zip", QUICK)
    assert re.search(r"verified on 600 states \(\d+ of the history, \d+ random\)", result.report())
    assert "met in the simulator" not in result.report()
    history = find_source(run_folder).history
    everything = np.concatenate([history.arrivals, history.next_arrivals])
    np.testing.assert_array_equal(result.deployed.trained_on, [everything.min(axis=0), everything.max(axis=0)])


def test_an_agent_that_its_run_speaks_against_is_exported_only_by_force(run_folder, tmp_path):
    for name in ("agent.zip", "history.npz"):
        (tmp_path / name).write_bytes((run_folder / name).read_bytes())
    (tmp_path / "after_algorithm_2.zip").write_bytes((run_folder / "agent.zip").read_bytes())
    summary = {"estimates": {"fitted_q": 2.35, "twin": 2.975}, "utility_in_data": 2.443}
    said = tmp_path / "offline.json"
    said.write_text(json.dumps(summary))
    output = tmp_path / "policy.onnx"
    against = r"by fitted_q it earns 0\.093 less than the history's own decisions did"
    for given in (tmp_path, tmp_path / "agent.zip"):
        with pytest.raises(ValueError, match=f"^policy: .*'DO NOT DEPLOY', {against}; allowed .* with force=true"):
            export(given, QUICK, output)
    assert not output.exists()
    report = export(tmp_path, replace(QUICK, force=True), output).report()
    assert re.search(f"\nDO NOT DEPLOY: {against}. Written because of force=true", report)
    assert output.exists()
    other = export(tmp_path / "after_algorithm_2.zip", QUICK).report()  # the estimates are of agent.zip
    assert "DO NOT DEPLOY" not in other
    assert "\nnote: its run kept another agent, agent.zip, and estimated that one" in other
    said.write_text(json.dumps({**summary, "choice": {"kept": "after_algorithm_2"}}))
    with pytest.raises(ValueError, match="DO NOT DEPLOY"):
        export(tmp_path / "after_algorithm_2.zip", QUICK)
    said.write_text(json.dumps({**summary, "estimates": {"fitted_q": 2.45, "twin": None}}))
    assert "DO NOT DEPLOY" not in export(tmp_path, QUICK).report()
    said.write_text(json.dumps({**summary, "estimates": {"fitted_q": "high"}}))
    with pytest.raises(
        ValueError, match=r"^policy: .*offline\.json.*estimates\.fitted_q: 'high' given, allowed is a num"
    ):
        export(tmp_path, QUICK)


def test_a_student_is_exported(tmp_path):
    restless_student().save(tmp_path / "student.safetensors")
    result = export(
        tmp_path / "student.safetensors", replace(QUICK, fallback="proportional", name="small", torch_threads=2)
    )
    assert torch.get_num_threads() == 1  # as before
    assert [path.name for path in tmp_path.iterdir()] == ["student.safetensors"]
    assert "small: StudentPolicy of" in result.report()
    deployed = SlicePolicy(result.content)
    assert deployed.fallback == (2, 17, 1)
    source = find_source(tmp_path / "student.safetensors")
    np.testing.assert_array_equal(deployed.trained_on, trained_range(source, met_states(source, 200, 100)))
    assert (deployed.trained_on[0] > [50, 1000, -1]).all()
    assert (deployed.trained_on[1] < [200, 2500, 40]).all()


def test_settings_of_something_else_are_refused(run_folder):
    with pytest.raises(TypeError, match=r"^settings: \{\} given, allowed is Settings"):
        export(run_folder, {})


def test_allocations_that_the_history_never_tried_are_said(run_folder):
    source = find_source(run_folder)
    result = export(source.policy, QUICK, scenario=source.scenario, history=source.history)
    assert result.held == compare_with_held(source.policy, source.history)
    lines = warning_lines(result.held)
    assert re.match(r"note: \d+% of the policy's decisions in the history's 60 states \(\d+-\d+-\d+ most", lines[0])
    assert result.report().splitlines()[-len(lines) :] == lines
    chosen = np.array([result.deployed.decide(row).units for row in source.history.arrivals])
    beyond = replace(source.history, allocation=np.resize([1, 1, 18], chosen.shape))
    assert "\nWARNING: " in export(source.policy, QUICK, scenario=source.scenario, history=beyond).report()
    tried = replace(source.history, allocation=chosen)
    report = export(source.policy, QUICK, scenario=source.scenario, history=tried).report()
    assert "note:" not in report
    assert "WARNING" not in report


def test_an_agent_of_the_process_is_exported_with_its_scenario_and_history(run_folder):
    source = find_source(run_folder)
    result = export(source.policy, QUICK, scenario=source.scenario, history=source.history)
    of_file = export(run_folder, replace(QUICK, name="ddqn"))
    assert result.agreement == of_file.agreement
    np.testing.assert_array_equal(result.deployed.trained_on, of_file.deployed.trained_on)
    assert result.deployed.name == "ddqn"
    seen = states(500)
    np.testing.assert_array_equal(result.deployed.units(seen), of_file.deployed.units(seen))
    student = export(restless_student(), QUICK)
    assert (student.deployed.name, student.deployed.scenario) == ("student-2x8", SCENARIO)
    with pytest.raises(ValueError, match="scenario: not given, allowed is that which the DDQN was trained on"):
        export(source.policy, QUICK)
    with pytest.raises(ValueError, match=r"history: given, but .* is a file, which has its own"):
        export(run_folder, QUICK, history=source.history)


def test_an_agent_outside_its_run_needs_its_scenario(run_folder, tmp_path):
    alone = tmp_path / "agent.zip"
    alone.write_bytes((run_folder / "agent.zip").read_bytes())
    with pytest.raises(ValueError, match=r"scenario: not given, and '.*agent\.zip' is not in the folder"):
        export(alone, QUICK)
    assert "dqn: DQN of" in export(alone, QUICK, scenario="paper-1mhz").report()
    with pytest.raises(ValueError, match="scenario: 'paper' has 4851 allocations"):
        export(alone, QUICK, scenario="paper")


class Contrary(stable_baselines3.DQN):
    """An agent that does not choose what its values say."""

    def predict(self, observation, *arguments, **others):
        actions, state = super().predict(observation, *arguments, **others)
        return self.action_space.n - 1 - actions, state


@action_values.register
def _(model: Contrary):
    return model.q_net


def test_a_file_that_chooses_otherwise_is_not_written(tmp_path):
    agent = Contrary("MlpPolicy", make_env(), policy_kwargs={"net_arch": [4]}, device="cpu")
    message = r"in \d+ of 600 states the file does not choose .* nothing was written"
    with pytest.raises(DisagreementError, match=message):
        export(agent, QUICK, tmp_path / "policy.onnx", scenario=SCENARIO)
    agent.save(tmp_path / "agent.zip")
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text(f"agent:\n  _target_: {__name__}.Contrary\n")
    given = [f"policy={tmp_path}", "scenario=paper-1mhz", f"imports=[{__name__}]", "states=600", "progress=false"]
    run = prepare(configured("export", ExportConfig, *given), tmp_path)
    with pytest.raises(SystemExit, match=f"^error: {message}"):
        run()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hydra", "agent.zip"]


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
    assert agreement_of(source, SlicePolicy(content), seen).equal == 1200
    with torch.no_grad():
        head.bias[3] = 1.0 + 4e-6
    found = agreement_of(source, SlicePolicy(content), seen)
    assert (found.equal, found.ties, found.wrong, found.example) == (0, 1200, 0, None)
    with torch.no_grad():
        head.bias[5] = 1.1
    found = agreement_of(source, SlicePolicy(content), seen)
    assert (found.equal, found.ties, found.wrong) == (0, 0, 1200)
    assert found.example == tuple(seen[0])


def test_a_factored_policy_is_exported_where_no_allocation_is_listed():
    scenario = get_scenario("nr-8slices").replace(radio={"resolution_hz": 7 * 360e3})
    assert scenario.num_allocations > MAX_LISTED
    result = export(some_policy("StudentPolicy", "factored", scenario), QUICK)
    assert result.agreement.wrong == 0
    assert result.agreement.equal > 590
    assert "4-5-5-5-5-5-5-5 (voice, " in result.report()


def test_ties_of_a_factored_head_are_no_errors():
    """As above, of two allocations that only their sums over slices value."""
    policy = some_policy("DQN", "table")
    state = policy.policy.q_net.q_net[-1].state
    with torch.no_grad():
        state.weight.zero_()
        state.bias.copy_(torch.arange(3 * 18) % 18 * 0.5)  # whatever the allocation, the same
        state.bias[17] += 1.0
    source, seen = Source(policy, SCENARIO, None, "", ""), states(300)
    content = to_onnx(policy, SCENARIO, **ARGUMENTS)
    assert SlicePolicy(content).units(seen)[0].tolist() == [18, 1, 1]
    with torch.no_grad():
        state.bias[18 + 17] += 1.0 + 4e-6
    found = agreement_of(source, SlicePolicy(content), seen)
    assert (found.equal, found.ties, found.wrong) == (0, 300, 0)
    with torch.no_grad():
        state.bias[18 + 17] += 0.1
    assert agreement_of(source, SlicePolicy(content), seen).wrong == 300


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
    source = find_source(folder / "plain" / "agent.zip")
    assert source.scenario.name == "paper-1mhz"
    assert source.history is None
    assert source == replace(source, made_from="DQN of both/plain/agent.zip")
    assert isinstance(source.policy, DQN | stable_baselines3.DQN)
    assert not isinstance(source.policy, DDQN)


# The command


def test_its_yaml_sets_the_defaults_of_its_settings():
    assert {"scenario": None, **yaml_defaults("export")} == asdict(ExportConfig())


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
        (["policy=RUN", "states=5"], "states: 5 given, allowed is 100 to "),
        (["policy=RUN", "seed=-1"], "seed: -1 given"),
        (["policy=RUN", "torch_threads=0"], "torch_threads: 0 given"),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_done(overrides, message, run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    given = [override.replace("RUN", str(run_folder)) for override in overrides]
    with pytest.raises((ValueError, OSError), match=f"^{message}"):
        prepare(configured("export", ExportConfig, *given), tmp_path)
    assert not list(tmp_path.iterdir())


def test_typing_errors_on_the_command_line(run_folder):
    register("export", ExportConfig)
    check_overrides("export", [f"policy={run_folder}", "scenario=paper", "fallback=1-94-5"])
    with pytest.raises(SystemExit, match="falback: unknown name 'falback'; did you mean 'fallback'"):
        check_overrides("export", ["falback=hard"])


def test_it_prints_what_was_verified_and_where_the_file_is(tmp_path, capsys):
    restless_student().save(tmp_path / "student.safetensors")
    prepare(configured("export", ExportConfig, f"policy={tmp_path}", "states=100", "progress=false"), tmp_path)()
    printed = capsys.readouterr().out
    assert "verified on 100 states (33 met in the simulator, 67 random)" in printed
    assert re.search(r"written: .*policy\.onnx \([\d,]+ bytes\)", printed)
    assert SlicePolicy(tmp_path / "policy.onnx").name == "student-2x8"
