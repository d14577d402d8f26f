"""What a run on the real environment shows and keeps: rounds in TensorBoard and in a CSV, the history, transitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.packing import Arrays, part_of, with_prefix
from agents.protocols import Experience, Learner
from experiments.reporting.tables import write_rows
from slicing_gym import Scenario
from slicing_gym.transitions import Transitions
from twin import Recorder

REWARD_GOAL = 0.8
"""The reward at c_max that the paper counts the rounds to (Fig. 5)."""


class RoundMonitor:
    """Counts real decisions and logs the mean of every round of them, over all calls of `learn` it is given to.

    TensorBoard tags: `episode/reward`, `episode/reward_at_c_max` (share of decisions with U at or above the final
    threshold), `episode/utility`, `episode/ssr_<slice>`, `episode/spectral_efficiency`, `episode/threshold`, against
    decisions taken.

    Args:
        scenario: length of a round and names of the slices.
        path: CSV with a row a round, written again after each; the last may have fewer decisions.
        learner: whose logger is used.
        on_decision: called after every decision, for instance to show progress.
        on_settled: called when a decision and what was learned from it are behind, before the next.

    Attributes:
        recorder: keeps what the network did, whatever wrappers made of it.
        seen: the decisions as the learner saw them.
    """

    def __init__(
        self,
        scenario: Scenario,
        path: Path,
        learner: Learner,
        on_decision: Callable[[], object] | None = None,
        on_settled: Callable[[], object] | None = None,
    ) -> None:
        self._scenario = scenario
        self._path = path
        self._learner = learner
        self._on_decision = on_decision
        self._on_settled = on_settled
        self._pending: list[dict[str, float]] = []
        self.rounds: list[dict[str, float]] = []
        self.recorder = Recorder(scenario)
        self.seen = Seen()

    @property
    def episode_utility(self) -> npt.NDArray[np.float64]:
        """Mean utility of each round so far (rounds,)."""
        return np.array([row["utility"] for row in self.rounds])

    @property
    def decisions(self) -> int:
        """Real decisions so far."""
        return int(sum(row["decisions"] for row in self.rounds)) + len(self._pending)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """What `restore` goes back to: plain data, and arrays by name."""
        arrays = with_prefix(self.recorder.state(), "recorder.") | with_prefix(self.seen.state(), "seen.")
        return {"rounds": self.rounds, "pending": self._pending}, arrays

    def restore(self, plain: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that `state` gave."""
        self.rounds, self._pending = list(plain["rounds"]), list(plain["pending"])
        self.recorder.restore(part_of(arrays, "recorder."))
        self.seen.restore(part_of(arrays, "seen."))

    def finish(self) -> None:
        """End a last round that was cut short."""
        if self._pending:
            self._end_episode(self._pending)
            self._pending = []

    def on_start(self, reset_info: dict[str, Any]) -> None:
        """See `agents.protocols.DecisionListener`."""
        if not self.recorder.knows(0):
            self.recorder.begin(0, reset_info)

    def on_settled(self) -> None:
        """See `agents.protocols.DecisionListener`."""
        if self._on_settled is not None:
            self._on_settled()

    def on_decision(self, experience: Experience) -> None:
        """See `agents.protocols.DecisionListener`."""
        self._pending.append(self._row(experience.info, experience.reward))
        self.recorder.add(0, experience.info)
        if experience.reset_info is not None:
            self.recorder.begin(0, experience.reset_info)
        self.seen.add(experience)
        if self._on_decision is not None:
            self._on_decision()
        if len(self._pending) >= self._scenario.decisions_per_episode:
            self._end_episode(self._pending)
            self._pending = []

    def _row(self, info: dict[str, Any], reward: float) -> dict[str, float]:
        """What is logged of a decision."""
        ssr = {f"ssr_{name}": float(info["ssr"][n]) for n, name in enumerate(self._scenario.slice_names)}
        return {
            "reward": reward,
            "reward_at_c_max": float(info["utility"] >= self._scenario.reward.threshold_end),
            "utility": float(info["utility"]),
            **ssr,
            "spectral_efficiency": float(info["spectral_efficiency"]),
            "threshold": float(info["threshold"]),
        }

    def _end_episode(self, decisions: list[dict[str, float]]) -> None:
        """Send a round's means to TensorBoard and to the CSV."""
        means = {key: float(np.mean([row[key] for row in decisions])) for key in decisions[0]}
        self.rounds.append({"decisions": len(decisions), **means})
        for key, value in means.items():
            self._learner.logger.record(f"episode/{key}", value)
        self._learner.logger.dump(self._learner.num_decisions)
        rows = [
            [number, row["decisions"], *(f"{row[key]:.6f}" for key in means)]
            for number, row in enumerate(self.rounds, start=1)
        ]
        write_rows(self._path, ["round", "decisions", *means], rows)


class Seen:
    """Decisions as a learner saw them, through the wrappers of its environment."""

    def __init__(self) -> None:
        self._rows: list[list[Any]] = []

    def add(self, new: Experience) -> None:
        """One more."""
        over = new.terminated or new.truncated
        self._rows.append([new.observation, new.action, new.reward, new.next_observation, over, new.terminated])

    def transitions(self) -> Transitions:
        """All of them, in order.

        Raises:
            ValueError: there are none.
        """
        if not self._rows:
            raise ValueError("decisions: none was taken yet")
        return Transitions(*(np.array(column) for column in zip(*self._rows, strict=True)))

    def state(self) -> Arrays:
        """What `restore` goes back to."""
        return self.transitions()._asdict() if self._rows else {}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that `state` gave."""
        self._rows = (
            [list(row) for row in zip(*(state[name] for name in Transitions._fields), strict=True)] if state else []
        )
