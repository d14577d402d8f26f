"""A twin that has a slice served worse with more units is found out, and one that does not is not blamed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slicing_gym import get_scenario
from slicing_gym.allocation import share_out
from tests.helpers.twins import cold_twin
from twin import DigitalTwin, History
from twin.runtime.monotonicity import (
    CLEARLY,
    MOSTLY,
    PLACES,
    Monotonicity,
    about_physics,
    monotonicity,
    mostly_worse,
    served_worse,
)

SCENARIO = get_scenario("paper-1mhz")


def network(policy: str, decisions: int = 600) -> History:
    """A made-up network: a slice's SSR is what its units carry over what came, so that it never falls with more units.

    Args:
        policy: "random", or "load": more units to slices where more came, and never few.
        decisions: how many.
    """
    generator, slices, units = np.random.default_rng(0), SCENARIO.num_slices, SCENARIO.num_units
    levels = np.zeros((decisions + 1, slices))
    for t in range(decisions):
        levels[t + 1] = 0.9 * levels[t] + 0.3 * generator.normal(size=slices)
    loads = np.exp(np.clip(levels, -1.2, 1.2))
    counts = generator.poisson(np.array([200, 200, 200]) * loads)
    chosen = generator.random((decisions, slices)) ** 2 if policy == "random" else 1.0 + loads[:-1]
    allocation = share_out(chosen, units)
    ssr = np.clip(allocation * 30.0 / np.maximum(counts[1:], 1) ** 1.2, 0.0, 1.0)
    return History(
        SCENARIO,
        np.zeros(decisions, np.int64),
        np.arange(decisions),
        allocation,
        counts[:-1],
        counts[1:],
        {"ssr": ssr, "spectral_efficiency": np.full(decisions, 100.0)},
    )


def evaluated(history: History) -> tuple[DigitalTwin, Monotonicity, History]:
    past, held_out = history.split_by_time(0.2)
    twin = cold_twin(past)
    return twin, monotonicity(twin.model, past, held_out), past


def test_a_twin_of_random_decisions_never_has_more_units_lower_an_ssr():
    _, found, _ = evaluated(network("random"))
    assert found.held.tolist() == [[1, 18]] * 3
    assert (found.falls[:, 0] == 0.0).all()
    assert np.isnan(found.falls[:, 1:]).all()  # there is nothing beyond


def test_a_twin_of_decisions_that_followed_the_load_does():
    """Few units were never held with much to do: there the twin falls back to the mean of what it saw."""
    history = network("load")
    _, found, past = evaluated(history)
    np.testing.assert_array_equal(found.held[:, 0], past.allocation.min(axis=0))
    np.testing.assert_array_equal(found.held[:, 1], past.allocation.max(axis=0))
    assert found.held[:, 0].min() > 1
    assert (found.falls[:, PLACES.index("below")] > 0.9).all()


def test_shares_are_those_of_single_predictions():
    history = network("load")
    twin, _, past = evaluated(history)
    rows = np.arange(len(past), len(past) + 4)
    found = monotonicity(twin.model, past, history.take(rows))
    place = twin.model.layout.place("ssr").start - SCENARIO.num_slices
    low, high = found.held[1]
    tried = {int(each) for ends in ((1, low), (low, high), (high, 18)) for each in np.linspace(*ends, 7).round()}
    drops = {name: [] for name in PLACES}
    for row in rows:
        expected = {}
        for own in tried:
            units = history.allocation[row].copy()
            units[[0, 2]] = share_out(units[[0, 2]], SCENARIO.num_units - own)
            units[1] = own
            pair = replace(history.take([row, row + 1]), allocation=np.stack([history.allocation[row], units]))
            expected[own] = twin.predict(pair).expected[1].mean(axis=0)[place + 1]
        pairs = [(fewer, more) for fewer in tried for more in tried if fewer < more]
        for name, fits in (
            ("held", lambda fewer, more: low <= fewer and more <= high),
            ("below", lambda fewer, more: fewer < low and more <= high),
            ("above", lambda fewer, more: low <= fewer and high < more),
        ):
            drops[name].append(max(expected[a] - expected[b] for a, b in pairs if fits(a, b)))
    clear = [[drop for drop in drops[name] if drop > CLEARLY] for name in PLACES]
    np.testing.assert_array_equal(found.falls[1], [len(each) / len(rows) for each in clear])
    np.testing.assert_allclose(found.drops[1], [np.median(each or [np.nan]) for each in clear], rtol=1e-6)
    assert found.drops[1, PLACES.index("below")] > CLEARLY


def test_a_twin_that_contradicts_physics_is_named_with_its_slices():
    """A twin that learned of missed agreements as of met ones expects fewer with more units."""
    history = network("random", 200)
    twin = cold_twin(history)
    assert mostly_worse(twin.model, history, history) == {}
    assert about_physics(twin.model, history) == []
    worse = cold_twin(replace(history, performance={**history.performance, "ssr": 1.0 - history.ssr})).model
    falls = mostly_worse(worse, history, history)
    assert list(falls) == list(SCENARIO.slice_names)
    assert min(falls.values()) > MOSTLY
    (line,) = about_physics(worse, history)
    assert line.startswith(f"warning: {served_worse(falls)}")
    assert line.endswith("what the twin is good for")  # it is slice by slice already: no other structure is named
    idle = history.next_arrivals.copy()
    idle[-1, 1] = 0
    met = history.ssr.copy()
    met[-1, 1] = 1.0
    exempt = replace(history, next_arrivals=idle, performance={**history.performance, "ssr": met})
    assert list(mostly_worse(worse, exempt, exempt)) == [SCENARIO.slice_names[0], SCENARIO.slice_names[2]]


def test_units_that_hardly_any_decision_held_can_be_left_aside():
    """All but one in a hundred decisions gave each slice the same share: nothing is moved within 95 % of them."""
    history = network("random", 200)
    worse = cold_twin(replace(history, performance={**history.performance, "ssr": 1.0 - history.ssr})).model
    even = np.tile(share_out(np.ones((1, 3)), SCENARIO.num_units), (200, 1))
    even[:2] = history.allocation[:2]
    past = replace(history, allocation=even)
    assert mostly_worse(worse, past, history)
    assert mostly_worse(worse, past, history, central=0.95) == {}


def test_by_how_much_is_said_where_it_is_known():
    falls = {"video": 0.83, "urllc": 0.59}
    assert served_worse(falls, {"video": 0.124, "urllc": 0.06}) == (
        "in 83% of the states the twin expects video to be served worse with more units (by an SSR of 0.12 in the "
        "median), in 59% urllc (0.06), which cannot be"
    )
    assert served_worse(falls) == (
        "in 83% of the states the twin expects video to be served worse with more units, in 59% urllc, which cannot be"
    )


@pytest.mark.parametrize("smallest", [(1, 1, 0), (0, 0, 0)])
def test_slices_may_hold_no_unit(smallest):
    history = replace(network("random", 200), smallest=smallest)
    _, found, _ = evaluated(history)
    assert np.isfinite(found.falls[:, 0]).all()


def test_a_slice_that_is_nowhere_in_the_held_out_runs_is_compared_nowhere():
    """Units of nobody, say, in a log of which all units are given away from some day on."""
    history = replace(network("random", 200), smallest=(1, 1, 0))
    allocation = history.allocation.copy()
    allocation[160:, 1] += allocation[160:, 2]
    allocation[160:, 2] = 0
    _, found, _ = evaluated(replace(history, allocation=allocation))
    assert np.isfinite(found.falls[:2, 0]).all()
    assert np.isnan(found.falls[2]).all()


def test_without_an_ssr_nothing_is_said():
    history = network("random", 200)
    columns = tuple(each for each in history.columns if each.name != "ssr")
    performance = {"spectral_efficiency": history.spectral_efficiency}
    _, found, _ = evaluated(replace(history, columns=columns, performance=performance))
    assert np.isnan(found.falls).all()
