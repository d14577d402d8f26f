"""`python -m experiments.evaluate policy=random,hard,best_fixed scenario=paper`: policies side by side."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from agents import FixedPolicy
from agents.registry import import_modules
from experiments.config import (
    CONFIG_FOLDER,
    check_overrides,
    readable_errors,
    register_configs,
    scenario_of,
    with_lists,
)
from experiments.evaluation import as_table, check_seeds, compare, headroom, make_cells, write_csv
from experiments.plots import plot_evaluation
from experiments.policies import check_policies, labelled, load_policies
from slicing_gym import Scenario
from slicing_gym.errors import check_integer

register_configs()

LISTS = ("policy", "imports")
"""Keys of which `key=a,b` is a list."""


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
        print(f"headroom (clairvoyant - best fixed): {room}")
    folder = Path(os.path.relpath(folder))
    write_csv(folder / "evaluation.csv", scenario, evaluations)
    plot_evaluation(folder / "evaluation.png", scenario, evaluations)
    print(f"written: {folder / 'evaluation.csv'}, {folder / 'evaluation.png'}")


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="evaluate")
def main(config: DictConfig) -> None:
    """The command."""
    evaluate(config, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    sys.argv[1:] = with_lists(sys.argv[1:], LISTS)
    check_overrides("evaluate", sys.argv[1:])
    main()
