"""Mixtures of logistic distributions over bounded, discretised values: likelihood, cdf, mean (PyTorch)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from twin.models.operations import LARGEST_LOG_SCALE, SMALLEST_LOG_SCALE

FINE = 1e-4
"""Width of a bin, in scales, from which on the difference of its edges in float32 is exact enough."""

NARROWEST = 1e-15
"""Least width of a bin, in standard deviations: one that float64 does not resolve has some probability, too."""


@dataclass(frozen=True)
class Mixture:
    """A mixture over V variables that share the component, in standard deviations of the history.

    Why this: arrivals within an interval may vary more or less than Poisson's (VoLTE's are three times more regular, a
    log's more bursty), be zero at times, and have two modes when a queue blocks; a mixture of logistics takes any of
    these shapes, its distribution function is closed, so that the probability of a count is exact, and values at a
    bound (an SSR of 1, an empty buffer) get the probability of all that lies beyond.

    Args:
        log_weights: (..., K).
        locations, scales: (..., K, V).
    """

    log_weights: Tensor
    locations: Tensor
    scales: Tensor

    @classmethod
    def of(cls, raw: Tensor, components: int) -> Mixture:
        """The mixture that outputs (..., K (1 + 2 V)) describe."""
        logits, rest = raw[..., :components], raw[..., components:]
        locations, log_scales = rest.reshape(*rest.shape[:-1], 2, components, -1).unbind(-3)
        scales = log_scales.clamp(SMALLEST_LOG_SCALE, LARGEST_LOG_SCALE).exp()
        return cls(torch.log_softmax(logits, dim=-1), locations, scales)

    def log_likelihood(self, below: Tensor, above: Tensor) -> Tensor:
        """Joint log probability (...) of values between `below` and `above` (..., V), best given in float64.

        A count of millions is one of so many that float32 does not tell its edges apart.
        """
        return torch.logsumexp(self.log_weights + self._log_between(below, above).sum(dim=-1), dim=-1)

    def marginal_log_likelihood(self, below: Tensor, above: Tensor) -> Tensor:
        """Log probabilities (..., V) of each variable by itself; edges as for `log_likelihood`."""
        return torch.logsumexp(self.log_weights.unsqueeze(-1) + self._log_between(below, above), dim=-2)

    def _log_between(self, below: Tensor, above: Tensor) -> Tensor:
        """Log probabilities (..., K, V) by component."""
        width = (above - below).clamp(min=NARROWEST).to(self.scales.dtype).unsqueeze(-2)
        low, high = (
            (edge.to(self.scales.dtype).unsqueeze(-2) - self.locations) / self.scales for edge in (below, above)
        )
        return _log_between(low, high, width / self.scales)

    def cdf(self, values: Tensor) -> Tensor:
        """Probability (..., V) of values at most these."""
        inside = torch.sigmoid((values.unsqueeze(-2) - self.locations) / self.scales)
        return (self.log_weights.exp().unsqueeze(-1) * inside).sum(dim=-2)

    def mean(self, low: Tensor, high: Tensor) -> Tensor:
        """Expected values (..., V) of the variables clipped to [low, high] (V,)."""
        over = functional.softplus((self.locations - low) / self.scales)
        beyond = functional.softplus((self.locations - high) / self.scales)
        means = low + self.scales * (over - beyond)
        return (self.log_weights.exp().unsqueeze(-1) * means).sum(dim=-2)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Means and variances (..., V), bounds left aside."""
        weights = self.log_weights.exp().unsqueeze(-1)
        center = (weights * self.locations).sum(dim=-2, keepdim=True)
        each = (self.scales * (math.pi / math.sqrt(3.0))) ** 2 + (self.locations - center) ** 2
        return center.squeeze(-2), (weights * each).sum(dim=-2)


def _log_between(low: Tensor, high: Tensor, width: Tensor) -> Tensor:
    """log(sigmoid(high) - sigmoid(low)) without cancellation, high = low + width, width > 0, all finite.

    sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)). Of a narrow bin neither b - a nor its gradient is
    exact in float32, so the width is given; of others the difference is taken, whose bytes fitted twins rest on.
    """
    gap = torch.where(high - low < FINE, width, high - low)
    return functional.logsigmoid(high) + functional.logsigmoid(-low) + torch.log(-torch.expm1(-gap))


def mean_of_mixtures(log_likelihoods: Tensor, dim: int) -> Tensor:
    """Log likelihood under the even mixture of the distributions along `dim`."""
    return torch.logsumexp(log_likelihoods, dim=dim) - float(np.log(log_likelihoods.shape[dim]))
