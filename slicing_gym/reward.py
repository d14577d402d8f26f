"""From what an interval brought to the reward; pure functions that the simulator and every model of it share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from slicing_gym._jit import njit
from slicing_gym.scenario import Reward, Scenario

FloatArray = npt.NDArray[np.float64]

# Numba notices changes of a file, not of what it calls; tests/project says what to write here.
COMPILED_WITH = "bd01ad497188"


class RewardFunction(Protocol):
    """Rewards decisions; give your own, a function or an object, to an environment as `reward_function=`."""

    def __call__(
        self, scenario: Scenario, info: Mapping[str, npt.NDArray[Any]], thresholds: FloatArray
    ) -> npt.NDArray[np.float64]:
        """Rewards (k,) of what k cells brought.

        Args:
            scenario: the cells' scenario.
            info: what was measured, arrays (k, ...) by name, see "Info" of `SliceRANEnv`.
            thresholds: c_t of equation (6) (k,).
        """


def sla_satisfaction_ratio(successes: npt.ArrayLike, arrivals: npt.ArrayLike) -> FloatArray:
    """SSR of equation (3): successful over arrived packets.

    1 where no packet arrived. A packet counts in the interval in which it completes, so a backlog can make more
    successes than arrivals; the ratio is clipped to 1.

    Args:
        successes: packets (...).
        arrivals: packets (...).

    Returns:
        float64 (...) in [0, 1].
    """
    delivered, arrived = np.asarray(successes, np.float64), np.asarray(arrivals, np.float64)
    if delivered.shape != arrived.shape:
        delivered, arrived = np.broadcast_arrays(delivered, arrived)
    ratio = np.empty(arrived.shape)
    _ratios(delivered.ravel(), arrived.ravel(), ratio.ravel())
    return ratio


@njit
def _ratios(successes: FloatArray, arrivals: FloatArray, ratios: FloatArray) -> None:
    """Write the ratios of n slices (n,); compiled, as are the next two: a step of an environment waits for them."""
    for n in range(len(ratios)):
        ratios[n] = min(successes[n] / max(arrivals[n], 1.0), 1.0) if arrivals[n] > 0.0 else 1.0


def utility(scenario: Scenario, spectral_efficiency: npt.ArrayLike, ssr: npt.ArrayLike) -> FloatArray:
    """U = alpha SE + sum over slices of beta_n SSR_n (equations 4 and 5).

    Args:
        scenario: gives alpha and beta.
        spectral_efficiency: (...) [bit/s/Hz].
        ssr: (..., n_slices).

    Returns:
        float64 (...).
    """
    ratios, efficiencies = np.asarray(ssr, np.float64), np.asarray(spectral_efficiency, np.float64)
    if efficiencies.shape != ratios.shape[:-1]:
        shape = np.broadcast_shapes(efficiencies.shape, ratios.shape[:-1])
        efficiencies = np.broadcast_to(efficiencies, shape)
        ratios = np.broadcast_to(ratios, (*shape, ratios.shape[-1]))
    values = np.empty(efficiencies.shape)
    weight = float(scenario.reward.se_weight)
    _utilities(ratios.ravel(), scenario.ssr_weights, efficiencies.ravel(), weight, values.ravel())
    return values


@njit
def _utilities(
    ssr: FloatArray, ssr_weights: FloatArray, efficiencies: FloatArray, se_weight: float, values: FloatArray
) -> None:
    """Write the utilities of k cells (k,); SSR (k x n_slices,) cell by cell."""
    num_slices = len(ssr_weights)
    for row in range(len(values)):
        satisfied = 0.0
        for n in range(num_slices):
            satisfied += ssr[row * num_slices + n] * ssr_weights[n]
        values[row] = se_weight * efficiencies[row] + satisfied


def threshold(reward: Reward, decisions: npt.ArrayLike) -> FloatArray:
    """c_t of equation (6): from c_0 to c_max in a straight line over the decisions taken (...), then constant."""
    taken = np.asarray(decisions, np.float64)
    thresholds = np.empty(taken.shape)
    start, end = float(reward.threshold_start), float(reward.threshold_end)
    _thresholds(taken.ravel(), float(reward.threshold_decisions), start, end, thresholds.ravel())
    return thresholds


@njit
def _thresholds(decisions: FloatArray, length: float, start: float, end: float, thresholds: FloatArray) -> None:
    """Write the thresholds after so many decisions (n,)."""
    for n in range(len(decisions)):
        thresholds[n] = start + (end - start) * min(decisions[n] / length, 1.0)


def shaped(reward: Reward, utilities: npt.ArrayLike, thresholds: npt.ArrayLike) -> FloatArray:
    """Equation (6): 1 where U reaches the threshold, else 0."""
    del reward  # every kind of reward is called alike
    return (np.asarray(utilities) >= np.asarray(thresholds)).astype(np.float64)


def clipped(reward: Reward, utilities: npt.ArrayLike, thresholds: npt.ArrayLike) -> FloatArray:
    """GAN-DDQN, equation (24): eta where U >= c1, -eta where U < c2, 0 between."""
    del thresholds
    high = np.asarray(utilities) >= reward.clip_high
    low = np.asarray(utilities) < reward.clip_low
    return reward.clip_value * (high.astype(np.float64) - low.astype(np.float64))


def utility_itself(reward: Reward, utilities: npt.ArrayLike, thresholds: npt.ArrayLike) -> FloatArray:
    """U itself."""
    del reward, thresholds
    return np.array(utilities, np.float64)


_REWARDS = {"shaped": shaped, "clip": clipped, "utility": utility_itself}


def reward_of(reward: Reward, utilities: npt.ArrayLike, thresholds: npt.ArrayLike) -> FloatArray:
    """The reward of the kind that the scenario asks for.

    Args:
        reward: `scenario.reward`.
        utilities: U (...).
        thresholds: c_t (...), see `threshold`.

    Returns:
        float64 (...).
    """
    return _REWARDS[reward.kind](reward, utilities, thresholds)


class ScenarioReward:
    """The reward of the kind that the scenario asks for: what an environment has by default."""

    def __call__(
        self, scenario: Scenario, info: Mapping[str, npt.NDArray[Any]], thresholds: FloatArray
    ) -> npt.NDArray[np.float64]:
        """See `RewardFunction`."""
        return reward_of(scenario.reward, info["utility"], thresholds)
