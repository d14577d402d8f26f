"""What pages conclude from figures: sentences whose claim, not only its numbers, holds in the CSVs that they name."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest

from experiments.reporting.statistics import bootstrap_interval, estimate
from tests.helpers.excerpts import DOCS, RESULTS, close, numbers, of_first_decisions, said, shows, shows_paired

AGENTS = ("dqn", "ddqn", "gan_ddqn")
"""That learned from a history."""


def lead(scenario: str, column: str, reference: str = "proportional") -> pd.Series[float]:
    """What a planner earns above a rule in some of its first decisions, by seeds."""
    return of_first_decisions(scenario, "planner", column) - of_first_decisions(scenario, reference, column)


@pytest.mark.parametrize("scenario", ["paper", "diurnal", "flash-crowd", "drift", "nr-8slices"])
def test_a_planner_chooses_well_after_ten_decisions_and_not_before(scenario):
    shown = said("planner.md", rf"than proportional slicing(?:.*\n)?.*?`{scenario}` \((.*?)\)")
    for text, method in zip(numbers(shown), ("planner", "proportional"), strict=True):
        assert shows(text, of_first_decisions(scenario, method, "u_1_10"))
    mean, half = estimate(lead(scenario, "u_1_10"))
    assert (mean + half < 0) if scenario == "diurnal" else (abs(mean) < half)
    assert (lead(scenario, "u_11_50") > 0).all()
    assert (lead(scenario, "u_101_200") > 0).all()


def test_a_planner_reaches_the_best_fixed_allocation_when_the_page_says():
    shown = said("planner.md", r"The best fixed allocation is better then on `paper`, by (.*?)\. On")
    assert shows_paired(shown, -lead("paper", "u_11_50", "best_fixed"))
    mean, half = estimate(lead("nr-8slices", "u_11_50", "best_fixed"))
    assert mean < 0 < mean + half
    assert (lead("nr-8slices", "u_101_200", "best_fixed") > 0).all()


def test_a_search_pays_from_as_many_cells_on_as_the_page_says():
    page = "hyperparameter-search.md"
    read = pd.read_csv(RESULTS / "benchmark.csv")
    price = read[(read["scenario"] == "diurnal") & (read["method"] == "random")]["regret"]
    assert shows(said(page, r"1000 random ones on `diurnal` lose (.*?) of U"), price)
    lines = (DOCS / page).read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("cell  utility, defaults"))
    rows = pd.DataFrame([list(map(float, line.split())) for line in lines[start + 2 : start + 7]])
    means = re.findall(r"loses (\d+) a cell with the defaults, and (\d+) with", "\n".join(lines))
    assert all(map(close, *means, (rows[5].mean(), rows[6].mean())))
    saved = said(page, r"found minus defaults, regret while learning, best fixed: (.*?) \(mean")
    mean, half = map(float, numbers(saved))
    cells = [math.ceil(bootstrap_interval(price).value / each) for each in (-mean, half - mean, -half - mean)]
    assert cells == [8, *map(int, numbers(said(page, r"some eight cells on \(from (.*?) by the interval")))]


def offline() -> pd.DataFrame:
    """Utilities after learning from a history, by kind of data, policy and seed."""
    read = pd.read_csv(RESULTS / "offline_paper_dense.csv")
    return read.set_index(["history", "policy", "seed"])["utility"].sort_index()


def test_a_twin_is_better_for_each_history_and_pairs_share_them():
    found = offline()
    pairs = [found[kind, f"{agent}-dt"] - found[kind, agent] for kind in ("random", "mixed") for agent in AGENTS]
    assert len(pd.concat(pairs)) == 18
    assert all((pair > 0).all() for pair in pairs)
    same, of_two = numbers(said("offline.md", r"the very same utility (\(.*?\), of seed 0 two of them \(.*?\))"))[::2]
    assert {found["random", agent, 1] for agent in AGENTS} == {float(same)}
    assert [found["random", agent, 0] for agent in AGENTS].count(float(of_two)) == 2


@pytest.mark.parametrize("page", ["results.md", "offline.md"])
def test_pages_say_what_is_left_without_the_conservative_term(page):
    printed = said("results/offline.md", r"eta = 0;(?:.*\n)+?ddqn-dt minus ddqn: (.*?) \(mean over 3 seeds")
    assert f"({printed})" in (DOCS / page).read_text()


def test_a_lead_of_teachers_is_called_not_shown_while_its_interval_holds_0():
    shown = said("students.md", r"paired differences, (.*?), hold 0").split(" and ")
    for cell, (name, agent) in zip(shown, (("paper", "dqn"), ("diurnal", "ddqn")), strict=True):
        read = pd.read_csv(RESULTS / f"students_{name}.csv")
        teachers = read[read["hidden"] == 0].set_index(["teacher", "seed"])["utility"]
        assert shows_paired(cell, teachers[f"{agent}-dt"] - teachers[agent])
        mean, half = map(float, numbers(cell))
        assert mean - half < 0
        for _, own in read[read["hidden"] > 0].groupby("hidden"):
            lost = teachers - own.set_index(["teacher", "seed"])["utility"]
            assert lost.max() < float(said("students.md", r"A student loses (.*?) of U at most"))


def test_the_benchmark_has_as_many_rows_as_the_page_says():
    read = pd.read_csv(RESULTS / "benchmark.csv")
    text = (DOCS / "benchmark.md").read_text()
    rows, runs, other = numbers(said("benchmark.md", r"So the CSV has (.*?) are `hard`"))
    once = read[read["method"].isin(["hard", "proportional", "best_fixed"]) & (read["seed"] > 0)]
    assert [len(read), len(read) - len(once), len(once)] == [int(rows), int(runs), int(other)]
    assert f"{runs} runs are done;" in text


def test_the_headroom_of_four_cells_is_that_of_their_rows():
    read = pd.read_csv(RESULTS / "headroom.csv")
    own = read[(read["scenario"] == "diurnal") & (read["seed"] < 4)].set_index(["policy", "seed"])["utility"]
    shown = said("scenarios.md", r"On these four cells the headroom of `diurnal` falls from (.*?) \(")
    assert shows_paired(shown, own["one_step_oracle"] - own["best_fixed"])
