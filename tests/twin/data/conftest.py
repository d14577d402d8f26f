"""A history of nine decisions, and a log of two nights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twin import Control, History
from twin.data.logs import LogMapping

# Two runs; in the first interval 2 is missing, so there are three sequences: of 2, 3 and 4 decisions.
RUN = [0, 0, 0, 0, 0, 1, 1, 1, 1]


INTERVAL = [0, 1, 3, 4, 5, 0, 1, 2, 3]


def parts_of(scenario) -> dict:
    """What a valid history of nine decisions is made of."""
    seen = np.random.default_rng(0).integers(0, 30, size=(12, 2))  # an interval each, sequence by sequence
    before, after = [0, 1, 3, 4, 5, 7, 8, 9, 10], [1, 2, 4, 5, 6, 8, 9, 10, 11]
    first = np.arange(1, 10) % 7 + 1
    return {
        "scenario": scenario,
        "run": np.array(RUN),
        "interval": np.array(INTERVAL),
        "allocation": np.stack([first, 8 - first], axis=1),
        "arrivals": seen[before],
        "next_arrivals": seen[after],
        "performance": {
            "ssr": np.linspace(0.0, 1.0, 18).reshape(9, 2),
            "spectral_efficiency": np.linspace(300.0, 500.0, 9),
        },
    }


@pytest.fixture
def parts(small):
    return parts_of(small)


@pytest.fixture
def history(parts):
    return History(
        **parts,
        controls={"scheduler": np.arange(18).reshape(9, 2) % 2},
        control_columns=(Control("scheduler", (0, 1)),),
    )


@pytest.fixture
def from_yaml(small) -> dict:
    """A mapping as YAML gives it."""
    return {
        "run": "night",
        "interval": "tick",
        "slice": "kind",
        "slices": ["C", "D"],
        "arrivals": "packets",
        "allocation": "blocks",
        "performance": {
            "rate": {"unit": "Mbit/s", "resolution": 0.1},
            "delay": {"name": "delay_ms", "upper": 100.0},
            "load": {"per_slice": False, "upper": 1.0},
            "users": {"whole": True},
        },
        "controls": {"scheduler": [0, 1]},
        "ssr": {"column": "delay_ms", "at_most": [10.0, 50.0]},
        "spectral_efficiency": {"column": "rate", "unit_bps": 1e6},
        "unused": ["comment"],
        "scenario": small.to_dict(),
    }


@pytest.fixture
def mapping(from_yaml) -> LogMapping:
    return LogMapping.from_dict(from_yaml)


@pytest.fixture
def table() -> pd.DataFrame:
    """Two nights of four intervals and two slices: rows 2 to 17 of a text file."""
    rows = []
    for number in range(8):
        night, tick = divmod(number, 4)
        for place, kind in enumerate("CD"):
            first = number % 7 + 1
            rows.append(
                {
                    "night": f"night {2 - night}",
                    "tick": tick + 10,
                    "kind": kind,
                    "packets": 10 * number + place,
                    "blocks": first if place == 0 else 8 - first,
                    "rate": 0.5 * number + place,
                    "delay": 5.0 + 10.0 * number,
                    "load": number / 10,
                    "users": 3 - place,
                    "scheduler": (number + place) % 2,
                    "comment": "fine",
                }
            )
    return pd.DataFrame(rows)
