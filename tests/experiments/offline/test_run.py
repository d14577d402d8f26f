"""`offline`: what it gives back and leaves, and what is refused before any work."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import stable_baselines3
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents import DDQN, HardPolicy
from experiments.evaluate.estimates import in_words
from experiments.evaluate.held import compare_with_held, warning_lines
from experiments.offline import OfflineTraining, offline, record_history
from experiments.offline.baselines import modal_choice
from experiments.runs.lifecycle import CURVES
from slicing_gym import allocation_table
from slicing_gym.space_spec import SpaceSpec
from tests.helpers.histories import COARSE, recorded, utilities
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.offline_runs import offline_settings
from tests.helpers.own_agents import FromScratch, SoftTargets
from tests.helpers.runs import maker, names_in, read_rows, twin_settings
from tests.helpers.twins import cold_twin
from twin import DigitalTwin, History

MAKE = maker(twin={"learning_starts": 64, "target_update_interval": 64}, learning_rate=0.03)
"""So fast that Algorithm 2 changes what is chosen."""

FILES = {"agent.zip", "agent.card.md", "history.npz", "offline.json", "evaluation.csv", CURVES}


@pytest.fixture(scope="module")
def finished(history, tmp_path_factory):
    """Two runs, with a twin and without, compared with the truth."""
    folder = tmp_path_factory.mktemp("runs")
    twins = {"twin": twin_settings(), "none": None}
    return {
        name: offline(MAKE, history, twin, offline_settings(), folder / name, own_seed=0)
        for name, twin in twins.items()
    }


def test_it_leaves_what_it_promises(finished, history):
    assert names_in(finished["none"].folder) == FILES
    folder = finished["twin"].folder
    of_twin = {"after_algorithm_2.zip", "agent_2.zip", "twin.safetensors", "twin.card.md", "twin"}
    assert names_in(folder) == FILES | of_twin
    assert DigitalTwin.load(folder / "twin.safetensors").to_bytes() == finished["twin"].twin.to_bytes()
    own = History.load(folder / "history.npz")
    np.testing.assert_array_equal(own.allocation, history.allocation)
    np.testing.assert_array_equal(own.spectral_efficiency, history.spectral_efficiency)


@pytest.mark.parametrize("name", ["none", "twin"])
def test_figures_are_those_of_the_agent_it_leaves(finished, history, name):
    result = finished[name]
    summary = json.loads((result.folder / "offline.json").read_text())
    assert summary == json.loads(json.dumps(result.summary))
    agent = DDQN.load(result.folder / "agent.zip", device="cpu")
    assert result.name == summary["agent"] == ("ddqn-dt" if name == "twin" else "ddqn")
    assert summary["decisions"] == 80
    earned = utilities(history)
    assert summary["utility_in_data"] == pytest.approx(earned.mean())
    on_unseen = [recorded(COARSE, agent, 6, seed)[2] for seed in (100, 101)]
    assert summary["utility"] == pytest.approx(np.mean(on_unseen))
    assert summary["reward_at_c_max"] == np.mean(np.array(on_unseen) >= 7.5)
    assert summary["utility_on_own_cell"] == pytest.approx(recorded(COARSE, agent, 50, 0)[2].mean())
    hard = np.mean([recorded(COARSE, HardPolicy(COARSE), 6, seed)[2] for seed in (100, 101)])
    assert summary["lower_baselines"].keys() == {"behaviour_cloning", "best_in_data", "hard"}
    assert summary["lower_baselines"]["hard"] == pytest.approx(hard)
    assert earned.min() - 1.0 < summary["estimates"]["fitted_q"] < earned.max() + 1.0
    assert (summary["estimates"]["twin"] is None) == (result.twin is None) == (name == "none")
    assert summary["modal"].keys() == summary["candidates"].keys()
    assert (len(summary["modal"]) == 2) == (name == "twin")
    if name == "none":
        assert summary["candidates"] == {"after_algorithm_2": {"in_twin": None, "utility": summary["utility"]}}
    rows = read_rows(result.folder / "evaluation.csv")
    assert len(rows) == len(result.evaluation) * 2 == 4 * 2
    mine = [float(row["utility"]) for row in rows if row["policy"] == summary["agent"]]
    np.testing.assert_allclose(mine, np.mean(on_unseen, axis=1), atol=1e-5)
    assert f"{result.name}, estimated from the history alone: fitted_q " in result.report()
    assert summary["held"] == compare_with_held(agent, history)
    card = (result.folder / "agent.card.md").read_text()
    for line in in_words(result.estimates, summary["utility_in_data"]):
        assert line.strip() in card
    assert f"fitted_q {summary['estimates']['fitted_q']:.3f}" in card
    said = [
        *in_words(result.estimates, summary["utility_in_data"]),
        *warning_lines(summary["held"], result.twin is not None),
    ]
    assert all(line in result.report().splitlines() for line in said)


def test_decisions_beyond_the_history_end_the_report(finished, history):
    few = history.take(history.allocation[:, 0] == history.allocation[:, 0].max())
    held = compare_with_held(HardPolicy(COARSE), few)
    report = replace(finished["none"], summary={**finished["none"].summary, "held": held}).report()
    lines = warning_lines(held, with_twin=False)
    assert any(line.startswith("WARNING: 100% of the policy's decisions") for line in lines)
    assert report.splitlines()[-len(lines) :] == lines


def test_a_twin_that_contradicts_physics_is_warned_of_where_nothing_else_tells(finished, history):
    """One that learned of agreements that are missed the more, the more units a slice has."""
    turned = replace(history, performance={**history.performance, "ssr": 1.5 - 0.5 * history.allocation})
    wrong = replace(finished["twin"], twin=cold_twin(turned), history=turned)
    text = "to be served worse with more units"
    assert text not in wrong.report()  # agents were compared on cells
    (line,) = [each for each in replace(wrong, evaluation=[]).report().splitlines() if text in each]
    assert line.startswith("warning: in ")


def test_agents_learn_from_held_allocations_alone(history, tmp_path):
    """Also in a twin, whose actions are then numbers of the allocations held."""
    held = tuple(map(tuple, np.unique(history.allocation, axis=0)[1:4].tolist()))
    few = history.take((history.allocation[:, None] == held).all(axis=2).any(axis=1))
    few = replace(few, held=held)
    for twin in (None, twin_settings()):
        result = offline(MAKE, few, twin, offline_settings(seeds=[], policies=[]), tmp_path / str(twin is None))
        assert result.agent.action_space.n == 3
        assert result.summary["held"]["never_held"] == 0.0
        assert result.summary["modal"]["after_algorithm_2"]["in_data"] > 0
    with pytest.raises(ValueError, match=r"evaluation.seeds: \[100, 101\] given, allowed is \[\] for a choice among"):
        OfflineTraining(MAKE, few, None, offline_settings(), tmp_path / "new")


def test_both_candidates_are_evaluated_and_the_better_one_in_the_twin_is_kept(finished):
    folder, found = finished["twin"].folder, finished["twin"].summary["candidates"]
    assert found.keys() == {"after_algorithm_2", "agent_2"}
    for name, own in found.items():
        candidate = DDQN.load(folder / f"{name}.zip", device="cpu")
        assert own["utility"] == pytest.approx(np.mean([recorded(COARSE, candidate, 6, s)[2] for s in (100, 101)]))
    one, other = (DDQN.load(folder / f"{name}.zip", device="cpu").q_net.state_dict() for name in found)
    assert any(not np.array_equal(value, other[name]) for name, value in one.items())
    kept = DDQN.load(folder / "agent.zip", device="cpu").q_net.state_dict()
    better = max(reversed(found), key=lambda name: found[name]["in_twin"])  # of two alike Agent 2
    for name, value in DDQN.load(folder / f"{better}.zip", device="cpu").q_net.state_dict().items():
        np.testing.assert_array_equal(value, kept[name])


def test_of_a_log_the_agent_that_stays_within_the_units_held_is_kept(history, tmp_path):
    few = history.take(history.allocation[:, 2] == 1)
    settings = offline_settings(seeds=[], policies=[], epochs=40, conservative_weight=100.0)
    of_log = offline(MAKE, few, twin_settings(), settings, tmp_path / "log")
    found = of_log.summary["choice"]
    assert found["in_twin"]["agent_2"] > found["in_twin"]["after_algorithm_2"]  # else the rule changes nothing
    assert found["outside"]["agent_2"] > found["outside"]["after_algorithm_2"] + 0.05
    assert found["kept"] == "after_algorithm_2"
    report = of_log.report()
    assert "\nkept as agent.zip: after algorithm 2; outside the units that the history gave a slice in " in report
    other = os.path.relpath(tmp_path / "log" / "agent_2.zip")
    assert f"\n  the other: python -m experiments.export policy={other}" in report
    kept, twin_best = (DDQN.load(tmp_path / "log" / name, device="cpu") for name in ("agent.zip", "agent_2.zip"))
    assert compare_with_held(kept, few)["outside"] == found["outside"]["after_algorithm_2"]
    assert compare_with_held(twin_best, few)["outside"] == found["outside"]["agent_2"]
    simulated = offline(MAKE, few, twin_settings(), settings, tmp_path / "cell", own_seed=0)
    assert simulated.summary["choice"]["kept"] == "agent_2"
    assert "kept as agent.zip: agent 2; by the twin alone it earns" in simulated.report()


def test_what_is_chosen_most_often_is_counted_in_the_history(history):
    states, table = SpaceSpec(history.scenario).observe(history.arrivals), allocation_table(5, 3)

    class Threshold:
        """Action 4 in the states above the median of the first slice's, 1 in the others and the median's."""

        def predict(self, observation, deterministic=False):
            assert deterministic
            return np.where(observation[:, 0] > np.median(states[:, 0]), 4, 1), None

    modal = modal_choice(Threshold(), history)
    assert modal["units"] == "-".join(map(str, table[1]))
    assert modal["share"] == np.mean(states[:, 0] <= np.median(states[:, 0]))
    assert modal["in_data"] == np.sum((history.allocation == table[1]).all(axis=1)) > 0


def test_without_a_folder_it_is_the_same_and_nothing_is_left(finished, history, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    again = offline(MAKE, history, twin_settings(), offline_settings())
    assert os.listdir(tmp_path) == []
    assert again.folder is None
    assert again.summary["utility_on_own_cell"] is None  # nobody knows which cell the history is of
    own, other = deepcopy(again.summary), deepcopy(finished["twin"].summary)
    for key in ("cpu_seconds", "utility_on_own_cell"):
        del own[key], other[key]
    # Of decisions that nobody knows the cell of, as of a log's, it is asked whether agents leave the units held.
    assert own["choice"].pop("outside") == {"after_algorithm_2": 0.0, "agent_2": 0.0}
    assert other["choice"] == {**own["choice"], "outside": None}
    own["choice"] = other["choice"]
    assert own == other
    for mine, theirs in zip(again.agent.policy.parameters(), finished["twin"].agent.policy.parameters(), strict=True):
        np.testing.assert_array_equal(mine.detach(), theirs.detach())


def test_a_finished_run_is_not_run_again_but_read(finished, history):
    whole = finished["twin"]
    before = (whole.folder / "agent.zip").stat().st_mtime_ns
    again = offline(MAKE, history, twin_settings(), offline_settings(), whole.folder, own_seed=0, resume=True)
    assert (whole.folder / "agent.zip").stat().st_mtime_ns == before
    assert (again.name, again.estimates, again.report()) == (whole.name, whole.estimates, whole.report())
    assert again.twin.to_bytes() == whole.twin.to_bytes()
    for mine, theirs in zip(again.agent.policy.parameters(), whole.agent.policy.parameters(), strict=True):
        np.testing.assert_array_equal(mine.detach(), theirs.detach())
    with pytest.raises(ValueError, match=r"another configuration:\n  algorithm.epochs: 4 there, 5 given"):
        offline(MAKE, history, twin_settings(), offline_settings(epochs=5), whole.folder, resume=True)
    other = record_history("random", COARSE, 1, 80)
    with pytest.raises(ValueError, match=r"resume: the history of the run in '.*' is not the one given"):
        offline(MAKE, other, twin_settings(), offline_settings(), whole.folder, resume=True)


def test_without_seeds_nothing_is_simulated(history, tmp_path, monkeypatch):
    """A history of a network that no simulator stands for."""
    monkeypatch.setenv("SLICING_GYM_CACHE", str(tmp_path / "cache"))
    settings = offline_settings(policies=["hard", "best_fixed"], seeds=[])
    result = offline(MAKE, history.take(np.arange(70)), settings=settings, folder=tmp_path)
    assert not (tmp_path / "evaluation.csv").exists()
    assert not (tmp_path / "cache").exists()  # of the search for the best fixed allocation
    assert "utility" not in result.summary
    assert result.evaluation == []
    assert result.summary["decisions"] == len(History.load(tmp_path / "history.npz")) == 70
    assert np.isfinite(result.estimates["fitted_q"])


@pytest.mark.parametrize("kind", [stable_baselines3.DQN, FromScratch])
def test_any_agent_learns_with_a_twin_and_its_candidates_are_read_again(kind, history, tmp_path):
    """A class of the user's own too, which nobody has asked to be imported by its name."""
    weight = 0.1 if kind is stable_baselines3.DQN else 0.0
    settings = offline_settings(conservative_weight=weight, policies=[])
    make = maker(kind, twin={"learning_starts": 64})
    result = offline(make, history, twin_settings(), settings, tmp_path)
    assert type(result.agent) is kind
    assert result.summary["candidates"].keys() == {"after_algorithm_2", "agent_2"}
    again = offline(make, history, twin_settings(), settings, tmp_path, resume=True)
    assert type(again.agent) is kind


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed: -1 given"),
        ({"name": "hard"}, "agent.name: 'hard' is the name of a policy it is compared with"),
        ({"name": "behaviour_cloning"}, "agent.name: 'behaviour_cloning' is the name of a policy"),
        ({"own_seed": 100}, "evaluation.seeds: 100 is the cell that the agent learns on"),
        (
            {"settings": offline_settings(policies=["hrd"])},
            "evaluation.policies: unknown name 'hrd'; did",
        ),
        ({"settings": offline_settings(seeds=[3, 3])}, "evaluation.seeds: .* allowed are different ones"),
        ({"settings": offline_settings(epochs=0)}, "algorithm.epochs: 0 given"),
        ({"settings": offline_settings(conservative_weight=-1)}, "algorithm.conservative_weight: -1 given"),
        ({"settings": offline_settings(reward="utilty")}, "reward: unknown name 'utilty'; did you mean 'utility'"),
        ({"settings": offline_settings(torch_threads=0)}, "torch_threads: 0 given"),
        ({"settings": offline_settings(checkpoint_s=-1)}, "checkpoint_s: -1 given"),
        ({"make": maker(SoftTargets)}, "not possible with .*SoftTargets.* lacks the hook td_loss"),
        (
            {"make": maker(policy={"head": "factored"}), "settings": offline_settings(reward="shaped")},
            "reward: 'shaped' given, allowed with the factored head are rewards that are a sum over slices",
        ),
        ({"twin": "lsmt"}, "transition: unknown name 'lsmt'; did you mean 'lstm'"),
        (
            {"twin": "lstm", "settings": offline_settings(twin_decisions=90)},
            "algorithm.twin_decisions: 90 given, allowed is 96 or more",
        ),
        (
            {"twin": "lstm", "make": maker(SoftTargets), "settings": offline_settings(conservative_weight=0.0)},
            "trust: false given, allowed is true for this agent",
        ),
    ],
)
def test_bad_values_are_refused_before_anything_runs(arguments, message, history, tmp_path):
    arguments = {"make": MAKE, "settings": offline_settings(), **arguments}
    with pytest.raises((ValueError, TypeError), match=message):
        OfflineTraining(history=history, folder=tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_a_history_that_does_not_do_is_refused(history, tmp_path):
    with pytest.raises(ValueError, match=r"decisions .*7 given, allowed is 8 or more"):
        OfflineTraining(MAKE, history.take(np.arange(7)), "lstm", offline_settings(), tmp_path)
    with pytest.raises(ValueError, match=r"agent\.buffer_size: 100 given, allowed is 101 or more"):
        OfflineTraining(MAKE, record_history("random", COARSE, 0, 101), None, offline_settings(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["none", "twin"])
def test_tensorboard_has_losses_by_epoch_and_the_end(finished, name):
    result = finished[name]
    events = EventAccumulator(str(result.folder))
    events.Reload()
    losses, (end,) = events.Scalars("train/loss"), events.Scalars("eval/utility")
    assert [point.step for point in losses] == list(range(1, end.step + 1))
    assert end.value == pytest.approx(result.summary["utility"], rel=1e-5)
    (estimated,) = events.Scalars("eval/fitted_q")
    assert estimated.value == pytest.approx(result.estimates["fitted_q"], rel=1e-5)
