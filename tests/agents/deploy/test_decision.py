"""A decision as resource blocks and as ratios, of which the units can be told."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.deploy.decision import Decision, largest_remainder, true_decimals
from slicing_gym import allocation_index, allocation_table, get_scenario
from slicing_gym.physics import compile_physics
from tests.helpers.exported import SCENARIO

ALLOCATIONS = st.lists(st.integers(1, 400), min_size=2, max_size=12)


def decision(units, scenario=SCENARIO):
    return Decision(tuple(units), scenario)


@given(ALLOCATIONS)
def test_whole_percents_are_whole_and_whole(units):
    percents, exact = decision(units).whole_percents, [Fraction(100 * each, sum(units)) for each in units]
    assert sum(percents) == 100
    assert min(percents) >= 1
    assert all(type(each) is int for each in percents)
    if min(exact) >= 1:
        assert all(abs(percent - share) < 1 for percent, share in zip(percents, exact, strict=True))
    for more, less in zip(*np.nonzero(np.greater.outer(units, units)), strict=True):
        assert percents[more] >= percents[less]


@given(ALLOCATIONS)
def test_the_units_can_be_told_from_the_percents(units):
    total, percents = sum(units), decision(units).percents
    assert sum(percents) == 100
    assert [round(Fraction(each) * total / 100) for each in percents] == units
    assert all(
        abs(Fraction(each) * total / 100 - mine) < Fraction(1, 2) for each, mine in zip(percents, units, strict=True)
    )
    decimals = true_decimals(total, len(units))
    assert all((type(each) is int) if decimals == 0 else -each.as_tuple().exponent == decimals for each in percents)


@pytest.mark.parametrize("cell", [(51, 3), (60, 3), (67, 2), (73, 3), (30, 5), (75, 3), (100, 3)])
def test_the_units_of_every_allocation_can_be_told(cell):
    for units in allocation_table(*cell)[::7].tolist():
        percents = decision(units).percents
        assert [round(Fraction(each) * cell[0] / 100) for each in percents] == units


def test_how_many_decimals_it_takes():
    assert [true_decimals(units, 3) for units in (3, 20, 50, 66, 100, 101, 273, 500, 5000)] == [
        0,
        0,
        0,
        0,
        0,
        1,
        1,
        1,
        2,
    ]
    assert [true_decimals(273, 8), true_decimals(273, 1), true_decimals(99, 2), true_decimals(75, 3)] == [1, 0, 0, 1]


def test_fewer_decimals_would_not_do():
    """With 273 units of 8 slices whole percents are those of other units, too; so are those of 75 of 3."""
    for units in ([1, 1, 1, 1, 1, 1, 1, 266], [2, 2, 71]):
        whole = decision(units).whole_percents
        off = [abs(Fraction(each * sum(units), 100) - mine) for each, mine in zip(whole, units, strict=True)]
        assert max(off) >= Fraction(1, 2)


def test_where_units_are_percents_nothing_is_rounded():
    for row in allocation_table(100, 3)[::97].tolist():
        assert decision(row).whole_percents == decision(row).percents == tuple(row)
    assert largest_remainder([1, 1, 1], 100) == (34, 33, 33)
    assert largest_remainder([1, 1, 398], 100) == (1, 1, 98)
    assert decision([1, 2, 270]).percents == (Decimal("0.4"), Decimal("0.7"), Decimal("98.9"))


def test_more_slices_than_percents_have_no_whole_ones():
    units = [1] * 100 + [20]
    with pytest.raises(ValueError, match="slices: 101 given, allowed are 100, of 1/100 of the units each"):
        decision(units).whole_percents  # noqa: B018
    assert [round(each * 120 / 100) for each in decision(units).percents] == units


@pytest.mark.parametrize("name", ["paper", "paper-1mhz", "nr-8slices"])
def test_ratios_have_the_form_of_an_rrm_policy(name):
    scenario = get_scenario(name)
    generator = np.random.default_rng(0)
    for _ in range(50):
        spare = generator.multinomial(
            scenario.num_units - scenario.num_slices, generator.dirichlet([0.5] * scenario.num_slices)
        )
        made = decision((1 + spare).tolist(), scenario)
        for ratios in (made.ratios, made.whole_ratios):
            assert tuple(ratios) == made.slices == scenario.slice_names
            for each in ratios.values():
                assert list(each) == ["min", "max", "dedicated"]
                assert 0 < each["dedicated"] <= each["min"] <= each["max"] <= 100
            assert sum(each["dedicated"] for each in ratios.values()) == 100
        assert made.action == allocation_index(1 + spare)
        blocks = compile_physics(scenario).blocks_of_units
        assert made.prbs == tuple(blocks[1 + spare].tolist())
    assert made.fallback is False


def test_blocks_are_what_fits_into_the_units():
    assert decision([1, 1, 98], get_scenario("paper")).prbs == (1, 1, 108)  # of 180 kHz, in units of 200 kHz
    nr = get_scenario("nr-8slices")
    made = decision([1, 2, 3, 4, 5, 6, 7, 245], nr)
    assert made.prbs == made.units  # a unit is a block
    assert made.percents[0] == Decimal("0.4")
