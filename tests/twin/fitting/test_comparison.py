"""Networks against regressions slice by slice: not by the likelihood alone, and not by a few decisions alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from slicing_gym.reward import utility
from tests.helpers.borrowing import borrowing_history
from twin import DigitalTwin, PerformanceSettings, TrainingSettings, inspect_log, read_log
from twin.fitting.comparison import Comparison

LOG = Path(__file__).resolve().parents[2] / "data" / "logs" / "02_in_force.csv"


def fitted(history, structure, epochs):
    torch.set_num_threads(1)
    performance = PerformanceSettings(members=3, components=2, prior_scale=0.0, structure=structure)
    return DigitalTwin("autoregressive", performance, TrainingSettings(max_epochs=epochs)).fit(history)


def explained(twin, history):
    """Share of the variance of the utility."""
    truth = utility(history.scenario, history.spectral_efficiency, history.ssr)
    expected = twin.model.expected_utility(twin.predict(history).expected).mean(axis=1)
    return 1.0 - ((expected - truth) ** 2).mean() / truth.var()


def why(twin):
    (note,) = [each for each in twin.report.notes if each.startswith("performance")]
    return note


@pytest.mark.parametrize(
    ("error", "spread", "loses"),
    [(0.2, 0.1, True), (0.05, 0.0, False), (-0.2, 0.1, False), (0.2, 0.6, False)],
    ids=["much", "little", "better", "not clear"],
)
def test_networks_lose_where_they_explain_much_less_for_sure(error, spread, loses):
    """Of 100 decisions with a variance of 1; the other column never changes and does not count."""
    noise = np.repeat([-1.0, 1.0], 50)  # what follows on each other is alike: these are no 100 independent decisions
    truth = np.stack([noise, np.full(100, 0.3)], axis=1)
    found = Comparison(-np.ones(100), np.stack([error + spread * noise, np.full(100, 9.0)], axis=1), truth)
    assert found.loss == pytest.approx(error)
    assert found.networks_lose == loses
    halves = [Comparison(*(part[rows] for part in vars(found).values())) for rows in (slice(0, 50), slice(50, 100))]
    assert Comparison.together(halves).loss == pytest.approx(error)
    assert (found.gain, found.gain_error) == (-1.0, 0.0)


def test_where_nothing_changes_nothing_is_lost():
    """The mean of 45 times 0.3 is not quite 0.3."""
    found = Comparison(np.zeros(45), np.ones((45, 2)), np.full((45, 2), 0.3))
    assert found.truth.var() > 0.0
    assert found.loss == 0.0
    assert not found.networks_lose


def test_auto_keeps_to_slices_where_networks_know_but_that_an_ssr_is_0_or_1():
    """A log of 159 decisions whose SLA is met or not: the likelihood of networks is better, what they expect is not."""
    history = read_log(LOG, inspect_log(LOG).proposal)
    past, later = history.take(slice(0, 127)), history.take(slice(127, 159))
    made, joint = fitted(past, "auto", 60), fitted(past, "joint", 60)
    assert made.model.structure == "per_slice"
    assert "less of the variance of the utility (joint is better by" in why(made)
    assert explained(made, later) > explained(joint, later) + 0.1


def test_few_decisions_are_cross_validated_before_networks_are_taken():
    """Of slices that borrow from each other networks know more, by every part of the history."""
    made = fitted(borrowing_history(300), "auto", 60)
    assert made.model.structure == "joint"
    assert "(5-fold cross-validation, as only 45 decisions were held out)" in why(made)
    report = made.report
    assert report.seconds > report.transition.seconds + report.performance.seconds  # the five fits count, too
