"""The performance as the kernel runs it: an ensemble of networks, or samples of regressions slice by slice."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from slicing_gym.errors import unknown_name
from slicing_gym.exclusive import OwnArrays
from twin.data.layout import Layout
from twin.models.operations import Floats, IntArray
from twin.models.parameters import Parameters, Shapes
from twin.models.per_slice import basis as axes
from twin.models.per_slice.basis import SliceBasis
from twin.models.settings import PerformanceSettings
from twin.runtime import arrays, kernel, per_slice
from twin.runtime.draws import num_outputs
from twin.runtime.weights import ensemble_weights

SAMPLES = 8
"""Samples of the posterior that stand for members where the performance is regressed slice by slice."""

NOISE_OCTAVES = 1.0
"""Between two knots of the units in the tables of the noise."""


class PerformanceStepper(OwnArrays, ABC):
    """What turns features of a decision into a mixture of each member for the performance.

    Args:
        layout: which variables there are.
        scaler: of them.
        settings: of the performance.
        parameters: that were fitted.

    Attributes:
        members: M'.
        components: of each mixture.
        scratch_size: numbers of working memory.
    """

    members: int
    components: int
    scratch_size: int

    @abstractmethod
    def __init__(
        self, layout: Layout, scaler: arrays.Scaler, settings: PerformanceSettings, parameters: Parameters
    ) -> None: ...

    @staticmethod
    @abstractmethod
    def shapes(layout: Layout, settings: PerformanceSettings) -> Shapes:
        """The shape of every parameter; files are checked against it."""

    @abstractmethod
    def __call__(self, rows: IntArray, features: Floats, raw: Floats, scratch: Floats) -> None:
        """Write what every member predicts from the features (B, F) of some rows into `raw` (B, M', P')."""


class JointStepper(PerformanceStepper):
    """An ensemble of networks that see all features."""

    def __init__(
        self,
        layout: Layout,  # noqa: ARG002  # all are made alike
        scaler: arrays.Scaler,  # noqa: ARG002
        settings: PerformanceSettings,
        parameters: Parameters,
    ) -> None:
        self.members, self.components = settings.members, settings.components
        self.scratch_size = 2 * settings.hidden_size
        self._weights = ensemble_weights(parameters)

    @staticmethod
    def shapes(layout: Layout, settings: PerformanceSettings) -> Shapes:
        """See `PerformanceStepper`."""
        rest = layout.num_variables - layout.scenario.num_slices
        return settings.parameter_shapes(layout.num_features, num_outputs(settings.components, rest))

    def __call__(self, rows: IntArray, features: Floats, raw: Floats, scratch: Floats) -> None:
        """See `PerformanceStepper`."""
        kernel.ensemble_step(self._weights, rows, features, raw, scratch)


class SliceStepper(PerformanceStepper):
    """Samples of the posterior of regressions of each slice's columns, and of the cell's as sums over slices."""

    components = 1

    def __init__(
        self,
        layout: Layout,
        scaler: arrays.Scaler,
        settings: PerformanceSettings,  # noqa: ARG002  # all are made alike
        parameters: Parameters,
    ) -> None:
        slices = layout.scenario.num_slices
        self.members, self._scaler, self._reader = SAMPLES, scaler, slice_reader(layout)
        weights, columns = parameters["weights"], layout.columns
        basis = SliceBasis(layout.num_units, slices)
        self._weights = per_slice.SliceWeights(
            weights=weights,
            offset=parameters["offset"],
            noise=parameters["noise"],
            first=np.array([layout.place(column.name).start - slices for column in columns], np.int64),
            own=np.array([int(column.per_slice) for column in columns], np.int64),
            units=np.ascontiguousarray(basis.units),
            share=basis.share,
            hats=unit_hats(layout),
            loads=axes.LOAD_KNOTS,
            whitening=axes.LOAD_WHITENING,
            kernel=np.array([axes.LEAST_LOAD, axes.LARGEST_LOAD, axes.LOAD_LENGTH, axes.SHARED]),
        )
        self.scratch_size = weights.shape[1] + weights.shape[2] + layout.num_variables - slices

    @staticmethod
    def shapes(layout: Layout, settings: PerformanceSettings) -> Shapes:  # noqa: ARG004
        """See `PerformanceStepper`."""
        slices, columns = layout.scenario.num_slices, len(layout.columns)
        width = SliceBasis(layout.num_units, slices).width
        return {
            "weights": (slices, width, SAMPLES * columns),
            "offset": (layout.num_variables - slices,),
            "noise": (slices, columns, unit_hats(layout).shape[1], len(axes.LOADS)),
        }

    def __call__(self, rows: IntArray, features: Floats, raw: Floats, scratch: Floats) -> None:
        """See `PerformanceStepper`."""
        per_slice.slice_step(self._weights, self._reader, self._scaler, rows, features, raw, scratch)


STEPPERS: dict[str, type[PerformanceStepper]] = {"joint": JointStepper, "per_slice": SliceStepper}
"""By the structure that was fitted."""


def checked_structure(name: object) -> str:
    """The name of a structure that can be fitted.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(name, str) or name not in STEPPERS:
        raise ValueError(unknown_name("fitted.structure", name, STEPPERS))
    return name


def slice_reader(layout: Layout) -> per_slice.SliceReader:
    """Where the features of this layout say what slices hold and meet."""
    slices, variables = layout.scenario.num_slices, layout.num_variables
    stride = (layout.num_features - layout.num_controls - variables) // slices
    ssr = layout.place("ssr").start if layout.has("ssr") else -1
    places = np.array([variables, stride, ssr, layout.num_units], np.int64)
    return per_slice.SliceReader(np.maximum(layout.scenario.nominal_arrivals, 1e-9), places)


def unit_hats(layout: Layout) -> npt.NDArray[np.float64]:
    """How near 1 to M units are to the knots of the noise (M, U); 1 at a knot, 0 from the next on."""
    most = layout.num_units - layout.scenario.num_slices + 1
    octaves = np.log2(most)
    knots = np.linspace(0.0, max(octaves, 1.0), 1 + max(1, round(octaves / NOISE_OCTAVES)))
    return hats(np.log2(np.arange(1, most + 1)), knots)


def hats(values: npt.NDArray[np.float64], knots: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights (n, K) by which values between knots are linear interpolations of the values at the knots."""
    return np.stack([np.interp(values, knots, row) for row in np.eye(len(knots))], axis=-1)
