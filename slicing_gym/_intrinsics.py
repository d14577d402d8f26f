"""Machine instructions that numba has no Python for; compiled functions call them like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]  # numba brings it
from numba import types
from numba.extending import intrinsic


def _count_trailing_zeros(typing_context: Any, bits: Any) -> Any:  # noqa: ARG001  # numba passes them by name
    """For numba: uint64 to int64 by the machine instruction of the name, undefined for zero."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, 1))

    return types.int64(types.uint64), generate


def _call_by_address(typing_context: Any, address: Any, u: Any, parameters: Any) -> Any:  # noqa: ARG001  # as above
    """For numba: call the C function `double f(double, double *)` at an address; the array has to be contiguous."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at, number, array = arguments
        data = context.make_array(signature.args[2])(context, builder, array).data
        function = builder.inttoptr(at, ir.FunctionType(number.type, [number.type, data.type]).as_pointer())
        return builder.call(function, [number, data])

    return types.float64(types.int64, types.float64, parameters), generate


lowest_bit: Callable[[np.uint64], int] = intrinsic(_count_trailing_zeros)  # type: ignore[assignment]

call_quantile: Callable[[int, float, npt.NDArray[np.float64]], float] = intrinsic(  # type: ignore[assignment]
    _call_by_address
)
