"""What a history measures: columns, their units, and the bounds and steps of their values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from slicing_gym.errors import check_number, unknown_name
from slicing_gym.plain_data import build, named

TRANSFORMS = ("identity", "sqrt", "log1p")
"""Scales on which a column is modelled; `sqrt` evens out the noise of counts, `log1p` orders of magnitude."""


@dataclass(frozen=True)
class Column:
    """One measured quantity, of every slice or of the cell.

    Args:
        name: letters, digits and underscores.
        per_slice: whether each slice has a value of its own.
        transform: the scale on which it is modelled, one of `TRANSFORMS`; all but `identity` need `lower` >= 0.
        lower, upper: values lie between them, both included.
        resolution: what a value is told apart by: 1 for counts. A prediction's likelihood is the probability of the
            values that are the same at this resolution.
        whole: whether values are whole numbers.
        unit: for tables.
    """

    name: str
    per_slice: bool = True
    transform: str = "identity"
    lower: float = 0.0
    upper: float = math.inf
    resolution: float = 0.01
    whole: bool = False
    unit: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"name: {self.name!r} given, allowed are letters, digits and underscores")
        if self.transform not in TRANSFORMS:
            raise ValueError(unknown_name("transform", self.transform, TRANSFORMS))
        check_number("lower", self.lower, at_least=0.0 if self.transform != "identity" else None, finite=False)
        check_number("upper", self.upper, above=self.lower, finite=False)
        check_number("resolution", self.resolution, above=0.0)

    def to_dict(self) -> dict[str, Any]:
        """As plain data (JSON): bounds that are not finite are left out."""
        return {
            key: value for key, value in asdict(self).items() if not (key in ("lower", "upper") and math.isinf(value))
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], key: str = "column") -> Column:
        """The column that plain data describes."""
        with named(key):
            return build(cls, key, data)


ARRIVALS = Column("arrivals", transform="sqrt", resolution=1.0, whole=True, unit="packets")
SSR = Column("ssr", upper=1.0, resolution=0.01)
SPECTRAL_EFFICIENCY = Column("spectral_efficiency", per_slice=False, resolution=0.5, unit="bit/s/Hz")

PERFORMANCE: tuple[Column, ...] = (SSR, SPECTRAL_EFFICIENCY)
"""What the reward is made of, and what a simulator's history measures beside the arrivals."""


@dataclass(frozen=True)
class Control:
    """Something decided together with the allocation, of every slice, that takes one of a few values.

    Args:
        name: letters, digits and underscores.
        values: the whole numbers it may take.
    """

    name: str
    values: tuple[int, ...]
