"""A look at everything of a training run that could fail later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig

from agents.baselines import BASELINES
from agents.protocols import AnyEnv
from agents.registry import import_modules
from experiments.config.agents import changeable, check_agent, setting
from experiments.config.parts import builtin_of, scenario_of, twin_of
from experiments.environments.environments import Environments
from experiments.evaluate.policies import check_policies, load_policies
from experiments.evaluate.rollout import check_seeds, make_cells
from slicing_gym.errors import check_integer, check_number, unknown_name
from slicing_gym.scenario import REWARD_KINDS
from twin.env import UNCERTAINTIES
from twin.twin import MIN_DECISIONS


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
    environments = Environments.of(scenario, builtin_of(config.env))
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
                f"{config.agent._target_}, whose replay buffer no single decisions can be drawn from"
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


def check_twin_training(
    config: DictConfig, env: AnyEnv, fixed: Mapping[str, tuple[str, ...]]
) -> dict[str, dict[str, Any]]:
    """Refuse a twin, or a training in it, that makes no sense.

    Args:
        config: composed.
        env: with the spaces of all environments.
        fixed: by role, the arguments of an agent that the algorithm itself sets.

    Returns:
        By role (agent_1, agent_2), the changes of the agent's arguments.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    twin_of(config.twin)
    settings = config.algorithm
    for key in ("twin_decisions", "num_envs", "selection_cells", "selection_decisions"):
        check_integer(f"algorithm.{key}", settings[key], at_least=1)
    if settings.uncertainty not in UNCERTAINTIES:
        raise ValueError(unknown_name("algorithm.uncertainty", settings.uncertainty, UNCERTAINTIES))
    check_number("algorithm.penalty", settings.penalty, at_least=0.0)
    roles = {role: builtin_of(settings[role]) for role in fixed}
    for role, own in fixed.items():
        allowed = changeable(config.agent, *own)
        for key in roles[role]:
            if key not in allowed:
                raise ValueError(unknown_name(f"algorithm.{role}", key, allowed))
        check_agent(config.agent, env, roles[role])
    at_least = (setting(config.agent, "learning_starts", roles["agent_2"]) or 0) + settings.num_envs
    check_integer("algorithm.twin_decisions", settings.twin_decisions, at_least=at_least)
    return roles
