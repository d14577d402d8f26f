"""`python -m experiments.offline history=random agent=ddqn twin=lstm`: learn from a fixed history, and compare."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from agents import FixedPolicy
from agents.baselines import BASELINES
from agents.learner import OffPolicyLearner
from agents.loading import load_agent
from agents.offline import NoEnv
from agents.registry import import_modules
from agents.safe_load import read_checked
from agents.student import StudentPolicy, distill
from experiments.config.agents import SHARED, changeable, check_agent, check_conservative, check_numbers
from experiments.config.hydra import (
    readable_errors,
    register_configs,
)
from experiments.config.parts import scenario_of
from experiments.evaluate.policies import check_policies, labelled, load_policies
from experiments.evaluate.report import as_table, write_csv
from experiments.evaluate.rollout import Predictor, check_seeds, compare, evaluate_policy, make_cells
from experiments.offline.algorithm_2 import CANDIDATES, OfflineAlgorithm
from experiments.offline.figure import SUMMARY
from experiments.offline.histories import RECORDED, check_history, make_history
from experiments.runs import checkpoint
from experiments.runs.compare import comparable
from experiments.runs.folder import AGENT, HISTORY, TWIN
from experiments.runs.naming import name_of, twin_name
from experiments.train.check import check_twin_training
from slicing_gym import allocation_table
from slicing_gym.errors import check_integer, check_number, unknown_name
from slicing_gym.files import atomic_write
from slicing_gym.scenario import REWARD_KINDS
from twin import History
from twin.data.transitions import transitions_of, utilities_of
from twin.twin import MIN_DECISIONS

FLOORS = ("behaviour_cloning", "best_in_data")
"""What can be had from a history without learning values."""

FIRST_SEED = 1_000_000
"""Of the cells in the twin that tell what the policy is worth: not those by which it was chosen."""

register_configs()


def check_config(config: DictConfig) -> None:
    """Look at everything that could fail later.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    import_modules(config.imports)
    scenario = scenario_of(config.scenario)
    check_history(config.history)
    if config.history in RECORDED and config.evaluation.policies:
        check_policies(list(config.evaluation.policies), scenario)
    if config.decisions is not None:
        check_integer("decisions", config.decisions, at_least=1)
    if config.reward is not None and config.reward not in REWARD_KINDS:
        raise ValueError(unknown_name("reward", config.reward, REWARD_KINDS))
    if config.resume not in (None, "auto"):
        raise ValueError(f"resume: {config.resume!r} given, allowed are auto and null")
    check_integer("seed", config.seed, at_least=0, at_most=2**32 - 1)
    check_number("checkpoint_s", config.checkpoint_s, at_least=0.0)
    check_integer("torch_threads", config.torch_threads, at_least=1)
    if config.evaluation.seeds:
        check_seeds("evaluation.seeds", config.evaluation.seeds)
    if config.seed in config.evaluation.seeds and config.history in RECORDED:
        raise ValueError(f"evaluation.seeds: {config.seed} is the cell that the history is of (seed)")
    if config.evaluation.decisions is not None:
        check_integer("evaluation.decisions", config.evaluation.decisions, at_least=1)
    check_integer("algorithm.epochs", config.algorithm.epochs, at_least=1)
    check_number("algorithm.conservative_weight", config.algorithm.conservative_weight, at_least=0.0)
    check_integer("estimate.epochs", config.estimate.epochs, at_least=1)
    if config.agent.name in (*BASELINES, *FLOORS, *config.evaluation.policies):
        raise ValueError(f"agent.name: {config.agent.name!r} is the name of a policy it is compared with")
    spaces = NoEnv(scenario)
    trial = check_agent(config.agent, spaces)
    check_conservative(config.agent, config.algorithm.conservative_weight)
    learning = dict(config.algorithm.agent)
    allowed = changeable(config.agent)
    for name in learning:
        if name not in allowed:
            raise ValueError(unknown_name("algorithm.agent", name, allowed))
    check_agent(config.agent, spaces, learning)
    for name in config.estimate.agent:
        allowed = {*SHARED, "head", "net_arch", "center_rewards"}
        if name not in allowed:
            raise ValueError(unknown_name("estimate.agent", name, allowed))
    check_numbers(config.estimate.agent)
    if config.twin.transition is not None:
        check_loadable(trial, config.trust)
        check_twin_training(config, spaces, {"agent_1": ("learning_starts", "train_freq"), "agent_2": ()})


def check_loadable(learner: OffPolicyLearner, trust: bool) -> None:
    """Refuse an agent whose file would hold code of the user's own, if that is not trusted: it is loaded in the end.

    Raises:
        ValueError: the message says what to type.
    """
    if trust:
        return
    content = io.BytesIO()
    learner.save(content)
    try:
        read_checked(io.BytesIO(content.getvalue()))
    except ValueError as error:
        raise ValueError(f"trust: false given, allowed is true for this agent ({error})") from None


def history_of(config: DictConfig) -> History:
    """What is learned from, with the reward that the config wants.

    Raises:
        ValueError: there is no such history; it did not measure what U is made of; the policies to compare with do not
            fit it.
    """
    history = make_history(config.history, scenario_of(config.scenario), config.seed, config.decisions)
    if config.reward is not None:
        history = replace(history, scenario=history.scenario.replace(reward={"kind": config.reward}))
    utilities_of(history)
    if config.twin.transition is not None:
        check_integer("decisions (of the history, for a twin)", len(history), at_least=MIN_DECISIONS)
    if config.evaluation.policies:
        check_policies(list(config.evaluation.policies), history.scenario)
        load_policies(config.evaluation.policies, history.scenario, make_cells(history.scenario, 1), trust=config.trust)
    return history


def floors(history: History, seed: int) -> dict[str, Predictor]:
    """What can be had from the history without learning values: doing as it did, or the best allocation in it."""
    observations, actions = transitions_of(history)[:2]
    clone = StudentPolicy(history.scenario, hidden=64, seed=seed)
    distill(clone, actions, observations, np.random.default_rng(seed), updates=2000)
    totals = np.bincount(actions, utilities_of(history), history.scenario.num_allocations)
    times = np.bincount(actions, minlength=history.scenario.num_allocations)
    means = np.where(times > 0, totals / np.maximum(times, 1), -np.inf)
    best = history.allocation[np.flatnonzero(actions == means.argmax())[0]]
    return dict(zip(FLOORS, (clone, FixedPolicy(history.scenario, best)), strict=True))


def usual_choice(policy: Predictor, history: History) -> dict[str, Any]:
    """The units that a policy takes most often in the history's states, in what share of them, and how often it did."""
    observations, actions = transitions_of(history)[:2]
    chosen, _ = policy.predict(observations, deterministic=True)
    times = np.bincount(chosen)
    usual = int(times.argmax())
    units = allocation_table(history.scenario.num_units, history.scenario.num_slices)[usual]
    return {
        "units": "-".join(map(str, units)),
        "share": float(times[usual] / len(chosen)),
        "in_data": int((actions == usual).sum()),
    }


def offline(config: DictConfig, folder: Path) -> None:
    """Learn from a history; leave agent, history, twin, estimates and comparison in `folder`."""
    with readable_errors():
        check_config(config)
        if config.resume is not None and (folder / SUMMARY).exists():
            checkpoint.check_same_config(
                folder, json.loads((folder / SUMMARY).read_text())["config"], comparable(config)
            )
            print(f"{os.path.relpath(folder)}: this run is finished")
            return
        torch.set_num_threads(config.torch_threads)
        history = history_of(config)
        run = OfflineAlgorithm(config, history, folder)
        if config.resume is None:  # what an earlier run left here is not this one's
            for name in (SUMMARY, checkpoint.FILE):
                (folder / name).unlink(missing_ok=True)
        elif (folder / checkpoint.FILE).exists():
            run.resume()
    run.run()
    with atomic_write(folder / AGENT) as file:
        run.agent.save(file)
    history.save(folder / HISTORY)
    if run.twin is not None:
        run.twin.save(folder / TWIN)
    estimates = {
        "fitted_q": run.estimate(config.seed),
        "twin": run.utility_in_twin(run.agent, FIRST_SEED) if run.twin else None,
    }
    name = name_of(config)
    candidates = candidates_of(run, folder)
    usual = {each: usual_choice(policy, history) for each, policy in candidates.items()}
    summary: dict[str, Any] = {
        "scenario": history.scenario.name,
        "head": config.agent.head,
        "agent": name,
        "twin": twin_name(config),
        "history": config.history,
        "decisions": len(history),
        "seed": config.seed,
        "conservative_weight": config.algorithm.conservative_weight,
        "utility_in_data": float(utilities_of(history).mean()),
        "estimates": estimates,
        "usual": usual,
    }
    if config.evaluation.seeds:
        summary |= truth(config, name, run, candidates, folder)
    summary |= {"cpu_seconds": run.seconds, "config": comparable(config)}
    with atomic_write(folder / SUMMARY) as file:
        file.write(json.dumps(summary, indent=2).encode())
    (folder / checkpoint.FILE).unlink(missing_ok=True)
    shown = ", ".join(f"{key} {value:.3f}" for key, value in estimates.items() if value is not None)
    print(f"{name}, told from the history alone: {shown}")
    for each, own in usual.items():
        share, times = f"{own['share']:.0%} of the history's states", own["in_data"]
        print(f"{each.replace('_', ' ')}: {own['units']} in {share}; the history has it {times} times")
    print(f"written to {os.path.relpath(folder)}: {', '.join(sorted(path.name for path in folder.iterdir()))}")


def candidates_of(run: OfflineAlgorithm, folder: Path) -> dict[str, Predictor]:
    """What Algorithm 2 ended with, and with a twin what Agent 2 brought from it."""
    if run.judged is None:
        return {CANDIDATES[0]: run.agent}
    target = str(run.config.agent._target_)
    return {name: load_agent(folder / f"{name}.zip", target, trust=run.config.trust) for name in CANDIDATES}


def truth(
    config: DictConfig, name: str, run: OfflineAlgorithm, candidates: Mapping[str, Predictor], folder: Path
) -> dict[str, Any]:
    """What the agent and its floors really earn: on unseen cells, and on the history's own, which estimates are of."""
    scenario, chosen = run.scenario, config.evaluation
    cells = make_cells(scenario, len(chosen.seeds))
    policies: dict[str, Predictor] = {name: run.agent, **floors(run.history, config.seed)}
    policies |= labelled(load_policies(chosen.policies, scenario, cells, trust=config.trust), policies)
    evaluations = compare(scenario, policies, cells, chosen.seeds, chosen.decisions, config.progress)
    print(f"on unseen cells, seeds {list(chosen.seeds)}, ± 95 % interval over cells:")
    print(as_table(scenario, evaluations))
    write_csv(folder / "evaluation.csv", scenario, evaluations)
    means = {evaluation.policy: float(evaluation.utility.mean()) for evaluation in evaluations}
    found: dict[str, Any] = {
        "utility": means.pop(name),
        "reward_at_c_max": float(evaluations[0].reward.mean()),
        "utility_on_own_cell": None,  # of a file nobody knows which it was
        "floors": means,
    }
    if config.history in RECORDED:
        own = evaluate_policy(
            name, run.agent, make_cells(scenario, 1), [config.seed], 5 * scenario.decisions_per_episode
        )
        found["utility_on_own_cell"] = float(own.utility.mean())
    judged = run.judged or (None,)
    true = compare(scenario, candidates, cells, chosen.seeds, chosen.decisions)
    found["candidates"] = {
        evaluation.policy: {"in_twin": told, "utility": float(evaluation.utility.mean())}
        for evaluation, told in zip(true, judged, strict=True)
    }
    return found
