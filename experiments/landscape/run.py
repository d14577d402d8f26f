"""`landscape`: how flat the loss is around what agents have learned (the paper's Fig. 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from agents.hooks import action_values, require_hook, taken_values, td_loss, td_target
from agents.replay import NStepReplayBuffer
from experiments.config.bounds import check_bounds
from experiments.config.threads import torch_threads
from experiments.landscape.figures import plot_curves, plot_surfaces
from experiments.landscape.flatness import FloatArray, curve, flatness_of, random_directions, surface
from experiments.landscape.losses import LOSSES, STOCK, agent_loss, batch_of, runs_without_twin, train_stock
from experiments.landscape.report import Measurement, landscape_tables, write_csvs
from experiments.landscape.settings import DATA, Settings
from experiments.reporting.statistics import over_few_seeds
from experiments.runs.folder import AGENT, HISTORY, PLANNER_FILE, Run, common_scenario, find_runs
from slicing_gym.errors import check_instance
from slicing_gym.progress import ProgressBar
from slicing_gym.transitions import Transitions
from twin.data.transitions import transitions_of
from twin.fidelity.simulated import SimulatedCell


@dataclass(frozen=True)
class LandscapeResult:
    """The loss around the weights of some agents.

    Args:
        measured: of each agent.
        steps: along the curves (points,) by their names, and of the surface under that name.
        settings: it was measured with.
    """

    measured: list[Measurement]
    steps: Mapping[str, FloatArray]
    settings: Settings

    @property
    def groups(self) -> dict[tuple[str, str], list[Measurement]]:
        """By scenario and head."""
        found: dict[tuple[str, str], list[Measurement]] = {}
        for each in self.measured:
            found.setdefault(each.group, []).append(each)
        return found

    @property
    def _what(self) -> str:
        return f"{LOSSES[self.settings.loss]} over {DATA[self.settings.data]}"

    def report(self) -> str:
        """Tables of every scenario and head, methods side by side."""
        texts = []
        for (scenario, head), measured in self.groups.items():
            two = over_few_seeds(Counter(each.method for each in measured).values())
            tables = landscape_tables(measured, {"rise": self.settings.rise, "size": self.settings.size})
            texts.append(
                f"scenario {scenario}, {head} head: {self._what}\n"
                f"interquartile mean over seeds [95 % interval, bootstrap{two}]; "
                f"differences paired by seed; inf: nowhere\n\n{tables}"
            )
        return "\n\n".join(texts)

    def write(self, folder: str | Path) -> list[Path]:
        """Write flatness.csv, landscape.csv, surface.csv and two pictures a scenario and head into a folder."""
        written = write_csvs(Path(folder), self.measured, self.steps)
        for (scenario, head), measured in self.groups.items():
            title = f"Scenario {scenario}, {head} head: {self._what}"
            names = [f"{what}_{scenario}_{head}.png" for what in ("landscape", "surface")]
            curves, plane = (Path(folder) / name for name in names)
            plot_curves(curves, title, measured, self.steps)
            plot_surfaces(plane, title, measured, self.steps["surface"])
            written += [curves, plane]
        return written


def landscape(
    runs: str | Path | Run | Sequence[Run],
    settings: Settings | None = None,
    folder: str | Path | None = None,
    *,
    trust: bool = False,
) -> LandscapeResult:
    """Measure how flat the loss is around the weights that agents have learned.

    Args:
        runs: folder of a run, of runs, the agent.zip of a run, a run, or runs (`experiments.runs.find_runs`).
        settings: what is measured.
        folder: where CSVs and pictures go; None: nowhere.
        trust: let files of agents run code.

    Raises:
        ValueError, TypeError, FileNotFoundError: something is not allowed; the message names it. Nothing was measured.
    """
    result = Landscape(runs, settings, trust=trust).run()
    if folder is not None:
        result.write(folder)
    return result


class Landscape:
    """Agents to be measured, checked.

    Args:
        runs, settings, trust: see `landscape`.
        key: what the runs are called where they were given.

    Attributes:
        settings: what is measured.
        groups: the runs by scenario and head.
    """

    def __init__(
        self,
        runs: str | Path | Run | Sequence[Run],
        settings: Settings | None = None,
        *,
        trust: bool = False,
        key: str = "runs",
    ) -> None:
        self.settings = Settings() if settings is None else settings
        check_instance("settings", self.settings, (Settings,))
        check_bounds(self.settings)
        self._trust = trust
        self.groups: dict[tuple[str, str], list[Run]] = {}
        self._random: dict[tuple[str, str], Transitions] = {}  # random decisions, the same for all agents of a group
        for run in find_runs([runs] if isinstance(runs, Run) else runs, self.settings.agents, key):
            self._check_run(run, key)
            self.groups.setdefault(run.group, []).append(run)
        for group in self.groups.values():
            common_scenario(group)

    def _check_run(self, run: Run, key: str) -> None:
        """Refuse a run whose loss cannot be measured.

        Raises:
            ValueError, TypeError: the message names it, and what it lacks.
        """
        if run.agent_file.name == PLANNER_FILE:
            raise ValueError(f"{key}: {str(run.folder)!r} is the run of a planner, which has no loss")
        for name in (AGENT, HISTORY):
            if not (run.folder / name).is_file():
                raise ValueError(f"{key}: {str(run.folder)!r} has no {name}")
        if run.wrappers:
            raise ValueError(
                f"{key}: {str(run.folder)!r} was trained under {run.wrappers}, which its history does not show; "
                "allowed are runs without env.wrappers"
            )
        agent: Any = run.agent(trust=self._trust)
        for hook in (action_values, td_loss, td_target):
            require_hook("the landscape of its loss", hook, type(agent))
        if isinstance(agent.replay_buffer, NStepReplayBuffer):
            raise ValueError(
                f"{key}: {str(run.folder)!r} learned from returns of {agent.replay_buffer.n_steps} decisions; allowed "
                "is 1, for the loss is measured on single ones"
            )
        if self.settings.data == "random" and run.seed == self.settings.data_seed:
            raise ValueError(f"data_seed: {run.seed} is the cell that {str(run.folder)!r} learned on")

    def run(self) -> LandscapeResult:
        """Measure every agent."""
        settings = self.settings
        steps = {
            "epsilon": np.linspace(-settings.epsilon, settings.epsilon, settings.points),
            "distance": np.linspace(-settings.distance, settings.distance, settings.points),
            "surface": np.linspace(-settings.surface_size, settings.surface_size, settings.surface_points),
        }
        jobs: list[tuple[Run, str]] = []
        for runs in self.groups.values():
            jobs += [(run, run.method) for run in sorted(runs, key=lambda run: (run.method, run.seed))]
            jobs += [(run, STOCK) for run in runs_without_twin(runs) if settings.stock]
        with torch_threads(settings.torch_threads):
            bar = ProgressBar(jobs, unit="agent", disable=not settings.progress)
            measured = [self._measure(run, method, steps) for run, method in bar]
        return LandscapeResult(measured, steps, settings)

    def _load(self, run: Run, method: str) -> tuple[BaseAlgorithm, Transitions]:
        """The agent of a run, or stock Stable-Baselines3's trained as it was, and what its loss is measured on."""
        agent: Any  # no planner, as was checked
        if method == STOCK:
            agent, data, mean = train_stock(run)
        else:
            agent, data, mean = run.agent(trust=self._trust), transitions_of(run.history()), 0.0
        if self.settings.data == "own":
            return agent, data
        if run.group not in self._random:
            cell = SimulatedCell(self.groups[run.group][0].scenario, self.settings.data_seed)
            self._random[run.group] = transitions_of(cell.record(self.settings.data_decisions))
        common = self._random[run.group]
        return agent, common._replace(rewards=common.rewards - mean)

    def _measure(self, run: Run, method: str, steps: Mapping[str, FloatArray]) -> Measurement:
        """All that is measured of one agent."""
        settings, (agent, data) = self.settings, self._load(run, method)
        loss = agent_loss(agent, data, settings.loss)
        numbers = flatness_of(
            loss, rise=settings.rise, size=settings.size, directions=settings.directions, seed=settings.seed
        )
        gradient = loss.gradient()
        first, second = random_directions(loss, 2, settings.seed)
        directions = {"epsilon": gradient, "distance": gradient / gradient.norm()}
        return Measurement(
            group=run.group,
            method=method,
            seed=run.seed,
            td_error=td_error(agent, data),
            flatness=numbers,
            curves={along: curve(loss, direction, steps[along]) for along, direction in directions.items()},
            surface=surface(loss, first, second, steps["surface"]),
        )


def td_error(agent: BaseAlgorithm, data: Transitions) -> float:
    """The mean of |y - Q(s, a)| over a data set [U]; Dueling GAN-DDQN's Q is that at the mean of its noise."""
    batch = batch_of(agent, data)
    with torch.no_grad():
        values = taken_values(action_values(agent), batch.observations, batch.actions[:, 0])
        return float((td_target(agent, batch) - values).abs().mean())
