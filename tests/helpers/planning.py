"""Small models that a planner can choose by: a table that learns, and one that knows what the cell will bring."""

from __future__ import annotations

import io

import numpy as np

from slicing_gym import get_scenario
from slicing_gym.allocation import allocation_table


class TableModel:
    """What each slice was worth with each number of units, whatever arrived: a normal posterior for each of the two.

    The SSR of a slice with u units is normal around a mean whose prior is that of a part of an interval with an SSR of
    1; each slice is taken to bring an equal share of the spectral efficiency, with units never tried as much as the
    largest that was seen. With `listed` it says that it is no sum.
    """

    NOISE, WEIGHT = 0.1, 0.25

    def __init__(self, scenario, listed=False):
        self.scenario = get_scenario(scenario)
        self.separable = not listed
        slices = self.scenario.num_slices
        shape = (slices, self.scenario.num_units - slices + 1)
        self.count, self.ssr, self.efficiency = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.num_decisions = self.episodes = 0

    def begin(self, reset_info):
        assert set(reset_info) >= {"arrivals", "allocation", "ssr"}
        self.episodes += 1

    def observe(self, info):
        held = np.arange(self.scenario.num_slices), np.asarray(info["allocation"]) - 1
        self.count[held] += 1.0
        self.ssr[held] += info["ssr"]
        self.efficiency[held] += info["spectral_efficiency"] / self.scenario.num_slices
        self.num_decisions += 1

    @property
    def _std(self):
        return self.NOISE / np.sqrt(self.count + self.WEIGHT)

    def expected_ssr(self):
        return (self.ssr + self.WEIGHT) / (self.count + self.WEIGHT)

    def values(self, arrivals, _held, _ssr, *, horizon=1, gamma=0.8, generator=None):
        expected = np.broadcast_to(self.expected_ssr(), (len(arrivals), *self.count.shape))
        if generator is not None:
            expected = expected + self._std * generator.standard_normal(expected.shape)
        largest = (self.efficiency / np.maximum(self.count, 1.0)).max()
        efficiency = (self.efficiency + self.WEIGHT * largest) / (self.count + self.WEIGHT)
        terms = self.scenario.reward.se_weight * efficiency + self.scenario.ssr_weights[:, None] * expected
        discounts = sum(gamma**interval for interval in range(horizon))
        return discounts * terms

    def listed_values(self, arrivals, held, ssr, **arguments):
        table = allocation_table(self.scenario.num_units, self.scenario.num_slices)
        values = self.values(arrivals, held, ssr, **arguments)
        return values[:, np.arange(table.shape[1]), table - 1].sum(axis=2)

    def satisfied(self, demanded):
        """Of a logistic distribution, whose tails are easily written."""
        wanted = np.nan_to_num(np.asarray(demanded, float))[:, None]
        beyond = (self.expected_ssr() - wanted) / self._std
        return np.where(wanted > 0.0, 1.0 / (1.0 + np.exp(-np.clip(1.7 * beyond, -50.0, 50.0))), 1.0)

    def state(self):
        arrays = {"count": self.count.copy(), "ssr": self.ssr.copy(), "efficiency": self.efficiency.copy()}
        return {"num_decisions": self.num_decisions, "episodes": self.episodes}, arrays

    def restore(self, header, arrays):
        self.num_decisions, self.episodes = header["num_decisions"], header["episodes"]
        self.count, self.ssr, self.efficiency = (arrays[name].copy() for name in ("count", "ssr", "efficiency"))

    def to_bytes(self):
        file = io.BytesIO()
        np.savez(file, learned=np.stack([self.count, self.ssr, self.efficiency]), decisions=self.num_decisions)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content, scenario="paper-1mhz"):
        made = cls(scenario)
        with np.load(io.BytesIO(content)) as archive:
            made.count, made.ssr, made.efficiency = archive["learned"]
            made.num_decisions = int(archive["decisions"])
        return made


class OracleModel(TableModel):
    """Knows what the coming interval brings to the cell of an environment, as the one-step oracle does."""

    def __init__(self, env):
        super().__init__(env.unwrapped.scenario)
        self._env = env

    def values(self, arrivals, *_, **__):
        if self.episodes == 0:  # there is no cell yet
            return np.zeros((len(arrivals), *self.count.shape))
        (outcomes,) = self._env.unwrapped.simulator.what_if_slices()
        return outcomes.values
