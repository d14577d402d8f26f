"""Twins as bytes, and twins that are refused."""

from __future__ import annotations

import numpy as np
import pytest

from slicing_gym import get_scenario
from tests.helpers.twins import JOINT, history_of, quick_twin
from twin import (
    ARRIVALS,
    Column,
    DigitalTwin,
    Layout,
    LstmSettings,
    PerformanceSettings,
    TrainingSettings,
    TransformerSettings,
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DigitalTwin("lstn"), "transition: unknown name 'lstn'; did you mean 'lstm'"),
        (lambda: DigitalTwin(3), "transition: 3 is neither"),
        (lambda: DigitalTwin(seed=-1), "seed: -1 given"),
        (lambda: DigitalTwin(training=3), "training: 3 given, allowed is TrainingSettings"),
        (lambda: DigitalTwin().fit(None), "history: None given, allowed is History"),
        (lambda: quick_twin(get_scenario("paper")).cells([0]).advance([1, 1, 98]), "no episode has begun in"),
        (lambda: quick_twin(get_scenario("paper")).sample(np.zeros((0, 3), int), [0]), r"units: shape \(0, 3\)"),
        (
            lambda: Layout(get_scenario("paper"), ARRIVALS, (Column("ssr", transform="log1p"),)),
            "ssr.transform: 'log1p'",
        ),
        (lambda: Layout(get_scenario("paper"), ARRIVALS, (Column("utility"),)), "the name 'utility' occurs twice"),
        (lambda: LstmSettings(memory_size=0), "transition.memory_size: 0 given"),
        (
            lambda: TransformerSettings(width=10, heads=4),
            "transition.heads: 4 given, allowed are divisors of width = 10",
        ),
        (lambda: PerformanceSettings(members=0), "performance.members: 0 given"),
        (lambda: TrainingSettings(validation_share=0.9), "training.validation_share: 0.9 given"),
        (
            lambda: DigitalTwin().fit(history_of("paper-1mhz").take(slice(0, 7))),
            "history: 7 decisions given, allowed are 8 ",
        ),
        (
            lambda: DigitalTwin("lstm", JOINT).fit(history_of("paper-1mhz").take(slice(0, 63))),
            "history: 63 decisions given, allowed are 64 or more, as networks are fitted",
        ),
        (lambda: PerformanceSettings(structure="joined"), "performance.structure: unknown name 'joined'"),
        (lambda: DigitalTwin().model, "it was not fitted"),
        (lambda: quick_twin(get_scenario("paper")).calibrate(history_of("paper-1mhz")), "fresh: is of another network"),
        (lambda: quick_twin(get_scenario("paper")).predict(history_of("paper-1mhz")), "units are 20, wanted are 100"),
        (lambda: quick_twin(get_scenario("paper")).sample([[1, 1, 1]], [0]), "at least 1 a slice and 100 in all"),
        (lambda: quick_twin(get_scenario("paper")).sample([[0.5, 1, 1]], [0]), "units: float64"),
    ],
)
def test_bad_twins_are_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_bytes_are_those_of_the_file(twin, tmp_path):
    twin.save(tmp_path / "twin")
    content = twin.to_bytes()
    assert (tmp_path / "twin").read_bytes() == content
    assert DigitalTwin.from_bytes(content).to_bytes() == content
    with pytest.raises(ValueError, match="twin: content is not a twin's file, or is damaged"):
        DigitalTwin.from_bytes(content[:-1])
    with pytest.raises(ValueError, match="it was not fitted"):
        DigitalTwin().to_bytes()
