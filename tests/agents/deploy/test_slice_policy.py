"""The runtime: what it decides and when it falls back."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import deque, namedtuple
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import SlicePolicy, deploy
from slicing_gym import Simulator, allocation_table, get_scenario
from slicing_gym.space_spec import SpaceSpec
from tests.helpers.exported import HIGH, LOW, SCENARIO, USUAL, exported, remade, setting
from tests.helpers.exported import content as content
from tests.helpers.exported import student as student
from tests.helpers.learners import _one_thread as _one_thread

ROOT = Path(__file__).resolve().parents[3]

Measured = namedtuple("Measured", "volte video urllc")  # what a controller may hold


@pytest.fixture(scope="module")
def policy():
    return SlicePolicy(exported())


# Deciding


def test_it_decides_as_the_policy_does(policy, student):
    states = np.floor(np.random.default_rng(0).uniform(LOW, HIGH, (300, 3)))
    wanted, _ = student.predict(SpaceSpec(SCENARIO).observe(states), deterministic=True)
    assert len(np.unique(wanted)) > 5
    table = allocation_table(20, 3)
    for state, action in zip(states.tolist(), wanted, strict=True):
        decision = policy.decide(state)
        assert (decision.action, decision.fallback, decision.reason) == (action, False, None)
        assert decision.units == tuple(table[action])
    np.testing.assert_array_equal(policy.units(states), table[wanted])
    assert policy.units(states[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    "arrivals",
    [
        tuple(USUAL),
        deque(USUAL),
        Measured(*USUAL),
        memoryview(np.array(USUAL)),
        np.ma.array(USUAL),
        np.array(USUAL),
        np.array(USUAL, np.float32),
        np.array(USUAL, np.int16),
        [Fraction(115), 1752, 9],
    ],
)
def test_any_kind_of_numbers_is_taken(arrivals, policy):
    assert policy.decide(arrivals) == policy.decide(USUAL)
    assert not policy.decide(arrivals).fallback


def test_its_metadata(policy):
    assert (policy.name, policy.made_from, policy.scenario) == ("small", "a test", SCENARIO)
    assert policy.fallback == (4, 12, 4)
    assert policy.max_age_s == 0.4
    np.testing.assert_array_equal(policy.trained_on, (LOW, HIGH))


def test_it_needs_no_torch(content, tmp_path):
    (tmp_path / "policy.onnx").write_bytes(content)
    script = """
import sys
from agents import SlicePolicy, deploy
decision = SlicePolicy(sys.argv[1]).decide([115, 1752, 9])
decision.action, decision.ratios
loaded = {"torch", "stable_baselines3", "onnx", "onnxscript", "numba", "llvmlite"} & set(sys.modules)
assert not loaded, loaded
print(decision.fallback, decision.units)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "policy.onnx")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == f"False {SlicePolicy(content).decide(USUAL).units}"
    script = "import sys; sys.modules['onnxruntime'] = None\nfrom agents import SlicePolicy"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "needs the extra `deploy` (pip install 'slicing-gym[deploy]')" in run.stderr


def test_it_needs_no_environment_and_no_simulator():
    """Only numbers of allocations, and the scenario that its file holds; the packages' own imports are left out."""
    script = """
import sys, types
for name in ("slicing_gym", "agents", "agents.deploy"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [name.replace(".", "/")]
import agents.deploy.slice_policy
print(*sorted(name for name in sys.modules if name.startswith(("agents.", "slicing_gym.", "twin."))))
assert not {"torch", "stable_baselines3", "gymnasium", "onnx", "numba"} & set(sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    scenario = "_variables builtin_types distributions errors extras files measured radio ranking reading yaml_reading"
    own = {"agents.deploy", "agents.deploy.decision", "agents.deploy.slice_policy"}
    allowed = own | {f"slicing_gym.{name}" for name in [*scenario.split(), "scenario", "traffic"]}
    assert set(run.stdout.split()) <= allowed


def test_the_subpackage_names_what_it_is_for():
    for name in deploy.__all__:
        assert getattr(deploy, name).__name__ == name
    with pytest.raises(AttributeError, match=r"module 'agents\.deploy' has no attribute 'StudentPolicy'"):
        deploy.StudentPolicy  # noqa: B018


# Falling back


class Hostile:
    """Answers nothing."""

    def __len__(self):
        raise RuntimeError("no length")

    def __repr__(self):
        raise RuntimeError("no text")


class Agreeable(float):
    """Lies between whatever it is compared with."""

    def __le__(self, other):
        return True

    __ge__ = __lt__ = __gt__ = __le__


class AgreeableArray(np.ndarray):
    """The same of arrays."""

    def __le__(self, other):
        return np.ones(self.shape, bool)

    __ge__ = __lt__ = __gt__ = __le__


@pytest.mark.parametrize(
    ("arrivals", "reason"),
    [
        ([115.0, np.nan, 9.0], "arrivals.video: nan given; allowed is 719.975 to 4148.8"),
        ([np.inf, 1752, 9], "arrivals.volte: inf given; allowed is"),
        ([115, 1752, -np.inf], "arrivals.urllc: -inf given; allowed is"),
        ([115, 1752, -1], "arrivals.urllc: -1 given; allowed is 0 to"),
        ([11500, 175200, 900], "arrivals.volte: 11500 given, far from what it was trained on; allowed is"),
        ([115, 0, 9], "arrivals.video: 0 given, far from what it was trained on; allowed is"),
        ([10**400, 1752, 9], "arrivals: .* given, allowed are 3 numbers"),
        ([115, 1752], r"arrivals: shape \(2,\) given, allowed are 3 numbers \(volte, video, urllc\)"),
        ([115, 1752, 9, 1], r"arrivals: shape \(4,\) given, allowed are 3 numbers"),
        ([], r"arrivals: shape \(0,\) given"),
        ([USUAL], r"arrivals: shape \(1, 3\) given"),
        (np.array(USUAL)[:, None], r"arrivals: shape \(3, 1\) given"),
        ([[115.0], [1752.0], [9.0]], r"arrivals: shape \(3, 1\) given"),
        ([115, [1752], 9], r"arrivals: \[115, \[1752\], 9\] given, allowed are 3 numbers"),
        (None, r"^arrivals: missing \(None given\), allowed are 3 numbers"),
        ([115, True, 9], r"arrivals: \[115, True, 9\] given, allowed are 3 numbers"),
        (np.array([True, True, True]), "arrivals: array.* given, allowed are 3 numbers"),
        (np.array([115, 1752, 9], object), "allowed are 3 numbers"),
        ([np.array([115.0]), np.array([1752.0]), np.array([9.0])], "allowed are 3 numbers"),
        ([115, Agreeable(1e9), 9], "allowed are 3 numbers"),
        (np.array([115, 1752, 9]).view(AgreeableArray) * 1000, "arrivals.volte: 115000 given, far"),
        (9.0, "arrivals: 9.0 given"),
        (Measured(115, 1752, True), "allowed are 3 numbers"),
        (Measured(115, None, 9), r"^arrivals\.video: missing \(None given\)$"),
        ([[115, 1752, True]], "allowed are 3 numbers"),
        (deque([115, 1752, True]), "allowed are 3 numbers"),
        (bytearray(b"abc"), "allowed are 3 numbers"),
        (range(3), "arrivals.volte: 0 given"),
        (np.ma.array([115.0, 1752.0, 9.0], mask=[False, True, False]), "allowed are 3 numbers"),
        ("abc", "'abc' given, allowed are 3 numbers"),
        ([115, "many", 9], "allowed are 3 numbers"),
        (["115", "1752", "9"], r"\['115', '1752', '9'\] given, allowed are 3 numbers"),
        ([115, None, 9], r"^arrivals\.video: missing \(None given\)$"),
        ([115, 1752j, 9], "allowed are 3 numbers"),
        ({"volte": 115, "video": 1752, "urllc": 9}, "allowed are 3 numbers"),
        ({115, 1752, 9}, "allowed are 3 numbers"),
        ((each for each in USUAL), "allowed are 3 numbers"),
        (Hostile(), ".* given, allowed are 3 numbers"),
    ],
)
def test_measurements_that_cannot_be_trusted_get_the_safe_allocation(arrivals, reason, policy):
    decision = policy.decide(arrivals)
    assert decision.fallback
    assert decision.units == (4, 12, 4)
    assert decision.units == tuple(allocation_table(20, 3)[decision.action])
    assert decision.ratios["video"] == {"min": 60, "max": 60, "dedicated": 60}
    assert re.search(reason, decision.reason)


@pytest.mark.parametrize(
    ("age_s", "reason"),
    [
        (0.41, "age_s: 0.41 given, allowed is 0 to 0.4 s"),
        (-0.01, "age_s: -0.01 given"),
        (np.nan, "age_s: nan given"),
        (np.inf, "age_s: inf given"),
        (None, r"age_s: missing \(None given\)"),
        (True, "age_s: True given"),
        (np.array([0.1]), r"age_s: array\(\[0.1\]\) given"),
        (np.array(0.1), r"age_s: array\(0.1\) given"),
        (Agreeable(1e9), "age_s: 1000000000.0 given"),
        ("now", "age_s: 'now' given"),
        ([0.0], r"age_s: \[0.0\] given"),
    ],
)
def test_stale_measurements_get_the_safe_allocation(age_s, reason, policy):
    decision = policy.decide(USUAL, age_s=age_s)
    assert decision.units == policy.fallback
    assert decision.fallback
    assert re.match(reason, decision.reason)


@pytest.mark.parametrize("made", [tuple, np.array, np.float32, np.int64, lambda usual: np.array(usual, np.uint16)])
def test_numbers_of_any_kind_are_measurements(made, policy):
    usual = made(USUAL) if not isinstance(made, type) or made is tuple else [made(each) for each in USUAL]
    assert policy.decide(usual, np.float32(0.1)) == policy.decide(USUAL)
    assert not policy.decide(usual, 0).fallback


def test_the_greatest_age_is_asked_for(content, policy):
    assert not policy.decide(USUAL, age_s=0.4).fallback
    strict = SlicePolicy(content, max_age_s=0.05)
    assert not strict.decide(USUAL, age_s=0.05).fallback
    assert strict.decide(USUAL, age_s=0.051).fallback


@given(st.lists(st.floats() | st.floats(0.0, 4000.0), min_size=1, max_size=5), st.floats() | st.floats(0.0, 0.5))
def test_it_falls_back_exactly_where_it_says(policy, arrivals, age_s):
    low, high = policy.allowed
    right = len(arrivals) == 3 and all(a <= x <= b for a, x, b in zip(low, arrivals, high, strict=False))
    decision = policy.decide(arrivals, age_s)
    assert decision.fallback == (not (right and 0.0 <= age_s <= 0.4))
    if not decision.fallback:
        assert decision.units == tuple(policy.units([arrivals])[0])


def test_it_goes_on_after_a_fallback(policy):
    before = policy.decide(USUAL)
    assert policy.decide([np.nan] * 3).fallback
    assert policy.decide(USUAL) == before


def test_bounds_follow_the_margin(content):
    """The trained range is always allowed, more margin allows more, and 100 times the load never is."""
    bounds = [SlicePolicy(content, margin=margin).allowed for margin in (1.0, 2.0, 5.0)]
    assert (bounds[0][0] <= LOW).all()
    assert (bounds[0][1] >= HIGH).all()
    for (low, high), (lower, higher) in pairwise(bounds):
        assert (lower <= low).all()
        assert (higher > high).all()
    assert (bounds[2][1] < 100.0 * HIGH).all()
    assert (bounds[1][0][:2] > 0.0).all()
    assert bounds[1][0][2] == 0.0  # of nine URLLC packets an interval, none at all is ordinary variation


def test_ordinary_variation_is_allowed(content):
    """Of what other cells bring in 2500 intervals nothing is refused, after training on 200 of one."""
    scenario = get_scenario("paper")
    table = allocation_table(100, 3)
    generator = np.random.default_rng(0)

    def arrivals(seeds, number):
        cells = Simulator(scenario, seeds)
        cells.warm_up()
        return np.concatenate(
            [cells.advance(table[generator.integers(4851, size=len(seeds))]).arrivals for _ in range(number)]
        )

    seen = arrivals([0], 200)
    trained_on = [seen.min(axis=0).tolist(), seen.max(axis=0).tolist()]
    met = arrivals(range(100, 125), 100)
    policy = SlicePolicy(remade(content, setting("trained_on", trained_on)), margin=1.25)
    assert not any(policy.decide(row).fallback for row in met)
    assert met.min(axis=0)[2] < seen.min(axis=0)[2]  # it had to be generous


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_age_s": -1.0}, "max_age_s: -1.0 given, allowed is at least 0.0"),
        ({"max_age_s": np.nan}, "max_age_s"),
        ({"margin": 0.5}, "margin: 0.5 given, allowed is at least 1.0"),
        ({"fallback": [1, 1, 1]}, r"fallback.units: \[1, 1, 1\] given, allowed is at least 1 a slice and 20 in all"),
        ({"fallback": [0, 10, 10]}, "fallback.units"),
        ({"fallback": [10, 10]}, "fallback.units: shape"),
    ],
)
def test_wrong_arguments_are_named(arguments, message, content):
    with pytest.raises(ValueError, match=message):
        SlicePolicy(content, **arguments)


def test_another_safe_allocation_can_be_given(content):
    policy = SlicePolicy(content, fallback=[1, 18, 1])
    assert policy.decide([0, 0, 0]).units == (1, 18, 1)
