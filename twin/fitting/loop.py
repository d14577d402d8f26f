"""Fitting the two networks to a history: minibatches, early stopping on held-out runs, curves (PyTorch)."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from slicing_gym.extras import explained
from slicing_gym.progress import ProgressBar
from twin.models.mixture import Mixture
from twin.models.performance import EnsembleNetwork
from twin.models.settings import PerformanceSettings, TrainingSettings, TransitionSettings

PRIOR_BATCH = 64
"""Rows of the prior in a batch."""

EPOCH_DECISIONS = 16_384
"""Decisions that a pass takes of a longer history, a new draw for each: a pass takes no longer then."""

STOP_DECISIONS, STOP_WINDOW = 4_096, 512
"""Decisions that early stopping looks at of a longer hold-out, the same in every pass; the transition's in windows."""


@dataclass(frozen=True)
class Data:
    """Features and target bins of n decisions, as tensors; `sequences` are blocks of rows without a gap."""

    features: Tensor  # (n, F)
    below: Tensor  # (n, V) float64, in which counts of millions still have a width
    above: Tensor  # (n, V) float64
    values: Tensor  # (n, V), standardised
    low: Tensor  # (V,) bounds of the standardised values
    high: Tensor  # (V,)
    sequences: list[slice]

    def to(self, device: str) -> Data:
        """The same on a device."""
        names = ("features", "below", "above", "values", "low", "high")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def windows(self, length: int, offset: int) -> list[tuple[int, int]]:
        """Rows (start, stop) that cut the sequences into windows, the first of each sequence being `offset` shorter."""
        cuts = []
        for block in self.sequences:
            edges = [block.start, *range(block.start + length - offset, block.stop, length), block.stop]
            cuts += [(a, b) for a, b in itertools.pairwise(edges) if b > a]
        return cuts

    def loss(self, raw: Tensor, rows: Tensor, components: int, mean_weight: float) -> Tensor:
        """Mean over decisions of the negative log likelihood, and of the squared error of the expected values.

        The likelihood alone is slow to place a rare mean once a component has become narrow: its pull is bounded, the
        square's is not.
        """
        mixture = Mixture.of(raw, components)
        error = ((mixture.mean(self.low, self.high) - self.values[rows]) ** 2).sum(dim=-1)
        return (mean_weight * error - mixture.log_likelihood(self.below[rows], self.above[rows])).mean()


@dataclass(frozen=True)
class Prior:
    """Random functions by which members differ from their mean, as tensors.

    Args:
        features: of n decisions (n, F).
        functions: of the members (members, n, V), in standardised values.
        weight: how much each decision counts (n,).
    """

    features: Tensor
    functions: Tensor
    weight: Tensor

    def loss(self, network: EnsembleNetwork, rows: Tensor, like: Data, components: int) -> Tensor:
        """Mean square of what members differ by from their mean, less their functions; the mean is left alone."""
        shared = self.features[rows].expand(len(self.functions), -1, -1)
        expected = Mixture.of(network(shared), components).mean(like.low, like.high)
        apart = expected - expected.detach().mean(dim=0) - self.functions[:, rows]
        return (self.weight[rows] * (apart**2).sum(dim=-1)).mean()


@dataclass(frozen=True)
class Fitted:
    """How a network was fitted.

    Args:
        epochs: passes made; of members fitted apart, the most.
        best_epoch: the one whose weights were kept; 0 are the weights it began with.
        validation_loss: `Data.loss` of a held-out decision, at the best; of members fitted apart, the mean.
        seconds: taken.
    """

    epochs: int
    best_epoch: int
    validation_loss: float
    seconds: float


def together(members: Sequence[Fitted]) -> Fitted:
    """Of members fitted apart."""
    return Fitted(
        epochs=max(each.epochs for each in members),
        best_epoch=max(each.best_epoch for each in members),
        validation_loss=float(np.mean([each.validation_loss for each in members])),
        seconds=sum(each.seconds for each in members),
    )


class Writer(Protocol):
    """What is used of TensorBoard's SummaryWriter."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Add a point to a curve."""

    def close(self) -> None:
        """Write what is left."""


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes in one thread: networks this small are slower in two, and much slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def curves(folder: Path | None) -> Iterator[Writer | None]:
    """A writer of TensorBoard curves into a folder, if one is given."""
    if folder is None:
        yield None
        return
    with explained():
        from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder))
    try:
        yield writer
    finally:
        writer.close()


def pad(cuts: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Windows of different length as one batch: rows and mask (batch, time); what is masked are copies of row 0."""
    rows = pad_sequence([torch.arange(start, stop) for start, stop in cuts], batch_first=True, padding_value=-1)
    return rows.clamp(min=0), rows >= 0


def fit_transition(
    network: nn.Module,
    own: TransitionSettings,
    training: Data,
    validation: Data,
    rehearsal: Data | None,
    settings: TrainingSettings,
    generator: np.random.Generator,
    progress: float,
    writer: Writer | None,
    name: str = "transition",
) -> Fitted:
    """Minimise the loss of the next arrivals over windows of the history (equation 7), and of what is rehearsed."""
    old = rehearsal.windows(10**9, 0) if rehearsal is not None else []
    whole = _stop_windows(validation)

    def loss_of(data: Data, cuts: list[tuple[int, int]]) -> Tensor:
        rows, mask = (part.to(data.features.device) for part in pad(cuts))
        return data.loss(network(data.features[rows])[mask], rows[mask], own.components, settings.mean_weight)

    def batches() -> Iterator[Tensor]:
        offset = int(generator.integers(settings.window))
        cuts = training.windows(settings.window, offset)
        order = generator.permutation(len(cuts))
        lengths = np.diff(cuts)[order, 0]
        order = order[np.cumsum(lengths) - lengths < EPOCH_DECISIONS]
        for start in range(0, len(order), settings.windows_per_batch):
            loss = loss_of(training, [cuts[i] for i in order[start : start + settings.windows_per_batch]])
            if rehearsal is not None:
                picked = generator.integers(len(old), size=settings.windows_per_batch)
                loss = loss + settings.rehearsal_weight * loss_of(rehearsal, [old[i] for i in picked])
            yield loss

    return _minimise(network, batches, lambda: loss_of(validation, whole), own, settings, name, progress, writer)


def fit_performance(
    network: EnsembleNetwork,
    own: PerformanceSettings,
    training: Data,
    validation: Data,
    rehearsal: Data | None,
    settings: TrainingSettings,
    generator: np.random.Generator,
    progress: float,
    writer: Writer | None,
    prior: Prior | None = None,
) -> Fitted:
    """Minimise the loss of the performance; each member sees the decisions in an order of its own.

    With a prior they are held to random functions, too, by which they differ from their mean.
    """
    members, number = len(network.first), len(training.features)

    def loss_of(data: Data, rows: Tensor) -> Tensor:
        rows = rows.to(data.features.device)
        return data.loss(network(data.features[rows]), rows, own.components, settings.mean_weight)

    def batches() -> Iterator[Tensor]:
        order = np.stack([generator.permutation(number)[:EPOCH_DECISIONS] for _ in range(members)])
        for start in range(0, order.shape[1], settings.batch_size):
            loss = loss_of(training, torch.from_numpy(order[:, start : start + settings.batch_size]))
            if rehearsal is not None:
                picked = generator.integers(len(rehearsal.features), size=(members, settings.batch_size))
                loss = loss + settings.rehearsal_weight * loss_of(rehearsal, torch.from_numpy(picked))
            if prior is not None:
                rows = torch.from_numpy(generator.integers(len(prior.features), size=PRIOR_BATCH))
                rows = rows.to(prior.features.device)
                loss = loss + own.prior_scale * prior.loss(network, rows, training, own.components)
            yield loss

    some = torch.from_numpy(_evenly(len(validation.features), STOP_DECISIONS)).expand(members, -1)
    return _minimise(
        network, batches, lambda: loss_of(validation, some), own, settings, "performance", progress, writer
    )


def _evenly(number: int, most: int) -> npt.NDArray[np.int64]:
    """All of so many rows, or `most` of them, evenly spread."""
    return np.linspace(0, number - 1, min(number, most)).round().astype(np.int64)


def _stop_windows(validation: Data) -> list[tuple[int, int]]:
    """The sequences to stop by, or windows of them where they are long."""
    if len(validation.features) <= STOP_DECISIONS:
        return validation.windows(10**9, 0)
    cuts = validation.windows(STOP_WINDOW, 0)
    lengths = np.array([stop - start for start, stop in cuts])
    return [cuts[i] for i in _evenly(len(cuts), max(1, int(STOP_DECISIONS / lengths.mean())))]


def _minimise(
    network: nn.Module,
    batches: Callable[[], Iterator[Tensor]],
    validate: Callable[[], Tensor],
    own: TransitionSettings | PerformanceSettings,
    settings: TrainingSettings,
    name: str,
    progress: float,
    writer: Writer | None,
) -> Fitted:
    """Adam on the batches until the validation loss stops falling; the best weights stay.

    Raises:
        FloatingPointError: a loss is not finite.
    """
    optimizer = torch.optim.AdamW(network.parameters(), own.learning_rate, weight_decay=own.weight_decay, fused=True)
    started = time.perf_counter()
    with torch.no_grad():
        best = float(validate())
    if not math.isfinite(best):
        raise FloatingPointError(f"twin: the loss of the {name} is not finite before the first epoch")
    kept, best_epoch, epoch = _copy(network), 0, 0
    passes, delay = range(1, settings.max_epochs + 1), 0.0 if progress is True else progress
    bar = ProgressBar(
        passes, desc=f"fit {name}", disable=not progress, delay=delay, mininterval=max(0.1, delay), leave=False
    )
    for epoch in bar:
        rate = 0.5 * (1.0 + math.cos(math.pi * (epoch - 1) / settings.max_epochs))
        for group in optimizer.param_groups:
            group["lr"] = own.learning_rate * (0.01 + 0.99 * rate)
        total, number = 0.0, 0
        for loss in batches():
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            total, number = total + loss.item(), number + 1
        with torch.no_grad():
            current = float(validate())
        if not math.isfinite(total) or not math.isfinite(current):
            raise FloatingPointError(
                f"twin: the loss of the {name} is not finite in epoch {epoch}; lower {name}.learning_rate"
            )
        if writer is not None:
            writer.add_scalar(f"{name}/training_loss", total / number, epoch)
            writer.add_scalar(f"{name}/validation_loss", current, epoch)
        bar.set_postfix(loss=f"{current:.3f}", refresh=False)
        if current < best - 1e-4:
            best, best_epoch, kept = current, epoch, _copy(network)
        elif epoch - best_epoch >= settings.patience:
            break
    network.load_state_dict(kept)
    return Fitted(epoch, best_epoch, best, time.perf_counter() - started)


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}
