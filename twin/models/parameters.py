"""The parameters of a network by PyTorch's names, and the shapes and layout in which they come."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from twin.models.operations import Floats

Parameters = Mapping[str, Floats]
"""The parameters of a network by PyTorch's names (those of its `state_dict`)."""

Shapes = dict[str, tuple[int, ...]]
"""The shape of every parameter, by the same names."""


def linear_shapes(name: str, inputs: int, outputs: int) -> Shapes:
    """The shapes of one of PyTorch's linear layers."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def transposed(array: Floats) -> Floats:
    """A weight (outputs, inputs) as the compiled steps read it: (inputs, outputs), row by row."""
    return np.ascontiguousarray(array.T)
