"""Algorithm 1: its steps, what they spend, and that a run which was cut off ends as one that was not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents import DDQN, DQN, DuelingGANDDQN
from agents.dqn import HEADS
from experiments.evaluate.rollout import evaluate_policy
from experiments.train import Training
from slicing_gym import allocation_index
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import SCENARIO, interrupted, make_ddqn, maker, short_settings, twin_settings
from twin import DigitalTwin, LstmSettings, PerformanceSettings, TrainingSettings

SETTINGS = short_settings(400, twin_decisions=2560, later_twin_decisions=1280, fine_tune=100)


BETTER_TWIN = DigitalTwin(LstmSettings(members=1), PerformanceSettings(members=2), TrainingSettings(max_epochs=4))
"""One that tells good allocations from bad ones."""


def algorithm(folder, settings=SETTINGS, make=make_ddqn, resume=False, twin=BETTER_TWIN):
    return Training(make, SCENARIO, twin, settings, folder, resume=resume).algorithm


def weights(run):
    return [parameter.detach().numpy().copy() for parameter in run.agent.model.policy.parameters()]


def assert_same_end(one, other):
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert one.agent.digest() == other.agent.digest()
    assert (one.folder / "episodes.csv").read_bytes() == (other.folder / "episodes.csv").read_bytes()
    mine, theirs = one.history.state(), other.history.state()
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        np.testing.assert_array_equal(array, theirs[name])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with a twin that was not interrupted."""
    run = algorithm(tmp_path_factory.mktemp("whole"))
    run.run()
    assert run._agent_2.model._n_updates > 0
    return run


def test_every_real_decision_is_counted_and_in_the_history(finished):
    assert finished.log.decisions == finished.settings.decisions == 400
    assert finished.agent.num_decisions == 400
    assert [row["decisions"] for row in finished.log.episodes] == [200, 200]
    measured = finished.history.recorder.history()
    assert len(measured) == len(finished.history.transitions().rewards) == 400
    utility = 0.01 * measured.spectral_efficiency + measured.ssr.sum(axis=1)
    np.testing.assert_allclose(finished.log.utility, utility.reshape(2, 200).mean(axis=1))
    np.testing.assert_allclose(finished.history.transitions().rewards, utility, rtol=1e-6)


def test_the_budget_is_not_overspent(tmp_path):
    run = algorithm(tmp_path, short_settings(270), twin=twin_settings())
    run.run()
    assert run.log.decisions == len(run.history.recorder.history()) == 270


@pytest.mark.parametrize("stopped_after", [1, 2, 3, 4, 5])
def test_a_run_goes_on_after_any_step_as_if_nothing_had_been(finished, tmp_path, stopped_after):
    first = algorithm(tmp_path)
    steps = first._steps()
    for _ in range(stopped_after):
        steps[first._next_step]()
        first.save()
    second = algorithm(tmp_path, resume=True)
    assert second.log.decisions == first.log.decisions
    second.run()
    assert_same_end(second, finished)


@pytest.mark.parametrize("kind", [DQN, DDQN, DuelingGANDDQN])
@pytest.mark.parametrize("head", HEADS)
def test_a_run_without_a_twin_goes_on_from_any_decision(kind, head, tmp_path):
    make = maker(kind, policy={"head": head})
    whole, part, again = interrupted(make, tmp_path, 83, short_settings(150))
    assert_same_end(again, whole)
    assert part.agent.digest() != whole.agent.digest()


def test_a_run_that_had_only_to_be_finished_is(tmp_path):
    """Killed while it was being evaluated, its last episode cut short."""
    arguments = (make_ddqn, SCENARIO, None, short_settings(250), tmp_path)
    first = Training(*arguments).algorithm
    first.run()
    again = Training(*arguments, resume=True).algorithm
    again.run()
    assert_same_end(again, first)
    assert [row["decisions"] for row in again.log.episodes] == [200, 50]


def test_a_dueling_gan_with_a_calibrated_twin_goes_on_as_if_nothing_had_been(tmp_path):
    """The later twins are the first one, calibrated."""
    settings = short_settings(364, refit=False, fine_tune=82)
    make = maker(DuelingGANDDQN, twin={"gradient_steps": 2}, critic_steps=2)
    whole, part = (algorithm(tmp_path / name, settings, make, twin=twin_settings()) for name in ("whole", "part"))
    whole.run()
    steps = part._steps()
    for _ in range(5):
        steps[part._next_step]()
        part.save()
    again = algorithm(tmp_path / "part", settings, make, resume=True, twin=twin_settings())
    again.run()
    assert_same_end(again, whole)
    assert again._agent_2.model._n_updates == whole._agent_2.model._n_updates > 0


def test_agent_2_is_trained_even_if_nothing_is_left_to_decide(tmp_path):
    run = algorithm(tmp_path, short_settings(200), twin=twin_settings())
    run.run()
    assert run.log.decisions == 200
    assert run._agent_2.model._n_updates > 0
    for mine, theirs in zip(weights(run), run._agent_2.model.policy.parameters(), strict=True):
        np.testing.assert_array_equal(mine, theirs.detach().numpy())


def test_a_run_ends_when_agent_1_has_converged(tmp_path):
    """No episode can be better than another by 20, so that the second is the last."""
    run = algorithm(tmp_path, short_settings(1000, fine_tune=200, patience=1, tolerance=20.0), twin=twin_settings())
    run.run()
    assert run.log.decisions == 400


@pytest.mark.parametrize("number", [0, 60])
def test_agent_1_is_fine_tuned_on_what_agent_2_saw_too(number, tmp_path):
    run = algorithm(tmp_path, short_settings(240, warm_replay=number), twin=twin_settings())
    steps = run._steps()
    for _ in range(3):
        steps[run._next_step]()
    buffer, own = run.agent.model.replay_buffer, run.history.transitions()
    assert buffer.pos == number + 200
    np.testing.assert_array_equal(buffer.observations[number : number + 200, 0], own.observations)
    seen = {row.tobytes() for rows in run._agent_2.model.replay_buffer.observations for row in rows}
    assert all(row.tobytes() in seen for row in buffer.observations[:number, 0])


def test_the_better_of_two_is_kept(finished):
    """One agent is spoilt: both then have the weights of the other."""
    envs = finished._twin_envs(8)

    def utility(agent):
        return evaluate_policy("", agent, envs, range(8), 20).utility.mean()

    one, two = finished.agent, finished._agent_2
    best, worst = int(allocation_index([1, 18, 1])), int(allocation_index([18, 1, 1]))
    for better, other in ((one, two), (two, one)):
        for agent, action in ((better, best), (other, worst)):
            with torch.no_grad():
                agent.model.policy.q_net.q_net[-1].bias.zero_()
                agent.model.policy.q_net.q_net[-1].bias[action] = 1e6
        before = utility(better)
        assert before > utility(other)
        finished.keep_better()
        assert utility(one) == utility(two) == before
