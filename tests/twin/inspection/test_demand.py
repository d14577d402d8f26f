"""Misses of an SLA that more units would not mend: what is counted, where it is said, and where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.twin.inspection.test_shapes import cell, finding, keys_of
from twin import inspect_log
from twin.inspection.demand import short_of_demand


def cells(load, units, need):
    """A slice that carries no more than arrives and than its units do, and misses what is below `need`."""
    carried = np.minimum(load, units)
    rate, held = carried[:, None].astype(float), units[:, None].astype(float)
    return ["a"], rate, [need], rate.copy(), held


def test_little_load_on_many_units_is_want_of_demand_and_a_starved_slice_is_not():
    """Both log the same arrivals: what a starved slice sends is little, too."""
    loads = np.tile([10, 40], 100)
    assert short_of_demand(*cells(loads, np.full(200, 45), need=30)) == ["a (100 of 100 misses)"]
    assert short_of_demand(*cells(np.full(200, 40), np.tile([10, 45], 100), need=30)) == []


@pytest.mark.parametrize("need", [5, 50])
def test_where_an_sla_is_always_or_never_met_there_is_nothing_to_compare(need):
    assert short_of_demand(*cells(np.tile([10, 40], 100), np.full(200, 45), need)) == []


def test_intervals_without_a_value_do_not_count():
    names, rate, bounds, arrivals, units = cells(np.tile([10, 40], 100), np.full(200, 45), need=30)
    arrivals[:20], units[20:40] = np.nan, np.nan
    rate[40:120:2] = np.nan  # of idle intervals: taken as met, they would make little load look usual
    assert short_of_demand(names, rate, bounds, arrivals, units) == ["a (40 of 40 misses)"]


@pytest.mark.parametrize("lag", [0, 1])
def test_the_finding_names_the_slice_with_more_units_than_load(lag):
    """Of 50 units a slice gets 16 on average: 3.5 Mbit/s; only that of few packets has its rate by them."""
    log = cell(lag=lag, intervals=400)
    few = log.slice_id == "b"
    log.loc[few, "dl_pkts"] = np.random.default_rng(1).choice([2, 8], few.sum())
    log.loc[few, "thp_mbps"] = np.minimum(log[few].thp_mbps, 0.09 * log[few].dl_pkts).round(3)
    found = finding(inspect_log(log), "demand")
    assert "for want of demand by b (" in found.message
    assert "a (" not in found.message
    assert "c (" not in found.message


def test_nothing_is_said_where_units_decide_or_the_log_has_an_ssr_of_its_own():
    log = cell()
    assert "demand" not in keys_of(inspect_log(log))
    log["dl_pkts"] += 0  # the load is the same; only its SSR is measured
    few = log.slice_id == "b"
    log.loc[few, "thp_mbps"] = (0.001 * log[few].dl_pkts).round(3)
    assert "demand" in keys_of(inspect_log(log))
    log["ssr"] = np.random.default_rng(0).random(len(log)).round(2)
    assert "demand" not in keys_of(inspect_log(log))
