"""Short runs of the loops for tests: makers of agents, settings, composed configurations, runs that are cut off."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir

from agents import DDQN, DuelingGANDDQN
from agents.registry import arguments_of
from experiments.benchmark_suite.settings import BenchmarkSuiteConfig
from experiments.config.hydra import CONFIG_FOLDER, register
from experiments.config.planner import make_planner
from experiments.config.schemas import EvaluationSettings, PlannerSettings
from experiments.evaluate.settings import EvaluateConfig
from experiments.offline.settings import OfflineConfig
from experiments.runs.lifecycle import CURVES
from experiments.search.settings import SearchConfig
from experiments.train import Algorithm1Settings, Listener, Settings, Training, train
from experiments.train.settings import TrainConfig
from slicing_gym import get_scenario
from tests.helpers.commands import configured
from twin import DigitalTwin, LstmSettings, PerformanceSettings, TrainingSettings

OWN = "tests.helpers.own_agents"
"""Classes as a user writes them, in a module that is none of ours."""

SCENARIO = get_scenario("paper-1mhz").replace(reward={"kind": "utility"})
SCHEMAS = {
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "offline": OfflineConfig,
    "search": SearchConfig,
    "benchmark_suite": BenchmarkSuiteConfig,
}


def twin_settings(**training):
    """A twin that is fitted in a fraction of a second, and rough."""
    return DigitalTwin(
        LstmSettings(members=1, memory_size=8, hidden_size=8),
        PerformanceSettings(members=1, hidden_size=8),
        TrainingSettings(**{"max_epochs": 2, **training}),
    )


def maker(kind=DDQN, twin=None, policy=None, **arguments):
    """Makes small agents of a class without seeds; the changes in `twin` are for the role of that name alone."""
    shape = {"net_arch": [16, 16], **({"critic_size": 16, "num_particles": 8} if kind is DuelingGANDDQN else {})}
    common = {"learning_rate": 1e-3, "gamma": 0.8, "batch_size": 16, "learning_starts": 50, "device": "cpu"}
    common |= {"train_freq": 1, **arguments}
    if "target_update_interval" in arguments_of(kind):
        common = {"target_update_interval": 100, "exploration_final_eps": 0.02, **common}

    def make(env, role):
        own = {"learning_starts": 128, **(twin or {})} if role == "twin" else {}
        if role == "history":
            own = {"buffer_size": 100, "learning_starts": 0}
        return kind("MlpPolicy", env, policy_kwargs=shape | (policy or {}), **common | own)

    return make


make_ddqn = maker()


def short_settings(decisions=280, policies=("random",), **changes):
    """With a twin three steps of it, without one some updates; a comparison of two cells."""
    algorithm = {
        "collect": 200,
        "collect_by": "random",
        "fine_tune": 40,
        "twin_decisions": 384,
        "later_twin_decisions": 320,
        "num_envs": 64,
        "warm_replay": 100,
        "selection_cells": 4,
        "selection_decisions": 5,
    }
    algorithm |= {key: changes.pop(key) for key in list(changes) if hasattr(Algorithm1Settings, key)}
    return Settings(
        decisions=decisions,
        progress=False,
        algorithm=Algorithm1Settings(**algorithm),
        evaluation=EvaluationSettings(policies=list(policies), seeds=[100, 101], decisions=20),
        **{"checkpoint_s": 1000.0, **changes},
    )


def planner_run(folder, decisions=60):
    """A finished run of a planner."""
    return train(
        lambda env, _: make_planner(PlannerSettings(), env, 0), SCENARIO, None, short_settings(decisions), folder
    )


def composed(name, *overrides):
    """The settings of a command line."""
    return configured(name, SCHEMAS[name], *overrides)


def raw(name, *overrides):
    """The configuration as Hydra composes it."""
    register(name, SCHEMAS[name])
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return compose(name, list(overrides))


def read_rows(path):
    """Rows of a CSV."""
    with path.open() as file:
        return list(csv.DictReader(file))


def names_in(folder):
    """Names of what is in a run's folder, those of TensorBoard's files cut down to what they begin with."""
    return {CURVES if path.name.startswith(CURVES) else path.name for path in folder.iterdir()}


class StoppedError(Exception):
    """As if the process had been killed."""


class Stop(Listener):
    """Saves after so many decisions, and stops the run some later."""

    def __init__(self, decisions, later=7):
        self.training, self.decisions, self.later = None, decisions, later

    def on_settled(self):
        run = self.training.algorithm
        if run.log.decisions == self.decisions:
            run.save()
        if run.log.decisions == self.decisions + self.later:
            raise StoppedError


def interrupted(make, folder, decisions, settings, later=7, **arguments):
    """A run that was not interrupted, one saved after so many decisions and stopped later, and one from there."""
    arguments = {"scenario": SCENARIO, **arguments}
    whole = Training(make, settings=settings, folder=folder / "whole", **arguments).algorithm
    whole.run()
    stop = Stop(decisions, later)
    part = stop.training = Training(
        make, settings=settings, folder=folder / "part", listeners=[stop], resume=True, **arguments
    )
    with pytest.raises(StoppedError):
        part.algorithm.run()
    again = Training(make, settings=replace(settings), folder=folder / "part", resume=True, **arguments).algorithm
    assert again.log.decisions == decisions
    again.run()
    return whole, part.algorithm, again
