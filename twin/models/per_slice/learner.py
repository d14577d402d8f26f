"""`SliceLearner`: what each slice is worth with each number of units, learned from every decision from the first on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario
from slicing_gym.allocation_search import best_allocations
from slicing_gym.exclusive import OwnArrays
from twin.models.per_slice.regression import Posterior, find_noise_ratio
from twin.models.per_slice.slices import BOUNDED, TOTAL, SliceRegressions

FloatArray = npt.NDArray[np.float64]

SPREAD = 0.7
"""Samples lie so much nearer to the mean than the posterior's: exploring costs less, and still finds what is better."""

LOADS_KEPT = 200
"""Intervals over which the expected SSR of an episode is taken."""


class SliceLearner(OwnArrays):
    """The performance of S slices as Gaussian processes, learned decision by decision.

    Each slice's SSR depends on its own units, load and what it left unserved; the SE is a sum of one such term a slice.
    Both are regressions in closed form, so that a decision costs milliseconds, and a sample of all that may still be
    true is as cheap as what is expected (Thompson 1933).

    Args:
        scenario: of the network; its slices, units and utility are used, its traffic only for the nominal arrivals.
        memory: decisions after which what was seen counts 1/e; None: everything counts alike.

    Attributes:
        num_decisions: learned from.
    """

    def __init__(self, scenario: Scenario, memory: int | None = None) -> None:
        self.scenario, self.memory = scenario, memory
        self.num_decisions = 0
        self._regressions = SliceRegressions(scenario.num_units, scenario.num_slices)
        self._loads = np.zeros((0, scenario.num_slices))  # of the last intervals, the present one last
        self._left_over = np.zeros(scenario.num_slices)
        self._noise_ratios = np.zeros(scenario.num_slices + 1)  # of each regression, at its last solution; 0: none
        self._posteriors: tuple[list[Posterior], Posterior] | None = None

    def begin(self, reset_info: Mapping[str, Any]) -> None:
        """An episode begins; `reset_info` is the info of the reset."""
        self._see(reset_info["arrivals"])
        self._left_over = 1.0 - np.asarray(reset_info["ssr"], np.float64)

    def observe(self, info: Mapping[str, Any]) -> None:
        """Learn from the interval of a decision; `info` is that of the step."""
        self._find_noise()
        if self.memory is not None:
            self._regressions.fade(float(np.exp(-1.0 / self.memory)))
        ssr, efficiency = np.asarray(info["ssr"], np.float64), float(info["spectral_efficiency"])
        self._regressions.add(
            np.asarray(info["allocation"])[None],
            self._loads[-1:],
            self._left_over[None],
            ssr[None, :, None] - 1.0,
            np.array([[efficiency]]),
        )
        self.num_decisions += 1
        self._posteriors = None
        self._see(info["arrivals"])
        self._left_over = 1.0 - ssr

    def _find_noise(self) -> None:
        """Take the noise around what is expected for the next solution: finding it then would double the work."""
        if self._posteriors is None:
            return
        own, total = self._posteriors
        seen = self._regressions
        found = [find_noise_ratio(seen.own[n], 0, each.mean, BOUNDED.noise) for n, each in enumerate(own)]
        found.append(find_noise_ratio(seen.total, 0, total.mean, TOTAL.noise * seen.total_scale(0)))
        self._noise_ratios = np.array(found)

    def _see(self, arrivals: npt.ArrayLike) -> None:
        loads = np.asarray(arrivals, np.float64) / self.scenario.nominal_arrivals
        self._loads = np.concatenate([self._loads[1 - LOADS_KEPT :], loads[None]])

    def values(
        self,
        arrivals: npt.ArrayLike,
        ssr: npt.ArrayLike | None = None,
        *,
        horizon: int = 1,
        gamma: float = 0.8,
        generator: np.random.Generator | None = None,
    ) -> FloatArray:
        """Each slice's expected term of the utility with 1 to M units (k, S, M).

        Before the first decision nothing is known but that more units are worth less and less more, which is best met
        by even shares.

        Args:
            arrivals: packets of the last interval (k, S).
            ssr: of the last interval (k, S); None: every packet was served in time.
            horizon: intervals that count. Later ones see the same arrivals and hold what is best in one interval; they
                depend on the first by what it leaves unserved.
            gamma: discount of an interval compared with the one before it.
            generator: draw the regressions' weights for every row; None: take what is expected.
        """
        loads = np.atleast_2d(np.asarray(arrivals, np.float64)) / self.scenario.nominal_arrivals
        left_over = np.zeros_like(loads) if ssr is None else 1.0 - np.asarray(ssr, np.float64).reshape(loads.shape)
        if self.num_decisions == 0:
            unknown = np.log(np.arange(1, self._regressions.basis.num_units + 1))
            return np.tile(unknown, (*loads.shape, 1))
        own, total = self._weights(len(loads), generator)
        satisfied = self._satisfied_ratios(own, loads, left_over)
        found = self._terms(satisfied, self._regressions.evaluate(total, loads, left_over))
        if horizon == 1:
            return found
        best = best_allocations(found, self.scenario.num_units)[0][..., None] - 1  # (k, S, 1)
        for later in range(1, horizon):
            left = 1.0 - satisfied  # of each number of units in the first interval
            at_best = self._at(own, loads, left, best)
            efficiency = self._at(total, loads, left, best)
            satisfied = np.clip(1.0 + at_best, 0.0, 1.0)
            found += gamma**later * self._terms(satisfied, efficiency)
        return found

    def _at(
        self, weights: FloatArray, loads: FloatArray, left_over: FloatArray, units: npt.NDArray[np.int64]
    ) -> FloatArray:
        """What weights say of fixed units (k, S, 1), for each of M values of what was left over (k, S, M)."""
        calm = self._regressions.evaluate(weights, loads, np.zeros_like(loads))
        busy = self._regressions.evaluate(weights, loads, np.ones_like(loads))
        still, more = (np.take_along_axis(each, units, axis=2) for each in (calm, busy))
        return still + left_over * (more - still)

    def _terms(self, satisfied: FloatArray, efficiency: FloatArray) -> FloatArray:
        """Terms of the utility, equation (5)."""
        weighted: FloatArray = self.scenario.reward.se_weight * efficiency
        return weighted + self.scenario.ssr_weights[:, None] * satisfied

    def _satisfied_ratios(self, weights: FloatArray, loads: FloatArray, left_over: FloatArray) -> FloatArray:
        return np.clip(1.0 + self._regressions.evaluate(weights, loads, left_over), 0.0, 1.0)

    def _weights(self, rows: int, generator: np.random.Generator | None) -> tuple[FloatArray, FloatArray]:
        """Weights of the SSR and of the SE (rows, S, width) each: the mean, or a sample for every row."""
        own, total = self._fitted()
        slices = len(own)
        if generator is None:
            ssr, efficiency = np.stack([each.mean for each in own]), total.mean.reshape(slices, -1)
            return np.broadcast_to(ssr, (rows, *ssr.shape)), np.broadcast_to(efficiency, (rows, *efficiency.shape))
        width = self._regressions.basis.width
        ssr, efficiency = np.zeros((rows, slices, width)), np.zeros((rows, slices, width))
        for row in range(rows):
            ssr[row] = [each.sample(generator, SPREAD) for each in own]
            efficiency[row] = total.sample(generator, SPREAD).reshape(slices, width)
        return ssr, efficiency

    def _fitted(self) -> tuple[list[Posterior], Posterior]:
        if self._posteriors is None:
            seen, slices = self._regressions, self.scenario.num_slices
            ratios = [each or None for each in self._noise_ratios.tolist()]
            own = [seen.own_posterior(n, 0, BOUNDED, ratios[n]) for n in range(slices)]
            total = seen.total_posterior(0, TOTAL, ratios[slices])
            self._posteriors = own, total
        return self._posteriors

    def expected_ssr(self) -> FloatArray:
        """The expected SSR with 1 to M units (S, M), over the loads of the last episode."""
        expected = np.stack([each for each, _ in self._over_an_episode()])
        return np.clip(np.maximum.accumulate(expected, axis=1), 0.0, 1.0)  # as `satisfied`

    def satisfied(self, demanded: npt.ArrayLike) -> FloatArray:
        """The probability that the expected SSR over an episode is at least `demanded` with 1 to M units (S, M).

        The loads are those of the last episode.

        Args:
            demanded: SSR of each slice (S,); nan or 0: nothing, with probability 1.
        """
        wanted = np.asarray(demanded, np.float64)
        rows = []
        for bound, (expected, deviation) in zip(wanted, self._over_an_episode(), strict=True):
            asked = bound > 0.0  # not so for nan
            rows.append(_normal_cdf((expected - bound) / deviation) if asked else np.ones_like(expected))
        # With more units no slice is served worse, also where so many were never held.
        return np.maximum.accumulate(np.stack(rows), axis=1)

    def _over_an_episode(self) -> list[tuple[FloatArray, FloatArray]]:
        """For each slice mean and standard deviation (M,) of the expected SSR, nothing being left over."""
        basis, own = self._regressions.basis, self._fitted()[0]
        loads = self._loads if len(self._loads) else np.ones((1, len(own)))  # no episode has begun: nominal arrivals
        found = []
        for n, known in enumerate(own):
            load = basis.load(loads[:, n]).mean(axis=0)
            smooth = (basis.units[:, :, None] * load).reshape(len(basis.units), -1)
            others = np.zeros((len(smooth), basis.width - smooth.shape[1]))
            features = np.concatenate([smooth, others], axis=1)
            found.append((1.0 + features @ known.mean, np.maximum(known.deviation(features), 1e-9)))
        return found

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Everything that learning changes: builtin types, and arrays by name."""
        arrays = {f"regressions.{name}": array for name, array in self._regressions.state().items()}
        arrays |= {
            "loads": self._loads.copy(),
            "left_over": self._left_over.copy(),
            "noise_ratios": self._noise_ratios.copy(),
        }
        return {"num_decisions": self.num_decisions}, arrays

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to what `state` gave."""
        self.num_decisions, self._posteriors = int(header["num_decisions"]), None
        self._loads, self._left_over = arrays["loads"].copy(), arrays["left_over"].copy()
        self._noise_ratios = arrays["noise_ratios"].copy()
        prefix = "regressions."
        self._regressions.restore({k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)})


def _normal_cdf(deviates: FloatArray) -> FloatArray:
    found: FloatArray = 0.5 * np.vectorize(math.erfc)(-deviates / math.sqrt(2.0))
    return found
