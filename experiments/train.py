"""`python -m experiments.train agent=ddqn twin=lstm scenario=paper`: train an agent and compare it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from agents.baselines import BASELINES
from agents.registry import import_modules
from experiments import checkpoint
from experiments.algorithm import Algorithm
from experiments.config import (
    CONFIG_FOLDER,
    check_overrides,
    config_folders,
    plain_of,
    readable_errors,
    register_configs,
    scenario_of,
    with_lists,
    without_config_folders,
)
from experiments.environments import Environments
from experiments.evaluation import (
    Predictor,
    as_table,
    check_seeds,
    compare,
    evaluate_policy,
    make_cells,
    write_csv,
)
from experiments.learners import check_agent, left_out, setting
from experiments.monitor import REWARD_GOAL
from experiments.plots import plot_training
from experiments.policies import WrappedAgent, check_policies, labelled, load_policies, load_policy
from experiments.runs import AGENT, HISTORY, SUMMARY, TWIN, WRAPPERS
from experiments.twin_algorithm import check_twin_training, comparable
from slicing_gym.errors import check_integer, check_number, unknown_name
from slicing_gym.files import atomic_write
from slicing_gym.scenario import REWARD_KINDS
from twin.twin import MIN_DECISIONS

register_configs()


def check_config(config: DictConfig) -> Environments:
    """Where the agents of a training run act, after a look at everything that could fail later.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    import_modules(config.imports)
    scenario = scenario_of(config.scenario)
    if config.reward is not None:
        if config.reward not in REWARD_KINDS:
            raise ValueError(unknown_name("reward", config.reward, REWARD_KINDS))
        scenario = replace(scenario, reward=replace(scenario.reward, kind=config.reward))
    check_integer("seed", config.seed, at_least=0, at_most=2**32 - 1)
    check_integer("decisions", config.decisions, at_least=1)
    check_number("checkpoint_s", config.checkpoint_s, at_least=0.0)
    check_integer("torch_threads", config.torch_threads, at_least=1)
    check_policies(list(config.evaluation.policies), scenario)
    check_seeds("evaluation.seeds", config.evaluation.seeds)
    if config.seed in config.evaluation.seeds:
        raise ValueError(f"evaluation.seeds: {config.seed} is the cell that the agent learns on (seed)")
    if config.agent.name in (*BASELINES, *config.evaluation.policies):
        raise ValueError(f"agent.name: {config.agent.name!r} is the name of a policy it is compared with")
    others = [name for name in config.evaluation.policies if name not in BASELINES]
    load_policies(others, scenario, make_cells(scenario, 1), trust=config.trust)
    environments = Environments.of(scenario, plain_of(config.env))
    has_twin = config.twin.transition is not None
    environments.check(has_twin)
    trial = check_agent(config.agent, environments.real())
    if config.evaluation.decisions is not None:
        check_integer("evaluation.decisions", config.evaluation.decisions, at_least=1)
    check_multiple("decisions", config.decisions, config.agent)
    if has_twin:
        check_algorithm(config, environments)
        if config.algorithm.warm_replay and not trial.can_recall:
            raise ValueError(
                f"algorithm.warm_replay: {config.algorithm.warm_replay} given, allowed is 0 for "
                f"{config.agent._target_}, whose replay buffer is not agents.replay.ReplayBuffer"
            )
    elif config.plain:
        raise ValueError("plain: true given, allowed with a twin only; without one the agent is the plain one")
    return environments


def check_algorithm(config: DictConfig, environments: Environments) -> None:
    """Refuse a twin, or an Algorithm 1, that makes no sense.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    settings = config.algorithm
    roles = check_twin_training(
        config, environments.real(), {"agent_1": ("learning_starts", "train_freq"), "agent_2": ()}
    )
    check_integer("algorithm.collect", settings.collect, at_least=MIN_DECISIONS, at_most=config.decisions)
    check_integer("algorithm.fine_tune", settings.fine_tune, at_least=1 if settings.refit else MIN_DECISIONS)
    last = (config.decisions - settings.collect) % settings.fine_tune
    if 0 < last < MIN_DECISIONS and not settings.refit:
        raise ValueError(
            f"decisions: {config.decisions} given; that leaves {last} for the last calibration, allowed are 0, or "
            f"{MIN_DECISIONS} or more, beyond algorithm.collect and a multiple of algorithm.fine_tune"
        )
    check_integer("algorithm.warm_replay", settings.warm_replay, at_least=0)
    for key in ("collect", "fine_tune"):
        check_multiple(f"algorithm.{key}", settings[key], config.agent)
    check_number("algorithm.tolerance", settings.tolerance)
    if settings.patience is not None:
        check_integer("algorithm.patience", settings.patience, at_least=1)
    room = settings.warm_replay + config.decisions
    size = setting(config.agent, "buffer_size", roles["agent_1"])
    if size is not None:
        check_integer("agent.buffer_size (of Agent 1)", size, at_least=room)
    at_least = (setting(config.agent, "learning_starts", roles["agent_2"]) or 0) + settings.num_envs
    check_integer("algorithm.later_twin_decisions", settings.later_twin_decisions, at_least=at_least)


def check_multiple(key: str, value: int, agent: DictConfig) -> None:
    """Refuse a number of decisions that an agent would overstep.

    Raises:
        ValueError: it is not a multiple of the decisions between its updates.
    """
    of = setting(agent, "train_freq")
    if isinstance(of, int) and value % of:
        raise ValueError(f"{key}: {value} given, allowed are multiples of agent.train_freq = {of}")


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


def name_of(config: DictConfig) -> str:
    """What the trained agent is called in tables: ddqn, with an LSTM twin ddqn-dt, with another ddqn-dt-transformer."""
    suffix = {"none": "", "lstm": "-dt"}
    return str(config.agent.name) + suffix.get(twin_name(config), f"-dt-{twin_name(config)}")


def twin_name(config: DictConfig) -> str:
    """Which twin a config has: none, lstm or transformer."""
    return "none" if config.twin.transition is None else str(config.twin.transition.name)


def train(config: DictConfig, folder: Path) -> None:
    """Train; leave agent, history, curves (rounds.csv, tensorboard/), comparison and picture in `folder`."""
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
    rounds = {name: run.monitor.round_utility for name, run in runs.items()}
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
        "rounds_to_goal": reached[0] if reached else None,
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


def with_resumed_run(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments in which `resume=<run folder>` stands for that run's own, in that folder.

    Raises:
        ValueError, FileNotFoundError: the folder is no run's, or was made with another configuration, or with a
            `--config-dir` that is not given.
    """
    given = {key: value for key, _, value in (argument.partition("=") for argument in arguments)}
    name = given.get("resume", "null").strip("'\"")
    if name in ("null", "auto", ""):
        return list(arguments)
    folder = Path(name)
    if not folder.is_dir():
        raise FileNotFoundError(f"resume: there is no folder {name!r}; allowed is the folder of a run, or auto")
    overrides, config = folder / ".hydra" / "overrides.yaml", folder / ".hydra" / "config.yaml"
    if not overrides.is_file() or not config.is_file():
        raise ValueError(f"resume: {name!r} is not the folder of a run; it has no .hydra/overrides.yaml")
    # What may be imported, trusted or searched counts only when it is typed: a folder's files could name anything.
    own = [each for each in map(str, OmegaConf.load(overrides)) if not each.lstrip("+~").startswith(_TYPED)]
    new = [argument for argument in arguments if not argument.startswith("resume=") and argument not in own]
    typed = {each.partition("=")[0] for each in new}
    new += [default for default in ("imports=[]", "trust=false") if default.partition("=")[0] not in typed]
    folders = config_folders(new)
    rest = [argument for argument in without_config_folders(new) if not argument.startswith("hydra")]
    check_overrides("train", new)
    try:
        with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
            now = compose("train", [*own, *rest, *folders])
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"resume: {name!r} was begun with {own}, which do not compose ({reason}); type "
            "--config-dir again, if it was typed then"
        ) from None
    stored = OmegaConf.load(config)
    assert isinstance(stored, DictConfig)
    checkpoint.check_same_config(folder, comparable(stored), comparable(now))
    first = [each for each in new if each not in without_config_folders(new)]
    return [
        *first,
        *own,
        *without_config_folders(new),
        "resume=auto",
        f"hydra.run.dir='{folder}'",
        "hydra.output_subdir=null",
    ]


_TYPED = ("imports", "trust", "hydra")
"""Keys that count only when they are typed, never when a run's files hold them."""


@hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name="train")
def main(config: DictConfig) -> None:
    """The command."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        train(config, folder)
    except KeyboardInterrupt:
        there = (folder / checkpoint.FILE).exists()
        how = (
            f"go on with: python -m experiments.train resume={os.path.relpath(folder)}"
            + (" (and imports, trust, --config-dir as before)" if config.imports or config.trust else "")
            if there
            else "no checkpoint yet"
        )
        raise SystemExit(f"stopped; {how}") from None


if __name__ == "__main__":
    with readable_errors():
        sys.argv[1:] = with_resumed_run(with_lists(sys.argv[1:], ("imports",)))
    check_overrides("train", sys.argv[1:])
    main()
