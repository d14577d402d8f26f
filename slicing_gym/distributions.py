"""What a traffic distribution is, the register of all kinds, and how the kernel calls one of a user's own."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from slicing_gym.errors import check_instance, check_number

OWN = -1
"""The code of every kind that does not come with the package; the kernel calls those by address."""

MAX_PARAMETERS = 33
"""Numbers that a distribution of a user's own may need in the kernel: a count and up to 32 choices."""

CANCELLED = 1e-3
"""Below it, one minus a power is no longer computed by a subtraction."""

LARGEST = 1e12
"""No number of a distribution or profile may exceed it (a maximum may be infinite)."""

_SMALLEST_MEAN = 1e-15
"""Gaps or sizes below it would be numbers of packets in an interval that no counter holds."""

_MIDPOINTS = 10_000
_MEAN_TOLERANCE = 0.02


@dataclass(frozen=True)
class Distribution(ABC):
    """A distribution of the gaps between packets, or of their sizes; every kind is a frozen dataclass.

    A kind of your own gives `quantile`, and is made known by `register_distribution`.

    Attributes:
        kind: its name in YAML and JSON.
        code: what the kernel calls it if it comes with the package.
    """

    kind: ClassVar[str]
    code: ClassVar[int] = OWN

    @property
    @abstractmethod
    def mean(self) -> float:
        """Expected value."""

    @property
    @abstractmethod
    def largest(self) -> float:
        """Bound that no draw exceeds (inf if there is none)."""

    @abstractmethod
    def parameters(self, factor: float) -> tuple[float, ...]:
        """Numbers that a draw is made of, at most 33, the unit of the result multiplied by `factor`."""

    @staticmethod
    def quantile(u: float, parameters: Any) -> float:
        """The number that a share `u` of all draws stays below (inverse transform sampling).

        Numba compiles it: arithmetic and `math` only.

        Args:
            u: uniform in (0, 1), neither end.
            parameters: float64, indexable, what the method `parameters` gave.
        """
        raise NotImplementedError


DISTRIBUTIONS: dict[str, type[Distribution]] = {}
"""All kinds by name."""

_Kind = TypeVar("_Kind", bound=type[Distribution])


def register_distribution(kind: _Kind) -> _Kind:
    """Make a kind of distribution known, so that scenarios may have it; a decorator.

    Registering a class again changes nothing; a new definition of it (a notebook's cell that is run again) replaces it.

    Args:
        kind: a frozen dataclass of `Distribution`.

    Raises:
        TypeError: it is not a frozen dataclass of `Distribution`, has no `quantile`, or one that numba cannot compile.
        ValueError: another class has the same `kind`.
    """
    if not isinstance(kind, type) or not issubclass(kind, Distribution) or "__dataclass_params__" not in vars(kind):
        raise TypeError(f"register_distribution: {kind!r} given, allowed is a frozen dataclass of Distribution")
    name = getattr(kind, "kind", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise TypeError(f"{kind.__name__}.kind: {name!r} given, allowed are letters, digits and underscores")
    known = DISTRIBUTIONS.get(name, kind)
    if (known.__module__, known.__qualname__) != (kind.__module__, kind.__qualname__):
        raise ValueError(f"{kind.__name__}.kind: {name!r} is taken by {known.__module__}.{known.__qualname__}")
    if kind.code == OWN and kind.quantile is Distribution.quantile:
        raise TypeError(f"{kind.__name__}.quantile: not defined, allowed is a static method that numba can compile")
    code_of(kind)  # compiles it
    DISTRIBUTIONS[name] = kind
    return kind


def code_of(kind: type[Distribution]) -> int:
    """What the kernel calls a kind: its code, or the address of its compiled `quantile` in this process.

    Raises:
        TypeError: numba cannot compile it.
    """
    if kind.code != OWN:
        return kind.code
    from slicing_gym.own_distributions import address_of  # takes numba, which what does not simulate can do without

    return address_of(kind)


def check_distribution(key: str, value: object) -> None:
    """Raise unless a value is a distribution that scenarios may have.

    Args:
        key: names the value in messages.
        value: if its kind does not come with the package, its draws are compared with its mean and bound.

    Raises:
        TypeError: it is no distribution of a registered kind.
        ValueError: a draw would not be a number from 0 to `largest`, their mean is not `mean` (2 %, where `largest` is
            finite), or `parameters` does not multiply the unit.
    """
    if isinstance(value, Distribution) and DISTRIBUTIONS.get(value.kind) is not type(value):
        raise TypeError(f"{key}: {value!r} is of a class that is not registered; see register_distribution")
    check_instance(key, value, tuple(DISTRIBUTIONS.values()))
    assert isinstance(value, Distribution)
    check_number(f"{key} ({value.kind}).mean", value.mean, at_least=_SMALLEST_MEAN)
    if value.code == OWN:
        _check_draws(key, value)


def _check_draws(key: str, distribution: Distribution) -> None:
    """Raise a ValueError unless the draws of a distribution agree with its mean, its bound and its unit."""
    name = f"{key} ({distribution.kind})"
    mean = distribution.mean
    largest = check_number(f"{name}.largest", distribution.largest, above=0.0, finite=False)
    draws = _midpoint_draws(name, distribution, 1.0)
    wrong = ~(np.isfinite(draws) & (draws >= 0.0) & (draws <= largest * (1.0 + 1e-9)))
    if wrong.any():
        raise ValueError(f"{name}.quantile: draws {draws[wrong][0]}, allowed are 0 to {largest} (its largest)")
    found = float(draws[1:-1].mean())
    if math.isfinite(largest) and abs(found - mean) > _MEAN_TOLERANCE * mean:
        raise ValueError(f"{name}.mean: {mean} given, but the mean of what quantile draws is {found:g}")
    if not np.allclose(_midpoint_draws(name, distribution, 8.0), 8.0 * draws, rtol=1e-6, atol=0.0):
        raise ValueError(f"{name}.parameters: factor 8 does not make every draw 8 times as large")


def parameter_row(name: str, distribution: Distribution, factor: float) -> npt.NDArray[np.float64]:
    """The kernel's parameters of a distribution (MAX_PARAMETERS or more,), padded with zeros.

    Raises:
        ValueError: there are too many, or one is not a number.
    """
    values = distribution.parameters(factor)
    many = distribution.code == OWN and len(values) > MAX_PARAMETERS
    if many or np.isnan(np.asarray(values, np.float64)).any():
        raise ValueError(f"{name}.parameters: {values!r} given, allowed are at most {MAX_PARAMETERS} numbers")
    row = np.zeros(max(MAX_PARAMETERS, len(values)))
    row[: len(values)] = values
    return row


def _midpoint_draws(name: str, distribution: Distribution, factor: float) -> npt.NDArray[np.float64]:
    """Quantiles of the midpoints of 10 000 equal shares, between those of the least and the greatest u there is."""
    shares = np.concatenate([[2.0**-53], (np.arange(_MIDPOINTS) + 0.5) / _MIDPOINTS, [1.0 - 2.0**-53]])
    from slicing_gym.own_distributions import quantiles

    return quantiles(code_of(type(distribution)), shares, parameter_row(name, distribution, factor))
