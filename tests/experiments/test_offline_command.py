"""`experiments.offline`: the algorithm's steps, what the command leaves, and the figure drawn of it."""

from __future__ import annotations

import csv
import json
import os
import shutil

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from agents import DDQN, HardPolicy
from experiments.config.hydra import CONFIG_FOLDER, register_configs
from experiments.config.parts import scenario_of
from experiments.figures import __main__ as figures
from experiments.offline.algorithm_2 import OfflineAlgorithm
from experiments.offline.figure import _candidates
from experiments.offline.histories import record_history
from experiments.offline.run import check_config, history_of, offline, usual_choice
from experiments.runs import checkpoint
from slicing_gym import allocation_table
from slicing_gym.space_spec import SpaceSpec
from tests.experiments.test_histories import recorded
from tests.helpers.learners import _one_thread as _one_thread
from twin import DigitalTwin, History

register_configs()

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
"""A cell of six allocations and short intervals."""

TWIN = ["twin=lstm", "twin.training.max_epochs=2", "twin.transition.members=1", "twin.performance.members=2"]


def composed(*overrides):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return compose("offline", [*TINY, *overrides])


# The algorithm


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A history of 80 decisions."""
    scenario = scenario_of(composed(*COARSE).scenario)
    assert scenario.num_allocations == 6
    path = tmp_path_factory.mktemp("history") / "history.npz"
    record_history("random", scenario, 0, 80).save(path)
    return path


def made(file, folder, *overrides):
    config = composed(f"history='{file}'", *overrides)
    check_config(config)
    return OfflineAlgorithm(config, history_of(config), folder)


def same_end(one, other):
    mine, theirs = one.agent.state(), other.agent.state()
    assert mine[0] == theirs[0]
    assert mine[1].keys() == theirs[1].keys()
    for name, array in mine[1].items():
        np.testing.assert_array_equal(array, theirs[1][name], err_msg=name)


@pytest.fixture(scope="module")
def with_twin(file, tmp_path_factory):
    """A run that was not interrupted."""
    algorithm = made(file, tmp_path_factory.mktemp("whole"), *TWIN)
    algorithm.run()
    assert algorithm._agent_2.model._n_updates > 0
    assert algorithm.epochs == 4
    return algorithm


def test_settings_reach_the_agents_and_agent_2_hands_over_what_it_learned(file, tmp_path):
    options = ["algorithm.conservative_weight=0.7", "algorithm.agent.batch_size=20"]
    plain, algorithm = made(file, tmp_path, *options), made(file, tmp_path, *options, *TWIN)
    for each in (plain.agent.model, algorithm.agent.model):
        assert (each.conservative_weight, each.batch_size, each.buffer_size) == (0.7, 20, 80)
    assert [plain.agent.model.lr_schedule(left) for left in (1.0, 0.0)] == pytest.approx([1e-3, 1e-5])
    assert [algorithm.agent.model.lr_schedule(left) for left in (1.0, 0.0)] == pytest.approx([1e-5, 1e-5])
    algorithm.learn_twin()
    algorithm.train_in_twin()
    assert algorithm._agent_2.model.conservative_weight == 0.0
    assert algorithm._agent_2.num_decisions >= 256
    mine, theirs = (each.model.policy.state_dict() for each in (algorithm.agent, algorithm._agent_2))
    for name, value in mine.items():
        np.testing.assert_array_equal(value, theirs[name])
    plain.run()
    assert plain.agent.model._n_updates == 4 * 4


@pytest.mark.parametrize("stopped_after", [1, 2, 3])
def test_a_run_goes_on_after_any_step_as_if_nothing_had_been(with_twin, file, tmp_path, stopped_after):
    first = made(file, tmp_path, *TWIN)
    steps = first._steps()
    for _ in range(stopped_after):
        steps[first._next_step]()
        first._save()
    second = made(file, tmp_path, *TWIN)
    second.resume()
    assert second.epochs == first.epochs == (4 if stopped_after == 3 else 0)
    second.run()
    same_end(second, with_twin)
    assert list(second.judged) == list(with_twin.judged)
    assert second.estimate(0) == with_twin.estimate(0)
    assert second.utility_in_twin(second.agent) == with_twin.utility_in_twin(with_twin.agent)


@pytest.mark.parametrize("options", [TWIN, ["agent=dqn", "agent.head=geometry"], ["agent=gan_ddqn"]])
def test_a_run_goes_on_from_any_epoch(file, tmp_path, options):
    whole = made(file, tmp_path / "whole", *options)
    whole.run()

    class StoppedError(Exception):
        pass

    part = made(file, tmp_path / "part", *options, "checkpoint_s=0")
    save = part._on_epoch

    def stop(number):
        save(number)
        if number == 2:
            raise StoppedError

    part._on_epoch = stop
    with pytest.raises(StoppedError):
        part.run()
    again = made(file, tmp_path / "part", *options)
    again.resume()
    assert again.epochs == 2
    again.run()
    same_end(again, whole)


def test_after_learning_both_agents_have_the_weights_of_the_better_one(with_twin):
    here, there = (each.model.q_net.state_dict() for each in (with_twin.agent, with_twin._agent_2))
    for name, value in here.items():
        np.testing.assert_array_equal(value, there[name])


def test_damaged_checkpoints_and_other_configurations_are_refused(file, tmp_path):
    first = made(file, tmp_path)
    first.run()
    whole = (tmp_path / checkpoint.FILE).read_bytes()
    with pytest.raises(ValueError, match=r"configuration:\n  algorithm.conservative_weight: 0.1 there, 0.2 given"):
        made(file, tmp_path, "algorithm.conservative_weight=0.2").resume()
    other = tmp_path / "history.npz"
    shutil.copy(file, other)
    made(other, tmp_path / "other").run()
    record_history("random", History.load(file).scenario, 1, 80).save(other)
    with pytest.raises(ValueError, match=r"resume: the history '.*history\.npz' is not what it was"):
        made(other, tmp_path / "other").resume()
    (tmp_path / checkpoint.FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"resume: .*checkpoint\.npz' is not a checkpoint, or is damaged"):
        made(file, tmp_path).resume()


# The command


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two runs on a recorded history: with a twin and without, compared with the truth."""
    folder = tmp_path_factory.mktemp("runs")
    for name, twin in (("twin", TWIN), ("none", [])):
        faster = ["algorithm.agent_1.learning_rate=0.03"]  # so that Algorithm 2 changes what is chosen
        offline(composed("history=random", "decisions=80", *COARSE, *twin, *faster), folder / name)
    return folder


def read_rows(path):
    with path.open() as csv_file:
        return list(csv.DictReader(csv_file))


def test_it_leaves_what_it_promises(finished, file):
    common = {"agent.zip", "history.npz", "offline.json", "evaluation.csv", "tensorboard"}
    assert set(os.listdir(finished / "none")) == common
    candidates = {"after_algorithm_2.zip", "agent_2.zip"}
    assert set(os.listdir(finished / "twin")) == common | candidates | {"twin.safetensors"}
    assert DigitalTwin.load(finished / "twin" / "twin.safetensors").scenario.num_allocations == 6
    own, given = History.load(finished / "twin" / "history.npz"), History.load(file)
    np.testing.assert_array_equal(own.allocation, given.allocation)
    np.testing.assert_array_equal(own.spectral_efficiency, given.spectral_efficiency)


def test_both_candidates_are_told_of_and_the_better_one_in_the_twin_is_kept(finished, file):
    folder = finished / "twin"
    told = json.loads((folder / "offline.json").read_text())["candidates"]
    assert told.keys() == {"after_algorithm_2", "agent_2"}
    scenario = History.load(file).scenario
    for name, own in told.items():
        candidate = DDQN.load(folder / f"{name}.zip", device="cpu")
        assert own["utility"] == pytest.approx(np.mean([recorded(scenario, candidate, 6, s)[2] for s in (100, 101)]))
    assert told["agent_2"]["utility"] != told["after_algorithm_2"]["utility"]
    kept = DDQN.load(folder / "agent.zip", device="cpu").q_net.state_dict()
    better = max(reversed(told), key=lambda name: told[name]["in_twin"])  # of two alike Agent 2
    for name, value in DDQN.load(folder / f"{better}.zip", device="cpu").q_net.state_dict().items():
        np.testing.assert_array_equal(value, kept[name])


@pytest.mark.parametrize("name", ["none", "twin"])
def test_figures_are_those_of_the_agent_it_leaves(finished, file, name):
    summary = json.loads((finished / name / "offline.json").read_text())
    agent, history = DDQN.load(finished / name / "agent.zip", device="cpu"), History.load(file)
    assert summary["agent"] == ("ddqn-dt" if name == "twin" else "ddqn")
    assert summary["decisions"] == 80
    earned = 0.01 * history.spectral_efficiency + history.ssr.sum(axis=1)
    assert summary["utility_in_data"] == pytest.approx(earned.mean())
    on_unseen = [recorded(history.scenario, agent, 6, seed)[2] for seed in (100, 101)]
    assert summary["utility"] == pytest.approx(np.mean(on_unseen))
    assert summary["reward_at_c_max"] == np.mean(np.array(on_unseen) >= 7.5)
    assert summary["utility_on_own_cell"] == pytest.approx(recorded(history.scenario, agent, 50, 0)[2].mean())
    hard = np.mean([recorded(history.scenario, HardPolicy(history.scenario), 6, seed)[2] for seed in (100, 101)])
    assert summary["floors"].keys() == {"behaviour_cloning", "best_in_data", "hard"}
    assert summary["floors"]["hard"] == pytest.approx(hard)
    assert earned.min() - 1.0 < summary["estimates"]["fitted_q"] < earned.max() + 1.0
    assert (summary["estimates"]["twin"] is None) == (name == "none")
    assert summary["usual"].keys() == summary["candidates"].keys()
    assert (len(summary["usual"]) == 2) == (name == "twin")
    if name == "none":
        assert summary["candidates"] == {"after_algorithm_2": {"in_twin": None, "utility": summary["utility"]}}
    rows = read_rows(finished / name / "evaluation.csv")
    assert len(rows) == 4 * 2
    mine = [float(row["utility"]) for row in rows if row["policy"] == summary["agent"]]
    np.testing.assert_allclose(mine, np.mean(on_unseen, axis=1), atol=1e-5)


def test_what_is_usually_chosen_is_counted_in_the_history(file):
    history = History.load(file)
    states, table = SpaceSpec(history.scenario).observe(history.arrivals), allocation_table(5, 3)

    class Threshold:
        """Action 4 in the states above the median of the first slice's, 1 in the others and the median's."""

        def predict(self, observation, deterministic=False):
            assert deterministic
            return np.where(observation[:, 0] > np.median(states[:, 0]), 4, 1), None

    usual = usual_choice(Threshold(), history)
    assert usual["units"] == "-".join(map(str, table[1]))
    assert usual["share"] == np.mean(states[:, 0] <= np.median(states[:, 0]))
    assert usual["in_data"] == np.sum((history.allocation == table[1]).all(axis=1)) > 0


def test_a_file_of_the_same_decisions_gives_the_same_figures(finished, file, tmp_path):
    options = [*TWIN, "algorithm.agent_1.learning_rate=0.03", "resume=auto"]  # nothing to resume: it begins
    offline(composed(f"history='{file}'", *options), tmp_path)
    mine, theirs = (json.loads((each / "offline.json").read_text()) for each in (tmp_path, finished / "twin"))
    assert mine["utility_on_own_cell"] is None  # of a file nobody knows which cell it is of
    for summary in (mine, theirs):
        for key in ("cpu_seconds", "config", "history", "utility_on_own_cell"):
            del summary[key]
    assert mine == theirs
    assert (tmp_path / "evaluation.csv").read_bytes() == (finished / "twin" / "evaluation.csv").read_bytes()


def test_a_finished_run_is_not_run_again(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished / "none", folder)
    before = (folder / "agent.zip").stat().st_mtime_ns
    again = ["history=random", "decisions=80", *COARSE, "algorithm.agent_1.learning_rate=0.03", "resume=auto"]
    offline(composed(*again), folder)
    assert "this run is finished" in capsys.readouterr().out
    assert (folder / "agent.zip").stat().st_mtime_ns == before
    with pytest.raises(SystemExit, match=r"another configuration:\n  agent.gamma: 0.8 there, 0.5 given"):
        offline(composed(*again, "agent.gamma=0.5"), folder)


def test_without_seeds_nothing_is_simulated(file, tmp_path):
    """A history of a network that no simulator stands for."""
    options = ["evaluation.seeds=[]", "evaluation.policies=[]", "decisions=70"]
    offline(composed(f"history='{file}'", *options), tmp_path)
    assert not (tmp_path / "evaluation.csv").exists()
    summary = json.loads((tmp_path / "offline.json").read_text())
    assert "utility" not in summary
    assert summary["decisions"] == len(History.load(tmp_path / "history.npz")) == 70
    assert np.isfinite(summary["estimates"]["fitted_q"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["history=randm"], "history: unknown name 'randm'; did you mean 'random'"),
        (["history=runs/none/history.npz"], "history: there is no file 'runs/none/history.npz'"),
        (["history=docs"], "history: there is no file 'docs/history.npz'"),
        (["history=docs/data/synthetic_log.csv"], "history: 'docs/data/synthetic_log.csv' is a log; .*read_log"),
        (["decisions=81"], "decisions: 81 given, the history '.*' has 80"),
        (["decisions=0"], "decisions: 0 given"),
        (["decisions=40", *TWIN], "decisions .*40 given, allowed is 64 or more"),
        (["reward=utilty"], "reward: unknown name 'utilty'; did you mean 'utility'"),
        (["resume=yes"], "resume: 'yes' given, allowed are auto and null"),
        (["seed=-1"], "seed: -1 given"),
        (["seed=100", "history=random"], "evaluation.seeds: 100 is the cell that the history is of"),
        (["evaluation.seeds=[3,3]"], "evaluation.seeds: .* allowed are different ones"),
        (["evaluation.decisions=0"], "evaluation.decisions: 0 given"),
        (["evaluation.policies=[hrd]"], "policy: unknown name 'hrd'; did you mean 'hard'"),
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
        (["algorithm.agent.batch_size=0"], "agent.batch_size: 0 given"),
        (["agent.gamma=1.5"], "agent.gamma: 1.5 given"),
        (["torch_threads=0"], "torch_threads: 0 given"),
        (["checkpoint_s=-1"], "checkpoint_s: -1.0 given"),
    ],
)
def test_bad_values_are_refused_before_anything_runs(file, overrides, message, tmp_path):
    with pytest.raises(SystemExit, match=message):
        offline(composed(f"history='{file}'", *overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_figure_names_the_candidate_that_was_kept(finished):
    """Of two that earned the same in the twin `keep_better` keeps Agent 2."""
    summary = json.loads((finished / "twin" / "offline.json").read_text())
    for own in summary["candidates"].values():
        own["in_twin"] = 5.0
    (line,) = [line for line in _candidates([summary]).splitlines() if "agent 2" in line]
    assert line.endswith("1 of 1")


def test_the_figure_is_drawn_from_runs(finished, tmp_path, capsys):
    runs = tmp_path / "runs"
    shutil.copytree(finished, runs)
    summaries = {"ddqn": runs / "none" / "offline.json", "ddqn-dt": runs / "twin" / "offline.json"}
    for utility, path in zip((5.25, 6.5), summaries.values(), strict=True):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"utility": utility}))
    figures.main(["offline", str(runs), "--output", str(tmp_path / "picture.png")])
    printed = capsys.readouterr().out
    assert (tmp_path / "picture_coarse_dense.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(tmp_path / "picture_coarse_dense.csv")
    assert [row["policy"] for row in rows] == ["ddqn", "ddqn-dt", "behaviour_cloning", "best_in_data", "hard"]
    for row in rows[:2]:
        summary = json.loads(summaries[row["policy"]].read_text())
        for name in ("utility", "reward_at_c_max", "utility_on_own_cell"):
            assert float(row[name]) == pytest.approx(summary[name], abs=1e-6)
        assert float(row["fitted_q"]) == pytest.approx(summary["estimates"]["fitted_q"], abs=1e-6)
        assert (row["twin"] == "") == (row["policy"] == "ddqn")
        (line,) = [line for line in printed.splitlines() if line.split()[:2] == [row["policy"], "1"]]
        assert line.split()[2] == f"{summary['utility']:.3f}"  # one seed has no interval
    assert "ddqn-dt minus ddqn: 1.250" in printed
    shutil.copytree(runs / "none", runs / "again")
    with pytest.raises(SystemExit, match="is there twice"):
        figures.main(["offline", str(runs)])
    with pytest.raises(SystemExit, match=r"no finished offline run \(offline\.json\)"):
        figures.main(["offline", str(tmp_path / "none")])
