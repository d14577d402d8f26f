"""What a search found: candidates, the comparison on the simulator, the agent's file, the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from experiments.config.schemas import AgentSettings
from experiments.reporting.statistics import estimate, mean_over
from experiments.reporting.tables import aligned
from experiments.search.settings import Settings
from slicing_gym.files import atomic_write

DEFAULTS, FOUND = "defaults", "found"
RESULT = "search.json"
"""What was found; written last."""

MEASURED = {
    "utility": "U on unseen cells",
    "reward_at_c_max": "share at c_max on unseen cells",
    "regret": "regret while learning, best fixed",
}
"""What is compared on the simulator, and what it is called where it is shown."""


class Candidate(NamedTuple):
    """Settings that were trained again in other cells of the twins.

    Args:
        label: the number of a trial, or "defaults".
        values: by dotted key, in place of the defaults.
        in_trial: mean U in its trial; None: it was none.
        in_final: mean U in the other cells.
    """

    label: str
    values: dict[str, Any]
    in_trial: float | None
    in_final: float


@dataclass(frozen=True)
class SearchResult:
    """What a search brought.

    Args:
        folder: with its files.
        name: of the agent that was found.
        settings: of the search.
        candidates: the defaults and the finalists.
        winner: the best of them in the final.
        num_trials: in the study.
        confirmation: one row per seed: "seed", and by "defaults" and "found" each of `MEASURED`; empty without.
    """

    folder: Path
    name: str
    settings: Settings
    candidates: list[Candidate]
    winner: Candidate
    num_trials: int
    confirmation: list[dict[str, Any]]

    @property
    def agent_file(self) -> Path | None:
        """What `agent=<path>` takes; None if the defaults won."""
        return None if self.winner.label == DEFAULTS else self.folder / "agent" / f"{self.name}.yaml"

    def gained(self, measure: str = "utility") -> str:
        """How much more is measured with what was found, seed by seed."""
        gained = [row[FOUND][measure] - row[DEFAULTS][measure] for row in self.confirmation]
        return f"{estimate(gained).show(3)} ({mean_over(len(gained))})"

    def report(self) -> str:
        """Candidates, confirmation and what was found, as text."""
        rows = [
            [each.label, "-" if each.in_trial is None else f"{each.in_trial:.3f}", f"{each.in_final:.3f}"]
            for each in self.candidates
        ]
        lines = [
            f"{self.num_trials} trials in the twin; U of the best ones and of the defaults",
            aligned(["trial", "in its trial", "in the final"], rows),
        ]
        if self.winner.label == DEFAULTS:
            return "\n".join([*lines, "nothing earned more in the final than the defaults: no file was written"])
        if self.confirmation:
            lines.append(f"on the simulator, {self.settings.decisions} real decisions each, {self.name} and defaults:")
            lines.append(aligned(*self._confirmed()))
            lines += [f"{FOUND} minus {DEFAULTS}, {text}: {self.gained(key)}" for key, text in MEASURED.items()]
        values = ", ".join(f"{key}={json.dumps(value)}" for key, value in self.winner.values.items())
        return "\n".join([*lines, f"trial {self.winner.label}: {values}"])

    def _confirmed(self) -> tuple[list[str], list[list[str]]]:
        short = {"reward_at_c_max": "share at c_max"}
        header = ["cell", *(f"{short.get(key, key)}, {method}" for key in MEASURED for method in (DEFAULTS, FOUND))]
        rows = [
            [str(row["seed"]), *(f"{row[method][key]:.3f}" for key in MEASURED for method in (DEFAULTS, FOUND))]
            for row in self.confirmation
        ]
        return header, rows

    def write(self) -> SearchResult:
        """Write `search.json`."""
        whole = {
            "name": self.name,
            "trials": self.num_trials,
            "candidates": [each._asdict() for each in self.candidates],
            "winner": self.winner.label,
            "confirmation": self.confirmation,
            "settings": asdict(self.settings),
        }
        with atomic_write(self.folder / RESULT) as file:
            file.write(json.dumps(whole, indent=2).encode())
        return self


def paired(summaries: Mapping[tuple[str, int], Mapping[str, Any]], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """One row per seed, out of the summaries of runs by agent and seed."""
    return [
        {
            "seed": seed,
            **{method: {key: summaries[method, seed][key] for key in MEASURED} for method in (DEFAULTS, FOUND)},
        }
        for seed in seeds
    ]


def write_agent(result: SearchResult, agent: AgentSettings) -> None:
    """Write what was found as a choice of `agent`, with all of its settings, no device, and what it was worth."""
    assert result.agent_file is not None
    before = next(each.in_final for each in result.candidates if each.label == DEFAULTS)
    lines = [
        f"# Trial {result.winner.label} of {result.num_trials} of a search.",
        f"# In the twin U of {result.winner.in_final:.3f}, with the defaults {before:.3f} "
        f"(mean over {result.settings.final_runs} runs of {result.settings.decisions} decisions).",
    ]
    if result.confirmation:
        lines.append(f"# On the simulator, found minus defaults, U on unseen cells: {result.gained()}.")
    own = yaml.safe_dump({**asdict(agent), "name": result.name, "device": None}, sort_keys=False)
    with atomic_write(result.agent_file) as file:
        file.write("\n".join([*lines, own]).encode())
