"""Methods of one's own in the benchmark: what is refused, how many runs they have, and what is said of them."""

from __future__ import annotations

import pytest

from agents.registry import import_modules
from experiments.benchmark_suite import PROTOCOL, RunRow, make_board, make_plan, own_method, read_results, read_rows
from experiments.benchmark_suite.__main__ import prepare
from experiments.benchmark_suite.overview import own_among_others
from experiments.benchmark_suite.settings import BenchmarkSuiteConfig, OwnMethodSettings
from experiments.benchmark_suite.writing import KNOWN


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (("hard", None, "33-33-34"), ValueError, "own.name: 'hard' is taken"),
        (
            ("mine", None, None),
            ValueError,
            "^own.name: 'mine' is given; .* own._target_ .*own.policy .*neither is given$",
        ),
        (
            ("mine", "stable_baselines3.PPO", "33-33-34"),
            ValueError,
            "both 'stable_baselines3.PPO' and '33-33-34' are given",
        ),
        (("mine", "pathlib.Path", None), TypeError, "allowed is an algorithm of Stable-Baselines3"),
        (("mine", "stable_baselines3.PPO", None, ["agent.gamma=0.5"]), ValueError, "own.overrides: .* allowed with"),
        (("mine", "stable_baselines3.DQN", None, [], {"gamma": 0.5}), ValueError, "own.kwargs: given, allowed"),
    ],
)
def test_a_method_of_ones_own_is_checked(given, error, message):
    import_modules(["pathlib"])
    with pytest.raises(error, match=message):
        own_method(*given)


def test_what_lists_allocations_is_not_run_where_there_are_too_many():
    assert own_method("mine", "stable_baselines3.DQN", None).lists_allocations
    assert own_method("mine", "stable_baselines3.A2C", None).lists_allocations
    assert not own_method("mine", "agents.DQN", None).lists_allocations  # its head may be factored
    assert not own_method("mine", "agents.DQN", None, ["twin=none"]).twin
    assert own_method("mine", "agents.DQN", None, ["twin=lstm"]).twin


def test_settings_of_a_method_of_ones_own_are_checked_before_any_run():
    method = own_method("mine", "stable_baselines3.DQN", None, ["agent.gama=0.5"])
    with pytest.raises(ValueError, match=r"agent\.gama: unknown name 'gama'; did you mean 'gamma'"):
        make_plan(own=method, scenarios=["paper-1mhz"])
    fixed = own_method("mine", None, "1-94-5")
    refused = (
        r"^own\.policy: '1-94-5' given, allowed in scenario 'paper-1mhz' are 3 numbers of 1 or more that sum to 20$"
    )
    with pytest.raises(ValueError, match=refused):
        make_plan(own=fixed, scenarios=["paper", "paper-1mhz"])
    huge = own_method("mine", None, f"1-{10**30}-5")
    with pytest.raises(ValueError, match=r"^own\.policy: '1-10+-5' given, allowed in scenario 'paper' are 3 numbers"):
        make_plan(own=huge, scenarios=["paper"])
    assert {run.method for run in make_plan(own=fixed, scenarios=["paper"]).runs} >= {"mine", "hard"}


def test_a_policy_of_ones_own_is_run_on_one_seed_unless_seeds_are_given():
    def seeds(method, given=()):
        return [run.seed for run in make_plan(["paper"], seeds=given, own=method).runs if run.method == "mine"]

    policy, learns = own_method("mine", None, "33-33-34"), own_method("mine", "stable_baselines3.DQN", None)
    assert seeds(policy) == [0]
    assert seeds(policy, [2, 3]) == [2, 3]
    assert seeds(learns) == list(range(10))
    row = RunRow("paper", "mine", 1000, 0, 5.0, 0.0, 1.0, 1.0, 1, "")
    known = {**read_rows(KNOWN, PROTOCOL), row.key: row}
    for method, shown in ((policy, False), (learns, True)):
        lines = own_among_others("mine", known, make_plan(["paper"], own=method), 1_000).splitlines()
        assert ("(1 of 10 seeds)" in lines[-1]) == shown


def test_what_will_be_run_is_listed_and_what_came_of_an_own_method_stands_beside_others(tmp_path, capsys):
    policy = OwnMethodSettings(name="mine", policy="33-33-34")
    settings = BenchmarkSuiteConfig(own=policy, scenarios=["paper"], seeds=[0, 3], folder=str(tmp_path), progress=False)
    prepare(settings, tmp_path)()
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert " ".join(said[0]) == f"5 runs, 2 of them to do: {tmp_path}"  # what scores need is in the project's table
    assert said[1] == ["scenario", "method", "budget", "seeds"]
    assert said[3] == ["paper", "mine", "1000", "0,3"]
    assert said[5] == ["scenario", "mine", "best", "fixed", "SB3", "DQN"]
    board = make_board({**read_rows(KNOWN, PROTOCOL), **read_results(tmp_path, PROTOCOL)}, "paper", 1_000)
    own, dqn = (float(board.of(name).score.value) for name in ("mine", "sb3_dqn"))
    assert said[7][:6] == ["paper", f"{own:.2f}", "(2", "of", "2", "seeds)"]
    assert said[7][6:11] == ["1.00", f"{dqn:.2f}", *said[7][8:11]]
    assert " ".join(said[7]).endswith("(10 of 10 seeds)")


def test_an_own_method_that_is_impossible_somewhere_is_said_so_there():
    method = own_method("mine", "stable_baselines3.DQN", None)
    plan = make_plan(["paper", "nr-8slices"], own=method)
    lines = own_among_others("mine", {}, plan, 1_000).splitlines()
    assert lines[-2].split() == ["paper", *3 * ["not", "run", "yet"]]
    assert lines[-1].split() == ["nr-8slices", "n/a", "not", "run", "yet", "n/a"]
