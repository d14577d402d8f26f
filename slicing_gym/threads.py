"""Threads that share the rows of a batch between them; the numbers do not depend on how many there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from slicing_gym.errors import check_integer
from slicing_gym.exclusive import Exclusive

MAX_THREADS = 1024
"""Most threads: no machine has more cores, and each has a working memory of its own."""

_Scratch = TypeVar("_Scratch")


def check_threads(number: object) -> int:
    """`number` if it is one of threads, 1 to 1024; TypeError or ValueError naming `num_threads` else."""
    return check_integer("num_threads", number, at_least=1, at_most=MAX_THREADS)


class Threads:
    """Runs compiled functions, which release the GIL, over parts of a batch at the same time.

    Args:
        number: of threads, the caller's own among them.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0
        self._exclusive = Exclusive("cells")

    def run(
        self,
        function: Callable[[npt.NDArray[np.int64], _Scratch], object],
        rows: npt.NDArray[np.int64],
        scratch: Sequence[_Scratch],
    ) -> None:
        """Call `function(part, scratch)` for runs of `rows` (k,) that no two threads share.

        Args:
            function: works on the rows it is given.
            rows: numbers of rows; each part is a run of them, so that no two threads write side by side.
            scratch: one working memory a thread.

        Raises:
            RuntimeError: another thread is here already.
        """
        with self._exclusive:
            self._run(function, rows, scratch)

    def _run(
        self,
        function: Callable[[npt.NDArray[np.int64], _Scratch], object],
        rows: npt.NDArray[np.int64],
        scratch: Sequence[_Scratch],
    ) -> None:
        if self.number == 1 or len(rows) == 1:
            function(rows, scratch[0])
            return
        if self._pool is None or self._process != os.getpid():  # a fork inherits no threads
            self._pool = ThreadPoolExecutor(self.number - 1, thread_name_prefix="slicing_gym")
            self._process = os.getpid()
        first, *others = np.array_split(rows, self.number)
        jobs = [self._pool.submit(function, part, own) for part, own in zip(others, scratch[1:], strict=True)]
        function(first, scratch[0])
        for job in jobs:
            job.result()

    def __getstate__(self) -> dict[str, Any]:
        """Without the threads, which cannot be copied."""
        return {**self.__dict__, "_pool": None}
