"""`what_if`: what other allocations would have brought at a moment of a history, by a twin."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.config.bounds import check_bounds
from experiments.what_if.demand import Demand
from experiments.what_if.figure import plot_what_if
from experiments.what_if.inputs import made_with
from experiments.what_if.moment import Moment, find_moment
from experiments.what_if.notes import demand_lines, given_lines, never_held, outside_the_fit
from experiments.what_if.policies import LOGGED, Policies, contenders
from experiments.what_if.report import clipped, gains, inside, skewed, table, write_alternatives
from experiments.what_if.settings import Settings
from experiments.what_if.simulation import Alternative, largest_drawn, measured_at, simulate
from slicing_gym.errors import check_instance, shown
from twin import DigitalTwin, History
from twin.data.layout import Layout
from twin.data.logs import SsrRule
from twin.runtime.monotonicity import about_physics


@dataclass(frozen=True)
class WhatIfResult:
    """What alternatives would have brought, and what was measured.

    Args:
        layout: of the twin's variables.
        moment: that was asked about.
        demand: its arrivals.
        samples: draws of each alternative.
        alternatives: in the order in which they were given.
        measured: by the log, by variable, in its unit; means over the intervals.
        most: the largest value that the twin draws, by variable, where the column may have larger ones.
        ssr: the mapping's bounds, for the picture.
        physics: a warning where the twin contradicts it.
    """

    layout: Layout
    moment: Moment
    demand: Demand
    samples: int
    alternatives: Sequence[Alternative]
    measured: Mapping[str, float]
    most: Mapping[str, float]
    ssr: SsrRule | None = None
    physics: Sequence[str] = ()

    def report(self) -> str:
        """Which moment it is, the table, and what of it is not to be trusted."""
        means = "" if self.moment.ahead == 1 else f"; means over {self.moment.ahead} intervals"
        lines = [
            f"{self.layout.scenario.name}: {self.moment}{means}",
            *given_lines(self.demand, self.measured),
            table(self.layout, self.alternatives, self._shown, self.most),
            f"mean [5 %, 95 %] over {self.samples} draws of the twin and its members, in the columns' units",
            *clipped(self.alternatives, self.most),
            *skewed(self.alternatives, self._shown),
            *gains(self.alternatives, self.moment.history),
            *inside(self.alternatives, self._asked),
            *demand_lines(self.demand, self.alternatives),
            *self.physics,
            *never_held(self.moment, self.alternatives),
            *outside_the_fit(self.alternatives),
        ]
        return "\n".join(lines)

    @property
    def _asked(self) -> dict[str, float]:
        """What was measured of that which the twin predicts."""
        return {name: value for name, value in self.measured.items() if name not in self.demand.held}

    @property
    def _shown(self) -> Mapping[str, float]:
        """The same; a history of arrivals only has nothing else to show."""
        return self._asked or self.measured

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write `what_if.csv` and `what_if.png` into a folder."""
        paths = [Path(folder) / "what_if.csv", Path(folder) / "what_if.png"]
        write_alternatives(paths[0], self.layout, self.alternatives, self._shown)
        title = f"{self.layout.scenario.name}: {self.moment}"
        if self.demand.held and self.moment.ahead > 1:
            title += f"; {self.demand.column.name.replace('_', ' ')} as measured"
        plot_what_if(paths[1], self.layout, title, self.alternatives, self._shown, self.ssr)
        return paths


def what_if(
    twin: DigitalTwin,
    history: History,
    policies: Policies = (LOGGED,),
    settings: Settings | None = None,
    folder: str | os.PathLike[str] | None = None,
    *,
    at: str | float | None = None,
    interval: int | None = None,
    trust: bool = False,
    ssr: SsrRule | None = None,
) -> WhatIfResult:
    """What other allocations would have brought at a moment of a history.

    All see the same past and meet the same random numbers of the twin, so that they differ by what they decide.

    Args:
        twin: fitted to decisions of the same network.
        history: that the moment is of, as `twin.read_log` gives it.
        policies: "logged" (what the log did), "hard", "proportional", allocations in units like "60-30-10", files of
            agents, folders of runs; or, by what they are called, such names, units, and objects with
            Stable-Baselines3's `predict`.
        settings: intervals ahead, samples, seed.
        folder: where CSV and picture go; None: nowhere.
        at: a time stamp of the log, see `find_moment`.
        interval: number of the decision in the history, from 0, in place of it.
        trust: let files of agents run code.
        ssr: the bounds of a log's mapping, which the picture shows.

    Raises:
        ValueError, TypeError, OSError: something is not allowed; the message names it. Nothing was run.
    """
    result = WhatIf(twin, history, policies, settings, at=at, interval=interval, trust=trust, ssr=ssr).run()
    if folder is not None:
        result.write(folder)
    return result


class WhatIf:
    """A what-if that has passed its checks.

    Args:
        twin, history, policies, settings, at, interval, trust, ssr: see `what_if`.
    """

    def __init__(
        self,
        twin: DigitalTwin,
        history: History,
        policies: Policies = (LOGGED,),
        settings: Settings | None = None,
        *,
        at: str | float | None = None,
        interval: int | None = None,
        trust: bool = False,
        ssr: SsrRule | None = None,
    ) -> None:
        self.settings = Settings() if settings is None else settings
        check_instance("settings", self.settings, (Settings,))
        check_bounds(self.settings)
        check_instance("twin", twin, (DigitalTwin,))
        check_instance("history", history, (History,))
        twin.model.layout.check_same("history", history.layout)
        self._twin, self._moment = twin, find_moment(history, at, interval, self.settings.ahead)
        if ssr is not None and not made_with(ssr, history):
            raise ValueError(
                f"ssr: {shown(ssr)} given, allowed is the rule that the history's SSR was made with, or None"
            )
        self._ssr = ssr
        self._contenders = contenders(policies, twin, self._moment, trust)

    def run(self) -> WhatIfResult:
        """Let each contender decide from the moment on."""
        demand = Demand.of(self._moment, self.settings.arrivals)
        found = [simulate(self._twin, demand, each, self.settings) for each in self._contenders]
        measured, most = measured_at(self._twin, demand), largest_drawn(self._twin.model, demand)
        layout, samples = self._twin.model.layout, self.settings.samples
        physics = about_physics(self._twin.model, self._moment.history)
        return WhatIfResult(layout, self._moment, demand, samples, found, measured, most, self._ssr, physics)
