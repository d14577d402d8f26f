"""Tables that pages put together by hand hold the figures of the CSVs that they name, as do numbers in sentences."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from experiments.reporting.statistics import bootstrap_interval, estimate
from experiments.tools.page_commands import MARKDOWN
from tests.helpers import printed
from tests.helpers.excerpts import DOCS, RESULTS, close, numbers, of_first_decisions, of_runs, shows, table

PLANNERS = {
    "DDQN": "ddqn",
    "DDQN, 200 random decisions, 8 updates": "often",
    "DDQN, 50 random decisions, 8 updates": "soon_fall",
    "DDQN with a twin, random start": "ddqn-dt",
    "with a twin, planner's start": "ddqn-dt-planner",
    "planner": "planner",
}
"""Methods by the columns of the planner's page."""

FIRST_DECISIONS = {
    "planner": "planner",
    "DDQN with a twin, after the planner's 200 decisions": "ddqn-dt-planner",
    "DDQN with a twin, after 200 random decisions": "ddqn-dt",
    "DDQN without a twin": "ddqn",
}


def test_the_planner_is_compared_by_what_was_measured():
    header, *rows = table("planner.md", "scenario | regret against the best fixed allocation: DDQN |")
    methods = [PLANNERS[name.removeprefix("regret against the best fixed allocation: ")] for name in header[1:-1]]
    assert methods == list(PLANNERS.values())
    for name, *cells, oracle in rows:
        scenario = name.strip("`")
        for method, cell in zip(methods, cells, strict=True):
            if method not in ("often", "soon_fall"):
                values = of_first_decisions(scenario, method, "regret_best_fixed")
            elif (RESULTS / f"{method}_{scenario}_factored_runs.csv").exists():
                values = of_runs(f"{method}_{scenario}_factored", "ddqn", "regret")
            else:
                values = pd.Series(dtype=float)
            assert shows(cell, values) if cell else values.empty, (scenario, method)
        assert shows(oracle, of_first_decisions(scenario, "planner", "regret_oracle")), scenario


def test_a_twin_is_compared_with_a_planner_by_what_was_measured():
    _, *rows = table("when-a-twin-pays.md", "`diurnal`, 1000 decisions, five seeds |")
    assert [row[0] for row in rows] == list(FIRST_DECISIONS)
    for label, regret, final in rows:
        assert shows(regret, of_first_decisions("diurnal", FIRST_DECISIONS[label], "regret_best_fixed")), label
        assert shows(final, of_first_decisions("diurnal", FIRST_DECISIONS[label], "u_unseen")), label


COMPARED = {
    "without a twin": ("convergence", "ddqn"),
    "the same, exploring for 200 decisions": ("early", "ddqn"),
    "the same, and 8 updates a decision": ("often", "ddqn"),
    "with a twin": ("convergence", "ddqn-dt"),
    "without, 50 random decisions, 8 updates": ("soon", "ddqn"),
    "with a twin, 50 random decisions": ("soon", "ddqn-dt"),
}
"""Runs and agent by the methods of the table on random first decisions."""


def test_what_a_twin_saves_after_random_decisions_is_what_was_measured():
    _, *rows = table("when-a-twin-pays.md", "scenario | DDQN, factored head | regret, best fixed [U] |")
    assert [method for _, method, *_ in rows] == 3 * list(COMPARED)
    for name, method, *cells in rows:
        runs, agent = COMPARED[method]
        for cell, column in zip(cells, ("regret", "utility", "cpu_seconds"), strict=True):
            assert shows(cell, of_runs(f"{runs}_{name.strip('`')}_factored", agent, column)), (name, method, column)


@pytest.mark.parametrize(
    ("label", "name", "agent"),
    [
        ("DDQN, `paper`", "convergence_paper_dense", "ddqn"),
        ("DDQN, `diurnal`", "convergence_diurnal_dense", "ddqn"),
        ("stock DQN of Stable-Baselines3, `paper`", "any_agent_paper_dense", "sb3_dqn"),
    ],
)
def test_final_policies_of_the_papers_network_are_what_was_measured(label, name, agent):
    (row,) = [row for row in table("when-a-twin-pays.md", "| with a twin | without | without, ex") if row[0] == label]
    assert shows(row[1], of_runs(name, f"{agent}-dt", "utility"))
    assert shows(row[2], of_runs(name, agent, "utility"))
    if agent == "ddqn":
        assert shows(row[3], of_runs(name.replace("convergence", "often"), agent, "utility"))


def test_what_a_twin_saves_under_the_papers_reward_is_what_was_measured():
    _, *rows = table("when-a-twin-pays.md", "DDQN, `paper` | with a twin | without | without, 7.5")
    columns = {
        "first episode with reward 0.8": "episodes_to_goal",
        "decisions": "decisions",
        "regret, best fixed [U]": "regret",
        "final U, unseen cells": "utility",
        "CPU seconds": "cpu_seconds",
    }
    assert [row[0] for row in rows] == list(columns)
    for label, twin, without, at_once in rows:
        assert shows(twin, of_runs("eq6_twin_paper_dense", "ddqn-dt", columns[label])), label
        assert shows(without, of_runs("eq6_plain_paper_dense", "ddqn", columns[label])), label
        assert shows(at_once, of_runs("eq6_final_threshold_often_paper_dense", "ddqn", columns[label])), label


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("convergence.md", "alone costs (.*?) \\(mean of the five seeds of `paper`; (.*?) to (.*?)\\)"),
        ("results/convergence.md", "alone costs (.*?) \\(mean of the five seeds of `paper`; (.*?) to (.*?)\\)"),
        ("convergence.md", "of utility instead of (.*?)\\. The"),
        ("when-a-twin-pays.md", "([0-9]+) of the regret on `paper` \\(mean of five seeds\\) is the first, random"),
    ],
)
def test_the_first_episode_costs_what_it_cost(page, sentence):
    runs = of_runs("convergence_paper_factored", "ddqn", "best_fixed_on_own_cell")
    read = pd.read_csv(RESULTS / "convergence_paper_factored.csv")
    first = read[(read["agent"] == "ddqn") & (read["episode"] == 1)]
    cost = first["decisions"].to_numpy() * (runs.to_numpy() - first["utility"].to_numpy())
    (found,) = re.findall(sentence, (DOCS / page).read_text())
    given = [found] if isinstance(found, str) else found
    assert all(map(close, given, [cost.mean(), cost.min(), cost.max()]))


def test_pages_that_name_regrets_in_sentences_have_those_of_the_planners_page():
    """Of DDQN with a twin on `paper`: after random decisions, and after the planner's."""
    after = "The regret of DDQN with a twin falls from (.*?) to (.*?)\\. *$"
    (found,) = re.findall(after, (DOCS / "convergence.md").read_text(), re.MULTILINE)
    for text, method in zip(found, ("ddqn-dt", "ddqn-dt-planner"), strict=True):
        assert shows(text, of_first_decisions("paper", method, "regret_best_fixed"))


def test_a_budget_of_two_episodes_brought_what_the_csv_says():
    """But for the utility of the second episode, whose curves are not kept."""
    lines = (RESULTS / "convergence.md").read_text().splitlines()
    start = lines.index("python -m experiments.figures convergence runs/two_episodes")
    for agent in ("ddqn", "ddqn-dt"):
        shown = next(re.split(r"\s{2,}", line) for line in lines[start:] if line.startswith(f"{agent} "))
        runs = printed.rows(RESULTS / "two_episodes_diurnal_geometry_runs.csv")
        own = pd.DataFrame([row for row in runs if row["agent"] == agent])
        goal = bootstrap_interval(own["episodes_to_goal"].fillna(float("inf"))).show(1, ">2")
        assert [shown[1], shown[3]] == [str(len(own)), goal]
        for cell, column in zip(shown[5:], ("utility", "regret", "cpu_seconds"), strict=True):
            assert shows(cell, own[column]), (agent, column)


def test_the_study_says_what_its_cells_differ_by():
    """The means of the differences are those of the five rows above them."""
    lines = (DOCS / "hyperparameter-search.md").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("cell  utility, defaults"))
    names = ("U on unseen cells", "share at c_max on unseen cells", "regret while learning, best fixed")
    rows = pd.DataFrame([list(map(float, line.split())) for line in lines[start + 2 : start + 7]])
    for number, name in enumerate(names):
        mean, half = estimate(rows[2 * number + 2] - rows[2 * number + 1])
        (line,) = [line for line in lines if line.startswith(f"found minus defaults, {name}: ")]
        shown = list(map(float, numbers(line.rpartition(": ")[2].partition(" (")[0].replace("± ", ""))))
        assert shown == pytest.approx([mean, half], abs=2e-3), name


LOG_VARIABLES = {
    "rate of eMBB": "tx_brate_mbps_embb",
    "rate of MTC": "tx_brate_mbps_mtc",
    "rate of URLLC": "tx_brate_mbps_urllc",
    "spectral efficiency": "spectral_efficiency",
    "packets of eMBB": "arrivals_embb",
    "eMBB": "embb",
    "MTC": "mtc",
    "URLLC": "urllc",
}
"""Variables of the emulator's log by their names on the page."""


def test_what_the_prior_costs_on_the_log_is_what_was_measured():
    found = [printed.figures(RESULTS / f"fidelity_colosseum_{name}.csv") for name in ("lstm", "no-prior")]
    _, *rows = table("results/twin-fidelity.md", "LSTM | with the prior | without |")
    for label, *cells in rows:
        metric, _, name = label.partition(", ")
        metric = metric.replace("SSR falls", "SSR falls with more units: held")
        key = ("R²", "utility") if label == "R² of the utility" else (metric, LOG_VARIABLES[name])
        for cell, figures in zip(cells, found, strict=True):
            mean, half = figures[(*key, "twin")]
            shown = numbers(cell)
            assert close(shown[0], mean), label
            assert len(shown) == 1 or abs(float(shown[1]) - half) <= 0.001, label


def test_the_page_says_of_the_log_what_its_tables_do():
    found = printed.figures(RESULTS / "fidelity_colosseum_lstm.csv")
    text = (DOCS / "twin.md").read_text()
    (skills,) = re.findall(r"persistence and climatology do \(skill (.*?) to (.*?)\)", text)
    known = [f"tx_brate_mbps_{name}" for name in ("embb", "mtc", "urllc")]
    known += ["dl_buffer_bytes_embb", "arrivals_embb", "arrivals_urllc"]
    measured = [found["skill", name, "twin"].mean for name in known]
    assert all(map(close, skills, [min(measured), max(measured)]))
    (inside,) = re.findall(r"too narrow: (\d+) and (\d+) % of the values lie inside 90 %", text)
    assert all(
        map(close, inside, [100 * found["inside 90 %", f"arrivals_{name}", "twin"].mean for name in ("embb", "mtc")])
    )


def test_a_wrong_number_would_be_found():
    values = pd.Series([1.0, 2.0, 3.0])
    assert shows("2.00 [1.00, 3.00]", values)
    assert not shows("2.01", values)
    assert not shows("2.00 [1.00, 3.10]", values)
    assert not shows("none", values)
    assert numbers("\N{MINUS SIGN}807 [54 231, 0.5]") == ["-807", "54231", "0.5"]


def test_every_table_of_figures_is_linked_from_a_page():
    pages = (page.read_text() for page in MARKDOWN)
    linked = {target.rpartition("/")[2] for text in pages for target in re.findall(r"\]\(([^)\s]+\.csv)\)", text)}
    assert {path.name for path in RESULTS.glob("*.csv")} <= linked
