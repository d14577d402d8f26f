"""`PlanningTwin`: a twin that learns from every decision from the first on, and says what each slice is worth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as bytes_of

from slicing_gym import Scenario, get_scenario
from slicing_gym.allocation import MAX_LISTED, allocation_table
from slicing_gym.errors import check_integer, unknown_name
from slicing_gym.files import digest
from slicing_gym.reading import one_line
from twin.data.recorder import Recorder
from twin.models.per_slice.learner import SliceLearner
from twin.models.settings import NEURAL_DECISIONS, PerformanceSettings
from twin.runtime.listing import listed_utilities
from twin.twin import DigitalTwin

FloatArray = npt.NDArray[np.float64]

FORMAT_VERSION = 1
"""Of what `PlanningTwin.to_bytes` gives."""

_HISTORY, _TWIN = "history.", "twin"  # what networks add to the state

STRUCTURES = ("per_slice", "joint", "auto")

FIRST_FITS, FITS_EVERY = (NEURAL_DECISIONS, 128), 200
"""Decisions after which networks are fitted to what was seen, from scratch."""


class PlanningTwin:
    """A planner's model that learns from every decision from the first on.

    Slice by slice it is a `SliceLearner`: regressions in closed form. With networks it is a `DigitalTwin` too, fitted
    now and then to all that was seen; the regressions answer until it is there, and where they do better.

    Args:
        scenario: of the network, a preset's name or a `Scenario`; its slices, units and utility are used, its traffic
            only for the nominal arrivals.
        structure: "per_slice": the utility is a sum of one term per slice; "joint": networks say what every allocation
            is worth; "auto": whichever explains held-out decisions better.
        memory: decisions after which what was seen counts 1/e; None: everything counts alike. Networks are fitted to
            the last so many.
        seed: of the networks.

    Attributes:
        num_decisions: learned from.

    Raises:
        ValueError, TypeError: `scenario` or `structure` is unknown, `structure` is "joint" and the scenario has too
            many allocations to list, or `memory` or `seed` is not allowed.
    """

    def __init__(
        self, scenario: str | Scenario, structure: str = "per_slice", memory: int | None = None, seed: int = 0
    ) -> None:
        self.scenario = scenario = get_scenario(scenario)
        if structure not in STRUCTURES:
            raise ValueError(unknown_name("structure", structure, STRUCTURES))
        listed = scenario.num_allocations <= MAX_LISTED
        if structure == "joint" and not listed:
            raise ValueError(
                f"structure: 'joint' given, allowed is 'per_slice' or 'auto' where allocations cannot be listed: "
                f"{scenario.name!r} has {scenario.num_allocations}, at most {MAX_LISTED} can be"
            )
        self.structure = structure
        self.memory = None if memory is None else check_integer("memory", memory, at_least=1)
        self.seed = check_integer("seed", seed, at_least=0)
        self._slices = SliceLearner(scenario, self.memory)
        self._recorder = Recorder(scenario) if structure != "per_slice" and listed else None
        self._twin: DigitalTwin | None = None

    @property
    def separable(self) -> bool:
        """Whether the utility is a sum of one term per slice, which `values` gives; else ask for `listed_values`."""
        return self._twin is None or self._twin.model.structure == "per_slice"

    @property
    def num_decisions(self) -> int:
        """Decisions learned from."""
        return self._slices.num_decisions

    def begin(self, reset_info: Mapping[str, Any]) -> None:
        """An episode begins; `reset_info` is the info of the reset."""
        self._slices.begin(reset_info)
        if self._recorder is not None:
            self._recorder.begin(0, reset_info)

    def observe(self, info: Mapping[str, Any]) -> None:
        """Learn from the interval of a decision; `info` is that of the step."""
        self._slices.observe(info)
        if self._recorder is None:
            return
        self._recorder.add(0, info)
        number = self.num_decisions
        if number in FIRST_FITS or number % FITS_EVERY == 0:
            self._fit(self._recorder)

    def _fit(self, recorder: Recorder) -> None:
        """Fit networks to what was seen; arrivals are not asked for, so what is quickest predicts them."""
        history = recorder.history()
        if self.memory is not None:
            history = history.take(slice(-max(NEURAL_DECISIONS, self.memory), None))
        performance = PerformanceSettings(structure=self.structure)
        self._twin = DigitalTwin("autoregressive", performance, seed=self.seed).fit(history)

    def values(
        self,
        arrivals: npt.ArrayLike,
        held: npt.ArrayLike | None = None,
        ssr: npt.ArrayLike | None = None,
        *,
        horizon: int = 1,
        gamma: float = 0.8,
        generator: np.random.Generator | None = None,
    ) -> FloatArray:
        """Each slice's expected term of the utility with 1 to M units (k, S, M).

        Args:
            arrivals: packets of the last interval (k, S).
            held: units of the last interval (k, S); not used, what was left unserved says more.
            ssr: of the last interval (k, S); None: every packet was served in time.
            horizon: intervals that count, see `SliceLearner.values`.
            gamma: discount of an interval compared with the one before it.
            generator: draw a sample of the posterior for every row; None: take what is expected.

        Raises:
            ValueError: the utility is no such sum, see `separable`.
        """
        del held
        if not self.separable:
            raise ValueError("values: by this twin the utility is no sum over slices; ask for listed_values")
        return self._slices.values(arrivals, ssr, horizon=horizon, gamma=gamma, generator=generator)

    def listed_values(
        self,
        arrivals: npt.ArrayLike,
        held: npt.ArrayLike | None = None,
        ssr: npt.ArrayLike | None = None,
        *,
        horizon: int = 1,
        gamma: float = 0.8,
        generator: np.random.Generator | None = None,
    ) -> FloatArray:
        """The expected utility of every allocation (k, num_allocations); the arguments are those of `values`.

        With networks a sample is what one of them, drawn for every row, expects.

        Raises:
            ValueError: there are too many to list.
        """
        table = allocation_table(self.scenario.num_units, self.scenario.num_slices)
        if not self.separable:
            return self._listed_by_networks(
                np.atleast_2d(np.asarray(arrivals, np.float64)), held, ssr, horizon, gamma, generator
            )
        found = self.values(arrivals, held, ssr, horizon=horizon, gamma=gamma, generator=generator)
        total = np.zeros((len(found), len(table)))
        for n in range(table.shape[1]):
            total += found[:, n].take(table[:, n] - 1, axis=1)
        return total

    def _listed_by_networks(
        self,
        arrivals: FloatArray,
        held: npt.ArrayLike | None,
        ssr: npt.ArrayLike | None,
        horizon: int,
        gamma: float,
        generator: np.random.Generator | None,
    ) -> FloatArray:
        assert self._twin is not None
        model, rows = self._twin.model, []
        for k, seen in enumerate(arrivals):
            member = None if generator is None else int(generator.integers(model.performance_stepper.members))
            units = None if held is None else np.asarray(held, np.int64).reshape(arrivals.shape)[k]
            satisfied = None if ssr is None else np.asarray(ssr, np.float64).reshape(arrivals.shape)[k]
            rows.append(listed_utilities(model, seen, units, satisfied, horizon=horizon, gamma=gamma, member=member))
        return np.stack(rows)

    def expected_ssr(self) -> FloatArray:
        """The expected SSR with 1 to M units (S, M), over the loads of the last episode, slice by slice."""
        return self._slices.expected_ssr()

    def satisfied(self, demanded: npt.ArrayLike) -> FloatArray:
        """The probability (S, M) that a slice's expected SSR over an episode is at least what is demanded (S,).

        Args:
            demanded: SSR of each slice; 0 or nan: nothing, so that the probability is 1.
        """
        return self._slices.satisfied(demanded)

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Everything that learning changes: builtin types, and arrays by name."""
        header, arrays = self._slices.state()
        if self._recorder is not None:
            arrays |= {f"{_HISTORY}{name}": array for name, array in self._recorder.state().items()}
        if self._twin is not None:
            arrays[_TWIN] = np.frombuffer(self._twin.to_bytes(), np.uint8).copy()
        return header, arrays

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to what `state` gave."""
        self._slices.restore(header, arrays)
        if self._recorder is not None:
            past = {name.removeprefix(_HISTORY): array for name, array in arrays.items() if name.startswith(_HISTORY)}
            self._recorder.restore(past)
        self._twin = DigitalTwin.from_bytes(arrays[_TWIN].tobytes()) if _TWIN in arrays else None

    def to_bytes(self) -> bytes:
        """Safetensors, with JSON in the header and a checksum of it all; loading it runs no code."""
        header, arrays = self.state()
        whole = {"format": FORMAT_VERSION, "scenario": self.scenario.to_dict(), "memory": self.memory, **header}
        whole |= {"structure": self.structure, "seed": self.seed}
        entry = json.dumps({"sha256": digest(whole, arrays), **whole})
        content: bytes = bytes_of(arrays, {"planning_twin": entry})
        return content

    @classmethod
    def from_bytes(cls, content: bytes) -> PlanningTwin:
        """The twin that `to_bytes` gave.

        Raises:
            ValueError: the bytes are not a planning twin's, are damaged, or are of another version.
        """
        try:
            arrays = tensors_of(content)
            size = int.from_bytes(content[:8], "little")
            header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["planning_twin"])
            checksum, version = header.pop("sha256"), header["format"]
        except (SafetensorError, AttributeError, KeyError, ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"planning twin: the content is not one's, or is damaged ({error})") from error
        if version != FORMAT_VERSION:
            raise ValueError(f"planning twin: the content has format {version!r}, allowed is {FORMAT_VERSION}")
        if checksum != digest(header, arrays):
            raise ValueError("planning twin: the content does not have the checksum that it names")
        try:
            scenario, structure = Scenario.from_dict(header["scenario"]), header.get("structure", "per_slice")
            twin = cls(scenario, structure, header["memory"], header.get("seed", 0))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"planning twin: the content's header is not one's ({one_line(error)})") from error
        if _shapes(arrays) != _shapes(twin.state()[1]):
            raise ValueError("planning twin: the content has arrays of other shapes than its scenario's twin")
        twin.restore(header, arrays)
        return twin


def _shapes(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    """Of arrays whose shape does not depend on how much was seen."""
    growing = ("loads", _HISTORY, _TWIN)
    return {name: array.shape[-2:] for name, array in arrays.items() if not name.startswith(growing)}
