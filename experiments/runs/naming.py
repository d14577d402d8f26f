"""What runs are called: their agent, and in figures and tables their method."""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256
from typing import Any

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from agents import Planner
from agents.registry import arguments_of, own_modules
from experiments.config.schemas import PLANNER
from experiments.runs.folder import NO_HEAD
from twin import DigitalTwin, TransitionSettings


def twin_name(twin: DigitalTwin | None) -> str:
    """Which twin a run has: none, lstm, transformer, ...

    Args:
        twin: that it has; None: it has none.
    """
    return "none" if twin is None else twin.transition.name


def as_twin(twin: str | TransitionSettings | DigitalTwin | None) -> DigitalTwin | None:
    """A twin that was not fitted, of the transition of a name or of settings; None: none."""
    return twin if twin is None or isinstance(twin, DigitalTwin) else DigitalTwin(twin)


def method_name(agent: str, twin: DigitalTwin | None, collect_by: str | None = None) -> str:
    """What an agent is called in tables.

    ddqn, with an LSTM twin ddqn-dt, with another ddqn-dt-transformer; where a planner took the first decisions
    ddqn-dt-planner, ddqn-dt-transformer-planner.

    Args:
        agent: its name in the configuration.
        twin: that it learns with; None: without one.
        collect_by: what chose the first decisions of a run with a twin, `random` or `planner`.
    """
    suffix = {"none": "", "lstm": "-dt"}
    collected = "-planner" if collect_by == "planner" else ""
    return agent + suffix.get(twin_name(twin), f"-dt-{twin_name(twin)}") + collected


def describe_agent(agent: OffPolicyAlgorithm | Planner) -> dict[str, Any]:
    """What a run's configuration says of an agent that was made in Python: class, head, arguments and shapes."""
    if isinstance(agent, Planner):
        own = {name: getattr(agent, name) for name in ("choose_by", "horizon", "gamma", "seed")}
        model = sha256(agent.model.to_bytes()).hexdigest()  # of one that knows nothing yet: its settings
        arguments = {**own, **agent.constraints.to_dict(), "model": model}
        return {"_target_": PLANNER, "head": NO_HEAD, "arguments": arguments}
    kind = type(agent)
    names = arguments_of(kind).keys() - {"conservative_weight"}  # Algorithm 2 sets it
    arguments = {name: vars(agent).get(name) for name in sorted(names)}
    return {
        "_target_": f"{kind.__module__}.{kind.__qualname__}",
        "head": (agent.policy_kwargs or {}).get("head", "dense"),
        "arguments": {name: value for name, value in arguments.items() if isinstance(value, bool | int | float | str)},
        "shapes": shapes_of(agent),
    }


def shapes_of(agent: OffPolicyAlgorithm) -> dict[str, list[int]]:
    """The shape of every parameter of an agent's policy."""
    return {name: list(values.shape) for name, values in agent.policy.state_dict().items()}


def modules_of(agent: OffPolicyAlgorithm | Planner, environments: Any = None) -> list[str]:
    """Modules of the user's own that an agent is of, and what its run's configuration says of its environments."""
    if isinstance(agent, Planner):
        return own_modules(environments)
    parts = [type(agent), type(agent.replay_buffer), agent.policy_kwargs, *map(type, agent.policy.modules())]
    return own_modules(*parts, environments)


def describe_twin(twin: DigitalTwin | None) -> dict[str, Any]:
    """What a run's configuration says of a twin, as `conf/twin` has it."""
    if twin is None:
        return {"transition": None}
    return {
        "transition": {"name": twin.transition.name, **asdict(twin.transition)},
        "performance": asdict(twin.performance),
        "training": asdict(twin.training),
        "seed": twin.seed,
    }
