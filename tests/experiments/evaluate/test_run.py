"""`evaluate`, and the command over it."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from agents import DDQN, HardPolicy
from agents.registry import import_modules
from experiments.config.hydra import with_lists
from experiments.evaluate import Settings, compare, evaluate, make_cells
from experiments.evaluate.__main__ import LISTS, prepare
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.own_agents import Middle
from tests.helpers.runs import OWN, SCENARIO, composed, read_rows

SHORT = Settings(seeds=[0, 1], decisions=5, threads=1, progress=False)


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    """The file of an agent that has learned nothing."""
    env = gym.make("SliceRAN-v0", scenario=SCENARIO)
    path = tmp_path_factory.mktemp("ddqn") / "agent.zip"
    DDQN("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu").save(path)
    return str(path)


def test_baselines_and_saved_agents_are_compared(agent, tmp_path):
    names = ["random", "hard", "proportional", "best_fixed", "one_step_oracle", "1-18-1", agent]
    result = evaluate(names, "paper-1mhz", Settings(seeds=[0, 1, 2], decisions=20, threads=1, progress=False))
    report = result.report()
    assert "headroom (one-step oracle - best fixed)" in report
    assert "best_fixed holds 1-18-1 units (volte, video, urllc)" in report
    assert [each.policy for each in result.evaluations] == [*names[:-1], "ddqn0"]
    utility = {each.policy: each.utility.mean() for each in result.evaluations}
    assert utility["one_step_oracle"] >= utility["best_fixed"] > utility["hard"] > 5.0
    assert utility["1-18-1"] == utility["best_fixed"]
    assert result.write(tmp_path) == [tmp_path / "evaluation.csv", tmp_path / "evaluation.png"]
    rows = read_rows(tmp_path / "evaluation.csv")
    assert len(rows) == 7 * 3
    for each in result.evaluations:
        own = [float(row["utility"]) for row in rows if row["policy"] == each.policy]
        assert own == pytest.approx(each.utility, abs=1e-6)
    assert (tmp_path / "evaluation.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("kind", "shown"), [("shaped", True), ("utility", False), ("clip", False)])
def test_the_share_at_c_max_is_shown_where_the_reward_has_a_threshold(kind, shown, tmp_path):
    result = evaluate(["hard"], SCENARIO.replace(reward={"kind": kind}), SHORT)
    table = result.report().splitlines()
    assert ("share at c_max" in table[1]) == shown
    assert table[3].count("±") == 5 + shown  # utility, three SSR, SE
    result.write(tmp_path)
    assert (tmp_path / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_anything_that_predicts_is_a_policy():
    result = evaluate({"mine": Middle(SCENARIO), "other": HardPolicy(SCENARIO)}, SCENARIO, SHORT)
    assert [each.policy for each in result.evaluations] == ["mine", "other"]
    (own,) = compare(SCENARIO, {"": Middle(SCENARIO)}, make_cells(SCENARIO, 2), [0, 1], 5)
    np.testing.assert_array_equal(result.evaluations[0].utility, own.utility)


def test_an_episode_of_the_scenario_is_what_is_decided_if_nothing_is_said():
    short = SCENARIO.replace(decisions_per_episode=4)
    settings = [Settings(seeds=[3], decisions=decisions, threads=1, progress=False) for decisions in (None, 4, 5)]
    by_default, same, longer = (evaluate(["random"], short, each).evaluations[0].utility for each in settings)
    assert by_default == same != longer


@pytest.mark.parametrize(
    ("names", "changes", "message"),
    [
        (["hardd"], {}, "policy: unknown name 'hardd'; did you mean 'hard'"),
        ([], {}, "policy: none given"),
        (["33", "33", "34"], {}, "policy: 33,33,34 given, .* an allocation is typed with hyphens, as 33-33-34"),
        (["hard", "33", "67"], {}, "policy: 33,67 given, .* an allocation is typed with hyphens, as <units>-"),
        (["hard", "hard"], {}, "policy: 'hard' is given more than once"),
        (
            ["1-94-4"],
            {},
            r"policy: '1-94-4' given, allowed in scenario 'paper' are 3 numbers of 1 or more that sum to 100",
        ),
        (["hard"], {"seeds": []}, "seeds: none given"),
        (["hard"], {"seeds": [-1]}, "seeds: -1 given"),
        (["hard"], {"seeds": [3, 3]}, "seeds: .* allowed are different ones"),
        (["hard"], {"decisions": 0}, "decisions: 0 given"),
        (["hard"], {"threads": 0}, "threads: 0 given"),
    ],
)
def test_bad_evaluations_are_refused(names, changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        evaluate(names, "paper", Settings(**changes))
    overrides = [f"policy={names}".replace("'", "").replace(" ", "")]
    overrides += [f"{key}={value}".replace(" ", "") for key, value in changes.items()]
    with pytest.raises(ValueError, match=message):
        prepare(composed("evaluate", *overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_agent_of_another_scenario_is_refused(agent):
    with pytest.raises(ValueError, match="chooses among 171 actions, scenario 'paper' has 4851"):
        evaluate([agent], "paper", SHORT)


def test_a_file_that_holds_no_agent_is_refused(tmp_path):
    (tmp_path / "agent.zip").write_text("nothing")
    with pytest.raises(ValueError, match=r"policy: '.*agent\.zip' is not an agent's file, or is damaged"):
        evaluate([str(tmp_path / "agent.zip")], SCENARIO, SHORT)


def test_the_command_takes_a_list_and_a_class_of_ones_own(agent, tmp_path, capsys):
    import_modules([OWN])
    (listed,) = with_lists([f"policy={OWN}.Middle,hard,{agent}"], LISTS)
    options = ["scenario=paper-1mhz", "seeds=[0,1]", "decisions=6", "threads=1", "progress=false", f"imports=[{OWN}]"]
    prepare(composed("evaluate", listed, *options), tmp_path)()
    printed = capsys.readouterr().out
    assert "Middle  " in printed
    assert "written: " in printed
    rows = read_rows(tmp_path / "evaluation.csv")
    (own,) = compare(SCENARIO, {"": Middle(SCENARIO)}, make_cells(SCENARIO, 2), [0, 1], 6)
    assert [float(row["utility"]) for row in rows if row["policy"] == "Middle"] == pytest.approx(own.utility, abs=1e-6)
