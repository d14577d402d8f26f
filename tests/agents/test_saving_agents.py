from __future__ import annotations

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, CheckpointCallback, EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.utils import set_random_seed

from agents import DQN
from agents.dqn import HEADS
from slicing_gym import ArrivalsObserver
from tests.helpers.learners import KINDS, Follow, each_head, each_kind, learner, same, weights
from tests.helpers.learners import _one_thread as _one_thread

# Files


def test_a_saved_agent_acts_alike_in_another_process(tmp_path):
    seen = np.random.default_rng(0).random((200, 2), dtype=np.float32)
    np.save(tmp_path / "seen.npy", seen)
    wanted = []
    for kind in KINDS.values():
        for head in HEADS:
            agent = learner(kind, head)
            agent.learn(40)
            agent.save(tmp_path / f"{kind.__name__}-{head}")
            wanted.append(agent.predict(seen, deterministic=True)[0])
    assert len(np.unique(wanted, axis=0)) > 1
    script = """
import sys, numpy as np, agents
folder, *names = sys.argv[1:]
seen = np.load(folder + "/seen.npy")
found = [getattr(agents, name.split("-")[0]).load(f"{folder}/{name}") for name in names]
np.save(folder + "/actions.npy", [agent.predict(seen, deterministic=True)[0] for agent in found])
"""
    names = [f"{kind}-{head}" for kind in KINDS for head in HEADS]
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path), *names], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "actions.npy"), wanted)


@each_kind
@each_head
def test_a_loaded_agent_is_the_saved_one(kind, head, tmp_path):
    agent = learner(kind, head, center_rewards=True, gamma=0.3)
    agent.learn(40)
    agent.save(tmp_path / "agent")
    loaded = kind.load(tmp_path / "agent", device="cpu")
    assert same(weights(loaded), weights(agent))
    assert loaded.generator.bit_generator.state == agent.generator.bit_generator.state
    assert loaded.mean_reward == agent.mean_reward is not None
    assert loaded.gamma == 0.3
    assert loaded.num_timesteps == 40
    assert loaded.policy.head == head
    for name in agent._get_torch_save_params()[0]:
        if "optimizer" in name:
            part = name.split(".")[1]
            own, other = (getattr(each.policy, part).state_dict()["state"] for each in (agent, loaded))
            assert own.keys() == other.keys()
            assert len(own) > 3
            for number, moments in own.items():
                assert torch.equal(moments["exp_avg"], other[number]["exp_avg"])


def in_scenario(name, observer=None):
    return gym.make("SliceRAN-v0", scenario=name, reward="utility", observer=observer)


def saved_of_paper_1mhz(folder, observer=None):
    small = {"buffer_size": 2, "policy_kwargs": {"net_arch": [4], "head": "factored"}}
    agent = DQN("MlpPolicy", in_scenario("paper-1mhz", observer), **small)
    agent.save(folder / "agent")
    return agent


def test_bounds_of_another_scenario_are_named_and_what_to_do_works(tmp_path):
    agent, other = saved_of_paper_1mhz(tmp_path), in_scenario("gan-ddqn", ArrivalsObserver(highest=None))
    ways = [
        lambda: DQN.load(tmp_path / "agent", env=other),
        lambda: DQN.load(tmp_path / "agent", env=other, trust=True),
        lambda: agent.set_env(other),
    ]
    for way in ways:
        with pytest.raises(ValueError, match=r"^env: .* other bounds .*ArrivalsObserver\(highest=None\) .*highest=10 "):
            way()
    observation, _ = other.reset(seed=0)
    assert DQN.load(tmp_path / "agent").predict(observation, deterministic=True)[0] in other.action_space
    DQN.load(tmp_path / "agent", env=in_scenario("gan-ddqn", ArrivalsObserver(highest=10)))
    saved_of_paper_1mhz(tmp_path, ArrivalsObserver(highest=None))  # as agents of earlier versions are
    with pytest.raises(ValueError, match=r"^env: .* other bounds "):
        DQN.load(tmp_path / "agent", env=in_scenario("paper-1mhz"))
    DQN.load(tmp_path / "agent", env=in_scenario("paper-1mhz", ArrivalsObserver(highest=None)))


def test_other_spaces_are_refused_as_stable_baselines_does(tmp_path):
    saved_of_paper_1mhz(tmp_path)
    for name, what in (("paper", "Action"), ("nr-8slices", "Observation")):
        with pytest.raises(ValueError, match=f"^{what} spaces do not match"):
            DQN.load(tmp_path / "agent", env=in_scenario(name))


@each_kind
@each_head
def test_continuations_are_identical(kind, head, tmp_path):
    agent = learner(kind, head)
    agent.learn(40)
    agent.save(tmp_path / "agent")
    agent.save_replay_buffer(tmp_path / "buffer")
    ends = []
    for disturbance in (1, 2):
        set_random_seed(disturbance)
        loaded = kind.load(tmp_path / "agent", env=Follow(), device="cpu")
        loaded.load_replay_buffer(tmp_path / "buffer")
        np.testing.assert_array_equal(loaded.replay_buffer.rewards, agent.replay_buffer.rewards)
        loaded.learn(40, reset_num_timesteps=False)
        assert loaded.num_timesteps == 80
        ends.append(weights(loaded))
    assert same(*ends)
    assert not same(ends[0], weights(agent), tolerance=1e-3)


@each_kind
@each_head
def test_updates_go_on_after_loading_as_if_nothing_had_been(kind, head, tmp_path):
    agent = learner(kind, head)
    agent.learn(40)
    agent.save(tmp_path / "agent")
    agent.save_replay_buffer(tmp_path / "buffer")
    loaded = kind.load(tmp_path / "agent", env=Follow(), device="cpu")
    loaded.set_logger(Logger(None, []))
    loaded.load_replay_buffer(tmp_path / "buffer")
    for each in (agent, loaded):
        each.train(gradient_steps=5, batch_size=16)
    assert same(weights(loaded), weights(agent))
    assert loaded.generator.bit_generator.state == agent.generator.bit_generator.state


@each_kind
def test_set_env_changes_where_it_learns(kind):
    agent = learner(kind)
    agent.learn(20)
    agent.set_env(Follow(bonus=100.0))
    agent.learn(20, reset_num_timesteps=False)
    rewards = agent.replay_buffer.rewards[:40, 0]
    assert (rewards[:20] <= 0.0).all()
    assert (rewards[20:] > 90.0).all()
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        agent.set_env(gym.make("SliceRAN-v0"))


@each_kind
def test_a_batch_of_gymnasium_is_taken_everywhere(kind, small, tmp_path):
    def envs(number):
        return gym.make_vec("SliceRAN-v0", num_envs=number, scenario=small)

    agent = learner(kind, env=envs(2))
    agent.set_env(envs(2))
    agent.learn(20)
    agent.save(tmp_path / "agent")
    loaded = kind.load(tmp_path / "agent", env=envs(3), device="cpu")
    loaded.learn(30)
    assert loaded.n_envs == 3
    assert loaded.replay_buffer.pos == 10


@each_kind
@each_head
def test_a_policy_alone_can_be_kept(kind, head, tmp_path):
    agent = learner(kind, head)
    agent.learn(30)
    agent.policy.save(tmp_path / "policy")
    loaded = type(agent.policy).load(tmp_path / "policy", device="cpu")
    assert same(loaded.state_dict(), weights(agent))
    seen = np.random.default_rng(0).random((50, 2), dtype=np.float32)
    np.testing.assert_array_equal(loaded.predict(seen)[0], agent.predict(seen, deterministic=True)[0])


@each_kind
def test_sb3_evaluates_and_keeps_it(kind, tmp_path):
    agent = learner(kind)
    kept = CheckpointCallback(20, str(tmp_path), save_replay_buffer=True)
    evaluates = EvalCallback(
        Monitor(Follow()), n_eval_episodes=2, eval_freq=20, best_model_save_path=str(tmp_path), verbose=0
    )
    middle = {}

    class Middle(BaseCallback):
        def _on_step(self):
            if self.num_timesteps == 20:
                middle.update(weights(self.model))
            return True

    agent.learn(40, callback=CallbackList([kept, evaluates, Middle()]))
    assert same(weights(kind.load(tmp_path / "rl_model_20_steps", device="cpu")), middle)
    assert not same(weights(agent), middle)
    assert (tmp_path / "rl_model_replay_buffer_40_steps.pkl").exists()
    best = kind.load(tmp_path / "best_model", device="cpu")
    env = Monitor(Follow())
    env.reset(seed=9)
    measured, spread = evaluate_policy(best, env, n_eval_episodes=3)
    env = Follow()
    env.reset(seed=9)
    totals = []
    for _ in range(3):
        seen, _ = env.reset()
        total, over = 0.0, False
        while not over:
            seen, reward, _, over, _ = env.step(best.predict(seen, deterministic=True)[0])
            total += reward
        totals.append(total)
    assert measured == pytest.approx(np.mean(totals), abs=1e-4)
    assert spread == pytest.approx(np.std(totals), abs=1e-4)


def test_a_dense_head_can_be_exported():
    env = gym.make("SliceRAN-v0", scenario="paper-1mhz")
    network = DQN("MlpPolicy", env, policy_kwargs={"net_arch": [16]}, seed=0, device="cpu").policy.q_net
    seen = torch.rand(5, 3)
    with torch.no_grad():
        exported = torch.export.export(network, (seen,))
        np.testing.assert_allclose(exported.module()(seen), network(seen), rtol=1e-5, atol=1e-5)
    assert not any("mkldnn" in str(node.target) for node in exported.graph.nodes)


@each_kind
def test_devices_that_are_not_there_are_refused(kind, tmp_path):
    learner(kind, device=torch.device("cpu")).save(tmp_path / "agent")
    missing = ["cuda:99", "gpu"]
    if not torch.cuda.is_available():
        missing += ["cuda", torch.device("cuda", 0)]
        with pytest.raises(ValueError, match="device: 'cuda' is not there, allowed are auto, cpu"):
            kind.load(tmp_path / "agent", device="cuda")
    for device in missing:
        with pytest.raises(ValueError, match=f"device: '{device}' is not there, allowed are auto, cpu"):
            learner(kind, device=device)


# Importing


def test_agents_wait_with_torch_until_it_is_needed():
    script = """
import sys
import agents
late = {"torch", "stable_baselines3"}
assert not late & set(sys.modules), late & set(sys.modules)
from agents import DQN, HardPolicy
assert late <= set(sys.modules)
import agents.dqn
assert agents.DQN is DQN is agents.dqn.DQN
assert all(getattr(agents, name) for name in agents.__all__)
try:
    agents.DQM
except AttributeError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "module 'agents' has no attribute 'DQM'" in run.stdout
