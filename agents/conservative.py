"""The conservative term of offline learning (equation 13)."""

from __future__ import annotations

import torch
from torch import Tensor


def conservative_penalty(values: Tensor, actions: Tensor) -> Tensor:
    """R = mean over a batch of logsumexp_a Q(s, a) - Q(s, a_data), as in CQL (Kumar et al. 2020, equation 4).

    It is smallest where what is in the data is valued above all that is not: values that no data hold down, and that
    an arg max would find, are pushed down. What is pushed depends on values between actions only: adding the same to
    all changes nothing.

    Args:
        values: Q(s, .) (batch, num_actions).
        actions: those of the data (batch,).

    Returns:
        R (); 0 or more.
    """
    taken = values.gather(1, actions[:, None])[:, 0]
    return (torch.logsumexp(values, dim=1) - taken).mean()
