"""Printed tables in the docs say what the CSVs say that they come from."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from experiments.regret.report import EARNED, LOST, _shown
from experiments.reporting.statistics import bootstrap_interval, estimate
from tests.helpers.pages import ROOT

DOCS = ROOT / "docs"
CONVERGENCE = (
    *("convergence_paper_dense", "convergence_paper_geometry", "convergence_paper_factored"),
    *("convergence_diurnal_factored", "convergence_flash-crowd_factored"),
    *("any_agent_diurnal_dense", "any_agent_paper_dense", "long_paper_dense", "long_paper_geometry"),
    *("convergence_diurnal_dense", "convergence_diurnal_geometry", "two_episodes_diurnal_geometry"),
    *("eq6_twin_paper_dense", "eq6_plain_paper_dense", "eq6_longer_paper_dense"),
)
"""Files of runs, in the order of the tables of docs/results/convergence.md."""
FIDELITY = ("paper_lstm", "diurnal_lstm", "large-urllc_lstm", "colosseum_lstm", "colosseum_transformer")
"""Those of docs/results/twin-fidelity.md, before other tables."""


def printed(page: str) -> Iterator[list[dict[str, str]]]:
    """The rows of each table that a command printed, by column; a line of dashes is under its header."""
    lines = (DOCS / page).read_text().splitlines()
    for number, line in enumerate(lines):
        if number and len(line) > 20 and set(line) == {"-"}:
            header = lines[number - 1]
            starts = [0, *(match.end() for match in re.finditer(r" {2,}", header))]
            parts = [slice(*each) for each in zip(starts, [*starts[1:], None], strict=True)]
            end = next(i for i in range(number + 1, len(lines)) if not lines[i] or lines[i].startswith("```"))
            yield [{header[part].strip(): row[part].strip() for part in parts} for row in lines[number + 1 : end]]


def rows(name: str) -> list[dict[str, str]]:
    """A CSV's rows."""
    with (DOCS / "results" / name).open() as file:
        return list(csv.DictReader(file))


def values(name: str, key: str) -> dict[str, list[dict[str, str]]]:
    """A CSV's rows by method."""
    found = defaultdict(list)
    for row in rows(name):
        found[row[key]].append(row)
    return found


def test_tables_of_convergence():
    tables = list(printed("results/convergence.md"))
    assert len(tables) == len(CONVERGENCE)
    columns = {"final U, unseen cells": ("utility", 3), "regret, best fixed [U]": ("regret", 0)}
    for table, name in zip(tables, CONVERGENCE, strict=True):
        runs = values(f"{name}_runs.csv", "agent")
        assert {row["method"] for row in table} == {*runs, "random"}
        for row in table[:-1]:
            for column, (key, digits) in columns.items():
                numbers = [float(run[key]) for run in runs[row["method"]]]
                assert row[column] == bootstrap_interval(numbers).show(digits), (name, row["method"], column)


def test_tables_of_the_planner():
    tables = list(printed("results/planner.md"))
    scenarios = ("paper", "diurnal", "flash-crowd", "drift", "nr-8slices")
    assert len(tables) == 2 * len(scenarios)
    for number, table in enumerate(tables):
        scenario = scenarios[number // 2]
        runs = values(f"first_decisions_{scenario}.csv", "method")
        for row in table:
            for key, (column, digits) in (LOST if number % 2 else EARNED).items():
                numbers = [float(run[key]) for run in runs[row["method"]]]
                assert row[column] == _shown(numbers, digits), (scenario, row["method"], column)


@pytest.mark.parametrize(("number", "name"), list(enumerate(FIDELITY)))
def test_tables_of_fidelity(number, name):
    table = list(printed("results/twin-fidelity.md"))[number]
    found = {(row["metric"], row["variable"], row["predictor"]): row for row in rows(f"fidelity_{name}.csv")}
    compared = 0
    for row in table:
        for predictor in [key for key in row if key not in ("metric", "of") and row[key]]:
            exact = found[row["metric"], row["of"], predictor.replace(" ", "_")]
            digits = (("mean", 1e-5), ("half_width", 5e-3))  # as the CSV has them
            for shown, (key, written) in zip(row[predictor].split(" ± "), digits, strict=False):
                last = 10.0 ** -len(shown.partition(".")[2])
                assert float(shown) == pytest.approx(float(exact[key]), abs=0.51 * last, rel=written), (name, row)
                compared += 1
    assert compared > 30


def test_tables_of_scenarios():
    by_policy = defaultdict(list)
    for row in rows("headroom.csv"):
        by_policy[row["scenario"], row["policy"]].append(float(row["utility"]))
    headings = re.findall(r"^## (\S+)\n", (DOCS / "scenarios.md").read_text(), re.MULTILINE)
    scenarios = [each for each in headings if (each, "hard") in by_policy]
    tables = list(printed("scenarios.md"))
    assert len(tables) == len(scenarios) == 8
    for scenario, table in zip(scenarios, tables, strict=True):
        for row in table:
            if not row["policy"].startswith("headroom"):
                assert row["utility"] == estimate(by_policy[scenario, row["policy"]]).show(3)


def test_the_table_of_the_readme():
    utility = {(row["scenario"], row["policy"], row["seed"]): float(row["utility"]) for row in rows("headroom.csv")}
    shown = re.findall(r"^\| `(\S+)` \|[^|]*\| (\S+ ± \S+) \| (\S+ ± \S+) \|$", (ROOT / "README.md").read_text(), re.M)
    assert len(shown) == 8
    for scenario, fixed, headroom in shown:
        best, oracle = (
            np.array([value for key, value in utility.items() if key[:2] == (scenario, policy)])
            for policy in ("best_fixed", "one_step_oracle")
        )
        assert (fixed, headroom) == (estimate(best).show(3), estimate(oracle - best).show(3)), scenario
