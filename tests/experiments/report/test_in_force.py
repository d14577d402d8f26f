"""Settings that a run has and does not use make no groups, and stand in no way of a comparison."""

from __future__ import annotations

import pytest

from experiments.report import report
from experiments.report.in_force import not_in_force
from experiments.report.pictures import VARIED, pictures
from tests.helpers.studies import TWINS, config_of, leave_run

AGENT_1 = {
    "learning_rate": 3e-4,
    "gradient_steps": 8,
    "exploration_initial_eps": 0.0,
    "exploration_final_eps": 0.0,
}
AGENT_2 = {"learning_starts": 256, "gradient_steps": 8, "exploration_fraction": 0.7, "exploration_final_eps": 0.05}
AGENT = {
    "learning_rate": 1e-3,
    "gamma": 0.8,
    "learning_starts": 50,
    "gradient_steps": 8,
    "twin_gradient_steps": 8,
    "exploration_fraction": 0.5,
    "exploration_initial_eps": 1.0,
    "exploration_final_eps": 0.02,
}


def config_with(twin, seed=0, agent_1=(), collect=200, **agent):
    """A configuration with what Algorithm 1 changes of the agent."""
    config = config_of(twin=twin, seed=seed)
    config["agent"] |= {**AGENT, **agent}
    config["algorithm"] = {"collect": collect, "agent_1": {**AGENT_1, **dict(agent_1)}, "agent_2": AGENT_2}
    return config


def values_of(twin, head="dense", **changes):
    values = {"twin": twin, "agent": "ddqn", "agent._target_": "agents.DDQN", "head": head, "planner.memory": None}
    values |= {f"agent.{key}": value for key, value in AGENT.items()}
    roles = {"agent_1": AGENT_1, "agent_2": AGENT_2}
    values |= {f"algorithm.{role}.{key}": own for role, each in roles.items() for key, own in each.items()}
    return {**values, "algorithm.epochs": 200, "algorithm.agent.batch_size": 256, **changes}


@pytest.mark.parametrize(
    ("values", "unused"),
    [
        (values_of("lstm"), {"learning_starts", "exploration_fraction", "exploration_final_eps"}),
        (
            values_of("lstm", "factored"),
            {"learning_starts", "exploration_fraction", "exploration_final_eps", "gradient_steps"},
        ),
        (
            values_of("lstm", **{"algorithm.agent_1.exploration_initial_eps": 0.5}),  # epsilon of Agent 1 falls
            {"learning_starts", "exploration_final_eps"},
        ),
        (values_of("none"), {"twin_gradient_steps"}),
        (values_of("none", agent="planner"), set(AGENT)),
    ],
    ids=["twin", "factored", "falling", "none", "planner"],
)
def test_what_a_run_does_not_use(values, unused):
    found = not_in_force("train", values)
    assert {key.removeprefix("agent.") for key in found if key.startswith("agent.")} == unused
    without = {key for key in values if key.startswith("algorithm.")} if values["twin"] == "none" else set()
    assert {key for key in found if key.startswith("algorithm.")} == without
    nobody_plans = values["twin"] == "none" and values["agent"] != "planner"  # else it collects
    assert ("planner.memory" in found) == nobody_plans


def test_what_learning_from_a_history_does_not_use():
    found = not_in_force("offline", values_of("none"))
    assert "algorithm.epochs" not in found
    assert "algorithm.agent.batch_size" not in found
    assert "algorithm.agent_2.learning_starts" in found
    assert {"agent.exploration_fraction", "agent.learning_starts"} <= found.keys()
    assert "agent.learning_rate" not in found
    assert not_in_force("train", {"agent.learning_rate": 0.1}) == {}  # nothing says which twin


def leave_study(folder):
    """Two fractions with a twin and without, of three seeds each; with a twin both are one run."""
    for fraction in (0.1, 0.5):
        for twin in TWINS:
            for seed in range(3):
                config = config_with(twin, seed, exploration_fraction=fraction)
                rate = fraction if twin == "none" else 1.0  # that the figures go by
                leave_run(folder / f"{fraction}-{twin}-{seed}", rate, twin, seed, config=config)
    return folder


def test_runs_with_a_twin_are_in_no_group_by_a_setting_that_it_overrides(tmp_path):
    found = report(leave_study(tmp_path / "runs"))
    (section,) = found.sections
    shown = [tuple(group.values.values()) for group in section.groups]
    assert section.keys == ("twin", "agent.exploration_fraction")
    assert shown == [("none", "0.1"), ("none", "0.5"), ("lstm", "-")]
    assert [group.seeds_shown for group in section.groups] == ["3"] * 3  # none counts twice
    labels = {each.label for each in section.differences}
    assert labels == {
        "twin: lstm minus none (agent.exploration_fraction 0.1, not in force with twin lstm)",
        "twin: lstm minus none (agent.exploration_fraction 0.5, not in force with twin lstm)",
        "agent.exploration_fraction: 0.5 minus 0.1 (twin none)",
    }
    assert any(
        note.startswith("agent.exploration_fraction is - ") and "algorithm.agent_1" in note for note in section.notes
    )
    (draw,) = [draw for title, draw in pictures(section).items() if title.startswith(VARIED)]
    figure = draw()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["without a twin", "LSTM twin"]
    lines = [container.lines[0].get_ydata() for container in figure.axes[0].containers]
    assert [len(line) for line in lines] == [2, 2]
    assert lines[1][0] == lines[1][1]


def test_runs_without_a_twin_are_in_no_group_by_a_setting_of_algorithm_1(tmp_path):
    for collect in (100, 200):
        for twin in TWINS:
            leave_run(tmp_path / f"{twin}-{collect}", twin=twin, config=config_with(twin, collect=collect))
    (section,) = report(tmp_path).sections
    assert [tuple(group.values.values()) for group in section.groups] == [
        ("none", "-"),
        ("lstm", "100"),
        ("lstm", "200"),
    ]


def test_a_setting_that_no_run_uses_is_named(tmp_path):
    for number, starts in enumerate((10, 20)):
        folder = leave_run(tmp_path / str(number), twin="lstm", config=config_with("lstm", learning_starts=starts))
        (folder / ".hydra").mkdir()
        (folder / ".hydra" / "overrides.yaml").write_text(f"[agent.learning_starts={starts}]")
    (section,) = report(tmp_path).sections
    assert len(section.groups) == 1
    assert any(note.startswith("agent.learning_starts is - ") and "collect" in note for note in section.notes)
