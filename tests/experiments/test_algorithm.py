from __future__ import annotations

import csv
import json
import os
import shutil
import time

import gymnasium as gym
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from agents import DQN, FixedPolicy
from experiments.config.hydra import CONFIG_FOLDER, register_configs
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.runs import checkpoint
from experiments.tools import interruption
from experiments.train.__main__ import with_resumed_run
from experiments.train.algorithm_1 import Algorithm
from experiments.train.check import check_config
from experiments.train.run import train
from slicing_gym import Reward, allocation_index, get_scenario
from twin import History, RecordHistory
from twin.data.transitions import transitions_of

register_configs()

TWIN = ["twin=lstm", "twin.training.max_epochs=4", "twin.transition.members=1", "twin.performance.members=2"]
TINY = ["+experiment=debug", "agent.net_arch=[16,16]", "algorithm.fine_tune=100"]


def composed(*overrides):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return compose("train", list(overrides))


def made(folder, *overrides):
    config = composed(*TINY, *overrides)
    return Algorithm(config, check_config(config), folder)


def weights(algorithm):
    return [parameter.detach().numpy().copy() for parameter in algorithm.agent.model.policy.parameters()]


def same_end(one, other):
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert one.agent.digest() == other.agent.digest()
    assert (one.folder / "episodes.csv").read_bytes() == (other.folder / "episodes.csv").read_bytes()
    mine, theirs = one.recorder.state(), other.recorder.state()
    for name, array in mine.items():
        np.testing.assert_array_equal(array, theirs[name])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with a twin that was not interrupted."""
    algorithm = made(tmp_path_factory.mktemp("whole"), *TWIN)
    algorithm.run()
    assert algorithm._agent_2.model._n_updates > 0
    return algorithm


def test_every_real_decision_is_counted_and_in_the_history(finished):
    assert finished.monitor.decisions == finished.config.decisions == 400
    assert len(finished.recorder.history()) == 400
    assert finished.agent.num_decisions == 400
    assert [row["decisions"] for row in finished.monitor.rounds] == [200, 200]
    measured = finished.recorder.history()
    utility = 0.01 * measured.spectral_efficiency + measured.ssr.sum(axis=1)
    np.testing.assert_allclose(finished.monitor.episode_utility, utility.reshape(2, 200).mean(axis=1))


def test_the_budget_is_not_overspent(tmp_path):
    algorithm = made(tmp_path, *TWIN, "decisions=370")
    algorithm.run()
    assert algorithm.monitor.decisions == len(algorithm.recorder.history()) == 370


@pytest.mark.parametrize("stopped_after", [1, 2, 3, 4, 5])
def test_a_run_goes_on_after_any_step_as_if_nothing_had_been(finished, tmp_path, stopped_after):
    first = made(tmp_path, *TWIN)
    steps = first._steps()
    for _ in range(stopped_after):
        steps[first._next_step]()
        first._save()
    second = made(tmp_path, *TWIN)
    second.resume()
    assert second.monitor.decisions == first.monitor.decisions
    second.run()
    same_end(second, finished)


@pytest.mark.parametrize("agent", ["dqn", "ddqn", "gan_ddqn"])
@pytest.mark.parametrize("head", ["dense", "geometry"])
def test_a_run_without_a_twin_goes_on_from_any_decision(agent, head, tmp_path):
    overrides = [f"agent={agent}", f"agent.head={head}", "decisions=150", "checkpoint_s=1000"]
    whole = made(tmp_path / "whole", *overrides)
    whole.run()

    class StoppedError(Exception):
        pass

    part = made(tmp_path / "part", *overrides)
    count = iter(range(10**6))

    def stop():
        number = next(count)
        if number == 83:
            part._save()
        if number == 97:
            raise StoppedError

    part.monitor._on_settled = stop
    with pytest.raises(StoppedError):
        part.run()
    again = made(tmp_path / "part", *overrides)
    again.resume()
    assert again.monitor.decisions == 83
    again.run()
    same_end(again, whole)


def test_a_run_that_had_only_to_be_finished_is(tmp_path):
    """Killed while it was being evaluated, its last round cut short."""
    first = made(tmp_path, "decisions=250")
    first.run()
    again = made(tmp_path, "decisions=250")
    again.resume()
    again.run()
    same_end(again, first)
    assert [row["decisions"] for row in again.monitor.rounds] == [200, 50]


def test_a_dueling_gan_with_a_twin_goes_on_as_if_nothing_had_been(tmp_path):
    options = [*TWIN, "agent=gan_ddqn", "agent.twin_gradient_steps=2", "algorithm.refit=false", "decisions=300"]
    whole, part = made(tmp_path / "whole", *options), made(tmp_path / "part", *options)
    whole.run()
    steps = part._steps()
    for _ in range(4):
        steps[part._next_step]()
        part._save()
    again = made(tmp_path / "part", *options)
    again.resume()
    again.run()
    same_end(again, whole)
    assert again._agent_2.model._n_updates == whole._agent_2.model._n_updates > 0


def test_a_killed_process_resumes_to_the_same_bytes(tmp_path):
    """Shorter than `python -m experiments.interruption`: one run, killed once."""
    interruption.wait_for(interruption.start("ddqn without", tmp_path / "whole"))
    process = interruption.start("ddqn without", tmp_path / "killed")
    while not (tmp_path / "killed" / checkpoint.FILE).exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert not (tmp_path / "killed" / "summary.json").exists()
    interruption.wait_for(interruption.start("ddqn without", tmp_path / "killed"))
    assert interruption.digests(tmp_path / "killed") == interruption.digests(tmp_path / "whole")


def test_agent_2_is_trained_even_if_nothing_is_left_to_decide(tmp_path):
    algorithm = made(tmp_path, *TWIN, "decisions=200")
    algorithm.run()
    assert algorithm.monitor.decisions == 200
    assert algorithm._agent_2.model._n_updates > 0
    for mine, theirs in zip(weights(algorithm), algorithm._agent_2.model.policy.parameters(), strict=True):
        np.testing.assert_array_equal(mine, theirs.detach().numpy())


def test_digests_notice_a_difference(tmp_path):
    train(composed(*TINY, "decisions=60"), tmp_path / "one")
    train(composed(*TINY, "decisions=60", "seed=1"), tmp_path / "other")
    one, other = interruption.digests(tmp_path / "one"), interruption.digests(tmp_path / "other")
    assert all(one[name] != other[name] for name in one)


def test_half_written_and_foreign_checkpoints_are_refused_by_name(tmp_path):
    algorithm = made(tmp_path, "decisions=60")
    algorithm.run()
    file = tmp_path / checkpoint.FILE
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"resume: .*checkpoint\.npz' is not a checkpoint, or is damaged"):
        made(tmp_path, "decisions=60").resume()
    file.write_bytes(whole)
    with pytest.raises(ValueError, match=r"another configuration:\n  agent.gamma: 0.8 there, 0.5 given"):
        made(tmp_path, "decisions=60", "agent.gamma=0.5").resume()
    made(tmp_path, "decisions=60").resume()


def test_resume_on_the_command_line_stands_for_the_run_itself(tmp_path):
    folder = tmp_path / "run"
    (folder / ".hydra").mkdir(parents=True)
    own = [*TINY, "seed=3"]
    config = composed(*own)
    from omegaconf import OmegaConf

    OmegaConf.save(config, folder / ".hydra" / "config.yaml")
    OmegaConf.save(OmegaConf.create(own), folder / ".hydra" / "overrides.yaml")
    arguments = with_resumed_run([f"resume='{folder}'"])
    assert arguments[: len(own)] == own
    assert f"hydra.run.dir='{folder}'" in arguments
    with pytest.raises(SystemExit, match="unknown name 'gama'; did you mean 'gamma'"):
        with_resumed_run([f"resume={folder}", "agent.gama=0.2"])
    with pytest.raises(ValueError, match="seed: 3 there, 4 given"):
        with_resumed_run([f"resume={folder}", "seed=4"])
    with pytest.raises(FileNotFoundError, match="resume: there is no folder"):
        with_resumed_run([f"resume={tmp_path / 'none'}"])
    with pytest.raises(ValueError, match="is not the folder of a run"):
        with_resumed_run([f"resume={tmp_path}"])
    assert with_resumed_run(["seed=1", "resume=auto"]) == ["seed=1", "resume=auto"]


def test_a_finished_run_is_not_run_again(tmp_path, capsys):
    config = composed(*TINY, "decisions=60", "resume=auto")
    train(config, tmp_path)
    before = (tmp_path / "agent.zip").stat().st_mtime_ns
    train(config, tmp_path)
    assert "this run is finished" in capsys.readouterr().out
    assert (tmp_path / "agent.zip").stat().st_mtime_ns == before
    assert not (tmp_path / checkpoint.FILE).exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["agent=dqn", "agent.head=densse"], "agent.head: unknown name 'densse'; did you mean 'dense'"),
        (["agent.device=cuda"], "device: 'cuda' is not there, allowed are auto, cpu"),
        (["+agent.kwargs.critic_stepps=3"], "agent.kwargs: unknown name 'critic_stepps'"),
        (["agent.learning_rate_end=0"], "agent.learning_rate_end: 0.0 given"),
        (["plain=true"], "plain: true given, allowed with a twin only"),
        (["twin=lstm", "decisions=0"], "decisions: 0 given"),
        (["twin=lstm", "algorithm.collect=10"], "algorithm.collect: 10 given, allowed is 64 to"),
        (["twin=lstm", "algorithm.collect=2000"], "algorithm.collect: 2000 given, allowed is 64 to 1000"),
        (["twin=lstm", "algorithm.fine_tune=0"], "algorithm.fine_tune: 0 given"),
        (["twin=lstm", "algorithm.twin_decisions=0"], "algorithm.twin_decisions: 0 given"),
        (["twin=lstm", "algorithm.uncertainty=some"], "algorithm.uncertainty: unknown name 'some'"),
        (["twin=lstm", "+algorithm.agent_2.gama=0.5"], "algorithm.agent_2: unknown name 'gama'; did you mean 'gamma'"),
        (["twin=lstm", "algorithm.agent_2.batch_size=0"], "agent.batch_size: 0 given"),
        (["twin=lstm", "algorithm.refit=false", "decisions=630"], "leaves 30 for the last calibration"),
        (["twin=lstm", "twin.transition.members=0"], "transition.members: 0 given"),
        (["twin=lstm", "algorithm.twin_decisions=2000"], "algorithm.twin_decisions: 2000 given, allowed is 2816 or"),
        (["twin=lstm", "agent.buffer_size=300"], "agent.buffer_size .* 300 given, allowed is 6000 or more"),
        (["twin=lstm", "+algorithm.agent_2.center_rewards=false"], "algorithm.agent_2: unknown name 'center_rewards'"),
        (["twin=lstm", "+algorithm.agent_1.learning_starts=0"], "algorithm.agent_1: unknown name 'learning_starts'"),
        (["+agent.kwargs.n_step=3"], "agent.kwargs: unknown name 'n_step'; did you mean 'n_steps'"),
        (["+agent.kwargs.n_steps=0"], "agent.n_steps: 0 given, allowed is 1 or more"),
        (["+agent.kwargs.optimize_memory_usage=true"], "agent.kwargs: unknown name 'optimize_memory_usage'"),
        (["twin=lstm", "+algorithm.agent_2.n_steps=3"], "algorithm.agent_2: unknown name 'n_steps'"),
        (["agent=gan_ddqn", "agent.kwargs.critic_steps=0"], "critic_steps: 0 given"),
        (
            ["agent.train_freq=7", "decisions=250"],
            "decisions: 250 given, allowed are multiples of agent.train_freq = 7",
        ),
        (["checkpoint_s=-1"], "checkpoint_s: -1.0 given"),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="says that there is no such device")
def test_bad_values_are_refused_before_anything_runs(overrides, message, tmp_path):
    with pytest.raises(SystemExit, match=message):
        train(composed(*overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_transitions_are_what_the_environment_gave():
    scenario = get_scenario("paper-1mhz").replace(decisions_per_episode=15, reward=Reward(threshold_decisions=30))
    env = RecordHistory(gym.make("SliceRAN-v0", scenario=scenario))
    agent = DQN("MlpPolicy", env, learning_starts=100, seed=0, device="cpu")
    agent.learn(40)
    expected = agent.replay_buffer
    given = transitions_of(env.recorder.history())
    observations, actions, rewards, following = given[:4]
    np.testing.assert_array_equal(observations, expected.observations[:40, 0])
    np.testing.assert_array_equal(actions, expected.actions[:40, 0, 0])
    np.testing.assert_array_equal(rewards, expected.rewards[:40, 0])
    np.testing.assert_array_equal(following, expected.next_observations[:40, 0])
    assert 0 < rewards.mean() < 1
    assert np.flatnonzero(given.last).tolist() == [14, 29, 39]  # truncated, and what is not continued yet
    assert given.terminal is None
    other = DQN("MlpPolicy", env, buffer_size=50, seed=0, device="cpu").replay_buffer
    other.add_all(given)
    for name, array in other.state().items():
        if name not in ("pos", "full"):
            until = 39 if name in ("dones", "timeouts") else 40
            np.testing.assert_array_equal(array[:until], expected.state()[name][:until])
    assert (other.dones[39, 0], other.timeouts[39, 0]) == (1.0, 1.0)
    with pytest.raises(ValueError, match="rewards: 40 given, there is room for 10"):
        other.add_all(given)


def test_an_environment_goes_back_to_its_state():
    env = gym.make("SliceRAN-v0", scenario="paper-1mhz").unwrapped
    env.reset(seed=5)
    for action in range(30):
        env.step(action)
    kept = env.state()
    ahead = [env.step(action)[:4] for action in range(20)]
    other = gym.make("SliceRAN-v0", scenario="paper-1mhz").unwrapped
    other.restore(kept)
    again = [other.step(action)[:4] for action in range(20)]
    for one, two in zip(ahead, again, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        assert one[1:] == two[1:]
    assert other.decisions == env.decisions == 50
    with pytest.raises(ValueError, match="counts: shape"):
        other.restore({key: value for key, value in kept.items() if key != "counts"})


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


def test_with_a_twin_the_agent_learns_from_few_decisions(tmp_path):
    """600 real decisions on 171 allocations: near the best fixed allocation, where a plain agent is far from it."""
    settings = ["scenario=paper-1mhz", "decisions=600", "progress=false", "evaluation.policies=[random,best_fixed]"]
    shorter = ["algorithm.twin_decisions=25600", "algorithm.later_twin_decisions=12800", "plain=true"]
    train(composed("agent=ddqn", "twin=lstm", *settings, *shorter), tmp_path)
    with (tmp_path / "evaluation.csv").open() as file:
        rows = list(csv.DictReader(file))
    utility = {
        name: np.mean([float(row["utility"]) for row in rows if row["policy"] == name])
        for name in ("ddqn-dt", "ddqn", "random", "best_fixed")
    }
    assert utility["ddqn-dt"] > utility["best_fixed"] - 0.1
    assert utility["ddqn-dt"] > utility["ddqn"] + 0.1
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["decisions"] == 600
    best = FixedPolicy("paper-1mhz", [1, 18, 1])
    own = evaluate_policy("", best, make_cells(get_scenario("paper-1mhz"), 1), [0], 600)
    assert summary["best_fixed_on_own_cell"] == pytest.approx(own.utility.mean())
    history = History.load(tmp_path / "history.npz")
    utility = 0.01 * history.spectral_efficiency + history.ssr.sum(axis=1)
    assert summary["regret"] == pytest.approx(600 * (own.utility.mean() - utility.mean()))
    assert {"agent.zip", "history.npz", "twin.safetensors", "training.png", "plain"} <= set(os.listdir(tmp_path))
    shutil.rmtree(tmp_path)
