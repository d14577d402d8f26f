"""`TwinCells`: cells simulated by a twin, advanced by its kernel; the environments are thin adapters over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym.counter_rng import cell_key, counter, uniform
from slicing_gym.errors import check_integer
from slicing_gym.exclusive import OwnArrays
from slicing_gym.reward import utility
from slicing_gym.threads import Threads, check_threads
from twin.models.operations import Floats
from twin.runtime import kernel
from twin.runtime.model import InitialWindows, TwinModel

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TwinInterval:
    """What one decision interval brought to k cells of a twin with n slices.

    Args:
        allocation: units per slice (k, n).
        arrivals: packets (k, n).
        performance: every column that the history measured, (k, n) or (k,).
        utility: equations (4) and (5) (k,), nan if the twin's history measured no SSR or no SE.
        epistemic_std: standard deviation over the ensemble of the utility that each member expects (k,).
    """

    allocation: IntArray
    arrivals: IntArray
    performance: dict[str, FloatArray]
    utility: FloatArray
    epistemic_std: FloatArray

    def info(self) -> dict[str, npt.NDArray[Any]]:
        """The `info` of an environment; see `SliceTwinEnv` for the keys."""
        return {
            "arrivals": self.arrivals,
            "allocation": self.allocation,
            **self.performance,
            "utility": self.utility,
            "epistemic_std": self.epistemic_std,
        }


class TwinCells(OwnArrays):
    """n cells of a twin; all randomness of a cell follows from its seed, and none from what is decided.

    Args:
        model: the twin's, `DigitalTwin.model`.
        seeds: one non-negative integer a cell.
        num_threads: threads that share the cells; the numbers do not depend on it.
    """

    def __init__(self, model: TwinModel, seeds: Sequence[int], num_threads: int = 1) -> None:
        self.model = model
        self._threads = Threads(check_threads(num_threads))
        layout, number = model.layout, len(seeds)
        self._key = np.zeros(number, np.uint64)
        self._interval = np.zeros(number, np.int64)  # intervals simulated: names the random numbers of the next
        self._episode = np.zeros(number, np.int64)
        self._begun = np.zeros(number, np.bool_)
        self._member = np.zeros(number, np.int64)  # of the transition, with which each cell is simulated this episode
        self._memory = np.zeros((number, 1, model.stepper.state_size), np.float32)
        self._age = np.zeros(number, np.int64)
        self._measured = np.zeros((number, layout.num_variables))
        self._held = np.zeros((number, layout.scenario.num_slices), np.int64)
        self._controls = np.repeat(model.modal_controls[None], number, axis=0)
        self._buffers = model.buffers(number)
        self._scratch = [model.scratch() for _ in range(self._threads.number)]
        self.redraw(np.arange(number), seeds)

    @property
    def measured(self) -> FloatArray:
        """What the last interval brought, all variables (n, V)."""
        return self._measured.copy()

    def redraw(self, cells: IntArray, seeds: Sequence[int]) -> None:
        """Put fresh cells of the given seeds in the places `cells` (k,)."""
        for cell, seed in zip(cells, seeds, strict=True):
            self._key[cell] = cell_key(check_integer("seeds", seed, at_least=0))
        self._interval[cells] = self._episode[cells] = 0
        self._begun[cells] = False

    def clone(self, cells: IntArray | None = None) -> TwinCells:
        """Copies of cells (by default all; a number may be repeated), with the same random streams and model."""
        which = np.arange(len(self)) if cells is None else cells
        copies = TwinCells(self.model, [0] * len(which), self._threads.number)
        for name in _CHANGING:
            setattr(copies, name, getattr(self, name)[which])
        return copies

    def begin_episode(self, cells: IntArray | None = None) -> TwinInterval:
        """Take each cell to the end of a window of the history, drawn again for every episode."""
        which = np.arange(len(self._key)) if cells is None else cells
        windows, memory = self.model.initial_windows, self.model.initial_memory
        for cell in which:
            drawn = uniform(self._key[cell], counter(kernel.STREAM_WINDOW, 0, int(self._episode[cell])))
            window = min(int(drawn * len(windows.units)), len(windows.units) - 1)
            self._member[cell] = self._draw_member(cell)
            self._memory[cell, 0], self._age[cell] = memory[window, self._member[cell]], windows.features.shape[1]
            self._measured[cell] = windows.measured[window]
            self._held[cell] = self.model.layout.lifted(windows.units[window])
            self._buffers.features[cell] = windows.features[window, -1]
        self._episode[which] += 1
        self._begun[which] = True
        self._controls[which] = self.model.modal_controls
        self._threads.run(self._expect, which, self._scratch)
        return self._result(which)

    def begin_at(self, windows: InitialWindows) -> None:
        """Take cell i to the end of window i."""
        number, window, _ = windows.features.shape
        memory = self.model.stepper.memory(number)
        self._age[:] = 0
        self.model.feed(windows.features, np.full(number, window), memory, self._age)
        self._member[:] = [self._draw_member(cell) for cell in range(number)]
        self._memory[:, 0] = memory[np.arange(number), self._member]
        self._measured[:], self._held[:] = windows.measured, self.model.layout.lifted(windows.units)
        self._begun[:] = True

    def _draw_member(self, cell: int) -> int:
        """The member of the transition that a cell is simulated with in its present episode."""
        members = self.model.transition.members
        drawn = uniform(self._key[cell], counter(kernel.STREAM_WINDOW, 1, int(self._episode[cell])))
        return min(int(drawn * members), members - 1)

    def advance(
        self,
        units: npt.ArrayLike,
        cells: IntArray | None = None,
        controls: Floats | None = None,
        known: FloatArray | None = None,
    ) -> TwinInterval:
        """Hold allocations (k, n_slices), or one (n_slices,) for all, for a decision interval of cells (k,).

        Args:
            units: the allocations.
            cells: numbers of the cells, by default all.
            controls: one-hot (k, C), from now on; by default those that the history held most often.
            known: variables (V,) that are known of the interval, and not drawn; NaN for all others. They are what the
                next interval comes after; the others of the same interval are drawn from what was before it.

        Returns:
            What the interval brought to those cells.

        Raises:
            TypeError, ValueError: the allocations are not of that form, or no episode has begun.
        """
        which = np.arange(len(self._key)) if cells is None else cells
        if controls is not None:
            self._controls[which] = controls
        if not self._begun[which].all():
            raise ValueError(
                f"cells: no episode has begun in {which[~self._begun[which]].tolist()}; call begin_episode first"
            )
        self._buffers.units[which] = self.model.layout.checked_units(units, len(which))
        before = self._measured[which]
        self._threads.run(self._step, which, self._scratch)
        if self.model.presence is not None:
            drawn = self._measured[which]
            self.model.presence.step(self.model.layout, before, drawn, self._key[which], self._interval[which], known)
            self._measured[which] = drawn
        if known is not None:
            self._measured[which] = np.where(np.isnan(known), self._measured[which], known)
        self._held[which] = self._buffers.units[which]
        self._interval[which] += 1
        return self._result(which)

    def _step(self, rows: IntArray, scratch: Floats) -> None:
        """One interval of some cells: features, transition, performance, draws."""
        model, buffers = self.model, self._buffers
        kernel.encode(model.scaler, rows, self._measured, self._held, buffers.units, self._controls, buffers.features)
        model.stepper.step_one(
            self._member, rows, buffers.features, self._memory, self._age, buffers.transition, scratch
        )
        self._expect(rows, scratch)
        model.draw_into(self._measured, rows, buffers.transition, buffers.performance, self._key, self._interval)

    def _expect(self, rows: IntArray, scratch: Floats) -> None:
        """The outputs of the ensemble's members for the features, and what each expects."""
        buffers = self._buffers
        self.model.performance_stepper(rows, buffers.features, buffers.performance, scratch)
        self.model.expect(rows, buffers)

    def _result(self, which: IntArray) -> TwinInterval:
        """The present values of some cells."""
        slices = self.model.scenario.num_slices
        performance = self.model.split(self._measured[which])
        values = np.full(len(which), np.nan)
        if self.model.has_reward:
            values = utility(self.model.scenario, performance["spectral_efficiency"], performance["ssr"])
        return TwinInterval(
            allocation=self.model.layout.lowered(self._held[which]),
            arrivals=self._measured[which, :slices].astype(np.int64),
            performance=performance,
            utility=values,
            epistemic_std=self.model.disagreement(self._buffers.expected[which]),
        )

    def __len__(self) -> int:
        """Number of cells."""
        return len(self._key)


_CHANGING = (
    "_key",
    "_interval",
    "_episode",
    "_begun",
    "_member",
    "_memory",
    "_age",
    "_measured",
    "_held",
    "_controls",
)
"""What is kept of a cell from one interval to the next; the buffers are written before they are read."""
