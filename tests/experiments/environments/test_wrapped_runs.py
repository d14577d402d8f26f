"""Runs under wrappers: their history, their checkpoints, their evaluation, and what comes of their policies."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from agents.registry import import_modules
from experiments.environments import Environments
from experiments.evaluate.policies import load_policy
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.evaluate.wrapped import WrappedAgent
from experiments.export.source import find_source
from experiments.runs import read_run
from experiments.train import Training, train
from slicing_gym import get_scenario
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.own_agents import LogObservation
from tests.helpers.runs import OWN, SCENARIO, interrupted, maker, read_rows, short_settings, twin_settings
from tests.helpers.wrappers import LOGS, MANY_LOGS, NORMALIZE, STACK, TENTH

MAKE = maker(center_rewards=True)


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN])


def finished(folder, *wrappers, decisions=60, twin=None, vector_wrappers=()):
    environments = Environments(SCENARIO, wrappers, vector_wrappers)
    return train(MAKE, SCENARIO, twin, short_settings(decisions), folder, environments=environments)


def test_the_history_is_what_the_network_did_and_the_replay_what_the_agent_saw(tmp_path):
    runs = []
    for number, wrappers in enumerate([(), (LOGS, TENTH)]):
        environments, folder = Environments(SCENARIO, wrappers), tmp_path / str(number)
        runs.append(Training(MAKE, SCENARIO, None, short_settings(60), folder, environments=environments).algorithm)
        runs[-1].run()
    histories = [run.history.recorder.history() for run in runs]
    first = slice(0, 50)  # random decisions, the same for both
    for name in ("allocation", "arrivals", "next_arrivals"):
        np.testing.assert_array_equal(getattr(histories[0], name)[first], getattr(histories[1], name)[first])
    seen, own = (run.history.transitions() for run in runs)
    np.testing.assert_array_equal(own.observations[first], np.log1p(seen.observations[first]))
    np.testing.assert_allclose(own.rewards[first], seen.rewards[first] / 10.0, rtol=1e-6)
    assert runs[1].agent.model.replay_buffer.mean_reward == pytest.approx(own.rewards[:51].mean(), rel=1e-5)
    measured = histories[1].spectral_efficiency * 0.01 + histories[1].ssr.sum(axis=1)
    np.testing.assert_allclose(runs[1].log.episodes[0]["utility"], measured.mean(), rtol=1e-6)


@pytest.mark.parametrize("wrapper", [LOGS, STACK, NORMALIZE], ids=["logarithms", "stack", "statistics"])
def test_a_run_under_wrappers_goes_on_from_any_decision(wrapper, tmp_path):
    environments = Environments(SCENARIO, [wrapper])
    whole, part, again = interrupted(MAKE, tmp_path, 203, short_settings(240), environments=environments)
    assert again.agent.digest() == whole.agent.digest() != part.agent.digest()
    (statistics, arrays), (own, own_arrays) = (run.environments.statistics(run.real) for run in (whole, again))
    assert statistics == own
    assert all(np.array_equal(array, own_arrays[name]) for name, array in arrays.items())


def test_an_agent_is_evaluated_under_the_wrappers_it_learned_under(tmp_path):
    """From its file as at the end of its run; statistics stay what they were when it had learned."""
    finished(tmp_path, NORMALIZE, decisions=80)
    cells = make_cells(SCENARIO, 2)
    policy = load_policy(str(tmp_path), SCENARIO, cells, 1)
    assert isinstance(policy, WrappedAgent)
    envs = policy.make_wrapped_cells(2)
    layer = envs.unwrapped.envs[0]
    while not isinstance(layer, gym.wrappers.NormalizeObservation):
        layer = layer.env
    before = layer.obs_rms.mean.copy()
    assert layer.obs_rms.count > 80
    found = evaluate_policy("", policy, cells, [100, 101], 20)
    again = evaluate_policy("", policy, cells, [100, 101], 20)
    np.testing.assert_array_equal(found.utility, again.utility)
    envs.reset(seed=[0, 1])
    np.testing.assert_array_equal(layer.obs_rms.mean, before)
    own = [float(row["utility"]) for row in read_rows(tmp_path / "evaluation.csv") if row["policy"] == "ddqn"]
    np.testing.assert_allclose(found.utility, own, atol=1e-6)


@pytest.mark.parametrize("vector_wrappers", [(), (MANY_LOGS,)], ids=["one by one", "native"])
def test_a_twin_is_wrapped_too_and_a_run_resumes_to_the_same_bytes(vector_wrappers, tmp_path):
    whole = finished(tmp_path / "whole", LOGS, decisions=240, twin=twin_settings(), vector_wrappers=vector_wrappers)
    environments = Environments(SCENARIO, [LOGS], vector_wrappers)
    part = Training(
        MAKE, SCENARIO, twin_settings(), short_settings(240), tmp_path / "part", environments=environments
    ).algorithm
    steps = part._steps()
    for _ in range(3):
        steps[part._next_step]()
        part.save()
    box = part._agent_2.model.observation_space
    wrapped = LogObservation(gym.make("SliceRAN-v0", scenario=SCENARIO))
    np.testing.assert_allclose(box.high, wrapped.observation_space.high)
    again = train(
        MAKE,
        SCENARIO,
        twin_settings(),
        short_settings(240),
        tmp_path / "part",
        environments=environments,
        resume=True,
    )
    assert again.summary["learned"] == whole.summary["learned"]
    assert (again.folder / "episodes.csv").read_bytes() == (whole.folder / "episodes.csv").read_bytes()


def test_a_run_is_not_resumed_under_other_wrappers(tmp_path):
    finished(tmp_path, LOGS)
    with pytest.raises(
        ValueError, match=r"another configuration:\n(?s:.*)  env\.wrappers: .*LogObservation.* there, .*Frame"
    ):
        Training(
            MAKE,
            SCENARIO,
            settings=short_settings(60),
            folder=tmp_path,
            environments=Environments(SCENARIO, [STACK]),
            resume=True,
        )


def test_wrappers_that_change_the_reward_alone_leave_a_policy_for_everything(tmp_path):
    finished(tmp_path, TENTH)
    assert read_run(tmp_path).keeps_observations
    assert not isinstance(load_policy(str(tmp_path), SCENARIO, make_cells(SCENARIO, 1), 1), WrappedAgent)
    assert find_source(str(tmp_path), None).scenario == SCENARIO


def test_what_sees_other_observations_is_not_exported(tmp_path):
    finished(tmp_path, LOGS)
    assert not read_run(tmp_path).keeps_observations
    with pytest.raises(ValueError, match="trained under LogObservation, and the file would see arrivals as they are"):
        find_source(str(tmp_path), None)


def test_a_wrapped_agent_is_not_evaluated_on_another_number_of_actions(tmp_path):
    finished(tmp_path, STACK)
    other = get_scenario("paper")
    with pytest.raises(ValueError, match="chooses among 171 actions, scenario 'paper' has 4851"):
        load_policy(str(tmp_path), other, make_cells(other, 1), 1)
