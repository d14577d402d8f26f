"""Twins as bytes, and twins that are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicing_gym import get_scenario
from tests.helpers.twins import JOINT, cold_twin, history_of, quick_twin, small_twin
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


def test_what_is_expected_is_in_the_columns_own_units():
    """The mean of log1p(x), taken back, is far below the mean of a skewed x."""
    history = history_of("paper-1mhz", 300)
    generator = np.random.default_rng(0)
    delay = generator.lognormal(np.log(20.0), 1.2, size=history.ssr.shape)
    column = Column("delay", transform="log1p", unit="ms", resolution=0.01)
    measured = {**history.performance, "delay": delay}
    twin = cold_twin(replace(history, performance=measured, columns=(*history.columns, column)))
    own = replace(history, performance=measured, columns=(*history.columns, column))
    found = twin.expected(own, samples=50)
    assert list(found) == ["arrivals", "ssr", "spectral_efficiency", "delay", "utility"]
    assert [found[name].shape for name in found] == [(300, 3), (300, 3), (300,), (300, 3), (300,)]
    np.testing.assert_allclose(found["utility"], 0.01 * found["spectral_efficiency"] + found["ssr"].sum(axis=1))
    for name in ("arrivals", "ssr", "delay"):
        truth = own.next_arrivals if name == "arrivals" else own.performance[name]
        np.testing.assert_allclose(found[name].mean(axis=0), truth.mean(axis=0), rtol=0.15, err_msg=name)
    scaled = twin.predict(own).expected.mean(axis=(0, 1))[-3:]
    assert (np.expm1(scaled) < 0.7 * delay.mean(axis=0)).all()


@pytest.mark.parametrize("make", [cold_twin, small_twin])
def test_other_units_are_predicted_each_after_what_the_history_measured(make):
    """As a moment does, whose past holds the history's units; neither as a history that held the others all along."""
    history, other = history_of("paper-1mhz", 100), np.array([3, 14, 3])
    twin = make(history)
    found, own = twin.predict(history, other), twin.predict(history)
    np.testing.assert_array_equal(found.transition, own.transition)
    for row in (0, 1, 40, 99):
        changed = history.allocation.copy()
        changed[row:] = other
        past = replace(history, allocation=changed)
        np.testing.assert_array_equal(found.expected[row], twin.predict(past).expected[row])
    np.testing.assert_array_equal(twin.predict(history, history.allocation).expected, own.expected)
    all_along = twin.predict(replace(history, allocation=np.tile(other, (100, 1))))
    alike = np.array_equal(found.expected, all_along.expected)
    assert alike == (make is cold_twin)  # regressions do not look at the units of the interval before
    assert not np.array_equal(twin.expected(history, 5)["ssr"], twin.expected(history, 5, units=other)["ssr"])
    with pytest.raises(ValueError, match="units"):
        twin.predict(history, [3, 14, 4])


def test_cells_at_a_moment_expect_what_the_prediction_does():
    """Whether a row is in the middle of a sequence, or the first, of which nothing before it is known."""
    twin, history = quick_twin(get_scenario("paper-1mhz")), history_of("paper-1mhz")
    predicted = twin.predict(history)
    for row in (0, 1, 40, 200, 399):
        cells = twin.cells_at(history, row, range(3))
        before = np.zeros((3, 3)) + history.arrivals[row]
        np.testing.assert_array_equal(cells.measured[:, :3], before)
        brought = cells.advance(history.allocation[row])
        spread = twin.model.disagreement(predicted.expected[[row]])
        np.testing.assert_allclose(brought.epistemic_std, np.repeat(spread, 3), rtol=1e-4, atol=1e-6)
    one, other = (twin.cells_at(history, 40, [5, 6]) for _ in range(2))
    np.testing.assert_array_equal(one.advance([1, 18, 1]).utility, other.advance([1, 18, 1]).utility)
    for row in (-1, 400):
        with pytest.raises(ValueError, match=f"row: {row} given, allowed is 0 to 399"):
            twin.cells_at(history, row, [0])
