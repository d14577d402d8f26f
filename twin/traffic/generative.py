"""`TrafficTwin`: a generative model of arrivals alone, whoever decided what."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from slicing_gym import even_split
from slicing_gym.errors import check_instance, check_integer
from twin.models.settings import PerformanceSettings, TrainingSettings, TransitionSettings
from twin.traffic.log import NOBODY, TrafficLog
from twin.twin import DigitalTwin


class TrafficTwin:
    """A `DigitalTwin` with the arrivals as its only variables; its allocation is one and the same, and means nothing.

    It makes paths of arrivals, and no environment: there is nothing that could be decided or rewarded.

    Args:
        transition, training, seed: as of `DigitalTwin`.

    Attributes:
        twin: the twin, `DigitalTwin`.
    """

    def __init__(
        self,
        transition: str | TransitionSettings = "lstm",
        training: TrainingSettings | None = None,
        seed: int = 0,
    ) -> None:
        performance = PerformanceSettings(structure="per_slice")  # there is none: no networks for it
        self.twin = DigitalTwin(transition, performance, training, seed)

    @property
    def slices(self) -> tuple[str, ...]:
        """Names of the slices."""
        return tuple(name for name in self.twin.scenario.slice_names if name != NOBODY)

    @property
    def period_s(self) -> float:
        """Length of an interval [s]."""
        return self.twin.scenario.radio.interval_s

    def fit(self, traffic: TrafficLog, *, progress: bool = False) -> TrafficTwin:
        """Learn the arrivals.

        Args:
            traffic: 9 intervals or more in a row; with 64 or more a network is fitted, too.
            progress: show a bar.

        Raises:
            ValueError: the log is too short.
        """
        check_instance("traffic", traffic, (TrafficLog,))
        self.twin.fit(traffic.history(), progress=progress)
        return self

    def sample(self, seeds: Sequence[int], intervals: int) -> TrafficLog:
        """Paths of arrivals, one run per seed, each from an end of a window of the log that its seed draws.

        Args:
            seeds: one a path.
            intervals: length of each.
        """
        check_integer("intervals", intervals, at_least=1)
        scenario, number = self.twin.scenario, len(seeds)
        plan = np.repeat(even_split(scenario.num_units, scenario.num_slices)[None], intervals, axis=0)
        drawn = np.stack([each.arrivals for each in self.twin.sample(plan, seeds)], axis=1)  # (seeds, intervals, S)
        arrivals = drawn.reshape(number * intervals, -1)[:, : len(self.slices)].astype(np.float64)
        volume = self.twin.model.layout.arrivals_column.unit == "byte"
        return TrafficLog(
            slices=self.slices,
            period_s=self.period_s,
            run=np.repeat(np.arange(number), intervals),
            interval=np.tile(np.arange(intervals), number),
            packets=None if volume else arrivals,
            volume_byte=arrivals if volume else None,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file (safetensors), as `DigitalTwin.save` does."""
        self.twin.save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TrafficTwin:
        """The twin that `save` wrote; loading runs no code.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not a twin's, or it is one of more than arrivals.
        """
        twin = DigitalTwin.load(path)
        if twin.model.layout.columns:
            names = ", ".join(column.name for column in twin.model.layout.columns)
            raise ValueError(f"path: {os.fspath(path)!r} is a twin of {names}, too; allowed is one of arrivals alone")
        made = cls.__new__(cls)
        made.twin = twin
        return made
