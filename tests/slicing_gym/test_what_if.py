from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicing_gym import Simulator, allocation_table, get_scenario, physics
from slicing_gym.interval import Interval
from slicing_gym.physics import Outcome
from tests.helpers.oracle import OracleCell
from tests.helpers.strategies import allocations, scenarios


def assert_equal(one, other, rows=slice(None), names=Outcome._fields):
    for name in names:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name)[rows], err_msg=name)


def table_of(scenario):
    return allocation_table(scenario.num_units, scenario.num_slices)


@given(st.data())
def test_slices_held_alone_are_clones_advanced_bit_for_bit(data):
    scenario = data.draw(scenarios())
    simulator = Simulator(scenario, [data.draw(st.integers(0, 1000)), 5], num_threads=data.draw(st.integers(1, 2)))
    for _ in range(data.draw(st.integers(0, 3))):
        simulator.advance(data.draw(allocations(scenario)))
    before = simulator.state()
    held = simulator.what_if_slices(intervals=2)
    for name, array in simulator.state().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    for _ in range(3):
        units = [data.draw(allocations(scenario)) for _ in range(2)]
        clones = simulator.clone()
        for outcomes in held:
            advanced = clones.advance(units)
            assert_equal(outcomes.interval(units), advanced, names=Interval.__dataclass_fields__)
            np.testing.assert_allclose(np.diag(outcomes.utilities(units)), advanced.utility, rtol=1e-12)


@given(st.data())
def test_slices_held_alone_are_what_the_reference_implementation_says(data):
    scenario, seed = data.draw(scenarios()), data.draw(st.integers(0, 2**32))
    past = [data.draw(allocations(scenario)) for _ in range(2)]
    units = data.draw(allocations(scenario))
    simulator, oracle = Simulator(scenario, [seed]), OracleCell(scenario, seed)
    for before in past:
        simulator.advance(before)
        oracle.advance(before)
    for outcomes in simulator.what_if_slices(intervals=2):
        slow, slices, chosen = oracle.advance(units), np.arange(scenario.num_slices), np.array(units) - 1
        for name in ("arrivals", "successes", "delivered", "queued", "blocked"):
            assert getattr(outcomes, name)[0, slices, chosen].tolist() == getattr(slow, name), name
        efficiency = outcomes.efficiency[0, slices, chosen].sum()
        np.testing.assert_allclose(efficiency, slow.spectral_efficiency, rtol=1e-10)


@given(st.data())
def test_the_best_of_all_allocations_is_that_of_the_table(data):
    scenario = data.draw(scenarios())
    simulator = Simulator(scenario, [3, data.draw(st.integers(0, 1000))])
    simulator.advance(data.draw(allocations(scenario)))
    (outcomes,) = simulator.what_if_slices()
    table = table_of(scenario)
    utilities, (units, best) = outcomes.utilities(table), outcomes.best()
    for cell in range(2):
        (listed,) = simulator.what_if(table, cell)
        np.testing.assert_allclose(utilities[cell], listed.utility, rtol=1e-12)
        np.testing.assert_allclose(best[cell], listed.utility.max(), rtol=1e-12)
        (row,) = np.flatnonzero((table == units[cell]).all(axis=1))
        assert listed.utility[row] >= listed.utility.max() - 1e-12


@pytest.mark.parametrize("name", ["paper-1mhz", "flash-crowd"])
def test_many_cells_are_those_cells_one_by_one_whatever_the_threads(name):
    scenario = get_scenario(name)
    batch, threaded = Simulator(scenario, range(5)), Simulator(scenario, range(5), num_threads=3)
    for simulator in (batch, threaded):
        simulator.begin_episode()
    together, shared = batch.what_if_slices([3, 0, 4], 2), threaded.what_if_slices([3, 0, 4], 2)
    for row, cell in enumerate([3, 0, 4]):
        for interval, alone in enumerate(batch.what_if_slices([cell], 2)):
            assert_equal(alone, together[interval], [row])
            assert_equal(alone, shared[interval], [row])
            assert alone.values.tobytes() == shared[interval].values[row].tobytes()


@given(scenarios(), st.integers(1, 3))
def test_gains_that_are_not_kept_change_nothing(scenario, intervals):
    simulator = Simulator(scenario, [8])
    kept = simulator.what_if_slices(intervals=intervals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(physics, "_MOST_GAINS_KEPT", 0)
        drawn_again = simulator.what_if_slices(intervals=intervals)
    for one, other in zip(kept, drawn_again, strict=True):
        assert_equal(one, other)


def test_a_cell_of_too_many_allocations_to_list():
    large = get_scenario("nr-8slices")
    simulator = Simulator(large, [0, 1], num_threads=2)
    simulator.begin_episode()
    (outcomes,) = simulator.what_if_slices()
    assert outcomes.values.shape == (2, 8, 266)
    units, best = outcomes.best()
    np.testing.assert_allclose(simulator.advance(units).utility, best, rtol=1e-12)
    some = np.random.default_rng(0).multinomial(265, np.full(8, 1 / 8), size=500) + 1
    assert (outcomes.utilities(some).max(axis=1) <= best).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cells": [2]}, r"cells: \[2\] given, allowed are 0 to 1"),
        ({"cells": [1, 1]}, "allowed are different ones"),
        ({"cells": 1}, "allowed are integers"),
        ({"intervals": 0}, "intervals: 0 given, allowed is 1 or more"),
        ({"intervals": 1.5}, "intervals: 1.5 is not a whole number"),
    ],
)
def test_bad_cells_and_intervals_are_refused(small, arguments, message):
    simulator = Simulator(small, [0, 1])
    with pytest.raises((ValueError, TypeError), match=message):
        simulator.what_if_slices(**arguments)


def test_more_threads_than_runs(small):
    assert_equal(*(Simulator(small, [0], threads).what_if_slices()[0] for threads in (1, 9)))


def test_no_cells_bring_nothing(small):
    (outcomes,) = Simulator(small, [0, 1]).what_if_slices([])
    assert outcomes.values.shape == (0, 2, 7)
    assert [array.shape for array in outcomes.best()] == [(0, 2), (0,)]


def test_bad_allocations_are_refused(small):
    (outcomes,) = Simulator(small, [0, 1]).what_if_slices()
    for ask in (outcomes.utilities, outcomes.interval):
        with pytest.raises(ValueError, match=r"units: \[4, 5\] given, allowed is at least 1 a slice and 8 in all"):
            ask([4, 5])
        with pytest.raises(TypeError, match="units: float64 given"):
            ask([4.0, 4.0])
    with pytest.raises(ValueError, match=r"units: shape \(3, 2\) given"):
        outcomes.interval([[4, 4]] * 3)
