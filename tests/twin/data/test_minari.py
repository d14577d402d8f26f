"""Histories as Minari data sets: there and back, and data sets that others collected."""

from __future__ import annotations

import sys

import gymnasium as gym
import minari
import numpy as np
import pytest
from minari.data_collector import EpisodeBuffer

from slicing_gym import get_scenario
from slicing_gym.reward import utility
from tests.helpers.twins import ALL_COLUMNS, assert_same
from twin import PERFORMANCE, Column, Control, History, RecordHistory
from twin.data.minari import from_minari, to_minari

SHORT = get_scenario("paper-1mhz").replace(decisions_per_episode=5, reward={"kind": "utility"})


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


@pytest.fixture(scope="module")
def recorded():
    """A history, what the environment told meanwhile, and the actions: three episodes, the last cut short."""
    env = RecordHistory(gym.make("SliceRAN-v0", scenario=SHORT), ALL_COLUMNS)
    told = []
    for number in range(13):
        if number % 5 == 0:
            told.append([env.reset(seed=0 if number == 0 else None)])
        told[-1].append(env.step(number * 13))
    return env.recorder.history(), told, [number * 13 for number in range(13)]


def test_there_and_back(recorded):
    history, _, _ = recorded
    dataset = to_minari(history, "cells/random-v0", author="me")
    assert (dataset.total_episodes, dataset.total_steps) == (3, 13)
    for found in (from_minari(dataset), from_minari("cells/random-v0"), from_minari(dataset, SHORT)):
        assert_same(found, history)
    assert dataset.storage.metadata["author"] == {"me"}


def test_an_episode_is_what_the_environment_told(recorded):
    history, told, actions = recorded
    dataset = to_minari(history, "random-v0")
    done = 0
    for episode, (reset, *steps) in zip(dataset.iterate_episodes(), told, strict=True):
        observations = [reset[0], *(step[0] for step in steps)]
        np.testing.assert_array_equal(episode.observations, observations)
        assert episode.observations.dtype == np.float32
        assert episode.actions.tolist() == actions[done : done + len(steps)]
        np.testing.assert_allclose(episode.rewards, [step[1] for step in steps], rtol=1e-12)
        assert not episode.terminations.any()
        assert episode.truncations.tolist() == [False] * (len(steps) - 1) + [True]
        for key in ("arrivals", "allocation", "ssr", "spectral_efficiency", "utility", "queued"):
            np.testing.assert_allclose(episode.infos[key][1:], [step[4][key] for step in steps], rtol=1e-12)
        np.testing.assert_array_equal(episode.infos["arrivals"][0], reset[1]["arrivals"])
        assert np.isnan(episode.infos["ssr"][0]).all()
        assert all(dataset.observation_space.contains(each) for each in episode.observations)
        done += len(steps)
    assert done == len(history)


def test_gaps_runs_and_controls_survive(recorded):
    history, _, _ = recorded
    whole = History(
        **{**vars(history), "control_columns": (Control("scheduler", (1, 2)),)}
        | {"controls": {"scheduler": 1 + np.arange(39).reshape(13, 3) % 2}}
    )
    part = whole.take(np.array([1, 2, 4, 10, 11, 12]))  # a gap in the first run, and the second is missing
    dataset = to_minari(part, "parts-v3")
    assert dataset.total_episodes == 3
    assert_same(from_minari(dataset), part)
    assert part.runs.tolist() == [0, 2]
    backwards = minari.MinariDataset(dataset.spec.data_path, np.array([2, 1, 0]))
    assert_same(from_minari(backwards), part)
    one = minari.load_dataset("parts-v3").filter_episodes(lambda episode: len(episode) == 3)
    assert_same(from_minari(one), whole.take(slice(10, 13)))


def test_the_environment_can_be_made_again():
    env = RecordHistory(gym.make("SliceRAN-v0", scenario="paper-1mhz"))
    env.reset(seed=0)
    env.step(0)
    made = to_minari(env.recorder.history(), "preset-v0").recover_environment().unwrapped
    assert made.scenario.name == "paper-1mhz"
    assert made.scenario.reward.kind == "utility"
    assert "scenario" not in gym.spec("SliceRAN-v0").kwargs


@pytest.mark.parametrize("scenario", ["paper-1mhz", SHORT, SHORT.to_dict()], ids=["name", "object", "data"])
def test_the_environment_of_any_scenario_goes_on_as_it_was(scenario):
    """Reset with the same seed, it brings the observations and rewards that are in the data set."""
    env = RecordHistory(gym.make("SliceRAN-v0", scenario=scenario, reward="utility"))
    env.reset(seed=4)
    for action in (0, 50, 7):
        env.step(action)
    dataset = to_minari(env.recorder.history(), "made-v0")
    made = minari.load_dataset("made-v0").recover_environment()
    assert made.unwrapped.scenario == env.unwrapped.scenario
    assert made.spec.max_episode_steps == env.unwrapped.scenario.decisions_per_episode
    (episode,) = dataset.iterate_episodes()
    first, _ = made.reset(seed=4)
    found = [made.step(action) for action in episode.actions]
    np.testing.assert_array_equal(episode.observations, [first, *(step[0] for step in found)])
    np.testing.assert_allclose(episode.rewards, [step[1] for step in found], rtol=1e-12)
    assert from_minari(dataset).scenario == env.unwrapped.scenario


def test_an_environment_of_ones_own(recorded):
    history, _, _ = recorded
    spec = gym.spec("CartPole-v1")
    assert to_minari(history, "own-v0", env=spec).env_spec.id == "CartPole-v1"
    assert to_minari(history, "none-v0", env=None).env_spec is None


def test_a_log_has_no_environment(recorded):
    """No simulator measures what it measured."""
    history, _, _ = recorded
    layout = {
        "columns": (*history.columns, Column("delay")),
        "performance": {**history.performance, "delay": history.ssr},
    }
    assert to_minari(History(**{**vars(history), **layout}), "log-v0").env_spec is None


def collected(told, actions, **infos) -> minari.MinariDataset:
    """As Minari's own collector would have it: infos of the reset and of every step."""
    episodes = []
    for reset, *steps in told:
        every = [reset[1], *(step[4] for step in steps)]
        episodes.append(
            EpisodeBuffer(
                observations=np.array([reset[0], *(step[0] for step in steps)]),
                actions=np.array([actions.pop(0) for _ in steps]),
                rewards=[step[1] for step in steps],
                terminations=[False] * len(steps),
                truncations=[step[3] for step in steps],
                infos={**{key: np.array([info[key] for info in every]) for key in every[0]}, **infos},
            )
        )
    env = gym.make("SliceRAN-v0", scenario=SHORT)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    with pytest.warns(UserWarning, match="None"):  # it asks for authors and the like
        return minari.create_dataset_from_buffers("collected-v0", episodes, **spaces)


def test_data_that_others_collected(recorded):
    history, told, actions = recorded
    dataset = collected(told, list(actions))
    assert_same(from_minari(dataset, SHORT, ALL_COLUMNS), history)
    assert from_minari(dataset, SHORT).columns == PERFORMANCE
    with pytest.raises(ValueError, match="scenario: None given, but the data set 'collected-v0' does not name it"):
        from_minari(dataset)


@pytest.mark.parametrize(
    ("infos", "message"),
    [
        (
            {"allocation": np.full((6, 3), 3)},
            "'allocation' in .*episode 0 is not what the actions mean in 'paper-1mhz'",
        ),
        ({"ssr": np.ones((5, 3))}, "5 rows of 'ssr' in .*episode 0, allowed are 6"),
    ],
)
def test_infos_that_do_not_fit_are_refused(recorded, infos, message):
    _, told, actions = recorded
    with pytest.raises(ValueError, match=message):
        from_minari(collected(told[:1], list(actions), **infos), SHORT)


def test_what_does_not_fit_is_refused(recorded):
    history, told, actions = recorded
    dataset = to_minari(history, "random-v0")
    for scenario, message in (
        ("paper", "scenario: is of another network .*its units are 100, wanted are 20"),
        (
            SHORT.replace(slices={"volte": {"num_users": 50}}),
            "observations: in data set .*, episode 0 they are not what .paper-1mhz. makes",
        ),
        (
            SHORT.replace(radio={"slots_per_interval": 200, "queue_capacity": 6}),
            "scenario: .*its observation_space is Box",
        ),
        ("papper", "unknown name 'papper'; did you mean 'paper'"),
    ):
        with pytest.raises(ValueError, match=message):
            from_minari(dataset, scenario)
    with pytest.raises(ValueError, match="infos: 'delay' missing in data set 'random-v0', episode 0, which has"):
        from_minari(dataset, columns=(type(PERFORMANCE[0])("delay"),))
    with pytest.raises(ValueError, match="'random-v0' has no episodes, allowed are one or more"):
        from_minari(dataset.filter_episodes(lambda _: False))
    with pytest.raises(TypeError, match="dataset: 3 given, allowed is MinariDataset"):
        from_minari(3)
    with pytest.raises(ValueError, match="random-v0 already exists"):
        to_minari(history, "random-v0")
    with pytest.raises(ValueError, match="action_space"):
        from_minari(collected(told, list(actions)), get_scenario("paper").replace(radio={"resolution_hz": 2e6}))


@pytest.mark.parametrize("name", ["random", "a b-v0", "v0/"])
def test_malformed_ids_are_refused_before_anything_is_written(recorded, name, tmp_path):
    with pytest.raises(ValueError, match=r"dataset_id: .* given, allowed is 'name-v0'"):
        to_minari(recorded[0], name)
    assert not list(tmp_path.rglob("*"))


def test_a_history_without_a_utility_is_refused(recorded):
    history, _, _ = recorded
    poor = History(
        **{**vars(history), "columns": PERFORMANCE[:1], "performance": {"ssr": history.ssr}},
    )
    with pytest.raises(ValueError, match="'spectral_efficiency' was not measured"):
        to_minari(poor, "poor-v0")


@pytest.mark.parametrize("package", ["minari", "h5py"])
def test_without_the_extra_its_name_is_told(recorded, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    for call in (lambda: to_minari(recorded[0], "random-v0"), lambda: from_minari("random-v0")):
        with pytest.raises(ImportError, match=r"need the extra `minari` \(pip install 'slicing-gym\[minari\]'\)"):
            call()


def test_rewards_are_the_utility(recorded):
    history, _, _ = recorded
    rewards = np.concatenate([episode.rewards for episode in to_minari(history, "random-v0")])
    np.testing.assert_array_equal(rewards, utility(SHORT, history.spectral_efficiency, history.ssr))
