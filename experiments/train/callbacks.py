"""What listens to the decisions of a run on the real environment: episodes, history, progress, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from agents import PlanningPolicy
from agents.packing import Arrays, part_of, with_prefix
from agents.protocols import DecisionListener, Experience, Learner
from experiments.reporting.tables import write_rows
from experiments.runs.stopping import is_asked, stop
from slicing_gym import Scenario
from slicing_gym.progress import ProgressBar
from slicing_gym.transitions import Transitions
from twin import Recorder

REWARD_GOAL = 0.8
"""The share at c_max that the paper counts the episodes to (Fig. 5)."""


class Listener:
    """Hears of every decision, and does nothing; to be subclassed. See `agents.protocols.DecisionListener`."""

    def on_start(self, reset_info: dict[str, Any], cell: int = 0) -> None:
        """Learning begins, or goes on; `reset_info` is the info of the last reset."""

    def on_decision(self, experience: Experience) -> None:
        """A decision was taken."""

    def on_settled(self) -> None:
        """A decision and what was learned from it are behind."""


class Listeners:
    """Several listeners, called in order."""

    def __init__(self, listeners: Sequence[DecisionListener]) -> None:
        self._listeners = listeners

    def on_start(self, reset_info: dict[str, Any], *cell: int) -> None:
        """See `Listener`."""
        for each in self._listeners:
            each.on_start(reset_info, *cell)

    def on_decision(self, experience: Experience) -> None:
        """See `Listener`."""
        for each in self._listeners:
            each.on_decision(experience)

    def on_settled(self) -> None:
        """See `Listener`."""
        for each in self._listeners:
            each.on_settled()


class Follow(Listener):
    """Lets a planner learn from the decisions that it chooses for another learner.

    Args:
        planner: chooses them.
    """

    def __init__(self, planner: PlanningPolicy) -> None:
        self._planner = planner

    def on_start(self, reset_info: dict[str, Any], cell: int = 0) -> None:
        """See `Listener`."""
        del cell  # a planner has but one
        self._planner.begin(reset_info)

    def on_decision(self, experience: Experience) -> None:
        """See `Listener`."""
        self._planner.observe(experience.info)
        if experience.reset_info is not None:
            self._planner.begin(experience.reset_info)


class EpisodeLog(Listener):
    """Counts real decisions, and logs the mean of every episode of them, over all calls of `learn`.

    An episode of a batch is one of each of its cells: its means are over all of them, and so are its decisions.

    TensorBoard tags, one point per episode, against real decisions taken: as Stable-Baselines3 has them
    `rollout/ep_rew_mean` (sum of the rewards of a cell's episode) and `rollout/ep_len_mean`, both means over the last
    100 episodes, and `time/fps` (real decisions a second since the process began to learn, all that is done between
    them included); means over the episode `utility`, `reward_at_c_max` (share of decisions with U at or above the final
    threshold), `ssr/<slice>`, `spectral_efficiency` and `threshold`.

    Args:
        scenario: length of an episode and names of the slices.
        path: CSV with one row per episode, written again after each; the last may have fewer decisions.
        learner: whose logger is used.
        num_envs: cells that it acts in at once.

    Attributes:
        episodes: a mapping of column to mean for each.
    """

    def __init__(self, scenario: Scenario, path: Path, learner: Learner, num_envs: int = 1) -> None:
        self._scenario, self._path, self._learner, self._num_envs = scenario, path, learner, num_envs
        self._step: list[dict[str, float]] = []  # of cells in the step that is under way
        self._pending: list[dict[str, float]] = []  # of steps in the episode that is under way
        self._began: tuple[float, int] | None = None  # when, and after how many decisions
        self.episodes: list[dict[str, float]] = []

    @property
    def utility(self) -> npt.NDArray[np.float64]:
        """Mean utility of each episode so far (episodes,)."""
        return np.array([row["utility"] for row in self.episodes])

    @property
    def decisions(self) -> int:
        """Real decisions so far."""
        under_way = self._num_envs * len(self._pending) + len(self._step)
        return int(sum(row["decisions"] for row in self.episodes)) + under_way

    def table(self) -> pd.DataFrame:
        """One row per episode."""
        table = pd.DataFrame(self.episodes)
        table.insert(0, "episode", np.arange(1, len(table) + 1))
        return table

    def finish(self) -> None:
        """End a last episode that was cut short."""
        if self._pending:
            self._end_episode()

    def on_start(self, reset_info: dict[str, Any], cell: int = 0) -> None:
        """See `Listener`."""
        del reset_info, cell
        if self._began is None:
            self._began = time.perf_counter(), self.decisions

    def on_decision(self, experience: Experience) -> None:
        """See `Listener`."""
        info = experience.info
        ssr = {f"ssr_{name}": float(info["ssr"][n]) for n, name in enumerate(self._scenario.slice_names)}
        self._step.append(
            {
                "reward": experience.reward,
                "reward_at_c_max": float(info["utility"] >= self._scenario.reward.threshold_end),
                "utility": float(info["utility"]),
                **ssr,
                "spectral_efficiency": float(info["spectral_efficiency"]),
                "threshold": float(info["threshold"]),
            }
        )
        if len(self._step) < self._num_envs:
            return
        self._pending.append(self._step[0] if self._num_envs == 1 else _means(self._step))
        self._step = []
        if len(self._pending) >= self._scenario.decisions_per_episode:
            self._end_episode()

    def _end_episode(self) -> None:
        """Send an episode's means to the CSV and to TensorBoard."""
        means = _means(self._pending)
        self.episodes.append({"decisions": self._num_envs * len(self._pending), **means})
        self._pending = []
        rows = [
            [number, row["decisions"], *(f"{row[key]:.6f}" for key in means)]
            for number, row in enumerate(self.episodes, start=1)
        ]
        write_rows(self._path, ["episode", "decisions", *means], rows)
        self._log(means)

    def _log(self, means: Mapping[str, float]) -> None:
        """Send an episode's means to TensorBoard."""
        record, last = self._learner.logger.record, self.episodes[-100:]
        record("rollout/ep_rew_mean", np.mean([row["reward"] * row["decisions"] for row in last]) / self._num_envs)
        record("rollout/ep_len_mean", np.mean([row["decisions"] for row in last]) / self._num_envs)
        if self._began is not None:
            since, before = self._began
            record("time/fps", (self.decisions - before) / max(time.perf_counter() - since, 1e-9))
        for key, value in means.items():
            if key != "reward":
                record(key.replace("ssr_", "ssr/", 1), value)
        self._learner.logger.dump(self._learner.num_decisions)

    def state(self) -> dict[str, Any]:
        """What `restore` goes back to, as builtin types."""
        return {"episodes": self.episodes, "pending": self._pending}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave."""
        self.episodes, self._pending = list(state["episodes"]), list(state["pending"])


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


class HistoryLog(Listener):
    """Keeps what the network did, whatever wrappers made of it, and the decisions as the learner saw them.

    Args:
        scenario: of the network.
        num_envs: cells that the learner acts in at once; each episode of each is a run. Of a batch it is not kept what
            the learner saw: nobody rehearses it.

    Attributes:
        recorder: of the history.
    """

    def __init__(self, scenario: Scenario, num_envs: int = 1) -> None:
        self.recorder = Recorder(scenario)
        self._keeps_rows = num_envs == 1
        self._rows: list[list[Any]] = []

    def on_start(self, reset_info: dict[str, Any], cell: int = 0) -> None:
        """See `Listener`."""
        if not self.recorder.knows(cell):
            self.recorder.begin(cell, reset_info)

    def on_decision(self, experience: Experience) -> None:
        """See `Listener`."""
        self.recorder.add(experience.cell, experience.info)
        if experience.reset_info is not None:
            self.recorder.begin(experience.cell, experience.reset_info)
        if not self._keeps_rows:
            return
        seen, over = experience, experience.terminated or experience.truncated
        self._rows.append([seen.observation, seen.action, seen.reward, seen.next_observation, over, seen.terminated])

    def transitions(self) -> Transitions:
        """All decisions as the learner saw them, in order.

        Raises:
            ValueError: there are none.
        """
        if not self._rows:
            raise ValueError("decisions: none was taken yet")
        return Transitions(*(np.array(column) for column in zip(*self._rows, strict=True)))

    def state(self) -> Arrays:
        """What `restore` goes back to."""
        seen = self.transitions()._asdict() if self._rows else {}
        return with_prefix(self.recorder.state(), "recorder.") | with_prefix(seen, "seen.")

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that `state` gave."""
        self.recorder.restore(part_of(state, "recorder."))
        seen = part_of(state, "seen.")
        columns = [seen[name] for name in Transitions._fields] if seen else []
        self._rows = [list(row) for row in zip(*columns, strict=True)]


class Progress(Listener):
    """A bar that moves on by one per decision, or an epoch.

    Args:
        name: of the agent.
        total: decisions or epochs in all.
        wanted: whether it is shown.
        unit: what is counted.
    """

    def __init__(self, name: str, total: int, wanted: bool, unit: str = "decision") -> None:
        self._name, self._total, self._wanted, self._unit = name, total, wanted, unit
        self._bar: ProgressBar | None = None

    @contextmanager
    def shown(self, done: int) -> Iterator[None]:
        """Show it for the time of the work, of which so much is done."""
        with ProgressBar(
            desc=self._name, total=self._total, initial=done, unit=self._unit, disable=not self._wanted
        ) as self._bar:
            yield

    def say(self, what: str) -> None:
        """What is being done."""
        if self._bar is not None:
            self._bar.set_postfix_str(what)

    def move_on(self) -> None:
        """One more is done."""
        if self._bar is not None:
            self._bar.update()

    def on_decision(self, experience: Experience) -> None:
        """See `Listener`."""
        del experience
        self.move_on()


class Checkpoints(Listener):
    """Saves between two decisions, when it is due, or a signal is to end the run.

    Args:
        save: writes a checkpoint.
        every_s: seconds between two.
    """

    def __init__(self, save: Callable[[], object], every_s: float) -> None:
        self._save, self._every_s, self._saved_at = save, every_s, time.perf_counter()

    def on_settled(self) -> None:
        """See `Listener`."""
        if is_asked() or time.perf_counter() - self._saved_at > self._every_s:
            self._save()
            self._saved_at = time.perf_counter()
            stop()
