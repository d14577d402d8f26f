"""`PlanningModel`: what the planner asks of a model of the network that it chooses by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class PlanningModel(Protocol):
    """A model that learns from every decision, and says what each slice is worth with each number of units.

    S slices share R units, so a slice holds 1 to M = R - S + 1 of them; k rows are k states of the network. A model may
    have a `scenario`, by which the planner checks that it is of the same network.

    Attributes:
        separable: whether the utility is a sum of one term per slice, which `values` gives; otherwise the planner asks
            for `listed_values`. It may change as the model learns.
        num_decisions: learned from so far.
    """

    @property
    def separable(self) -> bool:
        """See above."""

    @property
    def num_decisions(self) -> int:
        """See above."""

    def begin(self, reset_info: Mapping[str, Any]) -> None:
        """An episode begins.

        Args:
            reset_info: the info of the reset, see "Info" of `SliceRANEnv`.
        """

    def observe(self, info: Mapping[str, Any]) -> None:
        """The interval of a decision is over: learn from it.

        Args:
            info: of the step: `arrivals`, `allocation`, `ssr` (S,), `spectral_efficiency`, ...
        """

    def values(
        self,
        arrivals: npt.NDArray[Any],
        held: npt.NDArray[Any] | None,
        ssr: npt.NDArray[Any] | None,
        *,
        horizon: int = 1,
        gamma: float = 0.8,
        generator: np.random.Generator | None = None,
    ) -> FloatArray:
        """Each slice's expected term of the utility with 1 to M units, float64 (k, S, M).

        Args:
            arrivals: of the last interval [packets] (k, S).
            held: units of the last interval (k, S); None: not known.
            ssr: of the last interval (k, S); None: not known.
            horizon: intervals that count; later ones by how the first is expected to leave the network.
            gamma: discount of each interval after the first.
            generator: draws one sample of the posterior for each row, whose values these are then.
        """

    def listed_values(
        self,
        arrivals: npt.NDArray[Any],
        held: npt.NDArray[Any] | None,
        ssr: npt.NDArray[Any] | None,
        *,
        horizon: int = 1,
        gamma: float = 0.8,
        generator: np.random.Generator | None = None,
    ) -> FloatArray:
        """The expected utility of every allocation, in the order of their numbers, float64 (k, num_allocations).

        The arguments are those of `values`.

        Raises:
            ValueError: there are more than `slicing_gym.allocation.MAX_LISTED`.
        """

    def satisfied(self, demanded: FloatArray) -> FloatArray:
        """The probability that the expected SSR over an episode is at least `demanded`, float64 (S, M).

        Args:
            demanded: SSR (S,); nan or 0 where nothing is demanded, the probability being 1 there.
        """

    def expected_ssr(self) -> FloatArray:
        """The expected SSR over an episode with 1 to M units, float64 (S, M); for messages."""

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """All that learning changes: builtin types, and arrays by name."""

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to what `state` gave."""

    def to_bytes(self) -> bytes:
        """The model as a file holds it."""

    @classmethod
    def from_bytes(cls, content: bytes) -> PlanningModel:
        """The model that `to_bytes` wrote."""
