"""How flat a loss is around a network's weights: along its gradient (equation 11), in a plane, and in numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn

FloatArray = npt.NDArray[np.float64]

FIRST_STEP = 1e-6
"""Of the search for a rise of the loss, in norms of the weights."""
FARTHEST = 10.0
"""Where it ends, in norms of the weights."""


class LossFunction:
    """A loss l(theta) of fixed data as a function of a network's weights, p numbers in one vector.

    Args:
        parameters: the weights; they are moved in place while the loss is measured, and always put back.
        evaluate: gives the loss () at the weights that the network has; at the same weights always the same.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], evaluate: Callable[[], Tensor]) -> None:
        self.parameters = list(parameters)
        self.weights = _joined(parameter.detach() for parameter in self.parameters)  # theta (p,)
        self._evaluate = evaluate

    def at(self, shift: Tensor) -> float:
        """The loss at theta + shift (p,); infinite where it overflows."""
        try:
            self._move(self.weights + shift)
            with torch.no_grad():
                loss = float(self._evaluate())
        finally:
            self._move(self.weights)
        return math.inf if math.isnan(loss) else loss

    def here(self) -> float:
        """The loss at theta."""
        with torch.no_grad():
            return float(self._evaluate())

    def gradient(self) -> Tensor:
        """Its gradient at theta (p,)."""
        return _joined(torch.autograd.grad(self._evaluate(), self.parameters))

    def hessian_times(self, direction: Tensor) -> Tensor:
        """The product (p,) of its Hessian at theta with a direction (p,), exact, by differentiating twice."""
        gradient = torch.autograd.grad(self._evaluate(), self.parameters, create_graph=True)
        return _joined(torch.autograd.grad(_joined(gradient) @ direction, self.parameters, materialize_grads=True))

    def _move(self, weights: Tensor) -> None:
        with torch.no_grad():
            for parameter, part in zip(self.parameters, self.parts(weights), strict=True):
                parameter.copy_(part)

    def parts(self, vector: Tensor) -> list[Tensor]:
        """A vector (p,) in the parameters' shapes."""
        pieces = torch.split(vector, [parameter.numel() for parameter in self.parameters])
        return [piece.view_as(parameter) for piece, parameter in zip(pieces, self.parameters, strict=True)]


@dataclass(frozen=True)
class Flatness:
    """How flat a loss is at theta; g is its gradient there, H its Hessian, a distance is in weight space.

    Args:
        loss: l(theta).
        weight_norm: |theta|.
        gradient_norm: |g|, the slope.
        curvature: g'Hg / |g|^2, the second derivative along the unit gradient.
        top_eigenvalue: the largest of H: the second derivative where it is largest.
        doubling_epsilon: the least epsilon > 0 at which l(theta + epsilon g) = l(theta) + |l(theta)|.
        doubling_distance: the distance there, epsilon |g|.
        rise_epsilon, rise_distance: where l(theta + epsilon g) = l(theta) + rise; infinite, as the two before, if that
            is nowhere within 10 |theta|.
        random_rise: mean rise of the loss at filter-normalised random directions of a given size.
    """

    loss: float
    weight_norm: float
    gradient_norm: float
    curvature: float
    top_eigenvalue: float
    doubling_epsilon: float
    doubling_distance: float
    rise_epsilon: float
    rise_distance: float
    random_rise: float


def flatness_of(loss: LossFunction, *, rise: float, size: float, directions: int, seed: int) -> Flatness:
    """The numbers of a loss.

    Args:
        loss: the loss.
        rise: what it is to rise by, in its unit.
        size: of the random directions: 0.1 moves the weights of every neuron by a tenth of their norm.
        directions: how many of them; each is taken both ways.
        seed: of the random directions, and of the vector that the search for the eigenvalue begins with.
    """
    here, gradient = loss.here(), loss.gradient()
    norm = float(gradient.norm())
    unit = gradient / max(norm, torch.finfo(gradient.dtype).tiny)
    doubling, risen = (distance_to_rise(loss, unit, each) for each in (abs(here), rise))
    around = [sign * size * each for each in random_directions(loss, directions, seed) for sign in (1.0, -1.0)]
    return Flatness(
        loss=here,
        weight_norm=float(loss.weights.norm()),
        gradient_norm=norm,
        curvature=float(unit @ loss.hessian_times(unit)),
        top_eigenvalue=top_eigenvalue(loss, seed),
        doubling_epsilon=_ratio(doubling, norm),
        doubling_distance=doubling,
        rise_epsilon=_ratio(risen, norm),
        rise_distance=risen,
        random_rise=float(np.mean([loss.at(shift) - here for shift in around])),
    )


def curve(loss: LossFunction, direction: Tensor, steps: npt.ArrayLike) -> FloatArray:
    """The loss (n,) at theta + step * direction for steps (n,); along the gradient that is equation 11."""
    return np.array([loss.at(float(step) * direction) for step in np.asarray(steps, np.float64)])


def surface(loss: LossFunction, first: Tensor, second: Tensor, steps: npt.ArrayLike) -> FloatArray:
    """The loss (n, n) at theta + a * first + b * second, a the steps (n,) by column and b by row."""
    values = np.asarray(steps, np.float64)
    return np.array([[loss.at(float(a) * first + float(b) * second) for a in values] for b in values])


def distance_to_rise(loss: LossFunction, unit: Tensor, rise: float) -> float:
    """The least distance along a unit direction (p,) at which the loss has risen by `rise`, to a part in 10 000.

    It is looked for in steps that grow by a third from a millionth of |theta| to ten times |theta|, then halved; a
    rise and fall within one step is not seen.

    Returns:
        The distance; infinite if it is nowhere in this range.
    """
    goal, size = loss.here() + rise, float(loss.weights.norm())
    near, far = 0.0, FIRST_STEP * size
    while loss.at(far * unit) < goal:
        near, far = far, far * 4.0 / 3.0
        if far > FARTHEST * size:
            return math.inf
    while far - near > 1e-4 * far:
        middle = (near + far) / 2.0
        if loss.at(middle * unit) < goal:
            near = middle
        else:
            far = middle
    return far


def top_eigenvalue(loss: LossFunction, seed: int) -> float:
    """The largest eigenvalue of the Hessian at theta, to about a thousandth (Lanczos)."""

    def product(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        direction = torch.as_tensor(vector.reshape(-1), dtype=loss.weights.dtype)
        times: npt.NDArray[np.float32] = loss.hessian_times(direction).numpy()
        return times

    start = np.random.default_rng(seed).standard_normal(len(loss.weights))
    kind = loss.weights.numpy().dtype
    hessian = LinearOperator((len(start), len(start)), matvec=product, dtype=kind)
    (largest,) = eigsh(hessian, k=1, which="LA", v0=start.astype(kind), tol=1e-3, return_eigenvectors=False)
    return float(largest)


def random_directions(loss: LossFunction, number: int, seed: int) -> list[Tensor]:
    """Filter-normalised random directions (p,), those of Li et al. 2018 (https://arxiv.org/abs/1712.09913, section 4).

    A Gaussian direction in which the weights of every neuron (a row of a matrix) have the norm of the neuron's own
    weights, so that networks are compared whatever the scale of their weights. Biases stay, as in Li et al.'s code.

    Args:
        loss: whose weights.
        number: how many.
        seed: networks of the same shape get the same Gaussian directions.
    """
    generator = torch.Generator().manual_seed(seed)
    return [_joined(_normalised(loss.parts(loss.weights), generator)) for _ in range(number)]


def _normalised(weights: Sequence[Tensor], generator: torch.Generator) -> Iterable[Tensor]:
    for weight in weights:
        if weight.ndim < 2:
            yield torch.zeros_like(weight)
            continue
        drawn = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        yield drawn * (weight.norm(dim=1, keepdim=True) / drawn.norm(dim=1, keepdim=True))


def _joined(parts: Iterable[Tensor]) -> Tensor:
    """All numbers of some tensors in one vector, a copy."""
    return torch.cat([part.reshape(-1) for part in parts])


def _ratio(distance: float, norm: float) -> float:
    """The epsilon of a distance along the gradient."""
    return distance / norm if norm > 0.0 else math.inf
