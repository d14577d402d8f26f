"""How a twin is built and fitted: what a kind of transition provides, and the settings of ensemble and training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from slicing_gym.errors import check_integer, check_number, unknown_name
from twin.models.operations import Doubles, Floats, IntArray
from twin.models.parameters import Parameters, Shapes

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class TransitionSettings(ABC):
    """A kind of transition f: its settings, and all that a twin asks of it.

    A subclass is a frozen dataclass with a `name`, and is registered by `register_transition`. It describes one member
    of the ensemble: the network that PyTorch fits, and the same network as a function that steps cells without PyTorch.

    Args:
        members: networks, fitted apart; a cell of the twin is simulated with one of them, drawn again each episode.
        components: of the mixture that is predicted.
        learning_rate: at the start; it falls to a hundredth of it along a cosine.
        weight_decay: of AdamW.

    Attributes:
        name: of the kind, in configurations and in files.
        closed_form: whether `solve` gives the parameters; else the network is fitted by gradients, from
            `NEURAL_DECISIONS` decisions on.
    """

    members: int = 3
    components: int = 5
    learning_rate: float = 3e-3
    weight_decay: float = 1.0
    name: ClassVar[str]
    closed_form: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_optimizer("transition", self.learning_rate, self.weight_decay)
        self.check_sizes("members", "components")

    def check_sizes(self, *keys: str) -> None:
        """Refuse settings of these names that are not whole numbers from 1 to 4096.

        Raises:
            ValueError, TypeError: the message names the setting.
        """
        for key in keys:
            check_integer(f"transition.{key}", getattr(self, key), at_least=1, at_most=4096)

    @abstractmethod
    def make_network(self, num_features: int, num_outputs: int) -> nn.Module:
        """A network with fresh weights from PyTorch's generator: features (batch, T, F) to outputs (batch, T, P).

        The outputs at a time follow from the features until then. PyTorch is imported in here, so that loading and
        stepping a twin do without it.
        """

    def solve(self, features: Floats, arrivals: Doubles, weights: Doubles) -> Parameters:
        """The parameters of one member in closed form, of kinds that have one.

        Args:
            features: of n decisions (n, F).
            arrivals: that followed (n, S), in standard deviations of the history.
            weights: how much each decision counts (n,).
        """
        raise NotImplementedError(f"transition: {self.name} has no closed form")

    @abstractmethod
    def parameter_shapes(self, num_features: int, num_outputs: int) -> Shapes:
        """The shape of every entry of the network's `state_dict`; files are checked against it."""

    @abstractmethod
    def step_arrays(self, parameters: Parameters) -> Any:
        """The network's parameters (float32, by name) as `step` reads them: a named tuple of arrays."""

    @abstractmethod
    def state_size(self, num_features: int) -> int:
        """Numbers that a cell carries from interval to interval; zeros before the first."""

    @abstractmethod
    def scratch_size(self, num_features: int) -> int:
        """Numbers of working memory that `step` needs."""

    @staticmethod
    @abstractmethod
    def step(
        weights: Any,
        member: int,
        rows: IntArray,
        features: Floats,
        memory: Floats,
        age: IntArray,
        raw: Floats,
        scratch: Floats,
    ) -> None:
        """Let one member take in an interval of some cells: move its memory on, and write its outputs.

        Compiled (`numba.njit`), or ordinary Python, which is slower. Each row is computed on its own, so that a batch
        equals its cells.

        Args:
            weights: what `step_arrays` gave for the member.
            member: its number m.
            rows: numbers of the cells to work on.
            features: (B, F) float32.
            memory: (B, M, state_size) float32, to be written.
            age: intervals taken in so far (B,); the caller counts.
            raw: outputs (B, M, P) float32, to be written.
            scratch: (scratch_size,) float32 to work on.
        """


STRUCTURES = ("auto", "per_slice", "joint")
"""What the performance of slices may depend on."""

MIN_DECISIONS = 8
"""Fewest decisions that a twin is fitted to, or calibrated on."""

NEURAL_DECISIONS = 64
"""Fewest decisions that a network is fitted to, or calibrated on."""


@dataclass(frozen=True)
class PerformanceSettings:
    """The performance.

    Args:
        structure: "per_slice": what a slice has of its own follows from its units, its load and what it left unserved,
            and what the cell has is a sum over the slices, in closed form; "joint": an ensemble of networks that see
            everything; "auto": networks where they explain held-out decisions better and do not expect the utility much
            worse, cross-validated where such decisions are few; better by much where most allocations are far from
            those that the history held. Where they have more units serve a slice worse, "per_slice" or networks with a
            `prior_scale` of 0 are taken instead, if these do not. The other settings are the ensemble's.
        members: networks; where data are few they disagree, and the disagreement is the epistemic uncertainty.
        hidden_size: of each of a member's two hidden layers.
        components: of the mixture that each predicts.
        learning_rate, weight_decay: see `TransitionSettings`.
        prior_scale: weight, against the decisions of the history, of the random functions by which members differ far
            from what was held; 0: none. With "auto" a twin's `model.performance` has the one in force.
    """

    members: int = 10
    hidden_size: int = 32
    components: int = 3
    learning_rate: float = 1e-2
    weight_decay: float = 0.3
    prior_scale: float = 10.0
    structure: str = "auto"

    def __post_init__(self) -> None:
        if self.structure not in STRUCTURES:
            raise ValueError(unknown_name("performance.structure", self.structure, STRUCTURES))
        check_optimizer("performance", self.learning_rate, self.weight_decay)
        check_number("performance.prior_scale", self.prior_scale, at_least=0.0, at_most=100.0)
        for key in ("members", "hidden_size", "components"):
            check_integer(f"performance.{key}", getattr(self, key), at_least=1, at_most=4096)

    def parameter_shapes(self, num_features: int, num_outputs: int) -> Shapes:
        """The shape of every parameter of the ensemble."""
        members, size = self.members, self.hidden_size
        layers = {"first": (num_features, size), "second": (size, size), "output": (size + num_features, num_outputs)}
        return {
            **{name: (members, *shape) for name, shape in layers.items()},
            **{f"{name}_bias": (members, 1, outputs) for name, (_, outputs) in layers.items()},
        }


@dataclass(frozen=True)
class TrainingSettings:
    """How the networks are fitted; the same for both.

    Args:
        max_epochs: passes over the history, at most.
        patience: passes without a better validation loss after which to stop.
        window: intervals of a training window of the transition.
        windows_per_batch: of the transition.
        batch_size: decisions, of the performance.
        mean_weight: of the squared error of the expected values, in addition to the likelihood.
        calibration_rate: factor of the learning rates when a twin is calibrated.
        calibration_epochs, calibration_patience: as above, when a twin is calibrated. Its batches are smaller too: an
            eighth of the fresh decisions, between 64 and `batch_size`.
        rehearsal_weight: of the loss on what the twin knew before, in addition to that on the fresh decisions.
        validation_share: share held out for early stopping: of the runs, other ones for each member of the transition;
            where runs are few, a share of every run.
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
            check_integer(f"training.{key}", getattr(self, key), at_least=1, at_most=10**6)


def check_optimizer(key: str, learning_rate: float, weight_decay: float) -> None:
    """Refuse rates that are none."""
    check_number(f"{key}.learning_rate", learning_rate, above=0.0, at_most=1.0)
    check_number(f"{key}.weight_decay", weight_decay, at_least=0.0, at_most=10.0)
