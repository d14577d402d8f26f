"""What makes the agents of a configuration, checked."""

from __future__ import annotations

from typing import Any

from experiments.config.agents import MakeAgent, check_agent, check_roles, maker, on_device, with_head
from experiments.config.planner import make_planner
from experiments.config.schemas import PLANNER
from experiments.environments import Environments
from experiments.train.settings import TrainConfig
from twin import DigitalTwin


def agent_maker(config: TrainConfig, environments: Environments, twin: DigitalTwin | None) -> MakeAgent:
    """What makes the agents of the first run; what it makes is checked, and what is left to its head decided."""
    config.agent = on_device(config.agent, config.device)
    if config.agent._target_ == PLANNER:
        return planner_maker(config)
    config.agent = with_head(config.agent, _sums_over_slices(config, environments))
    config.algorithm = config.algorithm.for_agent(config.agent)
    check_agent(config.agent, environments.real())
    roles = {"real": {}, "twin": {}} if twin is None else roles_of(config, environments)
    return maker(config.agent, config.seed, roles)


def planner_maker(config: TrainConfig) -> MakeAgent:
    """What makes the planner of a configuration."""
    return lambda env, _: make_planner(config.planner, env, config.seed)


def _sums_over_slices(config: TrainConfig, environments: Environments) -> bool | None:
    """Whether the rewards of both agents are sums over slices; None where a user's own code may make them anything."""
    if config.algorithm.uncertainty == "penalty":
        return False
    unknown = config.env.wrappers or config.env.vector_wrappers or config.env.reward_function is not None
    return None if unknown else environments.scenario.reward.kind == "utility"


def roles_of(config: TrainConfig, environments: Environments) -> dict[str, dict[str, Any]]:
    """Changes of the agent's arguments, by role."""
    algorithm = config.algorithm
    given = {"agent_1": algorithm.agent_1, "agent_2": algorithm.agent_2}
    check_roles(config.agent, environments.real(), given, {"agent_1": ("learning_starts", "train_freq")})
    return {"real": algorithm.agent_1, "twin": algorithm.agent_2}
