"""Rows of the benchmark: one per run, as a small JSON while runs go on, together as a CSV."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from experiments.benchmark_suite.protocol import LOWER, UPPER, Protocol, normalised_score
from experiments.reporting.tables import write_rows
from slicing_gym.files import atomic_write
from slicing_gym.reading import parsing, read_csv, read_json

RESULTS = "results"
"""Folder of the JSON files, below that of the benchmark."""


class RunKey(NamedTuple):
    """Which run it is.

    Args:
        scenario: name of the preset.
        method: name of the method.
        budget: real decisions.
        seed: of the training run.
    """

    scenario: str
    method: str
    budget: int
    seed: int

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.scenario}_{self.method}_{self.budget}_seed{self.seed}"


@dataclass(frozen=True)
class RunRow:
    """What a run brought.

    Args:
        scenario, method, budget, seed: see `RunKey`.
        utility: mean U on the unseen cells.
        reward_at_c_max: share of decisions there with U at or above the scenario's final threshold.
        regret: U of the best fixed allocation less that of the method, summed over the training decisions on the same
            cell.
        cpu_seconds: processor time of training; of a method that does not learn, of choosing.
        protocol: version of the protocol.
        versions: of Python and of packages.
    """

    scenario: str
    method: str
    budget: int
    seed: int
    utility: float
    reward_at_c_max: float
    regret: float
    cpu_seconds: float
    protocol: int
    versions: str

    @property
    def key(self) -> RunKey:
        """Which run it is."""
        return RunKey(self.scenario, self.method, self.budget, self.seed)


_DIGITS = {"utility": 6, "reward_at_c_max": 6, "regret": 3, "cpu_seconds": 1}
_HEADER = [each.name for each in fields(RunRow)]
_HEADER.insert(_HEADER.index("utility") + 1, "score")


def result_file(folder: Path, key: RunKey) -> Path:
    """Where the result of a run is, or will be."""
    return folder / RESULTS / f"{key.name}.json"


def write_result(folder: Path, row: RunRow) -> None:
    """Write the result of a run, atomically."""
    with atomic_write(result_file(folder, row.key)) as file:
        file.write(json.dumps(asdict(row), indent=2).encode())


def read_results(folder: Path, protocol: Protocol) -> dict[RunKey, RunRow]:
    """Results of all runs in a folder, but for those of another version of the protocol.

    Args:
        folder: that `folder=` of the command names.
        protocol: of the benchmark.

    Raises:
        ValueError: a file is damaged; the message names it.
    """
    found = [_row("folder", path, read_json("folder", path)) for path in sorted((folder / RESULTS).glob("*.json"))]
    return {row.key: row for row in found if row.protocol == protocol.version}


def read_rows(path: Path, protocol: Protocol) -> dict[RunKey, RunRow]:
    """Rows of a CSV, but for those of another version of the protocol.

    Args:
        path: of the CSV, as `write_table` writes it.
        protocol: of the benchmark.

    Raises:
        OSError, ValueError: there is no such file, or it is damaged; the message names it.
    """
    header, lines = read_csv("table", path, [each.name for each in fields(RunRow)], _DAMAGED)
    found = [_row("table", path, dict(zip(header, line, strict=True))) for line in lines]
    return {row.key: row for row in found if row.protocol == protocol.version}


def _row(key: str, path: Path, given: Mapping[str, object]) -> RunRow:
    kinds: dict[str, Callable[[Any], Any]] = {"int": int, "float": float, "str": str}
    with parsing(key, path, _DAMAGED):
        missing = [each.name for each in fields(RunRow) if each.name not in given]
        if missing:
            raise ValueError(f"it has no {', '.join(map(repr, missing))}")
        return RunRow(**{each.name: kinds[str(each.type)](given[each.name]) for each in fields(RunRow)})


_DAMAGED = "holds no row of the benchmark, or is damaged"


def score_of(row: RunRow, rows: Mapping[RunKey, RunRow], protocol: Protocol) -> float | None:
    """The normalised score of a row; None while hard slicing or the oracle are not run on its scenario.

    Both are taken from the first seed: neither learns, so that all seeds have the same.
    """
    budget = protocol.first_budget
    found = [rows.get(RunKey(row.scenario, name, budget, protocol.seeds(budget)[0])) for name in (LOWER, UPPER)]
    lower, upper = found
    if lower is None or upper is None:
        return None
    return normalised_score(row.utility, lower.utility, upper.utility)


def in_order(rows: Iterable[RunRow], methods: Sequence[str], protocol: Protocol) -> list[RunRow]:
    """Rows by scenario, budget, method and seed; methods of one's own behind the others."""

    def place(row: RunRow) -> tuple[int, int, int, str, int]:
        number = methods.index(row.method) if row.method in methods else len(methods)
        return protocol.scenarios.index(row.scenario), row.budget, number, row.method, row.seed

    return sorted((row for row in rows if row.scenario in protocol.scenarios), key=place)


def write_table(path: Path, rows: Mapping[RunKey, RunRow], methods: Sequence[str], protocol: Protocol) -> None:
    """Write all rows as a CSV, atomically, each with its score.

    Scores are made of utilities as they stand in the CSV, so that a row that is read and written again stays the same.

    Args:
        path: of the CSV.
        rows: by run, as `read_rows` or `read_results` gives them.
        methods: names, in the order of the rows.
        protocol: of the benchmark.
    """
    rows = {key: replace(row, utility=round(row.utility, _DIGITS["utility"])) for key, row in rows.items()}
    lines = []
    for row in in_order(rows.values(), methods, protocol):
        score = score_of(row, rows, protocol)
        shown = {**asdict(row), "score": "" if score is None else f"{score:.6f}"}
        shown |= {name: f"{getattr(row, name):.{digits}f}" for name, digits in _DIGITS.items()}
        lines.append([shown[name] for name in _HEADER])
    write_rows(path, _HEADER, lines)
