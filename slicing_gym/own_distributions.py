"""Traffic distributions of a user's own: their quantile functions compiled, and called by address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import numpy.typing as npt

from slicing_gym._intrinsics import call_quantile
from slicing_gym._jit import njit

if TYPE_CHECKING:
    from slicing_gym.distributions import Distribution

FloatArray = npt.NDArray[np.float64]

_compiled: dict[type[Distribution], Any] = {}


def address_of(kind: type[Distribution]) -> int:
    """Where the compiled `quantile` of a kind is in this process.

    Raises:
        TypeError: numba cannot compile it.
    """
    if kind not in _compiled:
        try:
            compiler = numba.cfunc("float64(float64, CPointer(float64))", error_model="numpy")
            _compiled[kind] = compiler(kind.quantile)
        except numba.core.errors.NumbaError as error:
            raise TypeError(f"{kind.__name__}.quantile: numba cannot compile it ({error})") from error
    return int(_compiled[kind].address)


def quantiles(address: int, shares: FloatArray, parameters: FloatArray) -> FloatArray:
    """The quantile (n,) of each share (n,), by the compiled function at an address."""
    draws = np.empty(len(shares))
    _call_for_each(address, shares, parameters, draws)
    return draws


@njit
def _call_for_each(address: int, shares: FloatArray, parameters: FloatArray, draws: FloatArray) -> None:
    """Write the quantile of each share on `draws`."""
    for index in range(len(shares)):
        draws[index] = call_quantile(address, shares[index], parameters)
