"""The arrays that the kernel reads and writes: how variables are scaled, and the weights of the networks."""

from __future__ import annotations

from typing import NamedTuple

from twin.models.operations import Doubles, Floats, IntArray


class Scaler(NamedTuple):
    """How V measured variables (arrivals of each slice, then the performance) are scaled and bounded."""

    transform: IntArray  # (V,)
    seen_center: Doubles  # (V,) mean over the history, on the transformed scale: what features are measured from
    seen_spread: Doubles  # (V,) standard deviation over the history, on the transformed scale
    center: Doubles  # (V,) what predictions are measured from: as above, until a calibration moves them
    spread: Doubles  # (V,)
    lower: Doubles  # (V,) least value
    upper: Doubles  # (V,) largest value
    low: Doubles  # (V,) standardised value below which none is drawn
    high: Doubles  # (V,) and above which
    resolution: Doubles  # (V,)
    whole: IntArray  # (V,) 1 where values are whole numbers
    knots: Doubles  # (V, K) on the transformed scale, of variables that are modelled by their ranks; else zeros
    scores: Doubles  # (V, K) and what is predicted for them, in standard deviations


class Ensemble(NamedTuple):
    """Weights of M dense networks with two hidden layers of D, and a straight path from the F features."""

    first: Floats  # (M, F, D)
    first_bias: Floats  # (M, D)
    second: Floats  # (M, D, D)
    second_bias: Floats  # (M, D)
    output: Floats  # (M, D + F, P)
    output_bias: Floats  # (M, P)
