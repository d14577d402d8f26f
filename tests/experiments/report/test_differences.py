"""Agents that differ in more than what was swept, and what was typed for all runs: a reader is told."""

from __future__ import annotations

import json
import re

import pytest

from experiments.report import report
from tests.helpers.studies import config_of, leave_hydra, leave_run

PAPER = [256, 256, 128, 128]
SHIPPED = {
    "ddqn": {"_target_": "agents.DDQN"},
    "dqn": {"_target_": "agents.DQN"},
    "sb3_dqn": {"_target_": "stable_baselines3.DQN"},
    "sb3_qrdqn": {
        "_target_": "sb3_contrib.QRDQN",
        "net_arch": [256, 256, 128, 32],
        "policy_kwargs": {"n_quantiles": 8},
    },
    "gan_ddqn": {
        "_target_": "agents.DuelingGANDDQN",
        "kwargs": {"critic_steps": 5, "gradient_penalty": 10.0, "critic_weight": 0.1},
    },
    "planner": {"_target_": "agents.Planner"},
}
OWN = {"_target_": "mine.MyDQN", "net_arch": None}


def leave(folder, agent, twin="none", seed=0, overrides=None, summary=None, **settings):
    """A run of an agent with the settings of its choice, and what was typed in place of some."""
    config = config_of(twin=twin, seed=seed, agent=agent)
    own = {"policy": "MlpPolicy", "policy_kwargs": {}, "head": "dense", "net_arch": PAPER, "kwargs": {}}
    config["agent"] |= {**own, **SHIPPED.get(agent, {}), **settings}
    head = {"head": "none" if agent == "planner" else config["agent"]["head"]}
    place = folder / f"{agent}-{twin}-{seed}-{len([*folder.glob('*')])}"
    leave_run(place, twin=twin, seed=seed, agent=agent, config=config, **{**head, **(summary or {})})
    if overrides is not None:
        leave_hydra(place, config, overrides)
    return place


def notes(folder, by=None):
    (section,) = report(folder, by).sections
    return [note.removeprefix("groups also differ in ") for note in section.notes if "also differ" in note]


@pytest.mark.parametrize(
    "agents",
    [
        {"ddqn": {}, "dqn": {}},
        {"ddqn": {"head": "factored"}, "dqn": {"head": "factored"}},
        {"ddqn": {}, "gan_ddqn": {}, "planner": {}},  # kwargs come with the name, and a planner has no network
        {"ddqn-0.1": {"_target_": "agents.DDQN"}, "ddqn": {}},
        {"mine": OWN},
    ],
    ids=["dense", "factored", "kwargs-of-a-choice", "named-by-a-setting", "one-agent"],
)
def test_agents_that_differ_by_their_name_alone_get_no_line(agents, tmp_path):
    for agent, settings in agents.items():
        for twin in ("none", "lstm") if agent != "planner" else ("none",):
            leave(tmp_path, agent, twin, **settings)
    assert notes(tmp_path) == []


@pytest.mark.parametrize(
    ("agents", "told"),
    [
        (
            {"ddqn": {"head": "factored"}, "dqn": {"head": "factored"}, "sb3_dqn": {}},
            "agent.head: dense (sb3_dqn), factored (ddqn; dqn)",
        ),
        (
            {"ddqn": {}, "sb3_qrdqn": {}},
            "agent.net_arch: [256, 256, 128, 128] (ddqn), [256, 256, 128, 32] (sb3_qrdqn)",
        ),
        (
            {"ddqn": {}, "custom": OWN | {"kwargs": {"tau": 0.5}}},
            "agent.net_arch: [256, 256, 128, 128] (ddqn), the class's own (custom); "
            "agent._target_: mine.MyDQN (custom); agent.kwargs.tau: 0.5 (custom)",
        ),
        (
            {"ddqn": {}, "mine": OWN | {"policy_kwargs": {"net_arch": PAPER}, "policy": "mine.Policy"}},
            "agent._target_: mine.MyDQN (mine); agent.policy: mine.Policy (mine)",
        ),
        ({"ddqn": {}, "gan_ddqn": {"kwargs": {"critic_steps": 1}}}, "agent.kwargs.critic_steps: 1 (gan_ddqn)"),
        (
            {"ddqn": {}, "dqn": {"_target_": "stable_baselines3.dqn.dqn.DQN"}},
            "agent._target_: stable_baselines3.DQN (dqn)",
        ),
    ],
    ids=["head", "layers-of-a-choice", "custom", "layers-alike", "kwargs", "class-of-another"],
)
def test_what_a_name_does_not_say_is_one_line(agents, told, tmp_path):
    for agent, settings in agents.items():
        for seed in (0, 1):
            leave(tmp_path, agent, seed=seed, **settings)
    assert notes(tmp_path) == [told]
    found = report(tmp_path)
    assert f"note: groups also differ in {told}" in found.text().splitlines()
    assert "groups also differ in" in found.html()


def test_a_head_that_goes_with_the_twin_is_told_with_the_twin(tmp_path):
    for agent in ("ddqn", "dqn"):
        leave(tmp_path, agent, "none", head="factored")
        leave(tmp_path, agent, "lstm", head="dense")
    assert notes(tmp_path) == ["agent.head: dense (twin lstm), factored (twin none)"]


def test_what_was_swept_stands_in_the_table_alone(tmp_path):
    for layers in ([64], PAPER):
        for agent in ("ddqn", "custom"):
            leave(tmp_path, agent, net_arch=layers, **({"_target_": "mine.MyDQN"} if agent == "custom" else {}))
    (section,) = report(tmp_path).sections
    assert section.keys == ("agent", "agent.net_arch")
    assert notes(tmp_path) == ["agent._target_: mine.MyDQN (custom)"]


def test_layers_that_a_group_puts_together_are_all_named(tmp_path):
    for layers in ([64], PAPER):
        leave(tmp_path, "ddqn", net_arch=layers)
    leave(tmp_path, "dqn")
    assert notes(tmp_path, ["agent"]) == [
        "agent.net_arch: [256, 256, 128, 128] (dqn), [256, 256, 128, 128] and [64] (ddqn)"
    ]
    (section,) = report(tmp_path, ["agent"]).sections
    assert not any("agent.net_arch, too" in note for note in section.notes)  # once is enough


def test_two_classes_of_one_name_are_two_groups(tmp_path):
    for target in ("mine.One", "mine.Two"):
        leave(tmp_path, "custom", _target_=target, overrides=["agent=custom", f"agent._target_={target}"])
    leave(tmp_path, "ddqn", _target_="agents.ddqn.DDQN")  # as an agent that was made in Python has it
    leave(tmp_path, "ddqn", seed=1)
    (section,) = report(tmp_path).sections
    assert section.keys == ("agent", "agent._target_")
    assert [(group.values["agent._target_"], group.seeds) for group in section.groups] == [
        ("mine.One", [0]),
        ("mine.Two", [0]),
        ("agents.DDQN", [0, 1]),
    ]
    assert notes(tmp_path) == []


COMMON = ["+experiment=debug", "decisions=600", "agent.head=dense", "progress=false", "hydra.sweep.dir=runs/one"]


def typed(folder, *overrides, seeds=(0, 1), **changes):
    for seed in seeds:
        for rate in (0.1, 0.01):
            own = [*COMMON, *overrides, f"agent.learning_rate={rate}", f"seed={seed}"]
            leave(folder, "ddqn", seed=seed, learning_rate=rate, overrides=own, **changes)
    found = report(folder)
    (section,) = found.sections
    return section.typed, found


def test_settings_that_were_typed_for_all_runs_stand_in_one_line(tmp_path):
    line, found = typed(tmp_path, "agent.gradient_steps=8", "budgets.x=3")
    assert line == "typed for all runs: +experiment=debug, agent.gradient_steps=8, budgets.x=3"
    assert line in found.text().splitlines()
    assert line in found.markdown().splitlines()
    page = found.html()
    assert page.count(f"T{line[1:]}") == 2  # and over the pictures
    assert page.index("<h3>Pictures</h3>") < page.rindex(f"T{line[1:]}") < page.index('<div class="pictures">')


def test_only_what_all_runs_have_is_said_of_all(tmp_path):
    typed(tmp_path, "agent.gradient_steps=8", "agent.gamma=0.5", seeds=(0,))
    line, _ = typed(tmp_path, "agent.gamma=0.5", seeds=(1,))
    assert line == "typed for all runs: +experiment=debug, agent.gamma=0.5"
    leave(tmp_path, "ddqn", seed=2)  # made in Python
    (section,) = report(tmp_path).sections
    assert section.typed == ""


def test_a_typed_setting_that_is_not_in_force_says_so(tmp_path):
    line, _ = typed(tmp_path, "agent.twin_gradient_steps=2", twin_gradient_steps=2)
    assert line.endswith("agent.twin_gradient_steps=2 (not in force)")


def test_a_long_line_ends_with_how_many_settings_are_left(tmp_path):
    line, _ = typed(tmp_path, *(f"agent.kwargs.setting_{number}={'x' * 80}" for number in range(9)))
    assert len(line) < 300
    assert re.search(r"and \d more$", line)
    assert "x" * 61 not in line


LEARNS = {"gradient_steps": 1, "train_freq": 1, "exploration_fraction": 0.5}


def with_a_twin(steps, collect_by="planner"):
    """What a twin's run has of its algorithm, as it is resolved."""
    return {"collect": 200, "collect_by": collect_by, "agent_1": {"gradient_steps": steps}}


def leave_learners(folder, steps, collect_by="planner", **settings):
    """An agent without a twin and with one."""
    leave(folder, "ddqn", **LEARNS | settings)
    place = leave(folder, "ddqn", "lstm", **LEARNS)
    summary = json.loads((place / "summary.json").read_text())
    summary["config"]["algorithm"] = with_a_twin(steps, collect_by)
    (place / "summary.json").write_text(json.dumps(summary))


BY_CHANCE = "exploration: 200 decisions by chance (twin lstm)"


@pytest.mark.parametrize(
    ("steps", "collect_by", "settings", "told"),
    [
        (
            8,
            "planner",
            {},
            "updates a real decision: 1 (twin none), 8 (twin lstm); exploration: 200 decisions by the planner (twin "
            "lstm), epsilon falls until decision 300 (twin none)",
        ),
        (
            8,
            "random",
            {"gradient_steps": 16, "train_freq": 2, "exploration_fraction": 0.1, "learning_starts": 90},
            f"{BY_CHANCE}, epsilon falls until decision 90 (twin none)",
        ),
        (
            8,
            "random",
            {"kwargs": {"gradient_steps": 8, "exploration_fraction": 0.2}},
            "agent.kwargs.gradient_steps: 8 (twin none); agent.kwargs.exploration_fraction: 0.2 (twin none); "
            f"{BY_CHANCE}, epsilon falls until decision 120 (twin none)",
        ),
        (8, "random", {"gradient_steps": -1}, "updates a real decision: 1 (twin none), 8 (twin lstm); "),
        (None, "random", {}, f"{BY_CHANCE}, epsilon falls until decision 300 (twin none)"),
        (
            1,
            "random",
            {"exploration_initial_eps": 0.0, "exploration_final_eps": 0.0},
            f"{BY_CHANCE}, epsilon is 0 (twin none)",
        ),
    ],
    ids=["more", "as-many", "by-kwargs", "as-decisions", "left-open", "no-exploration"],
)
def test_what_a_twin_changes_besides_is_told(steps, collect_by, settings, told, tmp_path):
    """A gain at equal real decisions may come from updates and less exploration, as docs/convergence.md measures."""
    leave_learners(tmp_path, steps, collect_by, **settings)
    (note,) = notes(tmp_path)
    assert note.startswith(told)
    assert ("updates" in note) == ("updates" in told)


def test_updates_that_are_swept_and_agents_that_learn_alike_get_no_line(tmp_path):
    for number, steps in enumerate((1, 8)):
        leave(tmp_path, "ddqn", seed=number, **LEARNS | {"gradient_steps": steps})
    assert notes(tmp_path) == []
    leave(tmp_path, "gan_ddqn", **LEARNS | {"gradient_steps": 1})
    assert not any("updates" in note for note in notes(tmp_path, by=["agent", "agent.gradient_steps"]))
    (told,) = notes(tmp_path, by=["agent"])
    assert told == "updates a real decision: 1 (gan_ddqn), 1 and 8 (ddqn)"
