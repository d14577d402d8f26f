"""The space of all allocations, as Gymnasium's `Discrete` that knows units and slices, and batches of it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import utils
from gymnasium.vector.utils import batch_differing_spaces, batch_space, iterate

from slicing_gym.allocation import MAX_LISTED
from slicing_gym.errors import check_integer
from slicing_gym.ranking import count_allocations

if TYPE_CHECKING:
    _Discrete = gym.spaces.Discrete[np.int64]
    _MultiDiscrete = gym.spaces.MultiDiscrete[np.int64]
else:  # Gymnasium before 1.3 does not have these types at run time
    _Discrete = gym.spaces.Discrete
    _MultiDiscrete = gym.spaces.MultiDiscrete


class AllocationSpace(_Discrete):
    """The numbers of all ways to share out `num_units` units among `num_slices` slices, at least one unit each.

    An element is an allocation's number in lexicographic order; `slicing_gym.allocation_units` makes units of it and
    `allocation_index` is the inverse. Samples and equality are those of `Discrete(n)`. What Gymnasium makes by listing
    all elements (`flatten`, `flatdim`, `flatten_space`: one-hot) there is for up to 2 million.

    Args:
        num_units: R.
        num_slices: S.
        seed: of the samples.

    Attributes:
        n: C(num_units - 1, num_slices - 1).

    Raises:
        TypeError: units or slices are not whole numbers.
        ValueError: more slices than units, or more than 2**62 allocations.
    """

    def __init__(self, num_units: int, num_slices: int, seed: int | np.random.Generator | None = None) -> None:
        self.num_units = check_integer("num_units", num_units, at_least=1)
        self.num_slices = check_integer("num_slices", num_slices, at_least=1)
        super().__init__(count_allocations(self.num_units, self.num_slices), seed)

    @property
    def is_np_flattenable(self) -> bool:  # type: ignore[override]  # Gymnasium says Literal[True]
        """Whether there are so few that each may have an entry of its own."""
        return int(self.n) <= MAX_LISTED

    def __repr__(self) -> str:
        return f"AllocationSpace(num_units={self.num_units}, num_slices={self.num_slices})"


class AllocationBatch(_MultiDiscrete):
    """The space of n allocations' numbers (n,): what `batch_space` makes of an `AllocationSpace`."""

    def __init__(self, space: AllocationSpace, n: int = 1) -> None:
        self.single_space = deepcopy(space)
        super().__init__(np.full(n, space.n), seed=deepcopy(space.np_random))

    def sample(
        self, mask: tuple[Any, ...] | None = None, probability: tuple[Any, ...] | None = None
    ) -> npt.NDArray[np.int64]:
        """As `MultiDiscrete`, which multiplies floats of 53 bits, where they do; beyond 2 million by whole numbers."""
        if mask is not None or probability is not None or self.single_space.n <= MAX_LISTED:
            return super().sample(mask, probability)
        return self.np_random.integers(self.nvec)

    def __repr__(self) -> str:
        return f"AllocationBatch({self.single_space!r}, {len(self)})"


def _where_listed(listed: Callable[..., Any]) -> Callable[..., Any]:
    """What lists all elements of a space, refused for spaces of too many."""

    def checked(space: AllocationSpace, *arguments: Any) -> Any:
        if not space.is_np_flattenable:
            raise ValueError(
                f"flatten: {space} has {space.n} elements, allowed are {MAX_LISTED} with an entry each; "
                f"slicing_gym.allocation_units(action, {space.num_units}, {space.num_slices}) makes units of an action"
            )
        return listed(space, *arguments)

    return checked


for _function in (utils.flatdim, utils.flatten, utils.flatten_space):
    _function.register(AllocationSpace, _where_listed(_function.dispatch(gym.spaces.Discrete)))
batch_space.register(AllocationSpace, AllocationBatch)
# Gymnasium asks these two whether a space's very type is known.
batch_differing_spaces.register(AllocationSpace, batch_differing_spaces.dispatch(gym.spaces.Discrete))
iterate.register(AllocationBatch, iterate.dispatch(gym.spaces.MultiDiscrete))
