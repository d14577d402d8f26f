"""Algorithm 2: its steps, and that a run which was cut off ends as one that was not."""

from __future__ import annotations

import numpy as np
import pytest
import sb3_contrib

from agents import DDQN, DQN, DuelingGANDDQN
from experiments.config.schemas import AgentSettings
from experiments.offline import OfflineTraining, record_history
from experiments.offline.choice import Choice
from experiments.runs import checkpoint
from tests.helpers.histories import COARSE
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.offline_runs import offline_settings
from tests.helpers.runs import StoppedError, maker, twin_settings

MAKE = maker(twin={"learning_starts": 64, "target_update_interval": 64})


def algorithm(history, folder, twin=True, make=MAKE, settings=None, resume=False):
    settings = settings or offline_settings()
    return OfflineTraining(make, history, twin_settings() if twin else None, settings, folder, resume=resume).algorithm


def assert_same_end(one, other):
    mine, theirs = one.agent.state(), other.agent.state()
    assert mine[0] == theirs[0]
    assert mine[1].keys() == theirs[1].keys()
    for name, array in mine[1].items():
        np.testing.assert_array_equal(array, theirs[1][name], err_msg=name)


@pytest.fixture(scope="module")
def with_twin(history, tmp_path_factory):
    """A run that was not interrupted."""
    run = algorithm(history, tmp_path_factory.mktemp("whole"))
    run.run()
    assert run._agent_2.model._n_updates > 0
    assert run.epochs == 4
    return run


def test_settings_reach_the_agents_and_agent_2_transfers_what_it_learned(history, tmp_path):
    settings = offline_settings(conservative_weight=0.7)
    alone, run = (algorithm(history, tmp_path / str(twin), twin, settings=settings) for twin in (False, True))
    for each in (alone.agent.model, run.agent.model):
        assert (each.conservative_weight, each.buffer_size) == (0.7, 100)
    run.learn_twin()
    run.train_in_twin()
    assert run._agent_2.model.conservative_weight == 0.0
    assert run._agent_2.num_decisions >= 256
    mine, theirs = (each.model.policy.state_dict() for each in (run.agent, run._agent_2))
    for name, value in mine.items():
        np.testing.assert_array_equal(value, theirs[name])
    alone.run()
    assert alone.agent.model._n_updates == 4 * (80 // 16)


@pytest.mark.parametrize(
    ("in_twin", "outside", "kept", "by_units"),
    [
        ((2.3, 2.9), (0.0, 1.0), "after_algorithm_2", True),
        ((2.9, 2.3), (1.0, 0.0), "agent_2", True),
        ((2.3, 2.9), (0.0, 0.04), "agent_2", False),  # a few states are no difference
        ((2.9, 2.3), (1.0, 1.0), "after_algorithm_2", False),
        ((2.3, 2.3), (0.0, 0.0), "agent_2", False),
        ((2.3, 2.9), None, "agent_2", False),  # of a simulated cell
    ],
)
def test_the_better_one_in_the_twin_is_kept_unless_it_alone_leaves_the_units_held(in_twin, outside, kept, by_units):
    found = Choice(in_twin, outside).to_dict()
    assert (found["kept"], found["by_units"]) == (kept, by_units)


@pytest.mark.parametrize("stopped_after", [1, 2, 3])
def test_a_run_goes_on_after_any_step_as_if_nothing_had_been(with_twin, history, tmp_path, stopped_after):
    first = algorithm(history, tmp_path)
    steps = first._steps()
    for _ in range(stopped_after):
        steps[first._next_step]()
        first.save()
    second = algorithm(history, tmp_path, resume=True)
    assert second.epochs == first.epochs == (4 if stopped_after == 3 else 0)
    second.run()
    assert_same_end(second, with_twin)
    assert second.choice == with_twin.choice is not None
    agent = AgentSettings(net_arch=[16])
    assert second.estimate(agent, 0) == with_twin.estimate(agent, 0)
    assert second.utility_in_twin(second.agent) == with_twin.utility_in_twin(with_twin.agent)


@pytest.mark.parametrize(
    ("make", "twin"),
    [
        (MAKE, True),
        (maker(DQN, policy={"head": "geometry"}), False),
        (maker(DQN, policy={"head": "factored"}), True),
        (maker(DuelingGANDDQN, critic_steps=2), False),
        (maker(sb3_contrib.QRDQN, policy={"n_quantiles": 4}), False),
    ],
    ids=["ddqn-dt", "dqn", "factored dqn-dt", "gan_ddqn", "sb3_qrdqn"],
)
def test_a_run_goes_on_from_any_epoch(history, tmp_path, make, twin):
    whole = algorithm(history, tmp_path / "whole", twin, make)
    whole.run()
    part = algorithm(history, tmp_path / "part", twin, make, offline_settings(checkpoint_s=0.0))
    save = part._on_epoch

    def stop(number):
        save(number)
        if number == 2:
            raise StoppedError

    part._on_epoch = stop
    with pytest.raises(StoppedError):
        part.run()
    again = algorithm(history, tmp_path / "part", twin, make, resume=True)
    assert again.epochs == 2
    again.run()
    assert_same_end(again, whole)


def test_after_learning_both_agents_have_the_weights_of_the_better_one(with_twin):
    here, there = (each.model.q_net.state_dict() for each in (with_twin.agent, with_twin._agent_2))
    for name, value in here.items():
        np.testing.assert_array_equal(value, there[name])


def test_damaged_checkpoints_and_other_configurations_are_refused(history, tmp_path):
    algorithm(history, tmp_path, False).run()
    whole = (tmp_path / checkpoint.FILE).read_bytes()
    with pytest.raises(ValueError, match=r"configuration:\n  algorithm.conservative_weight: 0.1 there, 0.2 given"):
        algorithm(history, tmp_path, False, settings=offline_settings(conservative_weight=0.2), resume=True)
    with pytest.raises(ValueError, match="resume: the history is not what it was when the run began"):
        algorithm(record_history("random", COARSE, 1, 80), tmp_path, False, resume=True)
    (tmp_path / checkpoint.FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"resume: .*checkpoint\.npz' is not a checkpoint, or is damaged"):
        algorithm(history, tmp_path, False, resume=True)


def test_the_conservative_term_is_learned_with(history, tmp_path):
    """It makes what the history does not have worth less."""
    found = []
    for weight in (0.0, 5.0):
        settings = offline_settings(conservative_weight=weight, epochs=30)
        run = algorithm(history, tmp_path / str(weight), False, maker(DDQN, learning_rate=0.01), settings)
        run.run()
        observations, actions = run.transitions[:2]
        values = run.agent.model.q_net(run.agent.model.policy.obs_to_tensor(observations)[0]).detach().numpy()
        found.append((values.max(axis=1) - values[np.arange(80), actions]).mean())
    assert found[1] < found[0]
