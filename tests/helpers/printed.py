"""Tables as commands print them, made again of the CSVs of docs/results that the same commands wrote."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.calibration.report import as_table as calibration_table
from experiments.calibration.report import summarize
from experiments.calibration.trials import Trial
from experiments.distill.report import StudentResult, student_tables
from experiments.fidelity.report import as_table as fidelity_table
from experiments.landscape.flatness import Flatness
from experiments.landscape.report import Measurement, landscape_tables
from experiments.offline.report import ESTIMATES, table, worth_and_errors
from experiments.regret.report import tables as regret_tables
from experiments.reporting.statistics import Estimate
from experiments.runs.folder import Run
from experiments.train.convergence import table as convergence_table
from slicing_gym import get_scenario


def rows(path: Path) -> list[dict[str, Any]]:
    """A CSV as rows by column; nan where nothing stands."""
    return pd.read_csv(path).to_dict("records")


def convergence(path: Path) -> str:
    """Of one row per run, and the episodes next to it; without what the simulator's random decisions earn."""
    curves = pd.read_csv(path.with_name(path.name.replace("_runs.csv", ".csv")))
    methods = defaultdict(list)
    for row in rows(path):
        goal = row["episodes_to_goal"]
        own = curves[(curves["agent"] == row["agent"]) & (curves["seed"] == row["seed"])]
        summary = {**row, "episodes_to_goal": None if np.isnan(goal) else goal}
        methods[row["agent"]].append(Run(path, summary, {"utility": own["utility"].to_numpy()}))
    return without_last_line(convergence_table(methods, {"utility": np.zeros(1)}))


def landscape(path: Path) -> str:
    """Of one row per agent."""
    names = list(Flatness.__dataclass_fields__)
    measured = [
        Measurement(
            (row["scenario"], row["head"]),
            row["method"],
            row["seed"],
            row["td_error"],
            Flatness(**{name: row[name] for name in names}),
            {},
            np.zeros((1, 1)),
        )
        for row in rows(path)
    ]
    return landscape_tables(measured, {"rise": 0.1, "size": 0.5})


def students(path: Path) -> str:
    """Of one row per teacher or student."""
    return student_tables([StudentResult(**row) for row in rows(path)])


class _Course:
    """What the CSV has of one method in one cell."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row

    def figures(self, _: object) -> dict[str, Any]:
        return self.row


def regret(path: Path) -> str:
    """Of one row per run and baseline."""
    methods = defaultdict(list)
    for row in rows(path):
        methods[row["method"], row["decisions"]].append(_Course(row))
    return regret_tables(get_scenario(row["scenario"]), methods)


def offline(path: Path) -> str:
    """Of one row per run and lower baseline; without the mean of the history, which stands in none."""
    texts = []
    for _, group in pd.read_csv(path).groupby("history"):
        given = [{key: None if pd.isna(value) else value for key, value in row.items()} for row in _records(group)]
        baselines: dict[int, dict[str, float]] = defaultdict(dict)
        for row in given:
            if row["utility_on_own_cell"] is None:
                baselines[row["seed"]][row["policy"]] = row["utility"]
        runs = [
            {
                **row,
                "agent": row["policy"],
                "estimates": {name: row[name] for name in ESTIMATES},
                "lower_baselines": baselines[row["seed"]],
                "utility_in_data": 0.0,
            }
            for row in given
            if row["utility_on_own_cell"] is not None
        ]
        texts += [without_last_line(table(runs)), *worth_and_errors(runs)]
    return "\n".join(texts)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")


def figures(path: Path) -> dict[tuple[str, str, str], Estimate]:
    """What `experiments.fidelity` measured: a mean, and half of its interval."""
    return {
        (row["metric"], row["variable"] if isinstance(row["variable"], str) else "", row["predictor"]): Estimate(
            row["mean"], row["half_width"]
        )
        for row in rows(path)
    }


def fidelity(path: Path) -> str:
    """Of one row per figure."""
    return fidelity_table(figures(path))


def calibration(path: Path) -> str:
    """Of one row per twin and cell."""
    return calibration_table(summarize([Trial(**row) for row in rows(path)]))


def without_last_line(text: str) -> str:
    """A table without its last row."""
    return text.rpartition("\n")[0]
