"""`TorchCells`: many cells of a twin stepped as one batch in PyTorch, on a CPU or a GPU.

`TwinCells` is the reference; a test holds this stepping against it. It is imported by name only: all else of
`twin.runtime` does without PyTorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from slicing_gym.errors import check_integer
from twin.models.mixture import Mixture
from twin.models.performance import EnsembleNetwork
from twin.models.transition import TransitionEnsemble
from twin.runtime import kernel
from twin.runtime.draws import num_outputs
from twin.runtime.encoding import ranked_variables
from twin.runtime.model import TwinModel

BLOCK = 65_536
"""Cells whose networks are computed at once: what lies between their layers stays below some 300 MB."""


class TorchCells:
    """n cells of a twin; what is drawn comes from a generator of PyTorch, or is given.

    Only for twins whose transition is a network with `step(features, memory)`, as the LSTM's, and whose performance is
    an ensemble of networks (`structure="joint"`). Networks are computed in float32, values in float64. Only the member
    that is drawn predicts, so that there is no epistemic deviation.

    Args:
        model: the twin's, `DigitalTwin.model`.
        number: n.
        device: where everything is computed and stays.
        seed: of the generator.

    Attributes:
        measured: what the last interval brought (n, V); the first S are arrivals.
        raw: outputs of the networks for it, of transition and performance (n, P) each.

    Raises:
        ValueError: the twin is of another kind.
    """

    def __init__(self, model: TwinModel, number: int, device: str = "cpu", seed: int = 0) -> None:
        self._model, self._number, self._device = model, check_integer("number", number, at_least=1), device
        layout = model.layout
        self._slices, self._rest = layout.scenario.num_slices, layout.num_variables - layout.scenario.num_slices
        self._generator = torch.Generator(device).manual_seed(seed)
        f, g = _networks(model)
        self._members: list[Any] = list(f.to(device).members)
        self._ensemble = g.to(device)
        self._scaler = {name: self._put(array) for name, array in model.scaler._asdict().items()}
        self._ranked = ranked_variables(model.scaler).tolist()
        self._of_units = self._put(_features_of_units(model))
        self._controls = self._put(model.modal_controls).expand(number, -1)
        self.begin()

    def begin(self, windows: npt.ArrayLike | None = None, members: npt.ArrayLike | None = None) -> None:
        """Take the cells to the end of windows of the history.

        Args:
            windows: their numbers (n,); None: drawn.
            members: of the transition, with which each cell is simulated (n,); None: drawn.
        """
        model, starts = self._model, self._model.initial_windows
        which = self._chosen(windows, len(starts.units))
        member = self._chosen(members, model.transition.members)
        self._rows = [torch.nonzero(member == m)[:, 0] for m in range(model.transition.members)]
        self._memory = self._put(model.initial_memory)[which, member]  # (n, size)
        self._held = self._put(model.layout.lifted(starts.units))[which]
        self.measured = self._put(starts.measured)[which]
        self.raw: tuple[Tensor, Tensor] | None = None

    @property
    def num_draws(self) -> int:
        """Uniform numbers that a cell takes an interval: see `advance`."""
        return 3 + self._slices + self._rest

    @torch.no_grad()
    def advance(self, units: Tensor, draws: Tensor | None = None) -> Tensor:
        """Hold allocations (n, S) for a decision interval.

        Args:
            units: lifted (`Layout.lifted`), on the device; they are not checked.
            draws: uniform numbers (n, num_draws) in float64: the component and the S variables of the arrivals; the
                member, the component and the variables of the performance. None: from the generator.

        Returns:
            What the interval brought (n, V).
        """
        if draws is None:
            size = self._number, self.num_draws
            draws = torch.rand(size, generator=self._generator, device=self._device, dtype=torch.float64)
            draws = draws.clamp(min=2.0**-53)  # 0 may be drawn, whose logit is not finite
        features, slices = self._features(units), self._slices
        arrivals = self._predict_arrivals(features)
        performance = self._predict_performance(features, draws[:, 1 + slices])
        f_components, g_components = self._model.transition.components, self._model.performance.components
        drawn = [
            _drawn(Mixture.of(arrivals.double(), f_components), draws[:, : 1 + slices]),
            _drawn(Mixture.of(performance.double(), g_components), draws[:, 2 + slices :]),
        ]
        self.measured, self.raw, self._held = self._values(torch.cat(drawn, dim=1)), (arrivals, performance), units
        return self.measured

    def _put(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=self._device)

    def _chosen(self, given: npt.ArrayLike | None, number: int) -> Tensor:
        """Numbers (n,) below `number`, given or drawn."""
        if given is not None:
            return self._put(np.asarray(given, np.int64))
        return torch.randint(number, (self._number,), generator=self._generator, device=self._device)

    def _features(self, units: Tensor) -> Tensor:
        """As `kernel.encode` writes them (n, F)."""
        scaler = self._scaler
        standard = (self._to_scale(self.measured) - scaler["seen_center"]) / scaler["seen_spread"]
        standard = standard.nan_to_num(nan=0.0).clamp(-kernel.CLIP, kernel.CLIP).float()
        own = torch.cat([self._of_units[self._held][..., :2], self._of_units[units][..., 2:]], dim=-1)
        return torch.cat([standard, own.flatten(1), self._controls], dim=1)

    def _predict_arrivals(self, features: Tensor) -> Tensor:
        """Outputs (n, P) of each cell's own member, whose memory moves on."""
        outputs = features.new_empty(self._number, num_outputs(self._model.transition.components, self._slices))
        for network, rows in zip(self._members, self._rows, strict=True):
            for part in torch.split(rows, BLOCK):
                outputs[part], self._memory[part] = network.step(features[part], self._memory[part])
        return outputs

    def _predict_performance(self, features: Tensor, drawn: Tensor) -> Tensor:
        """Outputs (n, P') of the member of the ensemble that is drawn for each cell."""
        members = self._model.performance.members
        chosen = (drawn * members).long().clamp(max=members - 1)
        parts = []
        for some, own in zip(torch.split(features, BLOCK), torch.split(chosen, BLOCK), strict=True):
            parts.append(self._ensemble(some)[own, torch.arange(len(own), device=own.device)])
        return torch.cat(parts)

    def _to_scale(self, values: Tensor) -> Tensor:
        """As `kernel.to_scale` (n, V)."""
        positive, transform = values.clamp(min=0.0), self._scaler["transform"]
        scaled = torch.where(transform == kernel.SQRT, positive.sqrt(), values)
        return torch.where(transform == kernel.LOG1P, positive.log1p(), scaled)

    def _values(self, standardised: Tensor) -> Tensor:
        """As `draws.to_value` (n, V)."""
        scaler = self._scaler
        bounded = torch.minimum(torch.maximum(standardised, scaler["low"]), scaler["high"])
        scaled = bounded * scaler["spread"] + scaler["center"]
        for v in self._ranked:
            scaled[:, v] = _between(scaler["scores"][v], scaler["knots"][v], bounded[:, v].contiguous())
        positive, transform = scaled.clamp(min=0.0), scaler["transform"]
        values = torch.where(transform == kernel.SQRT, positive**2, scaled)
        values = torch.where(transform == kernel.LOG1P, positive.expm1(), values)
        half, lower, upper = 0.5 * scaler["resolution"], scaler["lower"], scaler["upper"]
        snapped = torch.where(values > upper - half, upper, values)
        snapped = torch.where(values < lower + half, lower, snapped)
        rounded = torch.where(scaler["whole"] != 0, (values + 0.5).floor(), snapped)
        return torch.minimum(torch.maximum(rounded, lower), upper)


def _networks(model: TwinModel) -> tuple[TransitionEnsemble, EnsembleNetwork]:
    """The networks of a twin with its parameters.

    Raises:
        ValueError: it has others.
    """
    layout, slices = model.layout, model.layout.scenario.num_slices
    if model.structure != "joint" or model.presence is not None:
        what = f"structure {model.structure!r}" if model.structure != "joint" else "slices that come and go"
        raise ValueError(f"twin: one with {what} given, allowed is structure 'joint' with slices that are always there")
    f = TransitionEnsemble(model.transition, layout.num_features, num_outputs(model.transition.components, slices))
    if not hasattr(f.members[0], "step"):
        raise ValueError(
            f"twin: transition {model.transition.name!r} given, allowed are those whose network has "
            "step(features, memory), as 'lstm'"
        )
    rest = num_outputs(model.performance.components, layout.num_variables - slices)
    g = EnsembleNetwork(model.performance, layout.num_features, rest)
    parameters = model.transition_parameters, model.performance_parameters
    for network, own in zip((f, g), parameters, strict=True):
        made: nn.Module = network
        made.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in own.items()})
    return f, g


def _features_of_units(model: TwinModel) -> npt.NDArray[np.float32]:
    """What `kernel.encode` writes of a slice by its units (M + 1, 4 + knots); 0 units are those not known."""
    layout, slices = model.layout, model.layout.scenario.num_slices
    most = layout.num_units - slices + 1
    units = np.ones((most, slices), np.int64)  # in row u - 1 the first slice holds u
    units[:, 0] = np.arange(1, most + 1)
    units[:, -1] = layout.num_units - units[:, :-1].sum(axis=1)
    features = np.zeros((most, layout.num_features), np.float32)
    measured = np.zeros((most, layout.num_variables))
    controls = np.zeros((most, layout.num_controls), np.float32)
    kernel.encode(model.scaler, np.arange(most), measured, units, units, controls, features)
    width = (layout.num_features - layout.num_controls - layout.num_variables) // slices
    own = features[:, layout.num_variables : layout.num_variables + width]
    return np.concatenate([np.zeros((1, width), np.float32), own])


def _drawn(mixture: Mixture, draws: Tensor) -> Tensor:
    """Standardised values (n, V) of a mixture: the component by the first of the draws (n, 1 + V), V deviates."""
    below = mixture.log_weights.exp().cumsum(dim=-1) <= draws[:, :1]
    chosen = below.sum(dim=-1).clamp(max=below.shape[-1] - 1)
    rows = torch.arange(len(chosen), device=chosen.device)
    standardised: Tensor = mixture.locations[rows, chosen] + mixture.scales[rows, chosen] * draws[:, 1:].logit()
    return standardised


def _between(scores: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """As `draws.from_score`, of values (n,) and tables (K,)."""
    place = torch.searchsorted(scores[1:-1].contiguous(), values)
    left, width = scores[place], scores[place + 1] - scores[place]
    share = torch.where(width > 0.0, ((values - left) / width).clamp(0.0, 1.0), 1.0)
    return knots[place] + share * (knots[place + 1] - knots[place])
