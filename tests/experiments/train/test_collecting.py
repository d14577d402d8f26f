"""Algorithm 1 whose first decisions a planner takes: what they are, what is made of them, and where they cannot be."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
from sb3_contrib import QRDQN
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents import DDQN, OffPolicyLearner
from agents.registry import import_modules
from experiments.config.planner import make_planner
from experiments.config.schemas import PlannerSettings
from experiments.environments import Environments
from experiments.train import Training, train
from experiments.train.__main__ import prepare
from slicing_gym import ArrivalsObserver
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.own_agents import FromScratch
from tests.helpers.runs import OWN, SCENARIO, composed, make_ddqn, maker, short_settings, twin_settings
from tests.helpers.wrappers import LOGS

SETTINGS = short_settings(280, collect_by="planner")


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN, __name__])


class Mirrored(gym.ActionWrapper):
    """The last action is what the first was."""

    def action(self, action):
        return self.action_space.n - 1 - action


class OnItsOwn(DDQN):
    """Takes actions in a way of its own."""

    def collect_rollouts(self, env, callback, *arguments, **named):
        vars(self).pop("_sample_action", None)
        return super().collect_rollouts(env, callback, *arguments, **named)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(make_ddqn, SCENARIO, twin_settings(), SETTINGS, tmp_path_factory.mktemp("run"))


def test_its_first_decisions_are_those_of_a_planner_of_the_same_seed(run):
    alone = train(lambda env, _: make_planner(PlannerSettings(), env, 0), SCENARIO, settings=short_settings(280))
    for name in ("allocation", "arrivals", "next_arrivals", "ssr", "spectral_efficiency"):
        np.testing.assert_array_equal(getattr(run.history, name)[:200], getattr(alone.history, name)[:200])
    assert run.episodes["ssr_urllc"][0] == alone.episodes["ssr_urllc"][0]
    assert run.history.run.tolist() == [0] * 200 + [1] * 80  # Agent 1 goes on in the next episode of the same cell
    np.testing.assert_array_equal(run.history.arrivals[200], alone.history.arrivals[200])


def test_it_is_called_by_what_collects_and_says_so(run):
    assert run.name == run.summary["agent"] == run.evaluation[0].policy == "ddqn-dt-planner"
    assert run.summary["collect_by"] == "planner"
    assert run.summary["config"]["planner"] == run.summary["config"]["planner"] | {"choose_by": "sample", "horizon": 1}


def test_decisions_are_counted_on(run):
    assert run.agent.num_timesteps == len(run.history) == run.summary["decisions"] == 280
    events = EventAccumulator(str(run.folder))
    events.Reload()
    assert [point.step for point in events.Scalars("utility")] == [200, 280]


def test_agent_1_remembers_what_the_planner_decided(run):
    buffer = run.agent.replay_buffer
    first = slice(SETTINGS.algorithm.warm_replay, SETTINGS.algorithm.warm_replay + 200)
    seen = run.history.arrivals[:200] / SCENARIO.nominal_arrivals
    np.testing.assert_allclose(buffer.observations[first, 0], seen, rtol=1e-6)


@pytest.mark.parametrize("stopped_after", [1, 2, 4])
def test_a_run_goes_on_after_any_step_as_if_nothing_had_been(run, tmp_path, stopped_after):
    arguments = (make_ddqn, SCENARIO, twin_settings(), SETTINGS, tmp_path)
    first = Training(*arguments).algorithm
    steps = first._steps()
    for _ in range(stopped_after):
        steps[first._next_step]()
        first.save()
    again = Training(*arguments, resume=True).algorithm
    again.run()
    assert again.agent.digest() == run.summary["learned"]
    assert (tmp_path / "episodes.csv").read_bytes() == (run.folder / "episodes.csv").read_bytes()


@pytest.mark.parametrize("kind", [stable_baselines3.DQN, QRDQN, FromScratch])
def test_it_collects_for_every_algorithm(run, kind, tmp_path):
    training = Training(maker(kind), SCENARIO, twin_settings(), SETTINGS, tmp_path)
    algorithm = training.algorithm
    steps = algorithm._steps()
    for _ in range(4):
        steps[algorithm._next_step]()
    np.testing.assert_array_equal(algorithm.history.recorder.history().allocation[:200], run.history.allocation[:200])
    assert algorithm.agent.num_decisions == 240
    assert "_sample_action" not in vars(algorithm.agent.model)


def test_a_class_that_lets_nothing_else_choose_is_refused_before_anything_runs(tmp_path):
    message = r"algorithm\.collect_by: 'planner' given, allowed here is random \(agent: OnItsOwn takes actions without"
    with pytest.raises(TypeError, match=message):
        Training(maker(OnItsOwn), SCENARIO, twin_settings(), SETTINGS, tmp_path)
    Training(maker(OnItsOwn), SCENARIO, twin_settings(), short_settings(280), tmp_path)


def test_an_algorithm_decides_itself_again_afterwards():
    agent = maker(DDQN)(gym.make("SliceRAN-v0", scenario=SCENARIO), "real")
    learner = OffPolicyLearner(agent)
    learner.learn(5, choose=lambda: 7)
    assert agent.replay_buffer.actions[:5, 0, 0].tolist() == [7] * 5
    learner.learn(5)
    assert agent.replay_buffer.actions[5:10, 0, 0].tolist() != [7] * 5


def test_it_chooses_by_what_the_cell_measures_whatever_the_agent_sees(run, tmp_path):
    environments = Environments(SCENARIO, [LOGS])
    found = train(make_ddqn, SCENARIO, twin_settings(), SETTINGS, tmp_path, environments=environments)
    np.testing.assert_array_equal(found.history.allocation[:200], run.history.allocation[:200])


def test_where_actions_are_no_numbers_of_allocations_it_is_refused(tmp_path):
    mirrored = [{"_target_": f"{__name__}.Mirrored"}]
    arguments = {"twin": twin_settings(), "folder": tmp_path, "environments": Environments(SCENARIO, mirrored)}
    message = r"algorithm\.collect_by: 'planner' given, .* under Mirrored .*; allowed is random"
    with pytest.raises(ValueError, match=message):
        train(make_ddqn, SCENARIO, settings=SETTINGS, **arguments)
    assert list(tmp_path.iterdir()) == []
    Training(make_ddqn, SCENARIO, settings=short_settings(280), **arguments)


def test_an_observer_changes_nothing_for_it(run, tmp_path):
    environments = Environments(SCENARIO, observer=ArrivalsObserver())
    found = Training(make_ddqn, SCENARIO, twin_settings(), SETTINGS, tmp_path, environments=environments).algorithm
    found.collect()
    np.testing.assert_array_equal(found.history.recorder.history().allocation, run.history.allocation[:200])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["algorithm.collect_by=plannr"], r"algorithm\.collect_by: unknown name 'plannr'; did you mean 'planner'"),
        (["planner.lowest={ulrlc:3}"], r"planner\.lowest: unknown name 'ulrlc'"),
        (["planner.horizon=0"], r"planner\.horizon: 0 given"),
    ],
)
def test_bad_values_are_refused_before_anything_runs(overrides, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        prepare(composed("train", "scenario=paper-1mhz", "twin=lstm", *overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("collect_by", "epsilon"), [("planner", 0.0), ("random", 0.02)])
def test_fine_tuning_explores_where_the_history_is_random_unless_it_is_set(collect_by, epsilon):
    config = composed("train", "twin=lstm", f"algorithm.collect_by={collect_by}")
    found = config.algorithm.for_agent(config.agent).agent_1
    assert (found["exploration_initial_eps"], found["exploration_final_eps"]) == (epsilon, epsilon)
    config = composed("train", "twin=lstm", "algorithm.agent_1.exploration_final_eps=0.1")
    assert config.algorithm.for_agent(config.agent).agent_1["exploration_final_eps"] == 0.1


def test_the_paper_collects_at_random():
    config = composed("train", "+experiment=paper_figures", "twin=lstm")
    assert config.algorithm.collect_by == "random"
    assert composed("train", "twin=lstm").algorithm.collect_by == "planner"
