"""Figures in pages as tests compare them with the CSVs of results: reading tables, numbers and runs."""

from __future__ import annotations

import re

import pandas as pd
from scipy import stats

from experiments.reporting.statistics import bootstrap_interval
from experiments.tools.package import ROOT

DOCS = ROOT / "docs"
RESULTS = DOCS / "results"


def numbers(text: str) -> list[str]:
    """Numbers of a text, without the spaces between their thousands."""
    return re.findall(r"-?\d+(?:\.\d+)?", re.sub(r"(?<=\d) (?=\d{3}\b)", "", text.replace("\N{MINUS SIGN}", "-")))


def close(text: str, value: float) -> bool:
    """Whether a number is what is shown of a value; CSVs keep six digits of it."""
    return abs(float(text) - value) <= 0.5001 * 10.0 ** -len(text.partition(".")[2]) + 1e-5 * abs(value)


def shows(cell: str, values: pd.Series[float]) -> bool:
    """Whether a cell has the interquartile mean of runs, with its interval or alone."""
    found = numbers(cell)
    return bool(found) and all(map(close, found, map(float, bootstrap_interval(values))))


def table(page: str, begin: str) -> list[list[str]]:
    """The rows of the Markdown table whose header begins so, by cells, the header first."""
    lines = (DOCS / page).read_text().splitlines()
    (start,) = [i for i, line in enumerate(lines) if line.startswith(f"| {begin}")]
    end = next(i for i in range(start, len(lines)) if not lines[i])
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[start:end] if "---" not in line]


def of_runs(name: str, agent: str, column: str) -> pd.Series[float]:
    """A figure of an agent's runs, by their seeds."""
    read = pd.read_csv(RESULTS / f"{name}_runs.csv")
    return read[read["agent"] == agent].set_index("seed")[column]


def of_first_decisions(scenario: str, method: str, column: str) -> pd.Series[float]:
    """A figure of a method's first decisions, by the seeds."""
    read = pd.read_csv(RESULTS / f"first_decisions_{scenario}.csv")
    return read[read["method"] == method].set_index("seed")[column]


def shows_paired(cell: str, values: pd.Series[float]) -> bool:
    """Whether a cell has the mean of differences, paired over seeds, and half of its 95 % interval."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std() / len(values) ** 0.5
    return len(numbers(cell)) == 2 and all(map(close, numbers(cell), (values.mean(), half)))


def said(page: str, sentence: str) -> str:
    """What stands in the group of a regular expression, in a page."""
    found = re.search(sentence, (DOCS / page).read_text())
    assert found, (page, sentence)
    return found[1]
