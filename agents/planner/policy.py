"""`PlanningPolicy`: chooses the best allocation by a model of the network, or by a sample of what may be true."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.planner.checks import check_model, check_values
from agents.planner.constraints import Bounds, Constraints, Permitted
from agents.planner.protocol import PlanningModel
from slicing_gym import Scenario, get_scenario
from slicing_gym.action import AllocationIndexCodec, AllocationListCodec, DiscreteCodec
from slicing_gym.allocation import MAX_LISTED
from slicing_gym.errors import check_integer, check_number, unknown_name
from slicing_gym.space_spec import SpaceSpec

CHOOSE_BY = ("sample", "mean")
"""What decides while a planner learns: a sample of the model's posterior (Thompson 1933), or its expectation."""

MAX_HORIZON = 10_000
"""Most intervals that count: with a discount as near to 1 as 0.999 the last of them counts nothing."""

_SEEN = ("arrivals", "allocation", "ssr")
"""What is kept of the last info to decide by."""

_ROWS = 256  # states planned for at once, for a model's sake

_log = logging.getLogger(__name__)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class PlanningPolicy:
    """Chooses the allocation whose utility is the highest by a model that learns from every decision.

        u(t) = arg max over allocations u of sum_n V_n(u_n; arrivals, what was held, theta)

    V being the model's terms of the utility of equation 5, over `horizon` intervals. With `choose_by="sample"`, theta
    is drawn from the model's posterior before every decision (Thompson sampling): what may be the best is tried, and
    what is known to be worse is not. The search is exact (`slicing_gym.allocation_search`). A model that is not a sum
    over slices is asked for all allocations, where they can be listed.

    `predict` sees an observation alone; `begin`, `decide` and `observe` are for whoever acts in a network and has its
    infos, as `agents.Planner` does.

    Args:
        scenario: of the network, a preset's name or a `Scenario`; its utility is maximised.
        model: what it chooses by, and teaches.
        choose_by: one of `CHOOSE_BY`.
        horizon: intervals whose utility counts, `MAX_HORIZON` at most.
        gamma: discount of each interval after the first.
        lowest, highest, allowed, min_ssr, min_probability: see `agents.planner.constraints.Constraints`.
        seed: of the samples.
        codec: what its actions mean; by default numbers of all allocations. Of a list only those in it are chosen.

    Attributes:
        observation_space: of what `predict` takes.
        action_space: of what it gives.
        constraints: on what is chosen.
        generator: draws the samples.

    Raises:
        ValueError, TypeError: an argument is not allowed, or the model is of another network; the message names it.
    """

    def __init__(
        self,
        scenario: str | Scenario,
        model: PlanningModel,
        *,
        choose_by: str = "sample",
        horizon: int = 1,
        gamma: float = 0.8,
        lowest: Bounds | None = None,
        highest: Bounds | None = None,
        allowed: npt.ArrayLike | None = None,
        min_ssr: Mapping[str, float] | None = None,
        min_probability: float = 0.9,
        seed: int = 0,
        codec: DiscreteCodec | None = None,
    ) -> None:
        self.scenario = get_scenario(scenario)
        self.codec = AllocationIndexCodec() if codec is None else codec
        spec = SpaceSpec(self.scenario, action_codec=self.codec)
        self.observation_space, self.action_space = spec.observation_space, spec.action_space
        if isinstance(self.codec, AllocationListCodec) and allowed is None:
            allowed = self.codec.allocations(self.scenario)
        self._nominal_arrivals = self.scenario.nominal_arrivals
        if choose_by not in CHOOSE_BY:
            raise ValueError(unknown_name("choose_by", choose_by, CHOOSE_BY))
        self.choose_by = choose_by
        self.horizon = check_integer("horizon", horizon, at_least=1, at_most=MAX_HORIZON)
        self.gamma = check_number("gamma", gamma, at_least=0.0, at_most=1.0)
        self.constraints = Constraints(self.scenario, lowest, highest, allowed, min_ssr, min_probability)
        self.seed = check_integer("seed", seed, at_least=0, at_most=2**32 - 1)
        self.generator = np.random.default_rng(self.seed)
        self.model = model
        self._seen: dict[str, npt.NDArray[Any]] = {}
        self._permitted: tuple[int, Permitted] | None = None
        self._warned = False
        check_model(model, self.scenario)
        check_values(model, self.scenario, self._values(self._nominal_arrivals[None]))

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[IntArray, Any]:
        """Actions for observations, as in Stable-Baselines3; what was held is not known.

        Args:
            observation: arrivals over nominal arrivals (n_slices,) or (k, n_slices).
            state: returned as it comes.
            episode_start: not used.
            deterministic: choose by the expectation; else as `choose_by` says, by a sample for each row.

        Returns:
            Actions () or (k,), and the state as it came.

        Raises:
            ValueError: the observation has another shape.
        """
        del episode_start
        seen = np.asarray(observation, np.float64)
        n = self.scenario.num_slices
        if seen.ndim not in (1, 2) or seen.shape[-1] != n:
            raise ValueError(f"observation: shape {seen.shape} given, allowed are ({n},) and (k, {n})")
        arrivals = np.atleast_2d(seen) * self._nominal_arrivals
        generator = None if deterministic else self._sampling
        parts = [
            self._best(self._values(arrivals[first : first + _ROWS], generator=generator))[0]
            for first in range(0, max(len(arrivals), 1), _ROWS)
        ]
        actions = self.codec.index(self.scenario, np.concatenate(parts))
        self._warn_once()
        return (actions if seen.ndim == 2 else actions[0]), state

    def slice_values(self, observations: npt.ArrayLike) -> FloatArray:
        """Each slice's expected term of the utility with 1 to M units (k, n_slices, M).

        Args:
            observations: (k, n_slices), see `predict`.

        Raises:
            ValueError: the model is not separable.
        """
        if not self.model.separable:
            raise ValueError("slice_values: the model's utility is no sum over slices; predict chooses by all of it")
        return self._values(np.asarray(observations, np.float64) * self._nominal_arrivals)

    def allocation_values(self, observations: npt.ArrayLike) -> FloatArray:
        """The expected utility of every allocation (k, num_allocations), -inf where the constraints forbid it.

        What `agents.distill` asks of a teacher, for a student that is to learn the values.

        Args:
            observations: (k, n_slices), see `predict`.

        Raises:
            ValueError: the allocations cannot be listed.
        """
        number = self.scenario.num_allocations
        if number > MAX_LISTED:
            raise ValueError(
                f"allocation_values: {number} allocations cannot be listed, at most {MAX_LISTED} can be; slice_values "
                "says what each slice's units are worth"
            )
        values = self._values(np.asarray(observations, np.float64) * self._nominal_arrivals)
        totals = self.constraints.totals(values, self._permit().units if self.constraints.demands else None)
        every = np.full((len(values), number), -np.inf)
        every[:, self.constraints.numbers] = totals
        return every

    @property
    def _sampling(self) -> np.random.Generator | None:
        return self.generator if self.choose_by == "sample" else None

    def _values(
        self,
        arrivals: npt.NDArray[Any],
        held: npt.NDArray[Any] | None = None,
        ssr: npt.NDArray[Any] | None = None,
        generator: np.random.Generator | None = None,
    ) -> FloatArray:
        """The model's values for k states (k, n_slices, M), or of all allocations (k, num_allocations)."""
        ask = self.model.values if self.model.separable else self.model.listed_values
        return ask(arrivals, held, ssr, horizon=self.horizon, gamma=self.gamma, generator=generator)

    def _best(self, values: FloatArray) -> tuple[IntArray, FloatArray]:
        """The best allocations that the constraints allow (k, n_slices), and their values (k,)."""
        return self.constraints.best(values, self._permit().units if self.constraints.demands else None)

    def _permit(self) -> Permitted:
        """What the model now permits; asked once a decision."""
        known = self.model.num_decisions
        if self._permitted is None or self._permitted[0] != known:
            satisfied = self.model.satisfied(self.constraints.demanded)
            self._permitted = known, self.constraints.permitted(satisfied)
        return self._permitted[1]

    def begin(self, reset_info: Mapping[str, Any]) -> None:
        """An episode begins: what `decide` goes by, and what the model is told.

        Args:
            reset_info: the info of the reset.
        """
        self.model.begin(reset_info)
        self._see(reset_info)

    def decide(self, deterministic: bool = False) -> tuple[int, float]:
        """The action to take next, by what was seen last, and its value.

        Args:
            deterministic: choose by the expectation; else as `choose_by` says.

        Raises:
            ValueError: no episode has begun.
        """
        if not self._seen:
            raise ValueError("decide: no episode has begun; call begin(reset_info) first")
        arrivals, held, ssr = (self._seen[name][None] for name in _SEEN)
        generator = None if deterministic else self._sampling
        units, values = self._best(self._values(arrivals, held, ssr, generator))
        return int(self.codec.index(self.scenario, units[0])), float(values[0])

    def observe(self, info: Mapping[str, Any]) -> None:
        """The interval of a decision is over: learn from it.

        Args:
            info: of the step.
        """
        self.model.observe(info)
        self._see(info)

    def _see(self, info: Mapping[str, Any]) -> None:
        self._seen = {name: np.array(info[name]) for name in _SEEN}

    def constraint_report(self) -> str:
        """What SSR is demanded, whether some allocation meets it by what the model knows, and what comes closest."""
        if not self.constraints.demands:
            return "min_ssr: nothing is demanded"
        permitted = self._permit()
        units, _ = self._best(self._values(self._nominal_arrivals[None]))
        expected = self.model.expected_ssr()[np.arange(len(units[0])), units[0] - 1]
        return self.constraints.report(permitted, units[0], expected)

    def _warn_once(self) -> None:
        if self.constraints.demands and not self._warned and not self._permit().meets:
            _log.warning(self.constraint_report())
            self._warned = True
