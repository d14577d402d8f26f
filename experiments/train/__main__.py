"""`python -m experiments.train agent=ddqn twin=lstm scenario=paper`: train an agent and compare it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agents import Planner, PlanningPolicy
from agents.registry import import_modules
from experiments.commands import command
from experiments.commands.resuming import with_resumed_run
from experiments.config.agents import left_out, maker, setting
from experiments.config.parts import make_scenario, make_twin
from experiments.config.planner import left_out_by_planner
from experiments.config.quoting import as_typed
from experiments.config.schemas import PLANNER
from experiments.environments import Environments
from experiments.evaluate.origin import from_elsewhere
from experiments.runs import checkpoint
from experiments.runs.lifecycle import files_left
from experiments.runs.process import finished_before
from experiments.train.check import check_unseen
from experiments.train.makers import agent_maker, planner_maker
from experiments.train.run import Training, finish
from experiments.train.settings import TrainConfig


def prepare(config: TrainConfig, folder: Path) -> Callable[[], object]:
    """The run of a configuration, checked; with `without_twin` a second one, without the twin, in a folder below.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    import_modules(config.imports)
    scenario, twin = make_scenario(config.scenario), make_twin(config.twin, config.device)
    environments = Environments(scenario, **asdict(config.env)).on(make_scenario(config.scenario, config.reward))
    environments.check(twin is not None)
    if config.without_twin and twin is None:
        raise ValueError("without_twin: true given, allowed with a twin only")
    if config.with_planner and config.agent._target_ == PLANNER:
        raise ValueError("with_planner: true given, allowed with another agent only")
    more: dict[str, Any] = {
        "settings": config,
        "seed": config.seed,
        "environments": environments,
        "name": config.agent.name,
        "resume": config.resume is not None,
        "trust": config.trust,
    }
    trainings = [Training(agent_maker(config, environments, twin), scenario, twin, folder=folder, **more)]
    if config.without_twin:
        make = maker(config.agent, config.seed, {"real": {}})
        trainings.append(Training(make, scenario, None, folder=folder / "without_twin", **more))
    if config.with_planner:
        more["name"] = "planner"
        try:
            trainings.append(Training(planner_maker(config), scenario, None, folder=folder / "planner", **more))
        except ValueError as error:
            raise ValueError(f"with_planner: {error}") from error
    if trainings[0].finished:
        return lambda: finished_before(folder)
    return lambda: _run(config, trainings)


def _run(config: TrainConfig, trainings: Sequence[Training]) -> None:
    """Train, and print the comparison."""
    first = trainings[0]
    missing = left_out_by_planner(config.agent) if first.kind is Planner else left_out(config.agent)
    if missing:
        print(f"{config.agent._target_} has no {', '.join(missing)}: left out")
    if first.environments.one_by_one and first.twin is not None:
        print(
            f"env.wrappers without env.vector_wrappers: the twin's {config.algorithm.num_envs} cells are run one by "
            "one, which is slower"
        )
    if first.twin is None and first.kind is not Planner and (note := without_effect(config)):
        print(note)
    if config.resume is not None and not first.has_checkpoint:
        print(f"{os.path.relpath(first.folder)}: no checkpoint; the run begins")
    results = finish(trainings)
    evaluations = [result.evaluation[0] for result in results] + results[0].evaluation[1:]
    print(f"on unseen cells, seeds {config.evaluation.seeds}, ± 95 % interval over cells:")
    table = replace(results[0], evaluation=evaluations).report()
    print(table, *from_elsewhere(config.evaluation.policies, first.scenario), sep="\n")
    for result in results:
        if isinstance(result.policy, PlanningPolicy) and result.policy.constraints.demands:
            print(result.policy.constraint_report())
    print(f"written to {os.path.relpath(first.folder)}: {files_left(first.folder)}")


def without_effect(config: TrainConfig) -> str:
    """A note where epsilon has fallen before an agent without a twin takes its first decision by it; "" elsewhere."""
    share, starts = (setting(config.agent, name) for name in ("exploration_fraction", "learning_starts"))
    missing = {"exploration_fraction", "learning_starts"} & {*left_out(config.agent)}
    if missing or share is None or starts is None or share * config.decisions > starts:
        return ""
    return (
        f"note: agent.exploration_fraction: {share:g} is {share * config.decisions:g} of {config.decisions} decisions, "
        f"and the first {starts} are random (agent.learning_starts): epsilon is at its last value from the first "
        "decision that is not, and any smaller share does the same"
    )


def how_to_go_on(config: TrainConfig, folder: Path) -> str:
    """What to type after Ctrl-C."""
    if not (folder / checkpoint.FILE).exists():
        return "no checkpoint yet"
    more = " (and imports, trust, --config-dir as before)" if config.imports or config.trust else ""
    return f"go on with: python -m experiments.train {as_typed('resume', os.path.relpath(folder))}{more}"


if __name__ == "__main__":
    command(
        "train",
        TrainConfig,
        prepare,
        rewrite=with_resumed_run,
        how_to_go_on=how_to_go_on,
        check_seed=lambda config: check_unseen(config.evaluation, config.seed, config.num_envs),
    )
