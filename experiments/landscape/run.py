"""`python -m experiments.landscape agent=runs/dense`: how flat the loss is around what agents learned (Fig. 7)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from omegaconf import DictConfig
from stable_baselines3.common.base_class import BaseAlgorithm
from tqdm.auto import tqdm

from agents.hooks import action_values, require_hook, td_loss, td_target
from agents.registry import import_modules
from agents.replay import NStepReplayBuffer
from experiments.config.hydra import readable_errors, register_configs
from experiments.landscape.figures import plot_curves, plot_surfaces
from experiments.landscape.flatness import curve, measure, random_directions, surface
from experiments.landscape.losses import LOSSES, STOCK, agent_loss, batch_of, runs_without_twin, train_stock
from experiments.landscape.report import Measurement, as_text, write_csvs
from experiments.runs.folder import AGENT, HISTORY, Run, find_runs
from experiments.train.convergence import scenario_of
from slicing_gym.errors import check_integer, check_number, unknown_name
from slicing_gym.transitions import Transitions
from twin.data.transitions import transitions_of
from twin.fidelity.simulated import SimulatedCell

register_configs()

FloatArray = npt.NDArray[np.float64]
Measured = tuple[BaseAlgorithm, Transitions]

DATA = {"own": "each agent's own real decisions", "random": "random decisions, the same for all agents"}
"""On what a loss is measured."""


def check_config(config: DictConfig) -> None:
    """Refuse settings that make no sense, but for the folder of runs.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    import_modules(config.imports)
    if config.runs is None:
        raise ValueError("agent: missing; allowed is a run of experiments.train, or a folder of runs")
    if config.data not in DATA:
        raise ValueError(unknown_name("data", config.data, DATA))
    if config.loss not in LOSSES:
        raise ValueError(unknown_name("loss", config.loss, LOSSES))
    for key in ("epsilon", "distance", "surface_size", "rise", "size"):
        check_number(key, config[key], above=0.0)
    for key in ("points", "surface_points"):
        check_integer(key, config[key], at_least=3)
    for key in ("data_decisions", "directions", "torch_threads"):
        check_integer(key, config[key], at_least=1)
    for key in ("data_seed", "seed"):
        check_integer(key, config[key], at_least=0, at_most=2**32 - 1)


def runs_of(config: DictConfig) -> dict[tuple[str, str], list[Run]]:
    """The runs by scenario and head.

    Raises:
        ValueError, FileNotFoundError: there are none, a file is missing, or they cannot be measured together.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in find_runs(Path(config.runs), config.agents, "agent"):
        groups.setdefault(run.group, []).append(run)
        for name in (AGENT, HISTORY):
            if not (run.folder / name).is_file():
                raise ValueError(f"agent: {str(run.folder)!r} has no {name}")
        if run.wrappers:
            raise ValueError(
                f"agent: {str(run.folder)!r} was trained under {run.wrappers}, which its history does not show; "
                "allowed are runs without env.wrappers"
            )
        agent: Any = run.agent(trust=config.trust)
        for hook in (action_values, td_loss, td_target):
            require_hook("the landscape of its loss", hook, type(agent))
        if isinstance(agent.replay_buffer, NStepReplayBuffer):
            raise ValueError(
                f"agent: {str(run.folder)!r} learned from returns of {agent.replay_buffer.n_steps} decisions; allowed "
                "is 1, for the loss is measured on single ones"
            )
        if config.data == "random" and run.seed == config.data_seed:
            raise ValueError(f"data_seed: {run.seed} is the cell that {str(run.folder)!r} learned on")
    for runs in groups.values():
        scenario_of(runs)
    return groups


def landscape(config: DictConfig, folder: Path) -> None:
    """Measure; print tables, write flatness.csv, landscape.csv, surface.csv and two pictures a scenario and head."""
    with readable_errors():
        check_config(config)
        groups = runs_of(config)
    torch.set_num_threads(config.torch_threads)
    steps = {
        "epsilon": np.linspace(-config.epsilon, config.epsilon, config.points),
        "distance": np.linspace(-config.distance, config.distance, config.points),
        "surface": np.linspace(-config.surface_size, config.surface_size, config.surface_points),
    }
    jobs = [job for runs in groups.values() for job in _jobs(config, runs)]
    measured = []
    for run, method, prepare in tqdm(jobs, unit="agent", disable=not config.progress):
        measured.append(_measure(config, steps, run, method, *prepare()))
    folder = Path(os.path.relpath(folder))
    written = write_csvs(folder, measured, steps)
    for group in groups:
        those = [each for each in measured if each.group == group]
        scenario, head = group
        what = f"{LOSSES[config.loss]} over {DATA[config.data]}"
        print(f"\nscenario {scenario}, {head} head: {what}")
        print("interquartile mean over seeds [95 % interval, bootstrap]; differences paired by seed; inf: nowhere\n")
        print(as_text(those, {"rise": config.rise, "size": config.size}))
        title = f"Scenario {scenario}, {head} head: {what}"
        curves, plane = folder / f"landscape_{scenario}_{head}.png", folder / f"surface_{scenario}_{head}.png"
        plot_curves(curves, title, those, steps)
        plot_surfaces(plane, title, those, steps["surface"])
        written += [curves, plane]
    print(f"\nwritten: {', '.join(map(str, written))}")


def _jobs(
    config: DictConfig, runs: Sequence[Run]
) -> Iterator[tuple[Run, str, Callable[[], tuple[BaseAlgorithm, Transitions]]]]:
    """Of one scenario and head each agent to be measured: its run, its method, and what gives it and its data."""
    common = None
    if config.data == "random":
        history = SimulatedCell(runs[0].scenario, config.data_seed).record(config.data_decisions)
        common = transitions_of(history)
    for run in sorted(runs, key=lambda run: (run.method, run.seed)):
        yield run, run.method, partial(_of_run, run, common, config.trust)
    if config.stock:
        for run in runs_without_twin(runs):
            yield run, STOCK, partial(_of_stock, run, common)


def _of_run(run: Run, common: Transitions | None, trust: bool) -> tuple[BaseAlgorithm, Transitions]:
    """The agent of a run, and what its loss is measured on."""
    return run.agent(trust=trust), common or transitions_of(run.history())


def _of_stock(run: Run, common: Transitions | None) -> tuple[BaseAlgorithm, Transitions]:
    """Stock Stable-Baselines3's DQN trained as the agent of a run was, and what its loss is measured on."""
    agent, own, mean = train_stock(run)
    return agent, own if common is None else common._replace(rewards=common.rewards - mean)


def _measure(
    config: DictConfig, steps: dict[str, FloatArray], run: Run, method: str, agent: BaseAlgorithm, data: Transitions
) -> Measurement:
    """All that is measured of one agent."""
    loss = agent_loss(agent, data, config.loss)
    numbers = measure(loss, rise=config.rise, size=config.size, directions=config.directions, seed=config.seed)
    gradient = loss.gradient()
    unit = gradient / gradient.norm()
    first, second = random_directions(loss, 2, config.seed)
    return Measurement(
        group=run.group,
        method=method,
        seed=run.seed,
        td_error=td_error(agent, data),
        flatness=numbers,
        curves={
            "epsilon": curve(loss, gradient, steps["epsilon"]),
            "distance": curve(loss, unit, steps["distance"]),
        },
        surface=surface(loss, first, second, steps["surface"]),
    )


def td_error(agent: BaseAlgorithm, data: Transitions) -> float:
    """The mean of |y - Q(s, a)| over a data set [U]; Dueling GAN-DDQN's Q is that at the mean of its noise."""
    batch = batch_of(agent, data)
    with torch.no_grad():
        values = action_values(agent)(batch.observations).gather(1, batch.actions)[:, 0]
        return float((td_target(agent, batch) - values).abs().mean())
