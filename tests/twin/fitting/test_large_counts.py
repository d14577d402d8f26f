"""Counts of millions are as good as counts of thousands: the unit of a log decides nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers.twins import ENSEMBLE, SMALL, history_of
from twin import Column, DigitalTwin, History, TrainingSettings
from twin.fidelity.evaluator import Evaluator, Scores
from twin.traffic import TrafficLog

SETTINGS = TrainingSettings(max_epochs=30)
TIMES = 1000
"""By what one log's packets are smaller than the other's."""


def counters(packets: float) -> History:
    """A week of intervals of 15 minutes whose slices send so many packets in each, by day more than by night."""
    hours, noise = np.arange(672) / 4.0, np.random.default_rng(0).normal(size=(672, 2))
    day = 1.0 + 0.7 * np.sin(2.0 * np.pi * (hours[:, None] - [9.0, 12.0]) / 24.0)
    sent = packets * day * np.exp(0.15 * noise)
    return TrafficLog(("embb", "fwa"), 900.0, np.zeros(672, int), np.arange(672), sent).history()


def volumes(kilobit: float) -> History:
    """Random decisions on a cell, and the volume that each slice was served, a log's counter of so many kbit."""
    past, noise = history_of("paper-1mhz"), np.random.default_rng(0)
    served = kilobit * (1.0 + past.allocation) * np.exp(0.1 * noise.normal(size=past.allocation.shape))
    column = Column("volume", transform="log1p", resolution=1.0, unit="kbit")
    return replace(past, columns=(*past.columns, column), performance={**past.performance, "volume": served.round()})


def scores_of(history: History, variable: int) -> tuple[Scores, float, float]:
    """Of a twin on the last fifth: of a variable, its mean there, and what the twin draws in the mean."""
    cut = len(history) * 4 // 5
    seen, rest = (history.take(part) for part in (np.arange(len(history)) < cut, np.arange(len(history)) >= cut))
    torch.set_num_threads(1)
    evaluator = Evaluator(DigitalTwin(SMALL["lstm"], ENSEMBLE, SETTINGS).fit(seen).model, seen, rest)
    drawn = evaluator.samples(evaluator.model.predict(evaluator.encoded))[..., variable].mean()
    return evaluator.one_step().scores[variable], float(evaluator.encoded.measured[:, variable].mean()), float(drawn)


@pytest.mark.parametrize(("make", "few", "variable"), [(counters, 1e4, 0), (volumes, 1e3, -3)])
def test_a_smaller_unit_changes_nothing(make, few, variable):
    """Of 10 million packets an interval, and of 30 million kbit, float32 tells neighbours not apart."""
    (small, mean, drawn), (large, large_mean, large_drawn) = (
        scores_of(make(number), variable) for number in (few, TIMES * few)
    )
    assert large.crps["twin"].mean() / large_mean == pytest.approx(small.crps["twin"].mean() / mean, rel=0.05)
    assert large.inside["twin"].mean() == pytest.approx(small.inside["twin"].mean(), abs=0.03)
    assert large_drawn / large_mean == pytest.approx(drawn / mean, rel=0.02)
    longer = large.nll["twin"].mean() - small.nll["twin"].mean()  # as many nats as there are more counts
    assert longer == pytest.approx(np.log(TIMES), abs=0.1)
