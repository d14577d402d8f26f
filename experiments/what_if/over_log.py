"""`over_log`: what other allocations and rules would have brought in many decisions of a log, each one step ahead."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from experiments.evaluate.held import CHUNK
from experiments.evaluate.rollout import Chooser
from experiments.reporting.statistics import Estimate, block_bootstrap, blocks_of
from experiments.reporting.tables import aligned, write_rows
from experiments.what_if.moment import Moment
from experiments.what_if.notes import never_held, outside_the_fit
from experiments.what_if.policies import BY_THE_LOG, LOGGED, Contender, Policies, contenders
from experiments.what_if.report import MARK
from experiments.what_if.simulation import chosen_units, coverage_of
from slicing_gym.errors import check_instance, shown, unknown_name
from slicing_gym.observation import ArrivalsObserver
from slicing_gym.reward import utility
from twin import DigitalTwin, History
from twin.data.columns import PRESENT, SSR
from twin.runtime.coverage import Outside
from twin.runtime.monotonicity import about_physics

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

ALL = "all"
"""Every decision of a history."""

FEWEST_BLOCKS = 5
"""Blocks of decisions for an interval: that of two or three may be next to nothing."""


@dataclass(frozen=True)
class Expected:
    """What a contender is expected to bring in n decisions, by each of M members of a twin.

    Args:
        name: of the contender.
        units: that it gives (n, n_slices).
        utility: that the members expect (n, M).
        ssr: likewise, the members' mean (n, n_slices).
        outside: of its units, what the twin was not fitted to.
    """

    name: str
    units: IntArray
    utility: FloatArray
    ssr: FloatArray
    outside: Outside


@dataclass(frozen=True)
class OverLogResult:
    """Contenders in the same decisions of a history.

    Args:
        decisions: which; they may be of several runs, and have gaps between them.
        contenders: what each is expected to bring; the first is what the log did.
        measured: the utility by the log (n,).
        measured_ssr: likewise (n, n_slices).
        physics: a warning where the twin contradicts it.
    """

    decisions: Moment
    contenders: Sequence[Expected]
    measured: FloatArray
    measured_ssr: FloatArray
    physics: Sequence[str] = ()

    def mean(self, name: str) -> Estimate:
        """The expected utility of a contender, and how far other decisions of the log might move it.

        Args:
            name: of the contender.

        Raises:
            ValueError: there is no such contender.
        """
        return self._over_blocks(self._named(name).utility.mean(axis=1))

    def gain(self, name: str) -> Estimate:
        """The same of the difference to what the log did, decision by decision.

        Args:
            name: of the contender.

        Raises:
            ValueError: there is no such contender.
        """
        return self._over_blocks((self._named(name).utility - self.contenders[0].utility).mean(axis=1))

    def by_member(self, name: str) -> FloatArray:
        """The mean difference to what the log did, by each member of the twin (M,).

        Args:
            name: of the contender.

        Raises:
            ValueError: there is no such contender.
        """
        found: FloatArray = (self._named(name).utility - self.contenders[0].utility).mean(axis=0)
        return found

    def _named(self, name: str) -> Expected:
        found = {each.name: each for each in self.contenders}
        if name not in found:
            raise ValueError(unknown_name("name", name, found))
        return found[name]

    def _over_blocks(self, values: FloatArray) -> Estimate:
        if self._blocks < FEWEST_BLOCKS:
            return Estimate(float(values.mean()), math.nan)
        return block_bootstrap(lambda rows: float(values[rows].mean()), self._run)

    @property
    def _run(self) -> IntArray:
        """Run of each decision (n,)."""
        return self.decisions.history.run[self.decisions.rows]

    @property
    def _blocks(self) -> int:
        return len(blocks_of(self._run))

    def report(self) -> str:
        """The table, what its columns are, and what of it is not to be trusted."""
        served = self._served
        header = [
            "",
            "utility",
            f"less {LOGGED}",
            f"less {LOGGED}, by member",
            *(f"{SSR.name}_{name}" for name in served),
        ]
        rows = [[BY_THE_LOG, self._over_blocks(self.measured).show(2), "", "", *self._means(self.measured_ssr)]]
        for each in self.contenders:
            own, gains = self.by_member(each.name), ["", ""]
            if each is not self.contenders[0]:
                gains = [self.gain(each.name).show(2), f"{own.min():+.2f} to {own.max():+.2f}"]
            mark = MARK if each.outside else ""
            rows.append([f"{each.name}{mark}", self.mean(each.name).show(2), *gains, *self._means(each.ssr)])
        members = self.contenders[0].utility.shape[1]
        lines = [
            f"{self.decisions.history.scenario.name}: {self.decisions}; each after what was measured before it",
            aligned(header, rows),
            "±: 95 % interval by bootstrap over blocks of 25 decisions: what other decisions would change, and not the "
            "twin's error"
            if self._blocks >= FEWEST_BLOCKS
            else f"no ±: {self._blocks} block{'' if self._blocks == 1 else 's'} of 25 decisions, {FEWEST_BLOCKS} are "
            "needed for an interval",
            f"by member: least and most that the {members} members of the twin expect; all may be wrong: the verdict "
            "on what-if (experiments.fidelity) concerns this table",
            *self.physics,
            *never_held(self.decisions, self.contenders),
            *outside_the_fit(self.contenders),
        ]
        return "\n".join(lines)

    @property
    def _served(self) -> dict[str, int]:
        """Slices by name and place, without the units of nobody."""
        layout = self.decisions.history.layout
        return {name: n for n, name in enumerate(layout.scenario.slice_names) if n != layout.idle}

    def _means(self, ssr: FloatArray) -> list[str]:
        return [f"{ssr[:, n].mean():.2f}" for n in self._served.values()]

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write `what_if.csv` into a folder, a row per contender."""
        names = ["utility", "half_width", "less_logged", "less_logged_half_width", "least_member", "most_member"]
        rows = []
        for each in self.contenders:
            own = self.by_member(each.name)
            numbers = [*self.mean(each.name), *self.gain(each.name), own.min(), own.max()]
            means = each.ssr[:, list(self._served.values())].mean(axis=0)
            rows.append([each.name, *(f"{value:.6g}" for value in [*numbers, *means]), ";".join(each.outside.slices)])
        path = Path(folder) / "what_if.csv"
        write_rows(path, ["policy", *names, *(f"{SSR.name}_{name}" for name in self._served), "outside_the_fit"], rows)
        return [path]


def over_log(
    twin: DigitalTwin,
    history: History,
    policies: Policies = (LOGGED,),
    decisions: str = ALL,
    folder: str | os.PathLike[str] | None = None,
    *,
    trust: bool = False,
) -> OverLogResult:
    """What other allocations and rules would have brought in many decisions of a history, on average.

    Each decision is predicted one step ahead, after what the history measured before it: all meet the demand of the
    log and its queues, and nothing is drawn. What an allocation leaves to later intervals is not in it.

    Args:
        twin: fitted to decisions of the same network; it has SSR and SE.
        history: as `twin.read_log` gives it.
        policies: see `what_if`; what the log did is always compared.
        decisions: "all", or numbers of the first and the last decision, as "128-158".
        folder: where the CSV goes; None: nowhere.
        trust: let files of agents run code.

    Raises:
        ValueError, TypeError, OSError: something is not allowed; the message names it. Nothing was run.
    """
    result = OverLog(twin, history, policies, decisions, trust=trust).run()
    if folder is not None:
        result.write(folder)
    return result


class OverLog:
    """A comparison over a log that has passed its checks.

    Args:
        twin, history, policies, decisions, trust: see `over_log`.
    """

    def __init__(
        self,
        twin: DigitalTwin,
        history: History,
        policies: Policies = (LOGGED,),
        decisions: str = ALL,
        *,
        trust: bool = False,
    ) -> None:
        check_instance("twin", twin, (DigitalTwin,))
        check_instance("history", history, (History,))
        twin.model.layout.check_same("history", history.layout)
        if not twin.model.has_reward:
            raise ValueError("twin: predicts no utility, allowed is one of a history with ssr and spectral_efficiency")
        self._twin, self._history = twin, history
        first, last = _first_and_last(decisions, len(history))
        self._decisions = Moment(history, first, last + 1 - first)
        given = contenders(policies, twin, self._decisions, trust)
        mine = [each for each in given if each.name == LOGGED] or contenders([LOGGED], twin, self._decisions)
        self._contenders = [*mine, *(each for each in given if each.name != LOGGED)]

    def run(self) -> OverLogResult:
        """Let each contender decide, and the twin expect what comes of it."""
        history, rows = self._history, self._decisions.rows
        found = [self._expected(each) for each in self._contenders]
        measured = utility(self._twin.scenario, history.spectral_efficiency[rows], history.ssr[rows])
        physics = about_physics(self._twin.model, history)
        return OverLogResult(self._decisions, found, measured, history.ssr[rows], physics)

    def _expected(self, contender: Contender) -> Expected:
        """What the twin expects of a contender."""
        twin, history, rows = self._twin, self._history, self._decisions.rows
        layout, units = twin.model.layout, self._decided(contender)
        seen = slice(max(rows.start - 1, 0), rows.stop)  # a decision is predicted after the interval before it
        given = history.allocation[seen].copy()
        given[rows.start - seen.start :] = units
        expected = twin.predict(history.take(seen), given).expected[-len(units) :].copy()  # (n, M, V - n_slices)
        place = layout.place(SSR.name).start - layout.scenario.num_slices
        ssr = expected[..., place : place + layout.scenario.num_slices]  # a view
        if PRESENT in layout.columns:  # whoever is not there is served as the log says, whatever is allocated
            there = history.performance[PRESENT.name][rows] > 0.5
            ssr[:] = np.where(there[:, None], ssr, history.ssr[rows][:, None])
        worth = twin.model.expected_utility(expected)
        beyond = coverage_of(twin.model, history).outside(layout, history.arrivals[rows], units)
        return Expected(contender.name, units, worth, ssr.mean(axis=1), beyond)

    def _decided(self, contender: Contender) -> IntArray:
        """The units (n, n_slices) of a contender; a policy sees the arrivals before each decision."""
        if contender.policy is None:
            assert contender.units is not None
            return contender.units
        scenario = self._twin.scenario
        states = ArrivalsObserver().observe(scenario, {"arrivals": self._history.arrivals[self._decisions.rows]})
        parts = np.array_split(states, -(-len(states) // CHUNK))
        found = [chosen_units(contender, scenario, Chooser(contender.policy, len(part))(part)) for part in parts]
        return np.concatenate(found)


def _first_and_last(decisions: object, number: int) -> tuple[int, int]:
    """The numbers that "all" or "128-158" means, of a history with so many decisions.

    Raises:
        ValueError, TypeError: it means none.
    """
    allowed = f"allowed are {ALL}, or the first and the last as 0-{number - 1}"
    if not isinstance(decisions, str):
        raise TypeError(f"decisions: {shown(decisions)} given, {allowed}")
    if decisions == ALL:
        return 0, number - 1
    first, _, last = decisions.partition("-")
    if not (first.isdecimal() and last.isdecimal()) or not int(first) <= int(last) < number:
        raise ValueError(f"decisions: {shown(decisions)} given, {allowed}")
    return int(first), int(last)
