"""A history with a queue that is empty most of the time and full at times, as those of real logs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.helpers.twins import history_of
from twin import Column, History

QUEUE = Column("queue", transform="log1p", resolution=1.0, unit="byte")


def queue_history(scenario: str = "paper-1mhz", decisions: int = 400, seed: int = 0) -> History:
    """Queues of every slice that follow from nothing: 60 % empty, 5 % some 180 kB, the rest around 300 byte."""
    history, random = history_of(scenario, decisions), np.random.default_rng(seed)
    shape = history.ssr.shape
    kind = random.random(shape)
    some, full = np.exp(random.normal(5.7, 1.0, shape)), random.uniform(179e3, 184e3, shape)
    queue = np.where(kind < 0.6, 0.0, np.where(kind < 0.95, some, full))
    return replace(history, columns=(*history.columns, QUEUE), performance={**history.performance, QUEUE.name: queue})
