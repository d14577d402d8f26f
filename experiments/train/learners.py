"""What learns in a run: an off-policy algorithm of Stable-Baselines3, or a planner."""

from __future__ import annotations

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from agents import OffPolicyLearner, Planner
from agents.learner import for_sb3
from agents.protocols import AnyEnv, Learner
from agents.random_streams import RandomStreams
from experiments.config.agents import MakeAgent

AnyLearner = OffPolicyLearner | Planner


def make_learner(
    make: MakeAgent,
    env: AnyEnv,
    role: str,
    seed: int,
    conservative_weight: float = 0.0,
    *,
    per_decision: bool = False,
) -> AnyLearner:
    """The learner that a function makes: a planner is one, an algorithm becomes one.

    Args:
        make: makes it.
        env: that it acts in.
        role: of it: "real", "twin" or "history".
        seed: of the random streams within which it is made.
        conservative_weight: of an algorithm, see `OffPolicyLearner`.
        per_decision: see there.
    """
    streams = RandomStreams(seed)
    with streams:
        made = make(for_sb3(env), role)
    if isinstance(made, Planner):
        return made
    return OffPolicyLearner(
        lambda: made,
        seed=seed,
        streams=streams,
        conservative_weight=conservative_weight,
        per_decision=per_decision,
    )


def learned_by(learner: Learner) -> OffPolicyAlgorithm | Planner:
    """What a user has made that learns: the algorithm of Stable-Baselines3, or the planner itself."""
    if isinstance(learner, OffPolicyLearner):
        return learner.model
    assert isinstance(learner, Planner)
    return learner
