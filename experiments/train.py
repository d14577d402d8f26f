"""`python -m experiments.train agent=dqn scenario=paper seed=0`: train an agent on SliceRAN-v0 and compare it."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from stable_baselines3.common.base_class import BaseAlgorithm

from agents.baselines import BASELINES
from experiments.config import (
    CONFIG_FOLDER,
    agent_class,
    check_overrides,
    readable_errors,
    register_configs,
    scenario_of,
)
from experiments.evaluation import (
    Predictor,
    as_table,
    check_policies,
    check_seeds,
    compare,
    load_policy,
    make_cells,
    write_csv,
)
from experiments.monitor import RoundMonitor
from experiments.plots import plot_training
from slicing_gym import Scenario
from slicing_gym.errors import check_integer, check_number, unknown_name
from slicing_gym.files import atomic_write
from slicing_gym.scenario import REWARD_KINDS

register_configs()


def check_config(config: DictConfig) -> Scenario:
    """The scenario of a training run, after a look at everything that could fail later.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    scenario = scenario_of(config.scenario)
    if config.reward is not None:
        if config.reward not in REWARD_KINDS:
            raise ValueError(unknown_name("reward", config.reward, REWARD_KINDS))
        scenario = replace(scenario, reward=replace(scenario.reward, kind=config.reward))
    check_integer("seed", config.seed, at_least=0, at_most=2**32 - 1)
    check_integer("decisions", config.decisions, at_least=1)
    check_integer("torch_threads", config.torch_threads, at_least=1)
    check_policies(list(config.evaluation.policies), scenario)
    check_seeds("evaluation.seeds", config.evaluation.seeds)
    if config.seed in config.evaluation.seeds:
        raise ValueError(f"evaluation.seeds: {config.seed} is the cell that the agent learns on (seed)")
    if config.agent.name in (*BASELINES, *config.evaluation.policies):
        raise ValueError(f"agent.name: {config.agent.name!r} is the name of a policy it is compared with")
    check_agent(config.agent)
    if config.evaluation.decisions is not None:
        check_integer("evaluation.decisions", config.evaluation.decisions, at_least=1)
    return scenario


def check_agent(agent: DictConfig) -> None:
    """Refuse arguments of an agent that make no sense.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    for key in ("buffer_size", "batch_size", "train_freq", "target_update_interval"):
        check_integer(f"agent.{key}", agent[key], at_least=1)
    check_integer("agent.learning_starts", agent.learning_starts, at_least=0)
    check_integer("agent.gradient_steps", agent.gradient_steps, at_least=-1)
    for width in agent.policy_kwargs.net_arch:
        check_integer("agent.policy_kwargs.net_arch", width, at_least=1)
    check_number("agent.learning_rate", agent.learning_rate, above=0.0)
    for key in ("gamma", "exploration_fraction", "exploration_initial_eps", "exploration_final_eps"):
        check_number(f"agent.{key}", agent[key], at_least=0.0, at_most=1.0)
    agent_class(agent._target_)


def make_agent(config: DictConfig, env: gym.Env[Any, Any], folder: Path) -> BaseAlgorithm:
    """The agent that a config describes; its curves go to `folder`/tensorboard."""
    arguments = OmegaConf.to_container(config.agent, resolve=True)
    assert isinstance(arguments, dict)
    plain = {str(key): value for key, value in arguments.items() if key not in ("name", "_target_")}
    kind = agent_class(config.agent._target_)
    logs = str(folder / "tensorboard")
    return kind(env=env, seed=config.seed, device="cpu", tensorboard_log=logs, **plain)


def train(config: DictConfig, folder: Path) -> None:
    """Train; leave agent.zip, rounds.csv, tensorboard/, evaluation.csv and training.png in `folder`."""
    with readable_errors():
        scenario = check_config(config)
        env = gym.make("SliceRAN-v0", scenario=scenario)
        agent = make_agent(config, env, folder)
    torch.set_num_threads(config.torch_threads)
    monitor = RoundMonitor(scenario, folder / "rounds.csv")
    started = time.perf_counter()
    agent.learn(config.decisions, callback=monitor, tb_log_name="run", progress_bar=config.progress)
    minutes = (time.perf_counter() - started) / 60.0
    with atomic_write(folder / "agent.zip") as file:
        agent.save(file)
    print(f"trained {config.agent.name} for {config.decisions} decisions on {scenario.name} in {minutes:.1f} min")

    chosen = config.evaluation
    cells = make_cells(scenario, len(chosen.seeds))
    policies: dict[str, Predictor] = {config.agent.name: agent}
    policies |= {name: load_policy(name, scenario, cells, num_threads=1) for name in chosen.policies}
    evaluations = compare(scenario, policies, cells, chosen.seeds, chosen.decisions, config.progress)
    print(f"on unseen cells, seeds {list(chosen.seeds)}, ± 95 % interval over cells:")
    print(as_table(scenario, evaluations))
    write_csv(folder / "evaluation.csv", scenario, evaluations)
    plot_training(folder / "training.png", scenario, config.agent.name, monitor.round_utility, evaluations)
    print(f"written to {os.path.relpath(folder)}: agent.zip, rounds.csv, evaluation.csv, training.png, tensorboard/")


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="train")
def main(config: DictConfig) -> None:
    """The command."""
    train(config, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    check_overrides("train", sys.argv[1:])
    main()
