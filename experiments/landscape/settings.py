"""Settings of a loss landscape, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.config.bounds import MAX_DECISIONS, MAX_FACTOR, MAX_POINTS, MAX_RUNS, MAX_SEED, MAX_THREADS, bounded
from experiments.config.schemas import CommandSettings
from experiments.landscape.losses import LOSSES

DATA = {"own": "each agent's own real decisions", "random": "random decisions, the same for all agents"}
"""On what a loss is measured."""


@dataclass
class Settings:
    """What is measured of the loss around the weights of agents.

    Args:
        agents: only runs of these names (ddqn, ddqn-dt, ...); None: all.
        data: "own": each agent's own real decisions; "random": one history of random decisions, the same for all.
        data_seed: "random": of its cell and of the decisions; no agent should have learned on it.
        data_decisions: "random": how many.
        loss: one of `experiments.landscape.losses.LOSSES`.
        stock: train Stable-Baselines3's own DQN as the runs without a twin were (dense head), and measure it too.
        epsilon: equation 11: the loss from -epsilon to epsilon times the gradient.
        distance: the same along the unit gradient, from -distance to distance in weight space.
        points: of each curve.
        surface_size: the plane: from -1 to 1 times two filter-normalised random directions.
        surface_points: a side.
        rise: how far the loss has to rise, the same for all agents [U^2].
        directions: filter-normalised random directions, each taken both ways.
        size: of these: 0.5 moves the weights of every neuron by half their norm.
        seed: of all random directions.
        torch_threads: threads that PyTorch computes in.
        progress: show a progress bar.
    """

    agents: list[str] | None = None
    data: str = bounded("own", choices=DATA)
    data_seed: int = bounded(1_000, at_least=0, at_most=MAX_SEED)
    data_decisions: int = bounded(1_000, at_least=1, at_most=MAX_DECISIONS)
    loss: str = bounded("own", choices=LOSSES)
    stock: bool = True
    epsilon: float = bounded(0.01, above=0.0, at_most=MAX_FACTOR)
    distance: float = bounded(0.1, above=0.0, at_most=MAX_FACTOR)
    points: int = bounded(41, at_least=3, at_most=MAX_POINTS)
    surface_size: float = bounded(1.0, above=0.0, at_most=MAX_FACTOR)
    surface_points: int = bounded(25, at_least=3, at_most=MAX_POINTS)
    rise: float = bounded(0.1, above=0.0, at_most=MAX_FACTOR)
    directions: int = bounded(16, at_least=1, at_most=MAX_RUNS)
    size: float = bounded(0.5, above=0.0, at_most=MAX_FACTOR)
    seed: int = bounded(0, at_least=0, at_most=MAX_SEED)
    torch_threads: int = bounded(1, at_least=1, at_most=MAX_THREADS)
    progress: bool = True


@dataclass
class LandscapeConfig(Settings, CommandSettings):
    """`conf/landscape.yaml`.

    Args:
        runs: a run of `experiments.train`, or a folder of runs.
    """

    runs: str | None = None
