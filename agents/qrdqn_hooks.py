"""The hooks of QRDQN (sb3-contrib): its values are means over quantiles."""

from __future__ import annotations

import torch
from sb3_contrib import QRDQN
from sb3_contrib.common.utils import quantile_huber_loss
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import Tensor, nn

from agents.hooks import action_values, require_hook, td_loss, td_target


class MeanOfQuantiles(nn.Module):
    """Q(s, .) as the mean of a return's quantiles.

    Args:
        quantile_net: gives quantiles (batch, n_quantiles, num_actions) of observations (batch, n_slices).
    """

    def __init__(self, quantile_net: nn.Module) -> None:
        super().__init__()
        self.quantile_net = quantile_net

    def forward(self, observations: Tensor) -> Tensor:
        """Values (batch, num_actions)."""
        values: Tensor = self.quantile_net(observations).mean(dim=1)
        return values


@action_values.register
def _(model: QRDQN) -> nn.Module:
    return MeanOfQuantiles(model.policy.quantile_net)


def _target_quantiles(model: QRDQN, batch: ReplayBufferSamples) -> Tensor:
    """Quantiles (batch, n_quantiles) of r + gamma Z(s', a'), a' the best action by the target network."""
    with torch.no_grad():
        following = model.policy.quantile_net_target(batch.next_observations)  # (batch, n_quantiles, num_actions)
        best = following.mean(dim=1).argmax(dim=1)
        chosen = following[torch.arange(len(best)), :, best]
        discounts = model.gamma if batch.discounts is None else batch.discounts
        targets: Tensor = batch.rewards + (1.0 - batch.dones) * discounts * chosen
        return targets


@td_target.register
def _(model: QRDQN, batch: ReplayBufferSamples) -> Tensor:
    return _target_quantiles(model, batch).mean(dim=1)


@td_loss.register
def _(model: QRDQN, batch: ReplayBufferSamples) -> Tensor:
    require_hook("its loss", td_loss, type(model))
    quantiles = model.policy.quantile_net(batch.observations)
    taken = quantiles[torch.arange(len(quantiles)), :, batch.actions[:, 0].long()]  # (batch, n_quantiles)
    loss: Tensor = quantile_huber_loss(taken, _target_quantiles(model, batch), sum_over_quantiles=True)
    return loss
