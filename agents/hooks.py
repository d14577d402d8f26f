"""What the loops ask of an algorithm beyond learning and choosing; users register theirs for classes of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from importlib import import_module
from typing import Any

import stable_baselines3
import torch
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import Tensor, nn
from torch.nn import functional

from agents.state import PAGE


class MissingHookError(TypeError):
    """An algorithm lacks a hook.

    Args:
        what: is not possible without it.
        hook: its name.
        kind: the algorithm's class.
    """

    def __init__(self, what: str, hook: str, kind: type) -> None:
        super().__init__(
            f"{what}: not possible with {kind.__module__}.{kind.__qualname__}, which lacks the hook {hook}; "
            f"register one with agents.{hook}.register ({PAGE})"
        )


@singledispatch
def action_values(model: Any) -> nn.Module:
    """The network that values actions: (batch, num_actions) of observations (batch, n_slices).

    Its arg max is what the model chooses; where there are too many actions to list, it has methods `best` and `taken`.
    Known for DQN of Stable-Baselines3 and agents of this package (the Q-network) and for QRDQN of sb3-contrib
    (the mean over quantiles); register one for a class of your own with `@action_values.register`.

    Args:
        model: an agent of a class that the hook is registered for.

    Raises:
        MissingHookError: none is registered.
    """
    if _register_contrib(type(model)):
        return action_values(model)
    raise MissingHookError("its values", "action_values", type(model))


def taken_values(network: nn.Module, observations: Tensor, actions: Tensor) -> Tensor:
    """The values (batch,) that a network has for one action (batch,) in each observation (batch, n_slices).

    A network with a method `taken` is asked by it, so that one need not list all actions.
    """
    own = getattr(network, "taken", None)
    taken: Tensor = (
        network(observations).gather(1, actions[:, None])[:, 0] if own is None else own(observations, actions)
    )
    return taken


def is_factored(network: nn.Module) -> bool:
    """Whether the values of a network are sums of one term per slice, as those with a factored head are."""
    return bool(getattr(network, "is_factored", False))


@singledispatch
def td_loss(model: Any, batch: ReplayBufferSamples) -> Tensor:
    """The loss () that the model's `train` minimises on a batch; at the same weights always the same.

    Known for the classes that `action_values` is. A subclass that overrides `train` has to register its own.

    Args:
        model: an agent of a class that the hook is registered for.
        batch: of its replay buffer.

    Raises:
        MissingHookError: none is registered.
    """
    if _register_contrib(type(model)):
        return td_loss(model, batch)
    raise MissingHookError("its loss", "td_loss", type(model))


@singledispatch
def td_target(model: Any, batch: ReplayBufferSamples) -> Tensor:
    """What the values of the taken actions are learned towards (batch,), without gradients: r + gamma V(s').

    Known for the classes that `action_values` is.

    Args:
        model: an agent of a class that the hook is registered for.
        batch: of its replay buffer.

    Raises:
        MissingHookError: none is registered.
    """
    if _register_contrib(type(model)):
        return td_target(model, batch)
    raise MissingHookError("its targets", "td_target", type(model))


@singledispatch
def squared_error(model: Any, batch: ReplayBufferSamples) -> Tensor:
    """Half the mean squared TD error () of a batch, the same measure for all algorithms."""
    values = action_values(model)(batch.observations).gather(1, batch.actions.long())[:, 0]
    return 0.5 * functional.mse_loss(values, td_target(model, batch))


@singledispatch
def with_fixed_targets(model: Any, batch: ReplayBufferSamples) -> ReplayBufferSamples:
    """A batch on which `td_loss` does not follow the targets when the weights of the network of values are moved.

    As it is, where only a target network gives the targets. A class of your own whose targets come from the network
    that learns, too, registers one.

    Args:
        model: an agent of a class that `td_loss` is registered for.
        batch: of its replay buffer.
    """
    del model
    return batch


def has_hook(hook: Callable[..., Any], kind: type) -> bool:
    """Whether a hook is registered for a class, and speaks of what that class does.

    Args:
        hook: `action_values`, `td_loss` or `td_target`.
        kind: of the algorithm.
    """
    _register_contrib(kind)
    registry = hook.registry  # type: ignore[attr-defined]
    known = next(each for each in kind.__mro__ if each in registry)
    if known is object:
        return False
    does = "predict" if hook is action_values else "train"
    return getattr(kind, does, None) is getattr(known, does, None)


def require_hook(what: str, hook: Callable[..., Any], kind: type) -> None:
    """Refuse a class without a hook.

    Args:
        what: is not possible without it, as messages name it.
        hook: as for `has_hook`.
        kind: of the algorithm.

    Raises:
        MissingHookError: the message names class, hook and page.
    """
    if not has_hook(hook, kind):
        raise MissingHookError(what, hook.__name__, kind)


def _register_contrib(kind: type) -> bool:
    """Register the hooks of sb3-contrib when one of its classes is met; whether that was just done."""
    global _contrib_is_known
    if _contrib_is_known or not any(each.__module__.startswith("sb3_contrib.") for each in kind.__mro__):
        return False
    _contrib_is_known = True
    import_module("agents.qrdqn_hooks")
    return True


_contrib_is_known = False
_READS_REWARDS = ("agents.hooks", "agents.dqn.hooks")
"""Modules whose losses take r + gamma V(s') from the batch and no more."""


@action_values.register
def _(model: stable_baselines3.DQN) -> nn.Module:
    return model.policy.q_net


@td_target.register
def _(model: stable_baselines3.DQN, batch: ReplayBufferSamples) -> Tensor:
    with torch.no_grad():
        best = model.policy.q_net_target(batch.next_observations).amax(dim=1, keepdim=True)
        discounts = model.gamma if batch.discounts is None else batch.discounts
        targets: Tensor = batch.rewards + (1.0 - batch.dones) * discounts * best
        return targets[:, 0]


@td_loss.register
def _(model: stable_baselines3.DQN, batch: ReplayBufferSamples) -> Tensor:
    require_hook("its loss", td_loss, type(model))  # a subclass may learn in another way
    values = model.policy.q_net(batch.observations).gather(1, batch.actions.long())[:, 0]
    return functional.smooth_l1_loss(values, td_target(model, batch))


@with_fixed_targets.register
def _(model: stable_baselines3.DQN, batch: ReplayBufferSamples) -> ReplayBufferSamples:
    """The targets stand for the rewards, and nothing comes after: one next state for all saves time."""
    if td_loss.dispatch(type(model)).__module__ not in _READS_REWARDS:
        return batch  # a loss of the user's own may read more of the batch
    targets = td_target(model, batch)
    return batch._replace(
        rewards=targets[:, None], dones=torch.ones_like(batch.dones), next_observations=batch.next_observations[:1]
    )
