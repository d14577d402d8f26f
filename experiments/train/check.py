"""A look at everything of a training run that could fail later."""

from __future__ import annotations

import inspect
import io
import warnings
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

from agents.baselines import BASELINES
from agents.learner import OffPolicyLearner
from agents.listening import decisions_between_updates
from agents.planner import Planner
from agents.protocols import AnyEnv
from agents.random_streams import RandomStreams
from experiments.config.agents import MakeAgent
from experiments.config.planner import make_planning_policy
from experiments.config.schemas import EvaluationSettings, TwinTrainingSettings
from experiments.environments import Environments
from experiments.evaluate.policies import check_policies, given_as, load_policies
from experiments.evaluate.rollout import make_cells
from experiments.runs.naming import shapes_of
from experiments.train.learners import AnyLearner, make_learner
from experiments.train.settings import Settings
from slicing_gym import Scenario
from slicing_gym.allocation import allocation_units
from slicing_gym.builtin_types import differences
from slicing_gym.errors import check_integer
from slicing_gym.space_spec import SpaceSpec
from twin import DigitalTwin
from twin.models.settings import NEURAL_DECISIONS


def check_evaluation(
    settings: EvaluationSettings, scenario: Scenario, own_seed: int | None, name: str, *, trust: bool, num_envs: int = 1
) -> None:
    """Refuse an evaluation that could not be made, or that is on the cell that the agent learns on.

    Args:
        settings: of the evaluation.
        scenario: of the cells.
        own_seed: of the cell that the agent learns on, if it is known.
        name: of the agent.
        trust: let files of agents run code.
        num_envs: cells that it learns on, of this seed and those that follow.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    check_unseen(settings, own_seed, num_envs)
    if name in (*BASELINES, *settings.policies):
        raise ValueError(f"agent.name: {name!r} is the name of a policy it is compared with")
    if settings.policies:
        others = [each for each in settings.policies if each not in BASELINES]
        with given_as("evaluation.policies"):
            check_policies(settings.policies, scenario)
            if others and settings.seeds:  # else nothing is simulated
                load_policies(others, scenario, make_cells(scenario, 1), trust=trust)


def check_unseen(settings: EvaluationSettings, own_seed: int | None, num_envs: int = 1) -> None:
    """Refuse an evaluation on a cell that the agent learns on.

    Args:
        settings: of the evaluation.
        own_seed: of the cell that the agent learns on, if it is known.
        num_envs: cells that it learns on, of this seed and those that follow.

    Raises:
        ValueError: it is evaluated on one of those.
    """
    own_seeds = () if own_seed is None else range(own_seed, own_seed + num_envs)
    for seed in settings.seeds:
        if seed in own_seeds:
            cells = "the cell" if num_envs == 1 else f"one of the {num_envs} cells"
            keys = "seed" if num_envs == 1 else "seed, num_envs"
            raise ValueError(f"evaluation.seeds: {seed} is {cells} that the agent learns on ({keys})")


def check_agent_of(role: str, make: MakeAgent, env: AnyEnv, seed: int) -> AnyLearner:
    """Make the agent of a role once, and refuse one of which no checkpoint could hold everything.

    Args:
        role: of the agent.
        make: makes it.
        env: with the spaces that it is to act in.
        seed: of its random streams.

    Returns:
        The learner that was made.

    Raises:
        ValueError, TypeError: the message says what is missing.
    """
    if not callable(make):
        raise TypeError(f"make: {make!r} given, allowed is a function make(env, role)")
    learner = make_learner(make, env, role, seed)
    if isinstance(learner, Planner):
        if role == "real" and learner.env is not env:
            raise ValueError(f"make: the planner for role {role!r} acts in another environment than the one given")
        learner.check_storable()
        return learner
    spaces = [env.single_observation_space, env.single_action_space] if isinstance(env, VectorEnv) else []
    spaces = spaces or [env.observation_space, env.action_space]
    if [learner.model.observation_space, learner.model.action_space] != spaces:
        raise ValueError(f"make: the agent for role {role!r} is of another environment than the one given")
    try:
        learner.check_storable()
        seen = learner.model.observation_space
        learner.predict(np.zeros((1, *(seen.shape or ())), seen.dtype), deterministic=True)
        _check_reload(learner)
    except Exception as error:  # a class of the user's own may fail in any way
        message, kind = str(error) or type(error).__name__, type(learner.model)
        named = message if message.startswith("agent") else f"agent: {kind.__module__}.{kind.__qualname__}: {message}"
        raise ValueError(named) from error
    return learner


def check_off_policy(role: str, make: MakeAgent, env: AnyEnv, seed: int) -> OffPolicyLearner:
    """The same, of a role in which an agent learns from what it remembers.

    Raises:
        ValueError, TypeError: it is a planner, or see `check_agent_of`.
    """
    learner = check_agent_of(role, make, env, seed)
    if isinstance(learner, Planner):
        raise TypeError(f"make: a Planner for role {role!r} given, allowed are off-policy algorithms")
    return learner


def _check_reload(learner: OffPolicyLearner) -> None:
    """Refuse an agent whose class could not load it out of its own file.

    Raises:
        ValueError: the message says what its constructor needs.
    """
    content = io.BytesIO()
    learner.save(content)
    content.seek(0)
    kind: Any = type(learner.model)
    trust = {"trust": True} if "trust" in inspect.signature(kind.load).parameters else {}
    with RandomStreams(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Stable-Baselines3 warns of `n_steps` in files that it has written itself
        try:
            kind.load(content, device="cpu", **trust)
        except Exception as error:
            raise ValueError(
                f"agent: {kind.__module__}.{kind.__qualname__} cannot be loaded out of its own file ({error}); its "
                "constructor has to take policy, env, device and _init_setup_model, and to have a default for all else"
            ) from error


def check_twin_training(agent: OffPolicyLearner, settings: TwinTrainingSettings) -> None:
    """Refuse a training in the twin that ends before Agent 2 has learned, or whose reward it cannot learn.

    Args:
        agent: Agent 2.
        settings: of the training.

    Raises:
        ValueError: the message names the key, the value and what is allowed.
    """
    at_least = agent.model.learning_starts + settings.num_envs
    check_integer("algorithm.twin_decisions", settings.twin_decisions, at_least=at_least)
    check_sums(agent, settings.uncertainty != "penalty", f"algorithm.uncertainty: {settings.uncertainty!r}")


def check_sums(agent: OffPolicyLearner, sums_over_slices: bool, given: str) -> None:
    """Refuse an agent with a factored head where the rewards are no sum of one term per slice.

    Args:
        agent: that is to learn from them.
        sums_over_slices: whether they are one.
        given: key and value of what decides it.

    Raises:
        ValueError: they are none, and the head is not to learn them all the same.
    """
    policy = agent.model.policy_kwargs or {}
    approximate = (policy.get("head_kwargs") or {}).get("approximate", False)
    if policy.get("head") == "factored" and not sums_over_slices and not approximate:
        raise ValueError(
            f"{given} given, allowed with the factored head are rewards that are a sum over slices (the utility), or "
            "head_kwargs={'approximate': True}"
        )


def check_algorithm_1(
    settings: Settings, agent_1: OffPolicyLearner, agent_2: OffPolicyLearner, twin: DigitalTwin
) -> None:
    """Refuse an Algorithm 1 that makes no sense.

    Args:
        settings: of the run.
        agent_1: that acts in the real environment.
        agent_2: that learns in the twin.
        twin: its settings; not fitted.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    algorithm = settings.algorithm
    check_twin_training(agent_2, algorithm)
    check_integer("decisions", settings.decisions, at_least=twin.min_decisions)  # else `collect` could be none at all
    if algorithm.collect > settings.decisions:  # whichever of the two was typed
        raise ValueError(
            f"decisions: {settings.decisions} given, allowed are {algorithm.collect} (algorithm.collect, before the "
            f"first twin) or more, or an algorithm.collect of {twin.min_decisions} to {settings.decisions}"
        )
    check_integer("algorithm.collect", algorithm.collect, at_least=twin.min_decisions)
    check_integer("algorithm.fine_tune", algorithm.fine_tune, at_least=1 if algorithm.refit else NEURAL_DECISIONS)
    last = (settings.decisions - algorithm.collect) % algorithm.fine_tune
    if 0 < last < NEURAL_DECISIONS and not algorithm.refit:
        raise ValueError(
            f"decisions: {settings.decisions} given; that leaves {last} for the last calibration, allowed are 0, or "
            f"{NEURAL_DECISIONS} or more, beyond algorithm.collect and a multiple of algorithm.fine_tune"
        )
    for key in ("collect", "fine_tune"):
        check_multiple(f"algorithm.{key}", getattr(algorithm, key), agent_1)
    room = algorithm.warm_replay + settings.decisions
    check_integer("agent.buffer_size (of Agent 1)", agent_1.model.buffer_size, at_least=room)
    at_least = agent_2.model.learning_starts + algorithm.num_envs
    check_integer("algorithm.later_twin_decisions", algorithm.later_twin_decisions, at_least=at_least)
    if algorithm.warm_replay and not agent_2.can_recall:
        raise ValueError(
            f"algorithm.warm_replay: {algorithm.warm_replay} given, allowed is 0 for "
            f"{type(agent_2.model).__name__}, whose replay buffer is a {type(agent_2.model.replay_buffer).__name__}"
        )


def check_same_shapes(agent_1: OffPolicyLearner, agent_2: OffPolicyLearner) -> None:
    """Refuse two agents of which the one could not take over the other's weights.

    Raises:
        TypeError, ValueError: the message names what differs.
    """
    own, other = type(agent_1.model), type(agent_2.model)
    if own is not other:
        raise TypeError(
            f"make: {own.__module__}.{own.__qualname__} for one role and "
            f"{other.__module__}.{other.__qualname__} for the other, allowed are two of one class"
        )
    for name, one, two in differences(shapes_of(agent_1.model), shapes_of(agent_2.model)):
        raise ValueError(f"make: {name} has shape {one} in one role and {two} in the other, allowed are equal ones")


def check_planner(environments: Environments, twin: DigitalTwin | None) -> None:
    """Refuse a run in which a planner would maximise something else than the reward, or not see what it chooses by.

    Args:
        environments: that it acts in.
        twin: of the run.

    Raises:
        ValueError: the message names the key, the value and what is allowed.
    """
    if twin is not None:
        raise ValueError(
            f"twin: {twin.transition.name!r} given, allowed with a planner is none: it learns a model of its own"
        )
    kind = environments.scenario.reward.kind
    if kind != "utility":
        raise ValueError(f"reward: {kind!r} given, allowed with a planner is 'utility', which it maximises")
    for key, value in environments.given.items():
        if value:
            raise ValueError(
                f"env.{key}: {value} given, allowed with a planner is none: it chooses by the arrivals, and maximises "
                "the utility"
            )


def check_collecting(settings: Settings, environments: Environments, make: MakeAgent, seed: int) -> None:
    """Refuse a planner that is to collect for an agent and cannot; one decision is taken to see.

    Args:
        settings: of the run.
        environments: that it acts in.
        make: makes the agent.
        seed: of the run.

    Raises:
        ValueError, TypeError: the planner's settings are not allowed, actions are no numbers of allocations, or the
            agent does not let another choose; the message names the key, the value and what is allowed.
    """
    if settings.algorithm.collect_by != "planner":
        return
    env, scenario = environments.real(), environments.scenario
    found = env.action_space == SpaceSpec(scenario).action_space
    env.reset(seed=0)
    for action in (0, scenario.num_allocations // 2, scenario.num_allocations - 1) if found else ():
        *_, info = env.step(np.int64(action))
        found &= np.array_equal(info["allocation"], allocation_units(action, scenario.num_units, scenario.num_slices))
    if not found:
        raise ValueError(
            f"algorithm.collect_by: 'planner' given, which chooses allocations by their numbers, but under "
            f"{environments.names} actions mean something else; allowed is random"
        )
    make_planning_policy(settings.planner, scenario, seed)
    learner = check_off_policy("real", make, env, seed)
    learner.model.learning_starts = settings.algorithm.collect
    try:
        learner.learn(1, choose=lambda: 0)
    except TypeError as error:
        raise TypeError(f"algorithm.collect_by: 'planner' given, allowed here is random ({error})") from error


def check_multiple(key: str, value: int, agent: OffPolicyLearner, num_envs: int = 1) -> None:
    """Refuse a number of decisions that an agent would overstep.

    Raises:
        ValueError: it is not a multiple of the decisions between its updates, which all cells take together.
    """
    between = decisions_between_updates(agent.model, num_envs)
    if value % between:
        given = f"agent.train_freq = {between}"
        if num_envs > 1:
            given = f"{between}, the least that agent.train_freq and num_envs = {num_envs} divide"
        raise ValueError(f"{key}: {value} given, allowed are multiples of {given}")


def check_batch(
    make: MakeAgent, num_envs: int, environments: Environments, twin: DigitalTwin | None, seed: int
) -> AnyLearner:
    """Make Agent 1 once, as `check_agent_of` does, and refuse a batch of real cells where the loop knows one only.

    Args:
        make: makes it.
        num_envs: real cells.
        environments: that it acts in.
        twin: of the run.
        seed: of its random streams.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    agent = check_agent_of("real", make, environments.real(), seed)
    if num_envs == 1:
        return agent
    given = f"num_envs: {num_envs} given, allowed is 1"
    if twin is not None:
        raise ValueError(f"{given} with a twin, whose cells algorithm.num_envs counts: Agent 1 acts in one real cell")
    if isinstance(agent, Planner):
        raise ValueError(f"{given} with a planner, which learns a model of one cell")
    if environments.wrapped:
        raise ValueError(f"{given} with env.wrappers ({environments.names})")
    return check_agent_of("real", make, environments.acted_in(num_envs), seed)
