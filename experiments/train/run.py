"""`python -m experiments.train agent=ddqn twin=lstm scenario=paper`: train an agent and compare it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from experiments.config.agents import left_out
from experiments.config.hydra import (
    readable_errors,
    register_configs,
)
from experiments.environments.environments import Environments
from experiments.evaluate.policies import WrappedAgent, labelled, load_policies, load_policy
from experiments.evaluate.report import as_table, write_csv
from experiments.evaluate.rollout import Predictor, compare, evaluate_policy, make_cells
from experiments.runs import checkpoint
from experiments.runs.compare import comparable
from experiments.runs.folder import AGENT, HISTORY, SUMMARY, TWIN, WRAPPERS
from experiments.runs.naming import name_of, twin_name
from experiments.train.algorithm_1 import Algorithm
from experiments.train.callbacks import REWARD_GOAL
from experiments.train.check import check_config
from experiments.train.figure import plot_training
from slicing_gym.files import atomic_write

register_configs()


def learn(config: DictConfig, environments: Environments, folder: Path) -> Algorithm:
    """Run the algorithm in `folder`, from the beginning or from where its checkpoint left it.

    Raises:
        ValueError: the checkpoint is damaged, or of another configuration.
    """
    with readable_errors():
        algorithm = Algorithm(config, environments, folder)
        if (folder / checkpoint.FILE).exists():  # only if it is to be resumed: otherwise `train` has removed it
            algorithm.resume()
        elif config.resume is not None:
            print(f"{os.path.relpath(folder)}: no checkpoint; the run begins")
    algorithm.run()
    return algorithm


def train(config: DictConfig, folder: Path) -> None:
    """Train; leave agent, history, curves (episodes.csv, tensorboard/), comparison and picture in `folder`."""
    with readable_errors():
        environments = check_config(config)
        finished = config.resume is not None and (folder / SUMMARY).exists()
        if finished:
            stored = json.loads((folder / SUMMARY).read_text())["config"]
            checkpoint.check_same_config(folder, stored, comparable(config))
    if finished:
        print(f"{os.path.relpath(folder)}: this run is finished")
        return
    if config.resume is None:  # what an earlier run left here is not this one's
        for name in (SUMMARY, checkpoint.FILE):
            (folder / name).unlink(missing_ok=True)
            (folder / "plain" / name).unlink(missing_ok=True)
    torch.set_num_threads(config.torch_threads)
    missing = left_out(config.agent)
    if missing:
        print(f"{config.agent._target_} has no {', '.join(missing)}: left out")
    if environments.one_by_one and config.twin.transition is not None:
        print(
            f"env.wrappers without env.vector_wrappers: the twin's {config.algorithm.num_envs} cells are run one by "
            "one, which is slower"
        )
    scenario = environments.scenario
    runs = {name_of(config): learn(config, environments, folder)}
    if config.plain:
        plain = config.copy()
        plain.twin = {"transition": None}
        (folder / "plain").mkdir(exist_ok=True)
        runs[str(config.agent.name)] = learn(plain, environments, folder / "plain")
    for run in runs.values():
        leave(run)
    chosen = config.evaluation
    cells = make_cells(scenario, len(chosen.seeds))
    policies = {name: policy_of(run) for name, run in runs.items()}
    policies |= labelled(load_policies(chosen.policies, scenario, cells, trust=config.trust), policies)
    evaluations = compare(scenario, policies, cells, chosen.seeds, chosen.decisions, config.progress)
    print(f"on unseen cells, seeds {list(chosen.seeds)}, ± 95 % interval over cells:")
    print(as_table(scenario, evaluations))
    write_csv(folder / "evaluation.csv", scenario, evaluations)
    rounds = {name: run.monitor.episode_utility for name, run in runs.items()}
    plot_training(folder / "training.png", scenario, rounds, evaluations)
    for (name, run), evaluation in reversed(list(zip(runs.items(), evaluations, strict=False))):
        write_summary(run, name, float(evaluation.utility.mean()), float(evaluation.reward.mean()))
    for run in runs.values():
        (run.folder / checkpoint.FILE).unlink(missing_ok=True)
    print(f"written to {os.path.relpath(folder)}: {', '.join(sorted(path.name for path in folder.iterdir()))}")


def leave(run: Algorithm) -> None:
    """Write what a run has learned into its folder."""
    with atomic_write(run.folder / AGENT) as file:
        run.agent.save(file)
    run.recorder.history().save(run.folder / HISTORY)
    if run.twin is not None:
        run.twin.save(run.folder / TWIN)
    if run.environments.wrapped:
        statistics, arrays = run.environments.statistics(run.real)
        checkpoint.write(run.folder / WRAPPERS, {"statistics": statistics}, arrays)


def policy_of(run: Algorithm) -> Predictor:
    """What a run has learned, as it is compared with others."""
    if run.environments.keep_observations:
        return run.agent
    return WrappedAgent(run.agent, run.environments, run.environments.statistics(run.real))


def write_summary(run: Algorithm, name: str, utility: float, reward: float) -> None:
    """Write the figures by which runs are compared, last of all: a run that has them is finished.

    The regret is what Agent 1's decisions earned less than the best fixed allocation earns on the same cell in as many
    rounds [U].
    """
    config, scenario = run.config, run.scenario
    envs = make_cells(scenario, 1)
    best = load_policy("best_fixed", scenario, envs, num_threads=1)
    reference = float(evaluate_policy("", best, envs, [config.seed], run.monitor.decisions).utility.mean())
    rounds = run.monitor.rounds
    reached = [number for number, row in enumerate(rounds, start=1) if row["reward_at_c_max"] >= REWARD_GOAL]
    summary: dict[str, Any] = {
        "scenario": scenario.name,
        "agent": name,
        "twin": twin_name(config),
        "head": config.agent.head,
        "seed": config.seed,
        "decisions": run.monitor.decisions,
        "episodes_to_goal": reached[0] if reached else None,
        "utility": utility,
        "reward_at_c_max": reward,
        "best_fixed_on_own_cell": reference,
        "regret": sum(row["decisions"] * (reference - row["utility"]) for row in rounds),
        "cpu_seconds": run.seconds,
        "learned": run.agent.digest(),
        "config": comparable(config),
    }
    with atomic_write(run.folder / SUMMARY) as file:
        file.write(json.dumps(summary, indent=2).encode())
