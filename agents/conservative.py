"""The conservative term of offline learning (equation 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from agents.products import dense_product

if TYPE_CHECKING:
    from agents.dqn.heads import ActionHead


def conservative_penalty(head: ActionHead, hidden: Tensor, actions: Tensor) -> Tensor:
    """R = mean over a batch of logsumexp_a Q(s, a) - Q(s, a_data), as in CQL (Kumar et al. 2020, equation 4).

    It is smallest where what is in the data is valued above all that is not: values that no data hold down, and that
    an arg max would find, are pushed down. It depends on differences between actions only: a state's value that is
    added to all of them (Dueling GAN-DDQN) changes nothing.

    Args:
        head: gives the values of the actions.
        hidden: what it sees of the states (batch, width).
        actions: those of the data (batch,).

    Returns:
        R (); 0 or more.
    """
    return head.surplus(hidden, actions).mean()


class DenseSurplus(torch.autograd.Function):
    """The surplus of a dense head, its gradients taken by hand: a third of the time, for most of it is memory."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, actions: Tensor) -> Tensor:
        """See `ActionHead.surplus`; weight (num_actions, width), bias (num_actions,)."""
        values = dense_product(hidden, weight, bias)  # (batch, num_actions)
        taken = values.gather(1, actions[:, None])
        total = torch.logsumexp(values, dim=1, keepdim=True)
        ctx.save_for_backward(hidden, weight, values.sub_(total).exp_(), actions)
        return (total - taken)[:, 0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """The slope by the values is softmax - one hot of the action."""
        hidden, weight, shares, actions = ctx.saved_tensors
        slope = shares.clone()
        slope[torch.arange(len(actions)), actions] -= 1.0
        slope *= gradients[0][:, None]
        return dense_product(slope, weight.T), dense_product(slope.T, hidden.T), slope.sum(dim=0), None
