"""`TwinModel`: what a fit leaves behind, as arrays, with everything that stepping and predicting need; no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario
from slicing_gym.exclusive import OwnArrays
from slicing_gym.reward import utility
from twin.data.layout import Layout
from twin.models.operations import Floats
from twin.models.parameters import Parameters
from twin.models.settings import MIN_DECISIONS, NEURAL_DECISIONS, PerformanceSettings, TransitionSettings
from twin.runtime import arrays, draws
from twin.runtime.coverage import Coverage
from twin.runtime.draws import num_outputs
from twin.runtime.encoding import Encoded
from twin.runtime.kernel import STREAM_PERFORMANCE, STREAM_TRANSITION
from twin.runtime.per_slice import read_slices
from twin.runtime.performance import STEPPERS, PerformanceStepper, slice_reader
from twin.runtime.presence import Presence
from twin.runtime.weights import Stepper, make_stepper

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class InitialWindows(OwnArrays):
    """Windows of the history from which episodes begin (N of them, W decisions each).

    Args:
        features: (N, W, F).
        measured: what the last interval of each brought (N, V).
        units: the allocation held in it (N, S).
    """

    features: Floats
    measured: FloatArray
    units: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Buffers(OwnArrays):
    """What the kernel writes on, for n cells."""

    features: Floats  # (n, F)
    units: npt.NDArray[np.int64]  # (n, S)
    transition: Floats  # (n, 1, P) of the member that the cell is simulated with
    performance: Floats  # (n, M', P')
    expected: FloatArray  # (n, M', V - S)


@dataclass(frozen=True)
class Prediction:
    """One-step predictions for n decisions of a history, each made from all that went before it in its sequence.

    Args:
        transition: mixture outputs (n, M, P) of every member for the arrivals.
        performance: mixture outputs (n, M, P') of every member for the performance.
        expected: each member's expected performance (n, M, V - S), on the scales that the columns are modelled on;
            `DigitalTwin.expected` has it in their own units.
    """

    transition: Floats
    performance: Floats
    expected: FloatArray


@dataclass(frozen=True)
class TwinModel(OwnArrays):
    """A fitted twin.

    Args:
        layout: which variables there are.
        scaler: how they are scaled.
        transition: settings of what predicts the arrivals.
        performance: settings of what predicts the performance; its `prior_scale` is the one in force.
        transition_parameters, performance_parameters: their parameters by name.
        initial_windows: where episodes begin.
        rehearsal: windows (N, W, F) of all that the twin was ever fitted to; a calibration rehearses on them.
        modal_controls: the controls (C,) that the history held most often, one-hot; episodes hold them.
        structure: "joint" or "per_slice": of the performance that was fitted.
        presence: which slices are there; None where all always are.
        coverage: which units slices held at which loads in all that it was ever fitted to; None: an older file does not
            say.
    """

    layout: Layout
    scaler: arrays.Scaler
    transition: TransitionSettings
    performance: PerformanceSettings
    transition_parameters: Parameters
    performance_parameters: Parameters
    initial_windows: InitialWindows
    rehearsal: Floats
    modal_controls: Floats
    structure: str = "joint"
    presence: Presence | None = None
    coverage: Coverage | None = None

    @property
    def scenario(self) -> Scenario:
        """Of the network."""
        return self.layout.scenario

    @cached_property
    def stepper(self) -> Stepper:
        """The transition as the kernel runs it."""
        return make_stepper(self.transition, self.transition_parameters, self.layout.num_features)

    @cached_property
    def performance_stepper(self) -> PerformanceStepper:
        """The performance as the kernel runs it."""
        return STEPPERS[self.structure](self.layout, self.scaler, self.performance, self.performance_parameters)

    @property
    def min_decisions(self) -> int:
        """Fewest decisions that it is calibrated on: those that networks take, if it has any."""
        closed = self.transition.closed_form and self.structure == "per_slice"
        return MIN_DECISIONS if closed else NEURAL_DECISIONS

    @property
    def has_reward(self) -> bool:
        """Whether SSR and SE are among the columns, so that there is a utility."""
        return self.layout.has("ssr") and self.layout.has("spectral_efficiency")

    @cached_property
    def only_allocation(self) -> npt.NDArray[np.int64] | None:
        """The allocation (S,) of all that the twin keeps of its histories; None where it held several."""
        # Windows are all that a file has, evenly spread over the histories of all fits (a calibration may hold one
        # allocation, and the twin know more). What none of them holds was so rare that nothing was learned of it.
        rows = np.ascontiguousarray(self.rehearsal.reshape(-1, self.layout.num_features))
        units = np.ones((len(rows), self.scenario.num_slices), np.int64)
        loads, left_over = np.zeros(units.shape), np.zeros(units.shape)
        read_slices(slice_reader(self.layout), self.scaler, rows, units, loads, left_over)
        return self.layout.lowered(units[0]) if (units == units[0]).all() else None

    def scratch(self) -> Floats:
        """Working memory of a thread."""
        return np.zeros(max(self.stepper.scratch_size, self.performance_stepper.scratch_size), np.float32)

    def buffers(self, number: int) -> Buffers:
        """Buffers of `number` cells."""
        slices, variables = self.scenario.num_slices, self.layout.num_variables
        stepper, rest = self.performance_stepper, variables - slices
        return Buffers(
            features=np.zeros((number, self.layout.num_features), np.float32),
            units=np.ones((number, slices), np.int64),
            transition=self._transition_outputs(number, 1),
            performance=np.zeros((number, stepper.members, num_outputs(stepper.components, rest)), np.float32),
            expected=np.zeros((number, stepper.members, rest)),
        )

    @cached_property
    def spread_quantile_99(self) -> float:
        """The epistemic standard deviation below which 99 % of the decisions of the initial windows stay."""
        features = self.initial_windows.features
        blocks = [slice(i * features.shape[1], (i + 1) * features.shape[1]) for i in range(len(features))]
        prediction = self.predict_features(np.ascontiguousarray(features.reshape(-1, features.shape[2])), blocks)
        return float(np.quantile(self.disagreement(prediction.expected), 0.99))

    def _transition_outputs(self, number: int, members: int) -> Floats:
        return np.zeros(
            (number, members, num_outputs(self.transition.components, self.scenario.num_slices)), np.float32
        )

    @cached_property
    def initial_memory(self) -> Floats:
        """What the transition remembers at the end of each initial window (N, M, size)."""
        number, window, _ = self.initial_windows.features.shape
        memory = self.stepper.memory(number)
        self.feed(self.initial_windows.features, np.full(number, window), memory, np.zeros(number, np.int64))
        return memory

    def feed(
        self,
        features: Floats,
        lengths: npt.NDArray[np.int64],
        memory: Floats,
        age: npt.NDArray[np.int64],
    ) -> Floats:
        """Let the transition see sequences (B, T, F) of these lengths (B,); memory (B, ...) and age (B,) move on.

        Returns:
            The outputs (B, T, M, P).
        """
        number, longest, _ = features.shape
        raw = self._transition_outputs(number, self.transition.members)
        outputs = np.zeros((number, longest, *raw.shape[1:]), np.float32)
        scratch = self.scratch()
        for t in range(longest):
            rows = np.flatnonzero(lengths > t)
            now = np.ascontiguousarray(features[:, t])
            self.stepper(rows, now, memory, age, raw, scratch)
            outputs[rows, t] = raw[rows]
        return outputs

    def predict(self, encoded: Encoded) -> Prediction:
        """See `DigitalTwin.predict`."""
        return self.predict_features(encoded.features, encoded.sequences)

    def predict_features(self, features: Floats, sequences: Sequence[slice]) -> Prediction:
        """Predictions for n decisions with features (n, F), in blocks of rows without a gap."""
        lengths = np.array([block.stop - block.start for block in sequences])
        padded = np.zeros((len(lengths), lengths.max(), features.shape[1]), np.float32)
        for i, block in enumerate(sequences):
            padded[i, : lengths[i]] = features[block]
        memory = self.stepper.memory(len(lengths))
        outputs = self.feed(padded, lengths, memory, np.zeros(len(lengths), np.int64))
        transition = np.concatenate([outputs[i, :length] for i, length in enumerate(lengths)])
        buffers, rows = self.buffers(len(transition)), np.arange(len(transition))
        self.performance_stepper(rows, features, buffers.performance, self.scratch())
        self.expect(rows, buffers)
        return Prediction(transition, buffers.performance, buffers.expected)

    def draw(self, prediction: Prediction, generator: np.random.Generator) -> FloatArray:
        """Values (n, V) drawn from one-step predictions."""
        n = len(prediction.transition)
        rows, values = np.arange(n), np.zeros((n, self.layout.num_variables))
        keys = generator.integers(1, 2**63, size=n, dtype=np.uint64) | np.uint64(1)
        self.draw_into(values, rows, prediction.transition, prediction.performance, keys, rows)
        return values

    def draw_into(
        self,
        values: FloatArray,
        rows: npt.NDArray[np.int64],
        transition: Floats,
        performance: Floats,
        keys: npt.NDArray[np.uint64],
        intervals: npt.NDArray[np.int64],
    ) -> None:
        """Write draws into the rows of `values` (B, V), from outputs (B, M, P) and (B, M', P')."""
        slices = self.scenario.num_slices
        for first, number, raw, components, stream in (
            (0, slices, transition, self.transition.components, STREAM_TRANSITION),
            (slices, values.shape[1] - slices, performance, self.performance_stepper.components, STREAM_PERFORMANCE),
        ):
            draws.draw_values(self.scaler, first, number, rows, raw, components, keys, stream, intervals, values)

    def expect(self, rows: npt.NDArray[np.int64], buffers: Buffers) -> None:
        """Write what each member expects, from its outputs."""
        first, number = self.scenario.num_slices, buffers.expected.shape[2]
        components = self.performance_stepper.components
        draws.expect(self.scaler, rows, first, number, buffers.performance, components, buffers.expected)

    def split(self, measured: FloatArray) -> dict[str, FloatArray]:
        """The performance columns by name, (n, S) or (n,), of measured variables (n, V)."""
        parts = {}
        for column in self.layout.columns:
            values = measured[:, self.layout.place(column.name)]
            parts[column.name] = values if column.per_slice else values[:, 0]
        return parts

    def expected_utility(self, expected: FloatArray) -> FloatArray:
        """The utility that each member expects (n, M) of its expected performance (n, M, V - S)."""
        slices = self.scenario.num_slices
        ssr, efficiency = self.layout.place("ssr"), self.layout.place("spectral_efficiency")
        shifted = expected[..., efficiency.start - slices]
        return utility(self.scenario, shifted, expected[..., ssr.start - slices : ssr.stop - slices])

    def disagreement(self, expected: FloatArray) -> FloatArray:
        """Standard deviation over the members of the utility they expect (n,); 0 where there is no utility."""
        if not self.has_reward:
            return np.zeros(len(expected))
        deviation: FloatArray = self.expected_utility(expected).std(axis=1)
        return deviation
