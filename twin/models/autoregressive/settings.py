"""`AutoregressiveSettings`: a transition that a few decisions suffice for, solved in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from slicing_gym.errors import check_integer
from twin.models.autoregressive.step import AutoregressiveWeights, autoregressive_step
from twin.models.operations import Doubles, Floats
from twin.models.parameters import Parameters, Shapes
from twin.models.settings import TransitionSettings

if TYPE_CHECKING:
    from torch import nn

PERSISTENCE = 0.5
"""A priori the next arrivals are half-way between the mean of all (climatology) and the last (persistence)."""

PRIOR_ROWS = 4.0
"""Decisions that this is worth, and that the variance a priori is worth."""

VARIANCE = 0.5
"""Of the arrivals around what is expected, a priori, in variances of the history."""


@dataclass(frozen=True, kw_only=True)
class AutoregressiveSettings(TransitionSettings):
    """Each slice's next arrivals are linear in its last, with a spread: Bayesian linear regression.

    The slope has a normal prior between climatology and persistence, the variance an inverse-gamma one (conjugate).

    Args:
        members, components: one, there is no more.
        learning_rate, weight_decay: not used.
    """

    members: int = 1
    components: int = 1
    name: ClassVar[str] = "autoregressive"
    closed_form: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("members", "components"):
            check_integer(f"transition.{key} (of {self.name})", getattr(self, key), at_least=1, at_most=1)

    def solve(self, features: Floats, arrivals: Doubles, weights: Doubles) -> Parameters:
        """See `TransitionSettings`."""
        found = [_regress(features[:, n].astype(np.float64), arrivals[:, n], weights) for n in range(arrivals.shape[1])]
        names = ("center", "persistence", "log_scale")
        return {
            name: np.array(values, np.float32) for name, values in zip(names, zip(*found, strict=True), strict=True)
        }

    def make_network(self, num_features: int, num_outputs: int) -> nn.Module:
        """There is none: `solve` gives the parameters.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"transition: {self.name} is no network")

    def parameter_shapes(self, num_features: int, num_outputs: int) -> Shapes:  # noqa: ARG002  # every kind is asked alike
        """See `TransitionSettings`."""
        return dict.fromkeys(("center", "persistence", "log_scale"), ((num_outputs - 1) // 2,))

    def step_arrays(self, parameters: Parameters) -> AutoregressiveWeights:
        """See `TransitionSettings`."""
        return AutoregressiveWeights(**parameters)

    def state_size(self, num_features: int) -> int:  # noqa: ARG002
        """It remembers nothing: the features have the last arrivals."""
        return 0

    def scratch_size(self, num_features: int) -> int:  # noqa: ARG002
        """It needs none."""
        return 0

    step = staticmethod(autoregressive_step)


def _regress(last: Doubles, following: Doubles, weights: Doubles) -> tuple[float, float, float]:
    """Intercept, slope, and the logarithm of the logistic scale with the variance that is predicted."""
    total = weights.sum()
    means = weights @ last / total, weights @ following / total
    apart, after = last - means[0], following - means[1]
    precision = PRIOR_ROWS + weights @ apart**2
    slope = (PRIOR_ROWS * PERSISTENCE + weights @ (apart * after)) / precision
    squares = weights @ after**2 + PRIOR_ROWS * PERSISTENCE**2 - precision * slope**2
    variance = (PRIOR_ROWS * VARIANCE + max(float(squares), 0.0)) / (PRIOR_ROWS + total)
    uncertain = 1.0 / total + (weights @ apart**2) / total / precision  # of mean and slope, at decisions like those
    log_scale = 0.5 * math.log(3.0 * variance * (1.0 + uncertain)) - math.log(math.pi)
    return float(means[1] - slope * means[0]), float(slope), log_scale
