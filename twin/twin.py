"""`DigitalTwin`: a generative model of a network, fitted to its history, to be stepped like the network itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario
from slicing_gym.errors import check_instance, check_integer
from slicing_gym.reward import utility
from twin.data.columns import SPECTRAL_EFFICIENCY, SSR
from twin.data.history import History
from twin.models.registry import transition_settings
from twin.models.settings import (
    MIN_DECISIONS,
    NEURAL_DECISIONS,
    PerformanceSettings,
    TrainingSettings,
    TransitionSettings,
)
from twin.runtime import kernel, storage
from twin.runtime.cells import TwinCells, TwinInterval
from twin.runtime.encoding import encode, measured_by
from twin.runtime.model import FloatArray, InitialWindows, Prediction, TwinModel
from twin.runtime.presence import as_measured

if TYPE_CHECKING:
    from twin.fitting.fit import Report


_SEEN = 64
"""Most intervals before a moment that its cells have seen: longer memories hardly differ."""


class DigitalTwin:
    """A twin of a network (equations 7 and 9): s_{t+1} ~ f(s_t, a_t) and the performance g(s_t, a_t).

    f is a recurrent network that has seen everything since the episode began; it predicts a distribution of the next
    arrivals, and sampling it is autoregressive, the memory being carried along. g predicts what the reward is made of,
    from what was measured in the last interval and the allocation: an ensemble of dense networks, or regressions slice
    by slice (`PerformanceSettings.structure`); utility and reward are computed from that by `slicing_gym.reward`, as in
    the simulator. While decisions are few, and where that explains held-out decisions better, an autoregression takes
    the place of f and regressions that of g, both in closed form; with `structure="joint"` both are networks.

    Args:
        transition: the name of a registered kind ("lstm", "transformer"), or settings.
        performance: settings of g.
        training: settings of the fit.
        seed: of the fit; the same seed and history give the same twin.
        device: that its networks are fitted on: "cpu", "cuda" or "cuda:<number>"; the same twin only on the same
            device. Files do not hold it: a twin is loaded, and its cells are stepped, on the CPU.

    Attributes:
        report: how it was fitted (None before, and after loading).
    """

    def __init__(
        self,
        transition: str | TransitionSettings = "lstm",
        performance: PerformanceSettings | None = None,
        training: TrainingSettings | None = None,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.transition = transition_settings(transition)
        self.performance = performance or PerformanceSettings()
        self.training = training or TrainingSettings()
        check_instance("performance", self.performance, (PerformanceSettings,))
        check_instance("training", self.training, (TrainingSettings,))
        self.seed = check_integer("seed", seed, at_least=0)
        self.device = device
        if device != "cpu":
            from twin.fitting.devices import check_device

            check_device("device", device)
        self.report: Report | None = None
        self._model: TwinModel | None = None

    @property
    def model(self) -> TwinModel:
        """What was learned.

        Raises:
            ValueError: nothing was yet.
        """
        if self._model is None:
            raise ValueError("twin: it was not fitted; call fit(history) or DigitalTwin.load(path) first")
        return self._model

    @property
    def min_decisions(self) -> int:
        """Fewest decisions that it is fitted to: with `structure="joint"` those that networks take."""
        return NEURAL_DECISIONS if self.performance.structure == "joint" else MIN_DECISIONS

    @property
    def scenario(self) -> Scenario:
        """Of the network it is a twin of."""
        return self.model.scenario

    def fit(
        self, history: History, *, progress: float = False, log_folder: str | os.PathLike[str] | None = None
    ) -> DigitalTwin:
        """Learn the network from its history.

        Args:
            history: of at least `min_decisions` decisions, 8 or 64. Where networks are fitted, some runs are held out
                for early stopping (where runs are few, a part of each), see `TrainingSettings`.
            progress: show a bar; a number: where a network takes longer than so many seconds.
            log_folder: where TensorBoard's curves go.

        Returns:
            The twin itself.

        Raises:
            ValueError: the history is too short.
        """
        return self._fit("history", history, None, progress, log_folder)

    def calibrate(
        self, fresh: History, *, progress: float = False, log_folder: str | os.PathLike[str] | None = None
    ) -> DigitalTwin:
        """Go on from the present weights on fresh decisions of the same network.

        What was fitted in closed form is so again, to the fresh decisions and to those of the windows that it kept,
        which count less.

        Args:
            fresh: what was measured since, at least 64 decisions; 8 where no part of the twin is a network.
            progress: show a bar; a number: where a network takes longer than so many seconds.
            log_folder: where TensorBoard's curves go.

        Returns:
            The twin itself.

        Raises:
            ValueError: the history is too short, or is of another network.
        """
        check_instance("fresh", fresh, (History,))
        self.model.layout.check_same("fresh", fresh.layout)
        return self._fit("fresh", fresh, self.model, progress, log_folder)

    def _fit(
        self,
        key: str,
        history: History,
        present: TwinModel | None,
        progress: float,
        log_folder: str | os.PathLike[str] | None,
    ) -> DigitalTwin:
        """Fit from fresh weights, or from those of a present model."""
        check_instance(key, history, (History,))
        least = self.min_decisions if present is None else present.min_decisions
        if len(history) < least:
            why = ", as networks are fitted" if least == NEURAL_DECISIONS else ""
            raise ValueError(f"{key}: {len(history)} decisions given, allowed are {least} or more{why}")
        from twin.fitting.fit import fit  # brings in PyTorch, which stepping a twin does without

        folder = None if log_folder is None else Path(log_folder)
        settings = self.transition, self.performance, self.training, self.seed
        self._model, self.report = fit(history, *settings, present, progress, folder, self.device)
        return self

    def predict(self, history: History, units: npt.ArrayLike | None = None) -> Prediction:
        """One-step predictions for every decision of a history.

        Args:
            history: of n decisions on S slices.
            units: allocations (n, S), or (S,) for all decisions, that take the place of the history's, each after what
                the history measured before it; None: its own. Arrivals are predicted as for its own: they are demand.

        Raises:
            ValueError, TypeError: the history is of another network, or the units are no allocations of it.
        """
        check_instance("history", history, (History,))
        model = self.model
        model.layout.check_same("history", history.layout)
        encoded = encode(model.layout, model.scaler, history)
        prediction = model.predict(encoded)
        if units is None:
            return prediction
        chosen, rows = model.layout.checked_units(units, len(history)), np.arange(len(history))
        buffers = model.buffers(len(history))
        before = encoded.before, encoded.held, chosen, encoded.controls
        kernel.encode(model.scaler, rows, *before, buffers.features)
        model.performance_stepper(rows, buffers.features, buffers.performance, model.scratch())
        model.expect(rows, buffers)
        return replace(prediction, performance=buffers.performance, expected=buffers.expected)

    def expected(
        self, history: History, samples: int = 200, seed: int = 0, units: npt.ArrayLike | None = None
    ) -> dict[str, FloatArray]:
        """What every decision of a history is expected to bring, in the columns' own units.

        Means over draws from one-step predictions. `predict(...).expected` is on the scales that columns are modelled
        on: the mean of log1p(delay), taken back, is not the mean delay. A slice that is not there brings what the
        history measured of it, whatever is allocated.

        Args:
            history: of n decisions on S slices.
            samples: draws a decision.
            seed: of the draws.
            units: allocations in place of the history's, see `predict`.

        Returns:
            "arrivals" (n, S), the performance by column, (n, S), or (n,) for a column of the cell, and "utility" (n,)
            where SSR and SE are among the columns.

        Raises:
            ValueError, TypeError: the history is of another network, or the units are no allocations of it.
        """
        check_integer("samples", samples, at_least=1)
        prediction = self.predict(history, units)
        generator = np.random.default_rng(check_integer("seed", seed, at_least=0))
        total = np.zeros((len(history), self.model.layout.num_variables))
        for _ in range(samples):
            total += self.model.draw(prediction, generator)
        mean = as_measured(history, measured_by(history), total / samples)
        found = {"arrivals": mean[:, : self.scenario.num_slices], **self.model.split(mean)}
        if self.model.has_reward:  # it is linear in both: that of the means is the mean
            found["utility"] = utility(self.scenario, found[SPECTRAL_EFFICIENCY.name], found[SSR.name])
        return found

    def cells_at(self, history: History, row: int, seeds: Sequence[int], num_threads: int = 1) -> TwinCells:
        """Cells, one per seed, at a moment of a history: just before its decision `row`.

        They have seen what went before it in its sequence, the last 64 intervals at most. Advance them with other
        allocations under the same seeds, and what differs is the allocations' doing.

        Args:
            history: of the network.
            row: number of the decision, from 0.
            seeds: of the cells (k,).
            num_threads: threads that share the cells.

        Raises:
            ValueError: the history is of another network, or has no such decision.
        """
        check_instance("history", history, (History,))
        self.model.layout.check_same("history", history.layout)
        check_integer("row", row, at_least=0, at_most=len(history) - 1)
        (block,) = [each for each in history.sequences() if each.start <= row < each.stop]
        first = max(block.start, row - _SEEN)
        seen = encode(self.model.layout, self.model.scaler, history.take(np.arange(first, row + 1)))
        window = InitialWindows(
            seen.features[None, :-1], seen.before[None, -1], self.model.layout.lowered(seen.held[None, -1])
        )
        cells = self.cells(seeds, num_threads)
        cells.begin_at(InitialWindows(*(np.repeat(part, len(seeds), axis=0) for part in vars(window).values())))
        return cells

    def cells(self, seeds: Sequence[int], num_threads: int = 1) -> TwinCells:
        """Cells simulated by the twin, one per seed."""
        return TwinCells(self.model, seeds, num_threads)

    def sample(self, units: npt.ArrayLike, seeds: Sequence[int], num_threads: int = 1) -> list[TwinInterval]:
        """Simulate cells freely, each from a window of the history drawn by its seed.

        Args:
            units: allocations (T, S) that all cells hold in turn, or (T, k, S) for each of the k cells its own.
            seeds: one per cell (k,).
            num_threads: threads that share the cells.

        Returns:
            The T intervals.

        Raises:
            ValueError, TypeError: allocations of another form.
        """
        try:
            plan = np.asarray(units)
        except ValueError as error:
            raise ValueError(f"units: {units!r} is not an array ({error})") from None
        slices = self.scenario.num_slices
        if plan.ndim not in (2, 3) or len(plan) == 0 or plan.shape[-1] != slices:
            raise ValueError(
                f"units: shape {plan.shape} given, allowed are (T, {slices}) and (T, {len(seeds)}, {slices})"
            )
        for now in plan:  # all, before the first interval is simulated
            self.model.layout.checked_units(now, len(seeds))
        cells = self.cells(seeds, num_threads)
        cells.begin_episode()
        return [cells.advance(now) for now in plan]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file (safetensors, with JSON in its header), atomically; its name should end in `.safetensors`."""
        storage.save(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """What `save` writes.

        Raises:
            ValueError: the twin was not fitted.
        """
        asked = replace(self.model.performance, prior_scale=self.performance.prior_scale)
        return storage.dump(storage.Contents(self.model, self.transition, asked, self.training, self.seed))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> DigitalTwin:
        """The twin that `save` wrote; loading runs no code.

        Args:
            path: the file, with or without `.safetensors`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not a twin's, is damaged, or is of another version.
        """
        return cls._of(storage.load(path))

    @classmethod
    def from_bytes(cls, content: bytes) -> DigitalTwin:
        """The twin that `to_bytes` gave; no code is run.

        Raises:
            ValueError: the bytes are not a twin's, are damaged, or are of another version.
        """
        return cls._of(storage.parse(content))

    @classmethod
    def _of(cls, contents: storage.Contents) -> DigitalTwin:
        model, transition, performance, training, seed = contents
        twin = cls(transition, performance, training, seed)
        twin._model = model
        return twin
