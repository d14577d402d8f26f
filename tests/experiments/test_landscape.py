"""How flat a loss is: agents' own losses, stock Stable-Baselines3, the command."""

from __future__ import annotations

import csv
import io
import shutil
from contextlib import redirect_stdout

import numpy as np
import pytest
import stable_baselines3
import torch
from hydra import compose, initialize_config_dir
from stable_baselines3.common.logger import Logger
from torch import nn
from torch.nn import functional

from agents import DDQN, DQN, DuelingGANDDQN
from agents.hooks import with_fixed_targets
from experiments.config.hydra import CONFIG_FOLDER, register_configs
from experiments.landscape import run as landscape
from experiments.landscape.flatness import Flatness, measure, random_directions
from experiments.landscape.losses import LOSSES, STOCK, agent_loss, batch_of, stored, train_stock
from experiments.landscape.report import MEASURES, Measurement, differences, pairs, verdict
from experiments.runs.folder import find_runs, read_run
from experiments.train.run import train
from tests.helpers.learners import (
    Follow,
    each_head,
    each_kind,
    filled,
    same,
    weights,
)
from twin.data.transitions import transitions_of
from twin.fidelity.simulated import SimulatedCell

register_configs()


# Agents


@each_kind
@each_head
def test_the_loss_of_an_agent_is_its_own(kind, head):
    agent = filled(kind, head, center_rewards=True)
    agent.mean_reward = 0.4
    data = stored(agent)
    loss = agent_loss(agent, data)
    batch = agent.replay_buffer._get_samples(np.arange(len(data.rewards)))
    rewards = torch.as_tensor(data.rewards - 0.4, dtype=torch.float32)[:, None]
    torch.testing.assert_close(batch.rewards, rewards)
    batch = batch._replace(rewards=rewards, dones=torch.zeros_like(batch.dones))
    before = agent.generator.bit_generator.state
    own = agent._compute_loss(batch)
    agent.generator.bit_generator.state = before
    assert loss.here() == pytest.approx(own.item(), rel=1e-6)
    (first, *_) = torch.autograd.grad(own, agent.q_net.parameters())
    torch.testing.assert_close(loss.gradient()[: first.numel()], first.reshape(-1), rtol=1e-4, atol=1e-6)


@each_kind
@each_head
def test_the_hessian_of_an_agent_is_the_change_of_its_gradient(kind, head):
    agent = filled(kind, head, policy={"activation_fn": nn.Tanh})  # without kinks, here and in the critic
    if kind is DuelingGANDDQN:
        agent.policy.critic.layers[1] = agent.policy.critic.layers[3] = nn.Tanh()
    loss = agent_loss(agent, stored(agent))
    direction = loss.gradient()
    direction /= direction.norm()
    step, gradients = 3e-3, []
    for sign in (1.0, -1.0):
        for parameter, part in zip(loss.parameters, loss.parts(loss.weights + sign * step * direction), strict=True):
            parameter.data.copy_(part)
        gradients.append(loss.gradient())
    for parameter, part in zip(loss.parameters, loss.parts(loss.weights), strict=True):
        parameter.data.copy_(part)
    change = (gradients[0] - gradients[1]) / (2.0 * step)
    product = loss.hessian_times(direction)
    assert (product - change).norm() < 0.03 * product.norm()
    assert measure(loss, rise=0.1, size=0.1, directions=1, seed=0).top_eigenvalue >= 0.999 * float(direction @ product)


@pytest.mark.parametrize("kind", [DQN, DDQN])
def test_targets_stay_while_the_weights_move(kind):
    agent = filled(kind)
    data = stored(agent)
    loss = agent_loss(agent, data)
    tensors = [torch.as_tensor(part) for part in data[:4]]
    with torch.no_grad():
        following = agent.q_net_target(tensors[3])
        best = (agent.q_net if kind is DDQN else agent.q_net_target)(tensors[3]).argmax(dim=1, keepdim=True)
        targets = tensors[2].float() + agent.gamma * following.gather(1, best)[:, 0]
        for parameter in agent.q_net_target.parameters():
            parameter += 1.0
    (direction,) = random_directions(loss, 1, seed=0)
    moved = loss.at(direction)
    with torch.no_grad():
        for parameter, part in zip(loss.parameters, loss.parts(loss.weights + direction), strict=True):
            parameter.copy_(part)
        values = agent.q_net(tensors[0]).gather(1, tensors[1][:, None])[:, 0]
    assert moved == pytest.approx(functional.smooth_l1_loss(values, targets).item(), rel=1e-5)


@each_kind
def test_an_agent_is_left_as_it_was(kind):
    agent = filled(kind)
    before, state = weights(agent), agent.generator.bit_generator.state
    loss = agent_loss(agent, stored(agent), "squared")
    one, other = (measure(loss, rise=0.1, size=0.3, directions=2, seed=0) for _ in range(2))
    assert one == other
    assert same(weights(agent), before)
    assert agent.generator.bit_generator.state == state
    assert all(parameter.requires_grad for parameter in agent.policy.q_net.parameters())
    assert all(parameter.grad is None for parameter in agent.policy.q_net.parameters())
    if kind is DuelingGANDDQN:
        assert agent.critic_weight == 1.0
        assert all(parameter.requires_grad for parameter in agent.policy.critic.parameters())


def test_half_the_squared_error_of_dueling_gan_ddqn_is_its_loss_without_the_critics_term():
    agent = filled(DuelingGANDDQN)
    data, state = stored(agent), agent.generator.bit_generator.state
    states, actions, rewards, following = (torch.as_tensor(part) for part in data[:4])
    with torch.no_grad():
        hidden = agent.policy.q_net.embed(states, agent._noise(len(states)))
        particles = agent.policy.q_net.value(hidden)
        values = particles.mean(dim=1) + agent.policy.q_net.advantage(hidden).gather(1, actions[:, None])[:, 0]
        targets = rewards.float() + agent.gamma * agent.policy.q_net_target(following).amax(dim=1)
        score = agent.policy.critic(states, particles).mean()
    agent.generator.bit_generator.state = state
    half = 0.5 * (targets - values).square().mean().item()
    assert agent_loss(agent, data, "squared").here() == pytest.approx(half, rel=1e-5)
    assert agent_loss(agent, data).here() == pytest.approx(half - score.item(), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("kind", [DQN, DDQN])
def test_where_all_errors_are_large_the_own_loss_is_straight_and_the_squared_one_is_not(kind):
    agent = filled(kind, center_rewards=True)
    agent.mean_reward = -50.0  # all targets far above all values
    data = stored(agent)
    own, squared = agent_loss(agent, data), agent_loss(agent, data, "squared")
    batch = with_fixed_targets(agent, batch_of(agent, data))
    with torch.no_grad():
        errors = batch.rewards - agent.q_net(batch.observations).gather(1, batch.actions)
    assert float(errors.min()) > 1.0
    assert own.here() == pytest.approx(errors.mean().item() - 0.5, rel=1e-5)
    assert squared.here() == pytest.approx(0.5 * errors.square().mean().item(), rel=1e-5)
    unit = own.gradient() / own.gradient().norm()
    rates = [(own.at(sign * 1e-2 * unit) - own.here()) / (sign * 1e-2) for sign in (1.0, -1.0)]
    assert rates == pytest.approx([float(own.gradient().norm())] * 2, rel=0.05)


def test_stock_sb3s_loss_is_the_one_it_logs():
    stock = stable_baselines3.DQN("MlpPolicy", Follow(), learning_starts=1, seed=3, device="cpu", gamma=0.7)
    logger = Logger(None, [])
    stock.set_logger(logger)
    rng = np.random.default_rng(0)
    for parameter in stock.q_net_target.parameters():
        parameter.data += 0.1
    one, two = rng.random((2, 1, 2), dtype=np.float32)
    stock.replay_buffer.add(one, two, np.array([4]), np.array([2.5]), np.array([False]), [{}])
    ours = DQN("MlpPolicy", Follow(), policy_kwargs={"net_arch": [64, 64]}, seed=0, device="cpu", gamma=0.7)
    ours.policy.load_state_dict(stock.policy.state_dict())
    measured = agent_loss(stock, stored(stock)).here()
    for kind in LOSSES:
        assert agent_loss(ours, stored(stock), kind).here() == agent_loss(stock, stored(stock), kind).here()
    stock.train(1, batch_size=8)  # eight times the one transition; the loss is that before the update
    assert measured == pytest.approx(logger.name_to_value["train/loss"], rel=1e-5)


# Arms side by side


def measurement(method, seed, **values):
    numbers = dict.fromkeys(Flatness.__annotations__, 1.0) | values
    return Measurement(("paper", "dense"), method, seed, 0.0, Flatness(**numbers), {}, np.zeros((1, 1)))


def test_arms_are_paired_with_what_they_are_compared_to():
    methods = ["ddqn", "ddqn-dt", "ddqn-dt-transformer", "dqn", "gan_ddqn-dt", STOCK]
    assert pairs(methods) == [("ddqn", "ddqn-dt"), ("ddqn", "ddqn-dt-transformer"), ("dqn", STOCK)]
    assert pairs(["ddqn", STOCK]) == [("ddqn", STOCK)]
    assert pairs([STOCK]) == []


def test_differences_are_those_of_the_same_seed():
    plain = [measurement("dqn", seed, curvature=float(seed)) for seed in (0, 1, 2)]
    twin = [measurement("dqn-dt", seed, curvature=10.0 * seed, rise_epsilon=np.inf) for seed in (2, 1, 7)]
    curvature, rise = (list(MEASURES).index(name) for name in ("curvature", "rise_epsilon"))
    assert differences(plain, twin)[:, curvature].tolist() == [18.0, 9.0]
    assert differences(plain, twin)[:, rise].tolist() == [np.inf, np.inf]
    assert differences(twin, twin)[:, rise].tolist() == [0.0, 0.0, 0.0]
    assert len(differences(plain[:1], twin)) == 0


@pytest.mark.parametrize(
    ("name", "ends", "expected"),
    [
        ("curvature", (-2.0, -1.0), "flatter"),
        ("curvature", (1.0, 2.0), "sharper"),
        ("curvature", (-1.0, 2.0), "not told apart"),
        ("rise_distance", (1.0, np.inf), "flatter"),
        ("rise_distance", (-2.0, -1.0), "sharper"),
        ("loss", (-2.0, -1.0), ""),
        ("curvature", (np.nan, np.nan), ""),
    ],
)
def test_verdicts(name, ends, expected):
    assert verdict(MEASURES[name], *ends) == expected


# The command


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three finished runs: two without a twin, one with."""
    folder = tmp_path_factory.mktemp("runs")
    tiny = ["+experiment=debug", "agent=dqn", "agent.net_arch=[16,16]", "decisions=200", "evaluation.policies=[random]"]
    twin = ["twin=lstm", "twin.training.max_epochs=2", "twin.transition.members=1", "twin.performance.members=2"]
    collect = ["algorithm.collect=100", "algorithm.fine_tune=100"]
    for name, extra in {"a": ["seed=0"], "b": ["seed=1"], "c": ["seed=0", *twin, *collect]}.items():
        with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
            config = compose("train", [*tiny, *extra])
        train(config, folder / name)
    return folder


def config_of(runs, *overrides):
    quick = ["points=5", "surface_points=3", "directions=2", "data_decisions=60", "progress=false"]
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return compose("landscape", [f"runs={runs}", *quick, *overrides])


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def measured(runs, tmp_path_factory):
    """What the command wrote and printed of them."""
    folder, printed = tmp_path_factory.mktemp("measured"), io.StringIO()
    with redirect_stdout(printed):
        landscape.landscape(config_of(runs), folder)
    return folder, printed.getvalue()


def test_the_command_measures_runs_and_stock_sb3(measured):
    folder, printed = measured
    assert "dqn-dt less dqn" in printed
    assert "stock SB3 less dqn" in printed
    numbers = rows(folder / "flatness.csv")
    assert [(row["method"], row["seed"]) for row in numbers] == [
        *(("dqn", "0"), ("dqn", "1"), ("dqn-dt", "0"), (STOCK, "0"), (STOCK, "1"))
    ]
    curves = rows(folder / "landscape.csv")
    assert len(curves) == len(numbers) * 2 * 5
    for row in numbers:
        own = [each for each in curves if (each["method"], each["seed"]) == (row["method"], row["seed"])]
        here = [float(each["loss"]) for each in own if float(each["step"]) == 0.0]
        assert here == pytest.approx([float(row["loss"])] * 2, rel=1e-5)
        step, loss = next((float(e["step"]), float(e["loss"])) for e in own if e["along"] == "epsilon")
        slope, curvature = float(row["gradient_norm"]), float(row["curvature"])
        wanted = here[0] + step * slope**2 + 0.5 * (step * slope) ** 2 * curvature  # to second order
        assert loss == pytest.approx(wanted, rel=1e-2)
    assert len(rows(folder / "surface.csv")) == 3 * 9
    for name in ("landscape", "surface"):
        assert (folder / f"{name}_paper-1mhz_dense.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_measured_alike_whatever_is_measured_beside_it(measured, runs, tmp_path):
    landscape.landscape(config_of(runs, "agents=[dqn]"), tmp_path)
    for name in ("flatness.csv", "landscape.csv", "surface.csv"):
        everything = rows(measured[0] / name)
        assert rows(tmp_path / name) == [row for row in everything if row["method"] != "dqn-dt"]


@pytest.mark.parametrize("data", ["own", "random"])
def test_the_loss_of_a_run_is_that_of_the_data(runs, tmp_path, data):
    landscape.landscape(config_of(runs, "agents=[dqn-dt]", "stock=false", f"data={data}"), tmp_path)
    (row,) = rows(tmp_path / "flatness.csv")
    run = read_run(runs / "c")
    agent, history = run.agent(), run.history()
    if data == "random":
        history = SimulatedCell(run.scenario, 1000).record(60)
    states, actions, rewards, following = (torch.as_tensor(part) for part in transitions_of(history)[:4])
    with torch.no_grad():
        targets = (rewards - agent.mean_reward).float() + 0.8 * agent.q_net_target(following).amax(dim=1)
        errors = targets - agent.q_net(states).gather(1, actions[:, None])[:, 0]
    huber = functional.huber_loss(errors, torch.zeros_like(errors))
    assert float(row["loss"]) == pytest.approx(huber.item(), rel=1e-5)
    assert float(row["td_error"]) == pytest.approx(errors.abs().mean().item(), rel=1e-5)


def test_stock_sb3_learns_on_the_runs_cell_with_its_settings(runs):
    (run,) = (run for run in find_runs(runs, ["dqn"]) if run.seed == 1)
    agent, data, mean = train_stock(run)
    assert type(agent) is stable_baselines3.DQN
    own = transitions_of(run.history())
    assert len(data.rewards) == len(own[2]) == 200
    np.testing.assert_array_equal(data.observations[0], own[0][0])  # the same cell, before the first decision
    assert (agent.gamma, mean) == (run.agent().gamma, run.agent().mean_reward)
    earned = run.scenario.reward
    assert earned.kind == "utility"
    assert 3.0 < data.rewards.mean() + mean < 8.5  # U, less the mean


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=owned"], "data: unknown name 'owned'; did you mean 'own'"),
        (["loss=huber"], "loss: unknown name 'huber'"),
        (["agents=[dqm]"], "agents: unknown name 'dqm'; did you mean 'dqn'"),
        (["points=2"], "points: 2 given, allowed is 3 or more"),
        (["rise=0"], "rise: 0.0 given, allowed is above 0"),
        (["epsilon=-1"], "epsilon: -1.0 given"),
        (["data=random", "data_seed=1"], "data_seed: 1 is the cell that"),
        (["runs=null"], "agent: missing; allowed is a run of experiments.train"),
        (["runs=/nowhere"], "no finished run"),
    ],
)
def test_what_makes_no_sense_is_refused(runs, tmp_path, overrides, message):
    with pytest.raises(SystemExit, match=message):
        landscape.landscape(config_of(runs, *overrides), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_without_its_history_is_refused(runs, tmp_path):
    shutil.copytree(runs / "a", tmp_path / "a")
    (tmp_path / "a" / "history.npz").unlink()
    with pytest.raises(SystemExit, match=r"has no history\.npz"):
        landscape.landscape(config_of(tmp_path), tmp_path / "out")


def test_agent_on_the_command_line_is_the_folder_of_runs():
    given = ["agent=runs/dense", "agents=[dqn]", "-m"]
    assert landscape.with_runs(given) == ["runs=runs/dense", "agents=[dqn]", "-m"]
