"""Regressions slice by slice against an ensemble of networks, on decisions that neither has learned from (PyTorch).

Without a cross-validation these are the decisions that the networks were stopped by, which is in their favour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from slicing_gym.reward import utility
from twin.data.checks import varies
from twin.data.history import History
from twin.data.layout import REWARDED, Layout
from twin.fitting.closed import Rows, solve_performance
from twin.fitting.loop import Data
from twin.fitting.networks import data_of
from twin.models.mixture import Mixture, mean_of_mixtures
from twin.models.operations import Floats
from twin.models.performance import EnsembleNetwork
from twin.models.settings import PerformanceSettings
from twin.runtime import arrays, draws
from twin.runtime.encoding import Encoded, encode, opened, to_scale
from twin.runtime.performance import SliceStepper

FloatArray = npt.NDArray[np.float64]

MOST = 3.0
"""Log likelihood [nat] by which a single decision may tell for one model: a surprise must not decide alone."""

LOSS = 0.1
"""Share of the variance of the utility that networks may explain less: the likelihood may be won by the spread alone.

Where networks are taken on the presets (2000 decisions) they lose 0.01 at most. On logs whose SSR is 0 or 1 their
likelihood is better because they know that; of some hundred decisions of such logs they explain 0.2 to 0.9 less.
"""


PARTS = 5
"""Of consecutive decisions that standard errors are over: what follows on each other is not independent."""


@dataclass(frozen=True)
class Comparison:
    """The two on n decisions, in their order.

    Args:
        likelihood: by how much regressions explain SSR and SE better (n,) [nat], at most `MOST` either way.
        error: squared error of networks less that of regressions (n, C), of the expected utility; of a history that
            has none, of each column.
        truth: what came of it (n, C).
    """

    likelihood: FloatArray
    error: FloatArray
    truth: FloatArray

    @classmethod
    def together(cls, parts: Sequence[Comparison]) -> Comparison:
        """Of the parts of a cross-validation."""
        return cls(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))

    @property
    def gain(self) -> float:
        """By how much regressions explain a decision better [nat]."""
        return float(self.likelihood.mean())

    @property
    def gain_error(self) -> float:
        """Standard error of the gain."""
        return _standard_error(self.likelihood)

    @property
    def loss(self) -> float:
        """Share of the variance that networks explain less; in the mean of the columns that vary."""
        return float(self._losses.mean())

    @property
    def networks_lose(self) -> bool:
        """Whether that is much, and more than a standard error."""
        return self.loss > max(LOSS, _standard_error(self._losses))

    @property
    def _losses(self) -> FloatArray:
        """Of each decision (n,)."""
        counted = varies(self.truth)
        if not counted.any():
            return np.zeros(len(self.error))
        losses: FloatArray = (self.error[:, counted] / self.truth[:, counted].var(axis=0)).mean(axis=1)
        return losses


def _standard_error(values: FloatArray) -> float:
    """Of the mean of values (n,) of consecutive decisions, over means of parts; infinite for a single one."""
    means = [part.mean() for part in np.array_split(values, min(PARTS, len(values)))]
    return float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else np.inf


def compare(
    network: EnsembleNetwork,
    settings: PerformanceSettings,
    scaler: arrays.Scaler,
    learn: History,
    other: History,
    seed: int,
) -> Comparison:
    """An ensemble that was fitted, and regressions that are solved for `learn`, on other decisions.

    Of a history that measured neither SSR nor SE, all columns count.
    """
    layout, slices = learn.layout, learn.scenario.num_slices
    held_out = encode(layout, scaler, other)
    data, rows = data_of(scaler, held_out, slice(slices, None)), Rows.of(encode(layout, scaler, learn))
    wide = opened(scaler, layout, rows.measured, slice(slices, None))
    stepper = SliceStepper(layout, wide, settings, solve_performance(layout, wide, rows, seed))
    outputs = draws.num_outputs(stepper.components, layout.num_variables - slices)
    by_slice: Floats = np.zeros((len(other), stepper.members, outputs), np.float32)
    stepper(np.arange(len(other)), held_out.features, by_slice, np.zeros(stepper.scratch_size, np.float32))
    with torch.no_grad():
        joint = network(data.features).transpose(0, 1).contiguous()
    columns = _rewarded(layout)
    gain = _marginal(torch.from_numpy(by_slice), stepper.components, data, columns)
    gain = gain - _marginal(joint, settings.components, data, columns)
    truth = _targets(layout, to_scale(scaler, held_out.measured)[:, slices:])
    error = _error(layout, scaler, held_out, joint.numpy(), settings.components)
    error = error - _error(layout, wide, held_out, by_slice, stepper.components)
    return Comparison(gain.clamp(-MOST, MOST).numpy(), error, truth)


def _marginal(raw: Tensor, components: int, data: Data, columns: list[int]) -> Tensor:
    """Sums over some variables of their log probabilities (n,), of members' outputs (n, M, P)."""
    below, above = (edge[:, None] for edge in (data.below, data.above))
    each = mean_of_mixtures(Mixture.of(raw.double(), components).marginal_log_likelihood(below, above), dim=1)
    return each[:, columns].sum(dim=1)


def _rewarded(layout: Layout) -> list[int]:
    """The performance variables that the reward is made of; all, if there are none."""
    slices, number = layout.scenario.num_slices, layout.num_variables - layout.scenario.num_slices
    places = [layout.place(name) for name in REWARDED if layout.has(name)]
    return [v - slices for place in places for v in range(place.start, place.stop)] or list(range(number))


def _error(layout: Layout, scaler: arrays.Scaler, held_out: Encoded, raw: Floats, components: int) -> FloatArray:
    """Squared errors of what is expected (n, C), of members' outputs (n, M, P)."""
    slices = layout.scenario.num_slices
    expected = np.zeros((*raw.shape[:2], layout.num_variables - slices))
    draws.expect(scaler, np.arange(len(raw)), slices, expected.shape[2], raw, components, expected)
    truth = to_scale(scaler, held_out.measured)[:, slices:]
    error: FloatArray = (_targets(layout, expected.mean(axis=1)) - _targets(layout, truth)) ** 2
    return error


def _targets(layout: Layout, values: FloatArray) -> FloatArray:
    """The utility (n, 1) of performance (n, V - S); where there is none, the performance itself."""
    if not all(layout.has(name) for name in REWARDED):
        return values
    slices = layout.scenario.num_slices
    ssr, efficiency = layout.place("ssr"), layout.place("spectral_efficiency")
    parts = values[:, efficiency.start - slices], values[:, ssr.start - slices : ssr.stop - slices]
    return utility(layout.scenario, *parts)[:, None]
