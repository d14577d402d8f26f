"""`describe`: link budget, load, capacity and what each slice needs, before anything learns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.bounds import MAX_RUNS, check_bounds
from experiments.describe.figure import plot_description
from experiments.describe.link import Link, LinkBudget, link_budget
from experiments.describe.load import LOAD_QUANTILE, SliceLoad, slice_loads
from experiments.describe.plausibility import implausible
from experiments.describe.report import as_text
from experiments.describe.settings import Settings
from experiments.reporting.tables import write_rows
from slicing_gym import Scenario, get_scenario
from slicing_gym.errors import check_instance
from slicing_gym.files import atomic_write


@dataclass(frozen=True)
class Description:
    """What a cell is.

    Args:
        scenario: of the cell.
        links: one user's link, nearest first.
        slices: what each offers and needs, in order.
        capacity_bps: of the whole band, were it always filled, and all users to have the same rate [bit/s].
        offered_bps: long-run mean of the whole cell [bit/s].
        high_bps: what 95 % of the simulated decisions stay below [bit/s].
        ssr: that `SliceLoad.sla_units` are for.
        seeds: of the simulated cells.
        decisions: in each.
        warnings: what is hard to believe, a line each.
    """

    scenario: Scenario
    links: Sequence[LinkBudget]
    slices: Sequence[SliceLoad]
    capacity_bps: float
    offered_bps: float
    high_bps: float
    ssr: float
    seeds: Sequence[int]
    decisions: int
    warnings: Sequence[str]

    @property
    def utilisation(self) -> float:
        """Mean offered load over capacity."""
        return self.offered_bps / self.capacity_bps if self.capacity_bps > 0.0 else np.inf

    @property
    def carrying_units(self) -> int | None:
        """Units that all slices together need for their mean loads; None where the whole band is too little for one.

        Where each user has full power, parts of the band carry more together than all of it for one user at a time.
        """
        units = [each.carrying_units for each in self.slices if each.carrying_units is not None]
        return sum(units) if len(units) == len(self.slices) else None

    @property
    def sla_units(self) -> int | None:
        """Units that all slices together need for the SSR; None where one has too few with all of them."""
        units = [each.sla_units for each in self.slices if each.sla_units is not None]
        return sum(units) if len(units) == len(self.slices) else None

    @property
    def verdict(self) -> str:
        """Whether the cell is overloaded, in a sentence."""
        there = self.scenario.num_units
        load = f"its mean load takes {self.carrying_units} of {there} units"
        too_much = [each.name for each in self.slices if each.carrying_units is None]
        if too_much:
            return f"The cell is overloaded: the whole band does not carry the mean load of {', '.join(too_much)}."
        if self.carrying_units is not None and self.carrying_units > there:
            return f"The cell is overloaded: {load}."
        # Where each user has full power, parts of the band carry more than their share of its capacity.
        if self.scenario.radio.uniform_power_density and self.high_bps > self.capacity_bps:
            return (
                f"The cell is overloaded at times: {load}, but 5 % of the decisions offer more than all of them carry."
            )
        starved = [each.name for each in self.slices if each.sla_units is None]
        if starved:
            names = ", ".join(starved)
            return f"The cell carries the load ({load}), but no allocation gives {names} an SSR of {self.ssr:g}."
        units = self.sla_units
        needs = f"an SSR of {self.ssr:g} in all slices takes {units}"
        if units is not None and units > there:
            return f"The cell carries the load ({load}), but {needs}: the slices compete."
        return f"The cell is not overloaded: {load}, and {needs}."

    def report(self) -> str:
        """The description as text."""
        return as_text(self)

    def to_dict(self) -> dict[str, Any]:
        """All values as builtin types."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        parts = {name: [asdict(each) for each in own[name]] for name in ("links", "slices")}
        derived = {
            "utilisation": float(self.utilisation) if np.isfinite(self.utilisation) else None,
            "num_units": self.scenario.num_units,
            "sla_units": self.sla_units,
            "verdict": self.verdict,
        }
        lists = {name: list(own[name]) for name in ("seeds", "warnings")}
        return {**own, **parts, **lists, **derived, "scenario": self.scenario.to_dict()}

    def write(self, folder: str | Path) -> list[Path]:
        """Write `description.json` (everything), `link.csv`, `slices.csv` and `description.png` into a folder."""
        place = Path(folder)
        paths = [place / name for name in ("description.json", "link.csv", "slices.csv", "description.png")]
        with atomic_write(paths[0]) as file:
            file.write(json.dumps(self.to_dict(), indent=2).encode())
        for path, rows in ((paths[1], self.links), (paths[2], self.slices)):
            names = [each.name for each in fields(rows[0])]
            write_rows(path, names, [[getattr(each, name) for name in names] for each in rows])
        plot_description(paths[3], self.scenario, self.slices, self.capacity_bps)
        return paths


def describe(scenario: str | Scenario = "paper", settings: Settings | None = None) -> Description:
    """Tell what a cell is: its link budget, its load and its capacity, and what each slice needs of it.

    Args:
        scenario: a preset's name or a `Scenario`.
        settings: what is simulated.

    Raises:
        ValueError, TypeError: something is not allowed; the message names it.
    """
    settings = Settings() if settings is None else settings
    check_instance("settings", settings, (Settings,))
    check_bounds(settings)
    cell = get_scenario(scenario)
    decisions = settings.decisions or min(cell.decisions_per_episode, MAX_RUNS)
    link = Link(cell)
    slices, offered = slice_loads(cell, settings.seeds, decisions, settings.ssr, settings.threads)
    return Description(
        scenario=cell,
        links=link_budget(cell),
        slices=slices,
        capacity_bps=link.capacity_bps(link.band_blocks),
        offered_bps=sum(each.offered_bps for each in slices),
        high_bps=float(np.quantile(offered, LOAD_QUANTILE)),
        ssr=settings.ssr,
        seeds=tuple(settings.seeds),
        decisions=decisions,
        warnings=(*_kept_out(cell, slices, settings.ssr), *implausible(cell, settings.carrier_hz)),
    )


def _kept_out(cell: Scenario, slices: Sequence[SliceLoad], ssr: float) -> list[str]:
    """Slices that reach the SSR with fewer units than carry their load, a line each: the rest waits where none counts.

    Where each user has full power several at once get more than the units for the load say, so nothing is said.
    """
    found = []
    for each in slices if cell.radio.uniform_power_density else ():
        needed, load = each.sla_units, each.carrying_units
        if needed is not None and (load is None or needed < load):
            there = "not all units" if load is None else f"{load} units"
            found.append(
                f"slices.{each.name}: an SSR of {ssr:g} takes {needed} units, {there} carry its load: the rest waits, "
                f"in the end outside full queues (radio.queue_capacity {cell.radio.queue_capacity}), where neither "
                "latency nor SSR counts it"
            )
    return found
