"""Weights that are no numbers any more: an agent that has them always chooses the first allocation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from agents import OffPolicyLearner
from agents.protocols import Learner
from agents.state import learned_parts
from experiments.train.callbacks import EpisodeLog, Listener


def check_finite(learner: Learner, name: str, when: str) -> None:
    """Refuse to go on with an agent whose networks have weights that are NaN or infinite; a planner has none.

    Args:
        learner: whose weights are looked at.
        name: of the agent, as tables call it.
        when: how much it had decided or learned by then, as the message has it.

    Raises:
        FloatingPointError: it names the agent, the first such weights, when it was noticed, and what may help.
    """
    if not isinstance(learner, OffPolicyLearner):
        return
    networks = {key: part for key, part in learned_parts(learner.model).items() if isinstance(part, nn.Module)}
    for key, network in networks.items():
        for path, weights in network.named_parameters():
            if not torch.isfinite(weights).all():
                raise FloatingPointError(
                    f"agent: {name} ({type(learner.model).__name__}) has weights that are not finite ({key}.{path}), "
                    f"noticed after {when}; a smaller agent.learning_rate may help (of Agent 2 "
                    "algorithm.agent_2.learning_rate), in a class of your own its loss and its agent.kwargs"
                )


class FiniteWeights(Listener):
    """Looks at an agent's weights after every episode, so that a long run ends soon after they are lost.

    Args:
        check: looks, and raises.
        log: counts the episodes.
    """

    def __init__(self, check: Callable[[], None], log: EpisodeLog) -> None:
        self._check, self._log, self._checked = check, log, 0

    def on_settled(self) -> None:
        """See `Listener`."""
        if len(self._log.episodes) > self._checked:
            self._check()
            self._checked = len(self._log.episodes)
