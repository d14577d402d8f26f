"""What a history measures: columns, their units, and the bounds and steps of their values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from slicing_gym.builtin_types import build, named
from slicing_gym.errors import check_instance, check_integer, check_number, unknown_name

TRANSFORMS = ("identity", "sqrt", "log1p")
"""Scales on which a column is modelled; `sqrt` evens out the noise of counts, `log1p` orders of magnitude."""


def _check_name(name: object) -> None:
    """Refuse what is not fit to be a column's name."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"name: {name!r} given, allowed are letters, digits and underscores, no digit first")


@dataclass(frozen=True)
class Column:
    """One measured quantity, of every slice or of the cell.

    Args:
        name: letters, digits and underscores.
        per_slice: whether each slice has a value of its own; else it is the cell's.
        transform: the scale on which it is modelled, one of `TRANSFORMS`; all but `identity` need `lower` >= 0.
        lower, upper: values lie between them, both included.
        resolution: smallest difference that counts: 1 for counts. A prediction's likelihood is the probability of the
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
        _check_name(self.name)
        for name in ("per_slice", "whole"):
            check_instance(name, getattr(self, name), (bool,))
        check_instance("unit", self.unit, (str,))
        if self.transform not in TRANSFORMS:
            raise ValueError(unknown_name("transform", self.transform, TRANSFORMS))
        check_number("lower", self.lower, at_least=0.0 if self.transform != "identity" else None, finite=False)
        check_number("upper", self.upper, above=self.lower, finite=False)
        check_number("resolution", self.resolution, above=0.0)

    def to_dict(self) -> dict[str, Any]:
        """As builtin types (JSON, which has no infinity): a bound that is not finite is None."""
        values = asdict(self)
        return {**values, **{key: None for key in ("lower", "upper") if math.isinf(values[key])}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], key: str = "column") -> Column:
        """The column that builtin types describe; a bound given as None is infinite.

        Raises:
            ValueError, TypeError: a key is unknown or a value is not allowed; the message names it.
        """
        if isinstance(data, Mapping):
            open_bounds = {"lower": -math.inf, "upper": math.inf}
            data = {name: open_bounds.get(name) if value is None else value for name, value in data.items()}
        with named(key):
            return build(cls, key, data)


ARRIVALS = Column("arrivals", transform="sqrt", resolution=1.0, whole=True, unit="packets")
"""Packets that joined a slice's queues in an interval, a count."""

SSR = Column("ssr", upper=1.0, resolution=0.01)
"""Share of a slice's packets that met its SLA in an interval, 0 to 1."""

SPECTRAL_EFFICIENCY = Column("spectral_efficiency", per_slice=False, resolution=0.5, unit="bit/s/Hz")
"""Spectral efficiency of the cell in an interval [bit/s/Hz], one number for all slices."""

PRESENT = Column("present", upper=1.0, resolution=1.0, whole=True)
"""Whether a slice was there, in logs whose slices come and go."""

PERFORMANCE: tuple[Column, ...] = (SSR, SPECTRAL_EFFICIENCY)
"""What the reward is made of, and what a simulator's history measures in addition to the arrivals."""


@dataclass(frozen=True)
class Control:
    """Something decided together with the allocation, of every slice, that takes one of a few values.

    Args:
        name: letters, digits and underscores.
        values: the whole numbers it may take, one or more, all different.
    """

    name: str
    values: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_name(self.name)
        check_instance("values", self.values, (tuple, list))
        for value in self.values:
            check_integer("values", value, at_least=-(2**53), at_most=2**53)
        if not self.values or len(set(self.values)) < len(self.values):
            raise ValueError(f"values: {list(self.values)} given, allowed are one or more, all different")
        object.__setattr__(self, "values", tuple(self.values))
