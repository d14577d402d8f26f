"""Printed tables of the docs hold the numbers of the CSVs that they come from, on whichever page they stand."""

from __future__ import annotations

import re
from decimal import Decimal

import pandas as pd
import pytest

from experiments.reporting.statistics import estimate
from experiments.tools.package import ROOT
from experiments.tools.page_commands import MARKDOWN
from tests.helpers import printed

RESULTS = ROOT / "docs" / "results"

WHOLE = {
    "any_agent_*_runs.csv": printed.convergence,
    "convergence_*_runs.csv": printed.convergence,
    "early_*_runs.csv": printed.convergence,
    "often_*_runs.csv": printed.convergence,
    "soon_*_runs.csv": printed.convergence,
    "bandit_*_runs.csv": printed.convergence,
    "eq6_*_runs.csv": printed.convergence,
    "long_*_runs.csv": printed.convergence,
    "landscape_*_flatness.csv": printed.landscape,
    "students_*.csv": printed.students,
    "first_decisions_*.csv": printed.regret,
    "offline_*.csv": printed.offline,
    "calibration.csv": printed.calibration,
}
"""Which CSVs are printed whole, and how their tables are made again; each line of these stands on some page."""

PARTLY = {"fidelity_*.csv": (printed.fidelity, "metric of twin", 6)}
"""Which are printed in part, how their tables begin, and how many there are; tables of other runs begin so, too."""


def words(line: str) -> str:
    """A line of a table, as text or as Markdown, without what only aligns it."""
    return re.sub(r"[\s|\\`]+", " ", line).strip()


def form(line: str) -> tuple[str, list[tuple[str, str]]]:
    """A line without its numbers, and these, each with what tells the half of an interval from others."""
    number = r"(± )?(-?\d+(?:\.\d+)?(?:e[+-]\d+)?)"
    return re.sub(number, "#", line), re.findall(number, line)


def same(numbers: list[tuple[str, str]], others: list[tuple[str, str]]) -> bool:
    """Whether numbers agree, but for one that is rounded the other way, since CSVs hold six digits.

    Of halves of intervals they hold three.
    """
    rounded = 0
    for (half, one), (_, other) in zip(numbers, others, strict=True):
        apart, unit = abs(float(one) - float(other)), 10.0 ** Decimal(one).as_tuple().exponent
        kept = max(1.01 * unit, 0.006 * float(one)) if half else 5e-6 * abs(float(one))
        if one != other and apart > kept:
            rounded += 1 if apart <= 1.01 * unit else 2
    return rounded < 2


def alike(line: str, others: dict[str, list[list[tuple[str, str]]]]) -> bool:
    """Whether a line is among others."""
    text, numbers = form(line)
    return any(same(numbers, each) for each in others.get(text, ()))


def by_form(lines: list[str]) -> dict[str, list[list[tuple[str, str]]]]:
    """Lines as `alike` searches them."""
    found: dict[str, list[list[tuple[str, str]]]] = {}
    for line in lines:
        text, numbers = form(line)
        found.setdefault(text, []).append(numbers)
    return found


LINES = [words(line) for path in MARKDOWN for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def shown():
    return by_form(LINES)


@pytest.mark.parametrize(
    ("path", "make"),
    [pytest.param(path, make, id=path.stem) for name, make in WHOLE.items() for path in sorted(RESULTS.glob(name))],
)
def test_each_line_of_a_table_stands_in_the_docs(path, make, shown):
    made = [words(line) for line in make(path).splitlines() if re.search(r"\d\.\d|\d of \d", line)]
    assert made
    assert [line for line in made if not alike(line, shown)] == []


@pytest.mark.parametrize("name", PARTLY)
def test_each_line_of_a_table_in_the_docs_is_one_of_the_files(name):
    make, begin, number = PARTLY[name]
    made = by_form([words(line) for path in sorted(RESULTS.glob(name)) for line in make(path).splitlines()])
    whole = 0
    for start in [i for i, line in enumerate(LINES) if line.startswith(begin)]:
        end = next(i for i in range(start + 2, len(LINES)) if not LINES[i])
        unknown = [line for line in LINES[start + 2 : end] if not alike(line, made)]
        assert unknown in ([], LINES[start + 2 : end])
        whole += not unknown
    assert whole == number


CELLS = [
    [words(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for path in MARKDOWN
    for line in path.read_text().splitlines()
    if line.startswith("| ")
]
"""The rows of all Markdown tables of the docs, by cells."""


def test_a_wrong_number_would_be_found():
    known = by_form(["ddqn 5 8.054 [7.969, 8.110] 3.2 ± 10.4"])
    assert alike("ddqn 5 8.055 [7.969, 8.110] 3.2 ± 10.45", known)
    for line in ("ddqn 5 8.056 [7.969, 8.110] 3.2 ± 10.4", "ddqn 5 8.055 [7.968, 8.110] 3.2 ± 10.4", "ddqn 5"):
        assert not alike(line, known)


def agrees(cell: str, value: float, half: float) -> bool:
    """Whether a mean and half of its interval are a cell's, to the digits that it shows and the CSV keeps."""
    numbers = re.findall(r"-?\d+\.?\d*", cell)
    assert len(numbers) == 2, cell
    kept = [1e-5 * abs(value), 0.006 * half]
    known = zip(numbers, (value, half), kept, strict=True)
    return all(abs(float(text) - it) <= 0.5001 * 10.0 ** -len(text.partition(".")[2]) + by for text, it, by in known)


def test_scenarios_are_described_by_the_evaluation_of_all_baselines():
    """The table of the README, and the column "utility" of the gallery."""
    table = pd.read_csv(RESULTS / "headroom.csv").pivot(index=["scenario", "seed"], columns="policy", values="utility")
    for scenario, own in table.groupby("scenario"):
        best, room = estimate(own["best_fixed"]), estimate(own["one_step_oracle"] - own["best_fixed"])
        rows = [row for row in CELLS if row[0] == scenario and len(row) == 4 and "±" in row[2]]
        assert rows
        for row in rows:
            assert agrees(row[2], *best), row
            assert agrees(row[3], *room), row
        for policy in own:
            begin = f"{policy} {estimate(own[policy]).show(3)} "
            assert any(line.startswith(begin) for line in LINES), begin
        assert f"headroom (one-step oracle - best fixed): {room.show(3)}" in LINES


COMPARED = {
    2: ("CRPS / noise floor's", "state"),
    3: ("NLL [nat]", "arrivals_video"),
    4: ("R²", "utility"),
    5: ("rank correlation", "200 allocations"),
    6: ("fit [s]", ""),
    7: ("CRPS 50 ahead", "arrivals_video"),
    8: ("distance after 200", "arrivals_video"),
}
"""Columns of the table that compares transitions, by number, and which figures they are."""


@pytest.mark.parametrize("path", sorted(RESULTS.glob("fidelity_[!c]*.csv")), ids=lambda path: path.stem)
def test_transitions_are_compared_by_their_figures(path):
    _, scenario, transition = path.stem.split("_")
    figures = printed.figures(path)
    (row,) = [row for row in CELLS if row[:2] == [scenario, transition] and len(row) == 10]
    for number, key in COMPARED.items():
        assert agrees(row[number], *figures[(*key, "twin")]), (row[number], key)


UNCERTAIN = {
    "inside 90 %, utility": ("inside 90 %", "utility"),
    "correlation of std and absolute error, utility": ("corr. std, |error|", "utility"),
    "correlation of std and absolute error, attainable": ("corr. std, |error|", "attainable"),
    "median std, allocations held": ("median std", "allocations held"),
    "median std, never held": ("median std", "never held"),
    "share that truncate ends, allocations held": ("truncated", "allocations held"),
    "share that truncate ends, never held": ("truncated", "never held"),
    **{f"predicted std, bin {n}": ("predicted std", f"bin {n}") for n in range(1, 6)},
    **{f"RMS error, bin {n}": ("RMS error", f"bin {n}") for n in range(1, 6)},
}
"""Rows of the table of uncertainties, and which figures they are of allocations that were never held."""


def test_uncertainties_are_those_of_the_files():
    found = {name: printed.figures(RESULTS / f"uncertainty_{name}.csv") for name in ("paper", "diurnal")}
    for label, (metric, variable) in UNCERTAIN.items():
        (row,) = [row for row in CELLS if row[0] == label]
        for cell, figures in zip(row[1:], found.values(), strict=True):
            assert agrees(cell, *figures[f"never held: {metric}", variable, "twin"]), row


def test_the_study_shows_what_its_trials_were_worth():
    table = pd.read_csv(RESULTS / "search_diurnal.csv")
    worth = {str(trial): f"{value:.3f}" for trial, value in zip(table["trial"], table["value"], strict=True)}
    start = LINES.index("trial in its trial in the final")
    rows = [line.split() for line in LINES[start + 2 : start + 6]]
    assert [row[1] for row in rows] == [worth["0" if row[0] == "defaults" else row[0]] for row in rows]
