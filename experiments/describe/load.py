"""What slices offer, and the fewest units that carry it and keep their SLA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.describe.link import Link
from slicing_gym import Scenario, Simulator, even_split
from slicing_gym.offered import ideal
from slicing_gym.physics import compile_physics, draw_cells
from slicing_gym.reward import sla_satisfaction_ratio
from slicing_gym.threads import Threads
from slicing_gym.what_if import hold_units

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LOAD_QUANTILE = 0.95


@dataclass(frozen=True)
class SliceLoad:
    """What a slice offers and needs.

    Args:
        name: of the slice.
        num_users: in the cell.
        offered_bps: long-run mean [bit/s].
        high_bps: what 95 % of the simulated decisions stay below [bit/s].
        rate_sla_bps: see `slicing_gym.Slice`.
        latency_sla_s: see `slicing_gym.Slice`.
        carrying_units: fewest units whose capacity is at least the mean load; None: not even the whole band.
        sla_units: fewest units with the SSR asked for, the slice alone; None: not even all but one of each other slice.
        sla_bps: capacity of `sla_units` [bit/s]; None as there.
    """

    name: str
    num_users: int
    offered_bps: float
    high_bps: float
    rate_sla_bps: float
    latency_sla_s: float
    carrying_units: int | None
    sla_units: int | None
    sla_bps: float | None


def slice_loads(
    scenario: Scenario, seeds: Sequence[int], decisions: int, ssr: float, num_threads: int
) -> tuple[list[SliceLoad], FloatArray]:
    """What each slice offers and needs; arguments as of `fewest_units_for_ssr`.

    Returns:
        The slices, in order, and the load of the whole cell in each decision [bit/s] (decisions times cells,).
    """
    link = Link(scenario)
    offered = offered_bps(scenario, seeds, decisions)
    enough = fewest_units_for_ssr(scenario, seeds, decisions, ssr, num_threads)
    means = mean_offered_bps(scenario)
    found = []
    for n, part in enumerate(scenario.slices):
        units = enough[n]
        found.append(
            SliceLoad(
                name=part.name,
                num_users=part.num_users,
                offered_bps=float(means[n]),
                high_bps=float(np.quantile(offered[:, n], LOAD_QUANTILE)),
                rate_sla_bps=part.rate_sla_bps,
                latency_sla_s=part.latency_sla_s,
                carrying_units=_carrying_units(link, scenario.num_units, float(means[n])),
                sla_units=units,
                sla_bps=None if units is None else link.capacity_bps(link.blocks(units)),
            )
        )
    return found, offered.sum(axis=1)


def mean_offered_bps(scenario: Scenario) -> FloatArray:
    """Long-run mean of what each slice offers [bit/s] (n_slices,), from the means of its distributions and profiles."""
    bits = np.array([8.0 * part.traffic.packet_size_byte.mean for part in scenario.slices])
    found: FloatArray = scenario.nominal_arrivals * bits / scenario.radio.interval_s
    return found


def offered_bps(scenario: Scenario, seeds: Sequence[int], decisions: int) -> FloatArray:
    """What each slice offers in each decision of some cells [bit/s] (decisions times cells, n_slices).

    The packets are those of the simulator, in a cell whose link delivers each in its first slot, so that no full queue
    keeps one out. Sizes count with their mean.

    Args:
        scenario: whose traffic it is.
        seeds: of the cells.
        decisions: in each.
    """
    cells = Simulator(ideal(scenario), seeds)
    units = even_split(scenario.num_units, scenario.num_slices)
    arrivals = np.concatenate([cells.advance(units).arrivals for _ in range(decisions)])
    bits = np.array([8.0 * part.traffic.packet_size_byte.mean for part in scenario.slices])
    found: FloatArray = arrivals * bits / scenario.radio.interval_s
    return found


def fewest_units_for_ssr(
    scenario: Scenario, seeds: Sequence[int], decisions: int, ssr: float = 0.99, num_threads: int = 1
) -> list[int | None]:
    """The fewest units, held for ever, with which each slice reaches an SSR on its own; None where none do.

    All numbers of units meet the same cells and random numbers. A decision in which packets are queued and none joined
    counts 0 here, where its SSR would be 1. The search halves, so it takes more units to be no worse.

    Args:
        scenario: of the cells.
        seeds: of the cells.
        decisions: in each, from its time zero.
        ssr: mean over decisions and cells, at least.
        num_threads: that share the cells.
    """
    physics, cells, threads = compile_physics(scenario), draw_cells(scenario, seeds), Threads(num_threads)

    def held(units: IntArray) -> FloatArray:
        """Mean SSR (numbers of units, n_slices)."""
        total = np.zeros((len(units), scenario.num_slices))
        for cell in range(len(seeds)):  # one after the other, for the memory that outcomes take
            for one in hold_units(physics, cells, np.array([cell]), units, decisions, threads):
                starved = (one.arrivals == 0) & (one.queued > 0)
                total += np.where(starved, 0.0, sla_satisfaction_ratio(one.successes, one.arrivals))[0]
        return total / (len(seeds) * decisions)

    return _search(held, scenario.num_slices, scenario.num_units - scenario.num_slices + 1, ssr)


def _search(held: Callable[[IntArray], FloatArray], num_slices: int, most: int, ssr: float) -> list[int | None]:
    """Halve the numbers of units of all slices at the same time, until each has its fewest."""
    reached = held(np.array([most]))[0] >= ssr
    too_few, enough = np.zeros(num_slices, np.int64), np.full(num_slices, most)
    while True:
        wide = np.flatnonzero(reached & (enough - too_few > 1))
        if not len(wide):
            return [int(units) if there else None for units, there in zip(enough, reached, strict=True)]
        middle = (too_few + enough) // 2
        tried, place = np.unique(middle[wide], return_inverse=True)
        kept = held(tried)[place, wide] >= ssr
        enough[wide[kept]] = middle[wide[kept]]
        too_few[wide[~kept]] = middle[wide[~kept]]


def _carrying_units(link: Link, num_units: int, offered_bps: float) -> int | None:
    """The fewest units whose capacity is at least a load; more units carry more."""
    if link.capacity_bps(link.blocks(num_units)) < offered_bps:
        return None
    too_few, enough = 0, num_units
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if link.capacity_bps(link.blocks(middle)) >= offered_bps:
            enough = middle
        else:
            too_few = middle
    return enough
