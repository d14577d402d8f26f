"""PM counters of the PRB that were used are an effect of the traffic, no decision; rounded shares make up the whole."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.operators import USED, VOLUME, export, used_prb
from tests.twin.inspection.test_shapes import cell, finding, keys_of
from twin import inspect_log
from twin.inspection import to_check
from twin.traffic import traffic_of

RATIO = "RRM Dedicated Ratio [%]"


def checks(found):
    return dict(line.split(": ", 1) for line in to_check(found.mapping_yaml()))


def test_what_follows_the_volume_is_likely_no_decision():
    found = inspect_log(used_prb())
    said = str(finding(found, "follows"))
    assert said.startswith(f"{USED} follows the volume: {VOLUME} of the same row explains it (R² 1.00), so it is likel")
    assert checks(found)["allocation"] == "follows the volume (R² 1.00): likely the PRB that were used, no decision"
    assert "reads this mapping as it stands" in checks(found)["allocation_is"]
    assert f"an allocation log only if {USED} was decided, else traffic: CHECK" in found.report().splitlines()[0]
    assert "alignment" not in keys_of(found)
    assert "is in force" not in found.report()


def test_the_log_can_be_taken_as_traffic_by_the_same_mapping():
    found = inspect_log(used_prb())
    assert traffic_of(used_prb(), found.proposal).arrivals.shape == (60, 3)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1])
def test_used_prb_are_found_where_spectral_efficiency_varies(noise):
    assert inspect_log(used_prb(noise)).facts.followed is not None


def test_counts_of_used_prb_that_leave_some_idle_are_found_too():
    table = used_prb()
    table["PRB"] = (table[VOLUME] / 700.0).round()
    found = inspect_log(table.drop(columns=USED))
    assert found.facts.allocations.idle
    assert checks(found)["allocation"].startswith("follows the volume")


@pytest.mark.parametrize("lag", [0, 1])
def test_decisions_do_not_follow_the_volume(lag):
    for table in (cell(lag=lag), export(intervals=60), export(intervals=60).rename(columns={RATIO: "PRB"})):
        found = inspect_log(table)
        assert found.facts.followed is None
        assert "follows" not in keys_of(found)
        assert not {"allocation", "allocation_is"} & set(checks(found))


@pytest.mark.parametrize("name", ["rRMPolicyDedicatedRatio", "prb_next", "quota [%]"])
def test_what_is_called_a_decision_may_follow_the_volume(name):
    assert inspect_log(used_prb().rename(columns={USED: name})).facts.followed is None


@pytest.mark.parametrize("digits", [0, 1, 2])
@pytest.mark.parametrize(("name", "whole"), [(USED, 1.0), ("prb share", 100.0)])
def test_shares_that_are_rounded_leave_nothing_idle(name, whole, digits):
    table = used_prb(digits=digits).rename(columns={USED: name})
    table[name] /= whole
    sums = table[name].to_numpy().reshape(-1, 3).sum(axis=1)
    found = inspect_log(table)
    assert np.ptp(sums) > 0.005 / whole  # else there is nothing to show
    assert not found.facts.allocations.idle
    assert set(found.facts.allocations.units.sum(axis=1)) == {100}
    assert "idle" not in found.keys["allocation"]
    assert "belong to nobody" not in found.report()


def test_percents_without_such_a_name_are_told_by_their_fractions():
    found = inspect_log(used_prb().rename(columns={USED: "PRB alloc"}))
    assert found.keys["allocation"] == {"column": "PRB alloc", "as": "percent"}


def test_shares_that_do_leave_units_idle_say_how_many():
    table = used_prb()
    table[USED] = (0.9 * table[USED]).round()
    table.loc[:2, USED] = [40.0, 30.0, 30.0]
    found = inspect_log(table)
    assert found.facts.allocations.idle
    assert "not always to 100; 9.9" in str(finding(found, "idle"))
    assert "carrier of LTE" not in str(finding(found, "idle"))
