"""How a twin is built and fitted: the settings of its networks and of their training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slicing_gym.errors import check_integer, check_number, unknown_name


@dataclass(frozen=True)
class LstmSettings:
    """An LSTM with a hidden layer above it.

    Args:
        members: networks; a cell of the twin lives with one of them, drawn anew each round.
        memory_size: memory cells of each.
        hidden_size: of the layer between memory and outputs.
        components: of the mixture that is predicted.
        learning_rate: at the start; it falls to a hundredth of it along a cosine.
        weight_decay: of AdamW.
    """

    members: int = 3
    memory_size: int = 64
    hidden_size: int = 64
    components: int = 5
    learning_rate: float = 3e-3
    weight_decay: float = 1.0
    name: ClassVar[str] = "lstm"

    def __post_init__(self) -> None:
        _check_optimizer("transition", self.learning_rate, self.weight_decay)
        for key in ("members", "memory_size", "hidden_size", "components"):
            check_integer(f"transition.{key}", getattr(self, key), at_least=1, at_most=4096)


@dataclass(frozen=True)
class TransformerSettings:
    """A small causal transformer (pre-norm; keys lose weight with age, as in ALiBi, Press et al. 2022).

    Args:
        members: see `LstmSettings`.
        width: of the stream.
        layers: of attention and dense part.
        heads: of attention; they divide the width.
        context: intervals that attention looks back, the present one among them.
        components: of the mixture that is predicted.
        learning_rate, weight_decay: see `LstmSettings`.
    """

    members: int = 3
    width: int = 48
    layers: int = 2
    heads: int = 4
    context: int = 32
    components: int = 5
    learning_rate: float = 3e-3
    weight_decay: float = 1.0
    name: ClassVar[str] = "transformer"

    def __post_init__(self) -> None:
        _check_optimizer("transition", self.learning_rate, self.weight_decay)
        for key in ("members", "width", "layers", "heads", "context", "components"):
            check_integer(f"transition.{key}", getattr(self, key), at_least=1, at_most=4096)
        if self.width % self.heads:
            raise ValueError(f"transition.heads: {self.heads} given, allowed are divisors of width = {self.width}")


TransitionSettings = LstmSettings | TransformerSettings

TRANSITIONS: dict[str, type[LstmSettings] | type[TransformerSettings]] = {
    LstmSettings.name: LstmSettings,
    TransformerSettings.name: TransformerSettings,
}
"""Kinds of transition by name."""


def transition_settings(transition: str | TransitionSettings) -> TransitionSettings:
    """The settings of that name, or the settings themselves.

    Raises:
        ValueError: there is no such transition.
        TypeError: neither a name nor settings.
    """
    if isinstance(transition, LstmSettings | TransformerSettings):
        return transition
    if not isinstance(transition, str):
        raise TypeError(f"transition: {transition!r} is neither a name nor settings")
    if transition not in TRANSITIONS:
        raise ValueError(unknown_name("transition", transition, TRANSITIONS))
    return TRANSITIONS[transition]()


@dataclass(frozen=True)
class PerformanceSettings:
    """The ensemble.

    Args:
        members: networks; where data are few they disagree, and the disagreement is the epistemic uncertainty.
        hidden_size: of each of a member's two hidden layers.
        components: of the mixture that each predicts.
        learning_rate, weight_decay: see `LstmSettings`.
    """

    members: int = 5
    hidden_size: int = 64
    components: int = 3
    learning_rate: float = 1e-2
    weight_decay: float = 0.3

    def __post_init__(self) -> None:
        _check_optimizer("performance", self.learning_rate, self.weight_decay)
        for key in ("members", "hidden_size", "components"):
            check_integer(f"performance.{key}", getattr(self, key), at_least=1, at_most=4096)


@dataclass(frozen=True)
class TrainingSettings:
    """How the networks are fitted; the same for both.

    Args:
        max_epochs: passes over the history, at most.
        patience: passes without a better validation loss after which to stop.
        window: intervals of a training window of the transition.
        windows_per_batch: of the transition.
        batch_size: decisions, of the performance.
        mean_weight: of the squared error of the expected values, beside the likelihood.
        calibration_rate: factor of the learning rates when a twin is calibrated.
        calibration_epochs, calibration_patience: as above, when a twin is calibrated. Its batches are smaller too: an
            eighth of the fresh decisions, between 64 and `batch_size`.
        rehearsal_weight: of the loss on what the twin knew before, beside that on the fresh decisions.
        validation_share: share held out for early stopping: of the runs, other ones for each member of the transition;
            where runs are few, of every run a part.
    """

    max_epochs: int = 200
    patience: int = 30
    window: int = 64
    windows_per_batch: int = 8
    batch_size: int = 256
    mean_weight: float = 1.0
    calibration_rate: float = 0.25
    calibration_epochs: int = 20
    calibration_patience: int = 8
    rehearsal_weight: float = 0.1
    validation_share: float = 0.15

    def __post_init__(self) -> None:
        check_number("training.mean_weight", self.mean_weight, at_least=0.0, at_most=1e6)
        check_number("training.validation_share", self.validation_share, above=0.0, at_most=0.5)
        check_number("training.rehearsal_weight", self.rehearsal_weight, at_least=0.0, at_most=1e6)
        check_number("training.calibration_rate", self.calibration_rate, above=0.0, at_most=1.0)
        lengths = ("max_epochs", "patience", "window", "windows_per_batch", "batch_size")
        for key in (*lengths, "calibration_epochs", "calibration_patience"):
            check_integer(f"training.{key}", getattr(self, key), at_least=1)


def _check_optimizer(key: str, learning_rate: float, weight_decay: float) -> None:
    """Refuse rates that are none."""
    check_number(f"{key}.learning_rate", learning_rate, above=0.0, at_most=1.0)
    check_number(f"{key}.weight_decay", weight_decay, at_least=0.0, at_most=10.0)
