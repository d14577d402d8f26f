"""The probability of a bin and its gradient, however narrow or wide the bin, against 60 digits."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch

from twin.models.mixture import NARROWEST, Mixture

LOCATION, SCALE = 0.25, 0.125  # float32 has them as they are
WIDTHS = np.logspace(-12, 3, 61)


def exactly(below: float, above: float) -> tuple[float, float, float]:
    """Log probability between two values, and its derivatives by location and scale."""
    with localcontext() as context:
        context.prec = 60
        low, high = ((Decimal(edge) - Decimal(LOCATION)) / Decimal(SCALE) for edge in (below, above))
        cdf = [1 / (1 + (-edge).exp()) for edge in (low, high)]
        density = [each * (1 - each) for each in cdf]
        inside = cdf[1] - cdf[0]
        by_location = -(density[1] - density[0]) / inside / Decimal(SCALE)
        by_scale = -(high * density[1] - low * density[0]) / inside / Decimal(SCALE)
        return float(inside.ln()), float(by_location), float(by_scale)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 0.01), (torch.float64, 1e-8)])
@pytest.mark.parametrize("marginal", [True, False])
@pytest.mark.parametrize("below", [-0.5, 0.125, 0.25, 0.375, 1.0])
def test_bins_of_any_width_have_their_probability_and_its_gradient(dtype, close, marginal, below):
    edges = np.full(len(WIDTHS), below), below + WIDTHS
    location, scale = (torch.full((len(WIDTHS), 1, 1), of, dtype=dtype, requires_grad=True) for of in (LOCATION, SCALE))
    mixture = Mixture(torch.zeros(len(WIDTHS), 1, dtype=dtype), location, scale)
    of = mixture.marginal_log_likelihood if marginal else mixture.log_likelihood
    found = of(*(torch.from_numpy(edge)[:, None] for edge in edges)).reshape(-1)
    assert found.dtype == dtype
    found.sum().backward()
    expected = np.array([exactly(*pair) for pair in zip(*edges, strict=True)])
    np.testing.assert_allclose(found.detach().numpy(), expected[:, 0], atol=close)
    for gradient, exact in zip((location.grad, scale.grad), expected.T[1:], strict=True):
        np.testing.assert_allclose(gradient.flatten().numpy() * SCALE, exact * SCALE, atol=close)


def test_a_bin_that_float64_does_not_resolve_has_a_probability():
    edge = torch.full((1, 1), 0.25, dtype=torch.float64)
    scale = torch.full((1, 1, 1), SCALE, requires_grad=True)
    found = Mixture(torch.zeros(1, 1), torch.full((1, 1, 1), LOCATION), scale).log_likelihood(edge, edge)
    found.sum().backward()
    assert found.item() == pytest.approx(np.log(0.25 * NARROWEST / SCALE))
    assert scale.grad.item() == pytest.approx(-1.0 / SCALE)
