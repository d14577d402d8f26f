"""Agents from their settings: which arguments a class is given, checked before anything is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.utils import LinearSchedule

from agents import HEADS, NStepReplayBuffer, OffPolicyLearner, Planner, ReplayBuffer
from agents.hooks import action_values, require_hook, td_loss
from agents.learner import for_sb3
from agents.protocols import AnyEnv
from agents.registry import arguments_of, off_policy_class, policy_class, with_classes
from experiments.config.bounds import (
    MAX_BATCH,
    MAX_DECISIONS,
    MAX_LAYERS,
    MAX_RATE,
    MAX_RUNS,
    MAX_WIDTH,
    check_arguments,
    check_bounds,
    check_length,
)
from experiments.config.schemas import PLANNER, TARGET_MISSING, AgentSettings
from slicing_gym.allocation import MAX_LISTED
from slicing_gym.errors import check_integer, check_number, unknown_name
from twin.fitting.devices import check_device

SHARED = (
    *("learning_rate", "learning_rate_end", "buffer_size", "learning_starts", "batch_size", "gamma", "train_freq"),
    *("gradient_steps", "target_update_interval", "exploration_fraction", "exploration_initial_eps"),
    *("exploration_final_eps", "device"),
)
"""Settings of every agent: each is given to a class that has such an argument; null leaves the class its default.

But for `device`: where none is named it is the CPU.
"""

RESERVED = (
    *("policy", "env", "policy_kwargs", "seed", "tensorboard_log", "verbose", "_init_setup_model"),
    *("replay_buffer_kwargs", "optimize_memory_usage", "center_rewards", "conservative_weight"),
)
"""Arguments of an agent that its `kwargs` cannot give: other keys do, or the loops themselves."""

_FIRST = ("observation_space", "action_space", "lr_schedule")
"""Arguments of a policy that its algorithm gives."""


MakeAgent = Callable[[Any, str], OffPolicyAlgorithm | Planner]
"""Makes the agent of a role ("real", "twin" or "history") that acts in an environment: `make(env, role)`.

Random streams are seeded before it is called: an agent that is given no seed is the same every time.
"""


def given_arguments(agent: AgentSettings, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The constructor's arguments that settings name, by the names of `SHARED` and of the class itself."""
    found = {**{name: getattr(agent, name) for name in SHARED}, **agent.kwargs, **(changes or {})}
    if found["device"] is None:
        found["device"] = agent.device or "cpu"
    return found


def setting(agent: AgentSettings, name: str, changes: Mapping[str, Any] | None = None) -> Any:
    """One of them, or where the config leaves it to the class, its default."""
    value = given_arguments(agent, changes).get(name)
    return arguments_of(off_policy_class(agent._target_)).get(name) if value is None else value


def changeable(agent: AgentSettings, *but: str) -> set[str]:
    """Arguments that a role (Agent 1, Agent 2, learning offline) may change, but for some that its algorithm sets."""
    own = arguments_of(off_policy_class(agent._target_)).keys() - {*RESERVED, "replay_buffer_class", "n_steps"}
    return ({*SHARED} | own) - {*but}


def on_device(agent: AgentSettings, device: str) -> AgentSettings:
    """Settings with the device of a run, unless they name one of their own.

    Raises:
        ValueError, TypeError: there is no such device; the message names it and what is allowed.
    """
    check_device("device", device)
    return agent if agent.device is not None or device == "cpu" else replace(agent, device=device)


def with_head(agent: AgentSettings, sums_over_slices: bool | None) -> AgentSettings:
    """Settings with a head: if none is named, "factored" for policies with heads and rewards that are sums, or "dense".

    Args:
        agent: the settings; `head` or the `policy_kwargs` may name one.
        sums_over_slices: whether the rewards of every role are a sum of one term per slice; None: not known.

    Raises:
        ValueError: they are none, and a factored head is named that is not to learn them all the same.
    """
    if agent._target_ in (TARGET_MISSING, PLANNER):  # a planner has no network
        return agent
    named = agent.policy_kwargs.get("head") or agent.head  # as `_policy_kwargs` puts them together
    if named is None:
        has_heads = "head" in arguments_of(policy_class(off_policy_class(agent._target_), agent.policy))
        named = "factored" if has_heads and sums_over_slices else "dense"
    approximate = (agent.policy_kwargs.get("head_kwargs") or {}).get("approximate", False)
    if named == "factored" and sums_over_slices is False and not approximate:
        raise ValueError(
            "agent.head: 'factored' given, allowed where the reward is a sum over slices (reward=utility without "
            "algorithm.uncertainty=penalty), or with agent.policy_kwargs.head_kwargs.approximate=true"
        )
    return replace(agent, head=named)


def check_agent(agent: AgentSettings, env: AnyEnv, changes: Mapping[str, Any] | None = None) -> OffPolicyLearner:
    """Refuse an agent that makes no sense; it is made once to see.

    Args:
        agent: its settings.
        env: with the spaces that it is to act in.
        changes: of its arguments.

    Returns:
        The one that was made, with next to no replay buffer.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    check_bounds(agent, "agent.")
    if agent._target_ == TARGET_MISSING:
        raise ValueError("agent._target_: not given, allowed is the dotted name of an off-policy algorithm")
    if agent._target_ == PLANNER:
        raise ValueError(
            "agent: the planner learns by deciding, allowed here are off-policy algorithms, which learn from a replay "
            "buffer too; experiments.train takes it, without a twin"
        )
    kind = off_policy_class(agent._target_)
    own = arguments_of(kind)
    for name in agent.kwargs:
        if name in RESERVED or name not in own:
            raise ValueError(unknown_name("agent.kwargs", name, own.keys() - {*RESERVED}))
    check_arguments("agent.kwargs", agent.kwargs)
    check_arguments("agent.policy_kwargs", agent.policy_kwargs, largest_integer=MAX_WIDTH)
    _check_layers("agent.policy_kwargs.net_arch", agent.policy_kwargs.get("net_arch"))
    arguments = given_arguments(agent, changes)
    check_numbers(arguments)
    if agent.head is not None and agent.head not in HEADS:
        raise ValueError(unknown_name("agent.head", agent.head, HEADS))
    check_device("agent.device", arguments["device"])
    _policy_kwargs(agent)
    _check_outputs(agent, env)
    try:
        least = max(2, setting(agent, "batch_size", changes) or 0)
        learner = OffPolicyLearner(lambda: make_agent(agent, env, 0, {**(changes or {}), "buffer_size": least}))
    except Exception as error:  # a class of the user's own may refuse its arguments in any way
        message = str(error) or type(error).__name__
        if message.startswith("The algorithm only supports"):  # an assertion of Stable-Baselines3
            message = (
                f"agent._target_: {agent._target_!r} does not take Discrete actions, which an allocation's number is"
            )
        raise ValueError(
            message if message.startswith("agent") else f"agent: {agent._target_} cannot be made so: {message}"
        ) from error
    return learner


def _check_outputs(agent: AgentSettings, env: AnyEnv) -> None:
    """Refuse a policy of Stable-Baselines3, which has an output for each action, where they would take gigabytes."""
    policy = policy_class(off_policy_class(agent._target_), agent.policy)
    actions = getattr(getattr(env, "single_action_space", env.action_space), "n", 0)
    if actions > MAX_LISTED and policy.__module__.partition(".")[0] in ("stable_baselines3", "sb3_contrib"):
        raise ValueError(
            f"agent._target_: {agent._target_!r} given, which has an output for each of the {actions} actions; allowed "
            f"are {MAX_LISTED}. Agents of this package with agent.head=factored list none"
        )


def check_numbers(settings: Mapping[str, Any], key: str = "agent") -> None:
    """Refuse settings that no agent could have; those that are None are left to its class."""
    given = {name: value for name, value in settings.items() if value is not None}
    for name, (least, most) in _WHOLE.items():
        if name in given:
            check_integer(f"{key}.{name}", given[name], at_least=least, at_most=most)
    for name in ("learning_rate", "learning_rate_end"):
        if name in given:
            check_number(f"{key}.{name}", given[name], above=0.0, at_most=MAX_RATE)
    for name in ("gamma", "tau", "exploration_fraction", "exploration_initial_eps", "exploration_final_eps"):
        if name in given:
            check_number(f"{key}.{name}", given[name], at_least=0.0, at_most=1.0)


_WHOLE = {
    "buffer_size": (1, MAX_DECISIONS),
    "batch_size": (1, MAX_BATCH),
    "train_freq": (1, MAX_DECISIONS),
    "target_update_interval": (1, MAX_DECISIONS),
    "learning_starts": (0, MAX_DECISIONS),
    "gradient_steps": (-1, MAX_DECISIONS),
    "n_steps": (1, MAX_RUNS),
    "critic_steps": (1, MAX_RUNS),
}
"""Bounds of arguments that are whole numbers."""


def _check_layers(key: str, given: Any) -> None:
    """Refuse more layers than compute; a policy may have several networks, by name."""
    if isinstance(given, Mapping):
        for name, own in given.items():
            _check_layers(f"{key}.{name}", own)
    elif isinstance(given, list | tuple):
        check_length(key, given, MAX_LAYERS)


def _policy_kwargs(agent: AgentSettings) -> dict[str, Any]:
    """The policy's arguments: the config's own, and layers and head where the policy knows them.

    Raises:
        ValueError: the policy does not know one; the message suggests the nearest.
    """
    own = arguments_of(policy_class(off_policy_class(agent._target_), agent.policy)).keys() - {*_FIRST}
    for name in agent.policy_kwargs:
        if name not in own:
            raise ValueError(unknown_name("agent.policy_kwargs", name, own))
    shape: dict[str, Any] = {}
    if agent.net_arch is not None:
        if "net_arch" not in own:
            raise ValueError(f"agent.net_arch: {agent.net_arch} given, but {agent.policy} of {agent._target_} has none")
        shape["net_arch"] = list(agent.net_arch)
    if "head" in own:
        shape["head"] = agent.head or "dense"
    elif agent.head not in (None, "dense"):
        raise ValueError(f"agent.head: {agent.head!r} given, allowed for {agent._target_} is 'dense'")
    return {**shape, **with_classes("agent.policy_kwargs", agent.policy_kwargs)}


def make_agent(
    agent: AgentSettings, env: AnyEnv, seed: int, changes: Mapping[str, Any] | None = None
) -> OffPolicyAlgorithm:
    """The agent that settings describe.

    Args:
        agent: its settings.
        env: that it acts in.
        seed: of its weights and of all it draws.
        changes: of its arguments.
    """
    kind = off_policy_class(agent._target_)
    policy: Any = agent.policy if agent.policy in kind.policy_aliases else policy_class(kind, agent.policy)
    arguments = _arguments(agent, seed, changes, arguments_of(kind))
    return kind(policy, for_sb3(env), seed=seed, policy_kwargs=_policy_kwargs(agent), **arguments)


def check_roles(
    agent: AgentSettings, env: AnyEnv, roles: Mapping[str, Mapping[str, Any]], fixed: Mapping[str, Sequence[str]]
) -> None:
    """Refuse changes of an agent's arguments that a role cannot have.

    Args:
        agent: its settings.
        env: with the spaces that it is to act in.
        roles: by role (the key in `algorithm`), the changes.
        fixed: by role, arguments that the algorithm itself sets.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    for role, changes in roles.items():
        allowed = changeable(agent, *fixed.get(role, ()))
        for key in changes:
            if key not in allowed:
                raise ValueError(unknown_name(f"algorithm.{role}", key, allowed))
        check_numbers(changes, f"algorithm.{role}")
        check_arguments(f"algorithm.{role}", changes)
        check_agent(agent, env, changes)


def maker(agent: AgentSettings, seed: int, roles: Mapping[str, Mapping[str, Any]]) -> MakeAgent:
    """What makes the agents of a run.

    Args:
        agent: settings of all of them.
        seed: of each.
        roles: by role, changes of its arguments.
    """
    return lambda env, role: make_agent(agent, env, seed, roles[role])


def _arguments(
    agent: AgentSettings, seed: int, changes: Mapping[str, Any] | None, known: Mapping[str, Any]
) -> dict[str, Any]:
    """The constructor's arguments, its replay buffer among them."""
    settings = with_classes("agent.kwargs", given_arguments(agent, changes))
    last = settings.pop("learning_rate_end")
    first = known.get("learning_rate") if settings["learning_rate"] is None else settings["learning_rate"]
    if last is not None and isinstance(first, float):
        settings["learning_rate"] = LinearSchedule(first, last, end_fraction=1.0)
    meant = {name for name, value in agent.kwargs.items() if value is None}  # a None that is asked for
    arguments = {
        name: value for name, value in settings.items() if name in known and (value is not None or name in meant)
    }
    if "center_rewards" in known:  # it makes its own replay buffer
        return {**arguments, "center_rewards": agent.center_rewards}
    buffer = arguments.get("replay_buffer_class")
    if "replay_buffer_class" not in known or not _is_ours(buffer):
        if agent.center_rewards:
            raise ValueError(
                f"agent.center_rewards: true given, but {agent._target_} does not take agents.replay.ReplayBuffer "
                "(replay_buffer_class, replay_buffer_kwargs); allowed is false"
            )
        return arguments
    options: dict[str, Any] = {"seed": seed, "centering": {} if agent.center_rewards else None}
    steps = arguments.pop("n_steps", 1)
    if steps > 1:  # Stable-Baselines3 leaves them to a buffer that is given
        options |= {"n_steps": steps, "gamma": arguments.get("gamma", known.get("gamma"))}
    given = buffer or (NStepReplayBuffer if steps > 1 else ReplayBuffer)
    return {**arguments, "replay_buffer_class": given, "replay_buffer_kwargs": options}


def _is_ours(buffer: Any) -> bool:
    """Whether a class of replay buffers, if there is one, is of `agents.replay`.

    Raises:
        TypeError: it is no class.
    """
    if buffer is not None and not isinstance(buffer, type):
        raise TypeError(f"agent.kwargs.replay_buffer_class: {buffer!r} given, allowed are classes")
    return buffer is None or issubclass(buffer, ReplayBuffer)


def check_conservative(agent: AgentSettings, weight: float) -> None:
    """Refuse a conservative term for a class that lacks what it takes.

    Raises:
        TypeError: the message names class, hook and page.
    """
    kind = off_policy_class(agent._target_)
    if weight and "conservative_weight" not in arguments_of(kind):
        for hook in (td_loss, action_values):
            require_hook(f"algorithm.conservative_weight={weight:g}", hook, kind)


def left_out(agent: AgentSettings) -> list[str]:
    """Settings of every agent that the class of this one has no argument for."""
    known = arguments_of(off_policy_class(agent._target_))
    given = given_arguments(agent)
    return [name for name in SHARED if given[name] is not None and name not in known and name != "learning_rate_end"]
