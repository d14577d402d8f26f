"""The hooks of DQN and its subclasses here: their own loss, targets and values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import Tensor
from torch.nn import functional

from agents.dqn.dqn import DQN
from agents.hooks import action_values, require_hook, squared_error, td_loss, td_target


@action_values.register
def _(model: DQN) -> torch.nn.Module:
    return model.policy.q_net


@td_target.register
def _(model: DQN, batch: ReplayBufferSamples) -> Tensor:
    return model._td_target(batch)


@td_loss.register
def _(model: DQN, batch: ReplayBufferSamples) -> Tensor:
    require_hook("its loss", td_loss, type(model))
    with same_noise(model):
        return model._compute_loss(batch)


@squared_error.register
def _(model: DQN, batch: ReplayBufferSamples) -> Tensor:
    return 0.5 * functional.mse_loss(model._taken(batch), model._td_target(batch))


@contextmanager
def same_noise(model: DQN) -> Iterator[None]:
    """Around what draws from a model's generator: its state is put back."""
    state = model.generator.bit_generator.state
    try:
        yield
    finally:
        model.generator.bit_generator.state = state
