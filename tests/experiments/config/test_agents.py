"""Agents from their settings: what a class is given, and what is refused before any work."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
import torch
from stable_baselines3.common.buffers import ReplayBuffer as StockReplayBuffer

import agents
from agents.registry import import_modules
from experiments.config.agents import (
    check_agent,
    check_conservative,
    check_roles,
    left_out,
    make_agent,
    on_device,
    with_head,
)
from experiments.config.schemas import AgentSettings
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import OWN, SCENARIO

DDQN, SB3, QRDQN = "agents.DDQN", "stable_baselines3.DQN", "sb3_contrib.QRDQN"
OPTIMIZER = {"optimizer_class": "torch.optim.Adan"}
BUFFER = {"replay_buffer_class": "stable_baselines3.common.buffers.ReplayBuffer"}


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN])


@pytest.fixture
def env():
    return gym.make("SliceRAN-v0", scenario=SCENARIO)


def settings(target, **changes):
    return AgentSettings(name="mine", _target_=target, **{"net_arch": [16], **changes})


@pytest.mark.parametrize(
    ("target", "changes", "message"),
    [
        ("???", {}, r"agent\._target_: not given, allowed is the dotted name of an off-policy algorithm"),
        ("stable_baselines3.PPO", {}, r"'stable_baselines3\.PPO' is not off-policy"),
        ("stable_baselines3.SAC", {}, r"'stable_baselines3\.SAC' does not take Discrete"),
        ("stable_baselines3.DQNN", {}, r"_target_ \(stable_baselines3\): unknown name 'DQNN'; did you mean 'DQN'"),
        ("my_own.Agent", {}, r"not asked for; type imports=\[my_own\] as well"),
        ("builtins.dict", {}, r"agent\._target_: 'builtins\.dict' is of a module that was not asked for"),
        ("sb3_contrib.nothing.DQN", {}, r"agent\._target_.*sb3_contrib.* unknown name 'nothing'"),
        ("nowhere.DQN", {}, r"agent\._target_: 'nowhere\.DQN' is of a module that was not asked for"),
        (QRDQN, {"policy_kwargs": {"n_quantile": 3}}, "policy_kwargs: .*; did you mean 'n_quantiles'"),
        (QRDQN, {"policy_kwargs": {"n_quantiles": "many"}}, r"agent: sb3_contrib\.QRDQN cannot be made so"),
        (SB3, {"policy_kwargs": OPTIMIZER}, "did you mean 'Adam'"),
        (SB3, {"policy": "MlpPolice"}, "unknown name 'MlpPolice'; did you mean 'MlpPolicy'"),
        (SB3, {"policy": "agents.HardPolicy"}, r"agent\.policy: 'agents\.HardPolicy' is no policy"),
        (SB3, {"kwargs": {"taw": 0.5}}, r"agent\.kwargs: unknown name 'taw'; did you mean 'tau'"),
        (SB3, {"kwargs": {"seed": 0}}, r"agent\.kwargs: unknown name 'seed'"),
        (SB3, {"head": "geometry"}, r"agent\.head: 'geometry' given, allowed for .* is 'dense'"),
        (SB3, {"kwargs": BUFFER}, r"center_rewards: true .* stable_baselines3\.DQN does not take agents\.replay"),
        (DDQN, {"head": "densse"}, r"agent\.head: unknown name 'densse'; did you mean 'dense'"),
        (DDQN, {"batch_size": 0}, r"agent\.batch_size: 0 given"),
        (DDQN, {"gamma": 1.5}, r"agent\.gamma: 1\.5 given"),
        (DDQN, {"learning_rate": 0.0}, r"agent\.learning_rate: 0\.0 given"),
        (DDQN, {"learning_rate_end": 0.0}, r"agent\.learning_rate_end: 0\.0 given"),
        (DDQN, {"net_arch": [0]}, r"agent\.net_arch: 0 given"),
        (DDQN, {"net_arch": []}, r"agent\.net_arch: none given"),
        (DDQN, {"twin_gradient_steps": 0}, r"agent\.twin_gradient_steps: 0 given"),
        (DDQN, {"kwargs": {"critic_stepps": 3}}, r"agent\.kwargs: unknown name 'critic_stepps'"),
        (DDQN, {"kwargs": {"n_step": 3}}, r"agent\.kwargs: unknown name 'n_step'; did you mean 'n_steps'"),
        (DDQN, {"kwargs": {"n_steps": 0}}, r"agent\.n_steps: 0 given, allowed is 1 to 10000"),
        (DDQN, {"kwargs": {"optimize_memory_usage": True}}, r"kwargs: unknown name 'optimize_memory_usage'"),
        ("agents.DuelingGANDDQN", {"kwargs": {"critic_steps": 0}}, "critic_steps: 0 given"),
        ("agents.DuelingGANDDQN", {"kwargs": {"critic_steps": 10**9}}, "critic_steps: 1000000000 given, allowed is 1"),
        *(
            (target, {"policy_kwargs": given}, rf"^agent\.policy_kwargs\.{key}: {2**31} given, allowed is .*to 8192$")
            for target, given, key in [
                (DDQN, {"net_arch": [2**31]}, "net_arch"),
                (SB3, {"net_arch": [8, 2**31]}, "net_arch"),
                (QRDQN, {"n_quantiles": 2**31}, "n_quantiles"),
                (DDQN, {"head_kwargs": {"hidden_size": 2**31}}, r"head_kwargs\.hidden_size"),
                ("agents.DuelingGANDDQN", {"critic_size": 2**31}, "critic_size"),
            ]
        ),
        *(
            (target, {"kwargs": {name: value}}, rf"^agent\.kwargs\.{name}: {shown} given, allowed is .*")
            for target in (DDQN, SB3)
            for name, value, shown in [
                ("tau", 1e300, r"1e\+300"),
                ("max_grad_norm", 1e300, r"1e\+300"),
                ("max_grad_norm", float("inf"), "inf"),
                ("max_grad_norm", float("nan"), "nan"),
                ("stats_window_size", 10**400, "1000.*"),
            ]
        ),
        (SB3, {"kwargs": {"tau": 1.5}}, r"^agent\.tau: 1\.5 given, allowed is .*at most 1\.0"),
        (SB3, {"policy_kwargs": {"optimizer_kwargs": {"eps": 1e300}}}, r"optimizer_kwargs\.eps: 1e\+300 given"),
    ],
)
def test_what_could_not_be_made_is_refused(target, changes, message, env):
    with pytest.raises((ValueError, TypeError), match=message):
        check_agent(settings(target, **changes), env)


@pytest.mark.parametrize("target", [SB3, QRDQN])
def test_an_output_for_each_of_too_many_actions_is_refused_before_it_is_made(target):
    with pytest.raises(ValueError, match=r"agent\._target_: '.*' given, .* each of the 20218614631344 actions"):
        check_agent(settings(target), gym.make("SliceRAN-v0", scenario="nr-8slices"))


def test_a_class_is_given_the_settings_that_it_takes(env):
    own = make_agent(settings(DDQN, head="geometry", kwargs={"n_steps": 3}), env, seed=4)
    assert type(own) is agents.DDQN
    assert (own.seed, own.gamma, own.batch_size, own.replay_buffer.n_steps) == (4, 0.8, 32, 3)
    assert own.policy_kwargs == {"net_arch": [16], "head": "geometry"}
    stock = make_agent(settings(SB3, batch_size=None, policy_kwargs={"net_arch": [7]}), env, seed=0)
    assert type(stock) is stable_baselines3.DQN
    assert (stock.batch_size, stock.policy_kwargs) == (32, {"net_arch": [7]})
    assert isinstance(stock.replay_buffer, agents.replay.ReplayBuffer)
    assert [stock.lr_schedule(left) for left in (1.0, 0.5)] == pytest.approx([1e-3, 5.05e-4])
    changed = make_agent(settings(QRDQN, center_rewards=False, kwargs=BUFFER), env, 0, {"batch_size": 5})
    assert type(changed) is sb3_contrib.QRDQN
    assert (type(changed.replay_buffer), changed.batch_size) == (StockReplayBuffer, 5)


def test_what_a_class_does_not_take_is_left_out_and_said(env):
    scratch = settings(f"{OWN}.FromScratch", net_arch=None, policy_kwargs={"net_arch": [4]})
    assert left_out(scratch) == [
        *("target_update_interval", "exploration_fraction", "exploration_initial_eps", "exploration_final_eps")
    ]
    assert left_out(settings(SB3)) == []
    assert make_agent(scratch, env, 0).epsilon == 0.2


@pytest.mark.parametrize("target", [DDQN, "agents.DuelingGANDDQN", SB3, QRDQN, f"{OWN}.FromScratch"])
def test_where_no_head_is_named_the_reward_decides(target):
    has_heads = target.startswith("agents.")
    for sums, head in ((True, "factored"), (False, "dense"), (None, "dense")):
        assert with_head(settings(target, head=None), sums).head == (head if has_heads else "dense")


@pytest.mark.parametrize("sums", [True, False, None])
def test_a_head_that_is_named_is_taken(sums):
    for head in ("dense", "geometry"):
        assert with_head(settings(DDQN, head=head), sums).head == head
        assert with_head(settings(DDQN, head=None, policy_kwargs={"head": head}), sums).head == head
        assert with_head(settings(DDQN, head="factored", policy_kwargs={"head": head}), sums).head == head
    approximate = {"head_kwargs": {"approximate": True}}
    assert with_head(settings(DDQN, head="factored", policy_kwargs=approximate), sums).head == "factored"
    if sums is False:
        with pytest.raises(ValueError, match=r"agent\.head: 'factored' given, allowed where .* sum over slices"):
            with_head(settings(DDQN, head="factored"), sums)
    else:
        assert with_head(settings(DDQN, head="factored"), sums).head == "factored"


def test_roles_may_change_what_the_class_takes(env):
    check_roles(settings(DDQN), env, {"agent_1": {"gamma": 0.1}, "agent_2": {"tau": 0.5}}, {"agent_1": ("tau",)})
    with pytest.raises(ValueError, match=r"algorithm\.agent_1: unknown name 'tau'"):
        check_roles(settings(DDQN), env, {"agent_1": {"tau": 0.5}}, {"agent_1": ("tau",)})
    with pytest.raises(ValueError, match=r"algorithm\.agent_1\.gamma: 2 given"):
        check_roles(settings(DDQN), env, {"agent_1": {"gamma": 2}}, {})


def test_a_conservative_term_needs_its_hooks():
    check_conservative(settings(DDQN), 0.1)
    check_conservative(settings(SB3), 0.1)
    check_conservative(settings(f"{OWN}.SoftTargets"), 0.0)
    with pytest.raises(TypeError, match=r"conservative_weight=0\.1: not possible with .* lacks the hook td_loss"):
        check_conservative(settings(f"{OWN}.SoftTargets"), 0.1)


def test_an_agent_learns_on_the_cpu_unless_it_or_its_run_names_a_device(env):
    """Stable-Baselines3 alone would take a GPU where there is one."""
    for agent in (settings(DDQN), settings(SB3), on_device(settings(DDQN), "cpu"), settings(DDQN, device="cpu")):
        assert make_agent(agent, env, 0, {"buffer_size": 10}).device.type == "cpu"
        assert make_agent(agent, env, 0, {"buffer_size": 10, "device": None}).device.type == "cpu"
    own = settings(DDQN, device="cuda:1")
    assert on_device(own, "cpu").device == "cuda:1"
    with pytest.raises(ValueError, match=r"^device: 'meta' given, allowed are cpu, cuda and cuda:<number>$"):
        on_device(own, "meta")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_an_agent_learns_on_the_device_of_its_run(env):
    for target in (DDQN, SB3, QRDQN):
        agent = make_agent(on_device(settings(target), "cuda"), env, 0, {"buffer_size": 100, "learning_starts": 8})
        agent.learn(16)
        assert agent.device.type == "cuda"
        assert isinstance(agent.predict(env.observation_space.sample())[0], np.ndarray | np.integer)
