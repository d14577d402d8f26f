"""Logs whose columns have the names of 3GPP TS 28.552 and TS 28.541: volumes offered and sent, ratios in percent."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import yaml

from tests.helpers.operators import VOLUME, export
from twin import inspect_log, read_log
from twin.data.logs import LogMapping, LogWarning
from twin.inspection import to_check

OFFERED, SENT = "DRB.PdcpSduVolumeDL (Mbit)", "DRB.RlcSduTransmittedVolumeDL (Mbit)"
RATIO = "RRM Dedicated Ratio [%]"


def counters(sent=True, allocation="rRMPolicyDedicatedRatio", step=1):
    """A log of volumes that were offered, and nine tenths of which were sent; ratios are multiples of `step`."""
    table = export(intervals=60).rename(columns={VOLUME: OFFERED})
    ratios = table[RATIO].to_numpy().reshape(-1, 3) // step * step
    ratios[:, 0] += 100 - ratios.sum(axis=1)
    table[RATIO] = ratios.ravel()
    if sent:
        table[SENT] = 0.9 * table[OFFERED]
    return table.rename(columns={RATIO: allocation})


def checks(found):
    """What is to be checked, by key."""
    return dict(line.split(": ", 1) for line in to_check(found.mapping_yaml()))


@pytest.mark.parametrize("first", [OFFERED, SENT])
def test_spectral_efficiency_is_of_what_was_sent_and_arrivals_are_what_was_offered(first):
    table = counters()
    found = inspect_log(table[[first, *table.columns.drop(first)]])
    assert found.keys["arrivals"]["column"] == OFFERED
    assert found.keys["spectral_efficiency"]["column"] == "drb_rlcsdutransmittedvolumedl"
    assert OFFERED not in found.keys["performance"]
    assert found.roles[SENT] == "performance"
    assert "was carried over the whole band" in checks(found)["spectral_efficiency"]


def test_of_the_arrivals_own_volume_it_is_said_that_efficiency_hardly_depends_on_the_allocation():
    found = inspect_log(counters(sent=False))
    assert found.keys["spectral_efficiency"]["column"] == "drb_pdcpsduvolumedl"
    assert "was offered, and not what was transmitted, SE hardly depends" in checks(found)["spectral_efficiency"]
    assert "carried" not in checks(found)["spectral_efficiency"]
    sent = inspect_log(counters().drop(columns=OFFERED))
    assert sent.keys["spectral_efficiency"]["column"] == sent.keys["performance"][SENT]["name"]
    assert "was carried over the whole band" in checks(sent)["spectral_efficiency"]


@pytest.mark.parametrize("name", ["rRMPolicyDedicatedRatio", "quota_pct", "slice share", "Percent of PRB"])
def test_what_is_called_a_ratio_and_adds_up_to_100_is_percent(name):
    found = inspect_log(counters(allocation=name))
    assert found.keys["allocation"] == {"column": name, "as": "percent"}
    assert "allocation" not in checks(found)


@pytest.mark.parametrize(("name", "doubtful"), [("quota", True), ("slice_quota", True), ("prb", False), ("RBs", False)])
def test_what_adds_up_to_100_and_may_be_percent_is_to_be_checked(name, doubtful):
    found = inspect_log(counters(allocation=name))
    assert found.keys["allocation"] == name
    assert ("allocation" in checks(found)) == doubtful
    if doubtful:
        assert f"of percents this is {{column: {name}, as: percent}}" in checks(found)["allocation"]


@pytest.mark.parametrize("absent", [False, True])
def test_the_line_for_percents_can_be_pasted_and_read(absent):
    """Whatever the column's name, and where units are idle for a slice is absent."""
    table = counters(allocation=f"quota: {'x' * 250}, 'a' # b")
    name = table.columns[[str(each).startswith("quota") for each in table.columns]][0]
    if absent:
        table = table.drop(index=table.index[-60::3])
    found = inspect_log(table)
    advice = yaml.safe_load(checks(found)["allocation"].partition("of percents this is ")[2])
    assert advice == {"column": name, "as": "percent"} | ({"idle": True} if absent else {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        assert len(read_log(table, LogMapping.from_dict(found.keys | {"allocation": advice}))) > 0


def test_what_adds_up_to_less_than_the_next_carrier_is_not_said_to_be_percent():
    table = counters(allocation="quota")
    quota = table["quota"].to_numpy().reshape(-1, 3).copy()
    quota[:, 0] -= 11 + np.arange(len(quota)) % 3
    table["quota"] = np.maximum(quota, 1).ravel()
    found = inspect_log(table)
    assert found.facts.allocations.total == 100
    assert found.keys["allocation"] == {"column": "quota", "idle": True}
    assert "allocation" not in checks(found)


@pytest.mark.parametrize("name", ["rRMPolicyMaxRatio", "rRMPolicyMinRatio", "max pct"])
@pytest.mark.parametrize(("counted_as", "whole"), [("percent", 1), ("share", 100)])
def test_of_bounds_it_is_to_be_checked_whether_they_were_given(name, counted_as, whole):
    table = counters(allocation=name)
    found = inspect_log(table.assign(**{name: table[name] / whole}))
    capped = counted_as == "percent" and "Min" not in name
    assert found.keys["allocation"] == {"column": name, "as": "caps" if capped else counted_as}
    said = "the most that a slice may use, in percents: caps of 100 units" if capped else "a minimum no allocation"
    assert said in checks(found)["allocation"]


def ratios(name, low, high):
    """A log of ratios that add up to `low` to `high`."""
    table = counters(allocation=name)
    given = table[name].to_numpy().reshape(-1, 3).copy()
    more = np.random.default_rng(0).integers(low, high + 1, len(given)) - 100
    given[:, 0] += np.minimum(more, 0)
    given[:, 2] += np.maximum(more, 0)
    return table.assign(**{name: given.ravel()}), given


@pytest.mark.parametrize("name", ["rRMPolicyDedicatedRatio [%]", "RRM Dedicated Ratio [%]", "dedicated_pct"])
@pytest.mark.parametrize(("low", "high"), [(85, 100), (80, 95), (90, 90)])
def test_ratios_that_leave_some_to_nobody_are_percents_whatever_they_add_up_to(name, low, high):
    table, given = ratios(name, low, high)
    found = inspect_log(table)
    assert found.what == "allocation"
    assert found.keys["allocation"] == {"column": name, "as": "percent", "idle": True}
    sums = "90, not to 100; 10 belong" if low == high else f"{low} to {high}, not always to 100; "
    assert f"idle units: {name} adds up to {sums}" in found.report()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        history = read_log(table, found.proposal)
    first = int(found.facts.allocation_is == "in_force")
    own, given = history.allocation, given[first : first + len(history)]
    less = given.sum(axis=1) < 98  # nearer to 100 they count as rounded
    np.testing.assert_array_equal(own[less, :3], given[less])
    np.testing.assert_array_equal(own[less, 3], 100 - given[less].sum(axis=1))


def test_maxima_are_caps_of_100_units_however_much_they_add_up_to():
    name = "rRMPolicyMaxRatio [%]"
    table, _ = ratios(name, 90, 130)
    found = inspect_log(table)
    assert found.keys["allocation"] == {"column": name, "as": "caps", "idle": True}
    (said,) = [str(each) for each in found.findings if each.key == "bound"]
    assert "read as caps (as: caps) of 100 units; they add up to 90 to 130, and what is beyond 100 is shared" in said
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        history = read_log(table, found.proposal)
    held = {tuple(row) for row in found.facts.allocations.units.astype(int).tolist()}
    assert {tuple(row) for row in history.allocation[:, :3].tolist()} <= held


@pytest.mark.parametrize("name", ["rRMPolicyMaxRatio [%]", "prb_max_pct"])
def test_maxima_with_fractions_are_no_units_and_a_query_makes_them_caps(name):
    table, _ = ratios(name, 90, 130)
    table[name] = table[name] + np.tile([0.5, 0.5, 0.5], len(table) // 3)
    found = inspect_log(table)
    assert found.what == "passive"
    query = re.search(r"these have fractions: (SELECT .* FROM log)\)", found.report())[1]
    rounded = inspect_log(table, query=query)
    assert rounded.keys["allocation"] == {"column": name, "as": "caps", "idle": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        assert len(read_log(table, rounded.proposal)) > 0


def test_minima_in_percents_are_bounds_where_they_are_counted_as_units():
    table, _ = ratios("prb_min_pct", 120, 140)
    found = inspect_log(table)
    assert found.facts.allocations.counted_as == "units"
    assert "prb_min_pct is by its name a guaranteed minimum" in found.report()
    assert "minimum no allocation" in checks(found)["allocation"]


@pytest.mark.parametrize("name", ["dedicated_preamble_ratio", "Dedicated RACH Ratio [%]", "dedicated_bearer_pct"])
def test_ratios_of_access_are_no_allocation(name):
    assert inspect_log(ratios(name, 80, 95)[0]).what == "passive"


def test_what_was_dedicated_counts_before_bounds_and_what_was_used_is_no_policy():
    table, given = ratios("rRMPolicyDedicatedRatio", 85, 100)
    table["rRMPolicyMaxRatio"] = 100
    table["rRMPolicyMinRatio"] = np.maximum(given - 3, 0).ravel()
    table["Dedicated PRB used [%]"] = (given // 2).ravel()
    assert inspect_log(table).facts.allocations.column == "rRMPolicyDedicatedRatio"
    without = table.drop(columns="rRMPolicyDedicatedRatio")
    assert inspect_log(without).what == "passive"
    assert "(rRMPolicyMinRatio: a guaranteed minimum is no allocation, as a slice" in inspect_log(without).report()
    alone, _ = ratios("rRMPolicyDedicatedRatio", 120, 140)  # no part of 100 percent
    assert inspect_log(alone).what == "passive"


def test_shares_that_are_multiples_of_nothing_are_said_to_be_rounded():
    table = counters(step=5)
    exact = inspect_log(table)
    ratios = table["rRMPolicyDedicatedRatio"].to_numpy(float).reshape(-1, 3).copy()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, len(ratios))
    ratios[:, 0] += noise
    ratios[:, 1] -= noise
    rounded = inspect_log(table.assign(rRMPolicyDedicatedRatio=ratios.ravel()))
    for found, what, short in (
        (exact, "all multiples of 1 / 20", "whole multiples of 1/20"),
        (rounded, "rounded to multiples of 1 / 100", "rounded to multiples of 1/100"),
    ):
        assert f"parts of the band, {what}, and not how wide" in checks(found)["scenario"]
        assert short in next(each.message for each in found.findings if each.key == "shares")


def test_of_shares_the_width_of_the_band_is_to_be_put_in():
    """With the carrier's in place of the guess, units are the log's steps, and are 5 percent of it each."""
    table = counters(step=5)
    found = inspect_log(table)
    assert "put your carrier's bandwidth_hz, and bandwidth_hz / 20 as resolution_hz" in checks(found)["scenario"]
    radio = found.keys["scenario"]["radio"] | {"bandwidth_hz": 38.16e6, "resolution_hz": 38.16e6 / 20}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        history = read_log(
            table, LogMapping.from_dict(found.keys | {"scenario": found.keys["scenario"] | {"radio": radio}})
        )
    shares = table["rRMPolicyDedicatedRatio"].to_numpy().reshape(-1, 3)
    steps = {tuple(row) for row in (shares // 5).tolist()}
    assert {tuple(row) for row in history.allocation.tolist()} <= steps
    assert set(history.allocation.sum(axis=1)) == {20}
    volume = table[SENT].to_numpy().reshape(-1, 3).sum(axis=1) * 1e6 / 900
    np.testing.assert_allclose(history.spectral_efficiency, volume[1:] / 38.16e6, rtol=1e-4)
