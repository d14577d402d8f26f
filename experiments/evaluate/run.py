"""`python -m experiments.evaluate policy=random,hard,best_fixed scenario=paper`: policies side by side."""

from __future__ import annotations

import os
from pathlib import Path

from omegaconf import DictConfig

from agents import FixedPolicy
from agents.registry import import_modules
from experiments.config.hydra import readable_errors, register_configs
from experiments.config.parts import scenario_of
from experiments.evaluate.figure import plot_evaluation
from experiments.evaluate.policies import check_policies, labelled, load_policies
from experiments.evaluate.report import as_table, headroom, write_csv
from experiments.evaluate.rollout import check_seeds, compare, make_cells
from slicing_gym import Scenario
from slicing_gym.errors import check_integer

register_configs()


def check_config(config: DictConfig) -> Scenario:
    """The scenario of an evaluation, after a look at everything that could fail later.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    import_modules(config.imports)
    scenario = scenario_of(config.scenario)
    check_policies(list(config.policy), scenario)
    check_seeds("seeds", config.seeds)
    if config.decisions is not None:
        check_integer("decisions", config.decisions, at_least=1)
    check_integer("threads", config.threads, at_least=1)
    return scenario


def evaluate(config: DictConfig, folder: Path) -> None:
    """Compare the policies of a config; print the table, write `evaluation.csv` and `evaluation.png` into `folder`."""
    with readable_errors():
        scenario = check_config(config)
        envs = make_cells(scenario, len(config.seeds), config.threads)
        found = load_policies(config.policy, scenario, envs, num_threads=config.threads, trust=config.trust)
        policies = labelled(found, ())
    evaluations = compare(scenario, policies, envs, config.seeds, config.decisions, config.progress)
    seeds = list(config.seeds)
    print(
        f"scenario {scenario.name}: {scenario.num_allocations} allocations; seeds {seeds}, ± 95 % interval over cells"
    )
    print(as_table(scenario, evaluations))
    for name, policy in policies.items():
        if isinstance(policy, FixedPolicy):
            print(f"{name} holds {'-'.join(map(str, policy.units))} units ({', '.join(scenario.slice_names)})")
    room = headroom(evaluations)
    if room is not None:
        print(f"headroom (one_step_oracle - best fixed): {room}")
    folder = Path(os.path.relpath(folder))
    write_csv(folder / "evaluation.csv", scenario, evaluations)
    plot_evaluation(folder / "evaluation.png", scenario, evaluations)
    print(f"written: {folder / 'evaluation.csv'}, {folder / 'evaluation.png'}")
