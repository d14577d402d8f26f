"""How many threads PyTorch and NumPy compute in, for the time of some work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """PyTorch and NumPy's linear algebra compute in so many threads; afterwards in as many as before.

    Two threads on the small matrices of a planner take ten times as long as one, where another process is busy.
    """
    from threadpoolctl import threadpool_limits  # importing it changes the process's environment

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
