"""Students: what they predict, what they learn from a teacher (equation 12)."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

from agents import DQN, StudentPolicy, distill
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import each_head, same
from tests.helpers.teachers import choice, states, values


def rng(seed=0):
    return np.random.default_rng(seed)


def agreement(student, seed=9):
    seen = states(2000, seed)
    return np.mean(student.predict(seen, deterministic=True)[0] == choice(seen))


def forward(student, observations):
    """Scores by NumPy from what the student has learned; dense head only."""
    learned = {name: value.numpy().astype(np.float64) for name, value in student.state_dict().items()}
    hidden = (observations - learned["center"]) / learned["scale"]
    for layer in ("layers.0", "layers.2"):
        hidden = hidden @ learned[f"{layer}.weight"].T + learned[f"{layer}.bias"]
        hidden = np.where(hidden > 0.0, hidden, 0.01 * hidden)
    return hidden @ learned["head.weight"].T + learned["head.bias"]


def log_softmax(scores):
    largest = scores.max(axis=1, keepdims=True)
    return scores - largest - np.log(np.exp(scores - largest).sum(axis=1, keepdims=True))


# As a policy of Stable-Baselines3


@each_head
@pytest.mark.parametrize("hidden", [1, 4, 16])
def test_it_predicts_as_sb3_does(head, hidden, small):
    student = StudentPolicy(small, hidden, head, seed=0)
    seen = np.random.default_rng(0).random((40, 2), dtype=np.float32)
    actions, state = student.predict(seen)
    assert state is None
    assert actions.shape == (40,)
    assert np.issubdtype(actions.dtype, np.integer)
    scores = student(torch.as_tensor(seen))
    assert scores.shape == (40, 7)
    np.testing.assert_array_equal(actions, scores.detach().numpy().argmax(axis=1))
    np.testing.assert_array_equal(student.predict(seen, deterministic=True)[0], actions)
    np.testing.assert_array_equal(student.predict(seen.astype(np.float64))[0], actions)
    single, _ = student.predict(seen[3])
    assert single.shape == ()
    assert single == actions[3]
    assert student.action_space.contains(np.int64(single))
    with pytest.raises(ValueError, match=r"observation shape \(3,\)"):
        student.predict(np.ones(3, np.float32))


def test_scores_are_those_of_two_leaky_layers():
    student = StudentPolicy("paper-1mhz", 4, seed=3)
    student.center.copy_(torch.tensor([1.0, 0.9, 1.2]))
    student.scale.copy_(torch.tensor([0.3, 0.05, 2.0]))
    with torch.no_grad():
        np.testing.assert_allclose(student(torch.as_tensor(states(50))), forward(student, states(50)), atol=1e-5)
    assert student.num_parameters == (3 * 4 + 4) + (4 * 4 + 4) + (4 * 171 + 171)


def test_sb3_evaluates_it(small):
    student = StudentPolicy(small, 4, seed=1)

    def env():
        made = gym.make("SliceRAN-v0", scenario=small, reward="utility")
        made.reset(seed=5)
        return made

    measured, spread = evaluate_policy(student, Monitor(env()), n_eval_episodes=3)
    own, totals = env(), []
    for _ in range(3):
        seen, _ = own.reset()
        total, over = 0.0, False
        while not over:
            seen, reward, _, over, _ = own.step(int(student.predict(seen, deterministic=True)[0]))
            total += reward
        totals.append(total)
    assert measured == pytest.approx(np.mean(totals), abs=1e-4)
    assert spread == pytest.approx(np.std(totals), abs=1e-4)


# Random numbers


@each_head
def test_random_numbers_come_from_the_seeds_alone(head, small):
    def taught(seed, batches, disturbance):
        torch.manual_seed(disturbance)
        before = torch.get_rng_state()
        student = StudentPolicy(small, 4, head, seed=seed)
        seen = np.random.default_rng(0).random((50, 2), dtype=np.float32)
        distill(student, seen[:, 0].round().astype(np.int64), seen, rng(batches), updates=20)
        assert torch.equal(torch.get_rng_state(), before)
        return {name: value.clone() for name, value in student.state_dict().items()}

    assert same(taught(0, 0, 1), taught(0, 0, 2))
    assert not same(taught(0, 0, 1), taught(1, 0, 1), tolerance=1e-3)
    assert not same(taught(0, 0, 1), taught(0, 1, 1), tolerance=1e-3)


def test_other_seeds_begin_with_other_weights(small):
    one, again, other = (StudentPolicy(small, 4, seed=seed).state_dict() for seed in (0, 0, 1))
    assert same(one, again)
    assert not same(one, other, tolerance=1e-3)
    torch.manual_seed(0)
    first = StudentPolicy(small, 4).state_dict()
    assert not same(first, StudentPolicy(small, 4).state_dict(), tolerance=1e-3)  # torch's global generator goes on


# What is taught


@pytest.mark.parametrize(("hidden", "seed"), [(16, 0), (4, 1)])  # of four neurons and seed 0 two choices become one
@pytest.mark.parametrize("target", ["argmax", "soft"])
def test_it_learns_what_its_teacher_chooses(hidden, seed, target):
    student = StudentPolicy("paper-1mhz", hidden, seed=seed)
    assert agreement(student) < 0.2
    distill(student, values, states(3000), rng(seed), target=target, updates=1000)
    assert agreement(student) > 0.95


@pytest.mark.parametrize("target", ["argmax", "soft"])
@pytest.mark.parametrize("head", ["geometry", "factored"])
def test_it_learns_with_other_heads(head, target):
    student = StudentPolicy("paper-1mhz", 16, head, {"embedding_size": 8, "hidden_size": 16}, seed=0)
    distill(student, values, states(3000), rng(), target=target, updates=500)
    assert agreement(student) > 0.9


@each_head
def test_behaviour_cloning_is_learning_from_the_choices(head):
    seen = states(1000)
    from_values, from_actions = (StudentPolicy("paper-1mhz", 4, head, seed=0) for _ in range(2))
    distill(from_values, values, seen, rng(), updates=50)
    distill(from_actions, choice(seen), seen, rng(), updates=50)
    assert same(from_values.state_dict(), from_actions.state_dict())


def test_a_soft_target_shares_where_the_teacher_is_undecided(small):
    def undecided(observations):
        made = torch.full((len(observations), 7), -1.0)
        made[:, 2] = made[:, 5] = 1.0
        return made

    seen = np.random.default_rng(0).random((30, 2), dtype=np.float32)
    shares = {}
    for target in ("argmax", "soft"):
        student = StudentPolicy(small, 4, seed=0)
        distill(student, undecided, seen, rng(), target=target, updates=300, learning_rate=3e-2)
        with torch.no_grad():
            shares[target] = torch.softmax(student(torch.as_tensor(seen)), dim=1).mean(dim=0).numpy()
    np.testing.assert_allclose(shares["soft"][[2, 5]], 0.5, atol=0.03)
    assert shares["argmax"][2] > 0.95


@pytest.mark.parametrize("kind", ["argmax", "soft", "actions"])
def test_the_loss_is_the_cross_entropy_of_equation_12(kind):
    seen, temperature = states(200), 0.3
    student = StudentPolicy("paper-1mhz", 4, seed=2)
    student.center.copy_(torch.as_tensor(seen.mean(axis=0)))
    student.scale.copy_(torch.as_tensor(seen.std(axis=0)))
    batch = seen[rng(7).integers(200, size=32)]
    wanted = np.eye(171)[choice(batch)]
    if kind == "soft":
        wanted = np.exp(log_softmax(values(torch.as_tensor(batch)).numpy() / temperature))
    expected = -(wanted * log_softmax(forward(student, batch))).sum(axis=1).mean()
    losses = {}
    teacher = choice(seen) if kind == "actions" else values
    target = "soft" if kind == "soft" else "argmax"
    options = {"updates": 3, "batch_size": 32, "temperature": temperature, "on_update": losses.__setitem__}
    distill(student, teacher, seen, rng(7), target=target, **options)
    assert list(losses) == [0, 1, 2]
    assert losses[0] == pytest.approx(expected, rel=1e-5)


def test_observations_are_made_about_standard_normal():
    seen = states(500) * np.float32([1.0, 100.0, 0.0]) + np.float32([5.0, 0.0, 3.0])
    student = StudentPolicy("paper-1mhz", 4, seed=0)
    distill(student, choice(seen), seen, rng(), updates=20)
    np.testing.assert_allclose(student.center, seen.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(student.scale[:2], seen[:, :2].std(axis=0), rtol=1e-4)
    assert student.scale[2] > 0.0  # what never changes divides by nothing
    assert all(torch.isfinite(parameter).all() for parameter in student.parameters())


def test_the_learning_rate_falls_to_nothing():
    student = StudentPolicy("paper-1mhz", 4, seed=0)
    before = [torch.nn.utils.parameters_to_vector(student.parameters()).detach()]
    steps = []

    def step(*_):
        now = torch.nn.utils.parameters_to_vector(student.parameters()).detach()
        steps.append((now - before[0]).abs().max().item())
        before[0] = now

    distill(student, values, states(100), rng(), updates=20, learning_rate=0.02, on_update=step)
    assert len(steps) == 20
    assert steps[0] == pytest.approx(0.02, rel=1e-2)  # Adam's first step is as long as its rate
    assert steps[-1] < 0.05 * steps[0]


def test_a_teacher_is_not_taught(small):
    agent = DQN("MlpPolicy", gym.make("SliceRAN-v0", scenario=small), policy_kwargs={"net_arch": [8]}, seed=0)
    before = {name: value.clone() for name, value in agent.q_net.state_dict().items()}
    seen = np.random.default_rng(0).random((30, 2), dtype=np.float32)
    for target in ("argmax", "soft"):
        distill(StudentPolicy(small, 4, seed=0), agent.q_net, seen, rng(), target=target, updates=5)
    assert same(agent.q_net.state_dict(), before)
    assert all(parameter.grad is None for parameter in agent.q_net.parameters())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"hidden": 0}, ValueError, "hidden: 0 given, allowed is 1 or more"),
        ({"hidden": 2.5}, TypeError, "hidden: 2.5 is not a whole number"),
        ({"head": "densse"}, ValueError, "head: unknown name 'densse'; did you mean 'dense'"),
        ({"head_kwargs": {"depth": 3}}, TypeError, "depth"),
        ({"scenario": "papper"}, ValueError, "scenario: unknown name 'papper'; did you mean 'paper'"),
    ],
)
def test_students_that_cannot_be_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        StudentPolicy(**{"scenario": "paper-1mhz", "hidden": 4, **arguments})


def with_nan():
    return np.where(np.arange(150).reshape(50, 3) == 7, np.nan, states(50))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": "argmx"}, ValueError, "target: unknown name 'argmx'; did you mean 'argmax'"),
        ({"temperature": 0.0}, ValueError, "temperature: 0.0 given, allowed is above 0"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate: -1.0 given"),
        ({"updates": 0}, ValueError, "updates: 0 given, allowed is 1 or more"),
        ({"batch_size": 0}, ValueError, "batch_size: 0 given"),
        ({"observations": states(50)[:, :2]}, ValueError, r"observations: shape \(50, 2\) given, allowed is \(1 or mo"),
        ({"observations": states(50)[0]}, ValueError, r"observations: shape \(3,\) given"),
        ({"observations": states(0)}, ValueError, r"observations: shape \(0, 3\) given"),
        ({"observations": with_nan()}, ValueError, "observations: .*not finite"),
        (
            {"teacher": np.zeros(49, np.int64)},
            ValueError,
            r"teacher: int64 \(49,\) given, allowed are 50 whole numbers",
        ),
        ({"teacher": np.zeros(51, np.int64)}, ValueError, r"teacher: int64 \(51,\) given"),
        ({"teacher": np.full(50, 171)}, ValueError, "teacher: .* below 171"),
        ({"teacher": np.full(50, -100)}, ValueError, "teacher: .* below 171"),  # PyTorch would leave these out
        ({"teacher": np.full(50, 2.7)}, ValueError, r"teacher: float64 \(50,\) given"),
    ],
)
def test_lessons_that_cannot_be_are_refused(arguments, error, message):
    given = {"teacher": values, "observations": states(50), "generator": rng(), "updates": 2, **arguments}
    student = StudentPolicy("paper-1mhz", 4, seed=0)
    with pytest.raises(error, match=message):
        distill(student, **given)
    assert all(torch.isfinite(parameter).all() for parameter in student.parameters())
