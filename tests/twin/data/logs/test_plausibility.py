"""What the import of a log finds implausible: a rate in another unit, bounds that are met always or never."""

from __future__ import annotations

import pytest

from tests.twin.data.logs.conftest import CASES, mapping_of, quietly, scenario

LOG = CASES / "01_decided.csv"


def said(unit_bps=1e6, bounds=(1.0, 1.0, 2.0), layers=None):
    """What is said of a log whose rate is some 7 Mbit/s over 10 MHz."""
    network = scenario()
    if layers is not None:
        network["radio"]["multiplexing_gain"] = layers
    rules = {
        "ssr": {"column": "rate", "at_least": list(bounds)},
        "spectral_efficiency": {"column": "rate", "unit_bps": unit_bps, "users": 1},
    }
    return quietly(LOG, mapping_of(scenario=network, **rules))[1]


@pytest.mark.parametrize(
    ("unit_bps", "layers", "bound"),
    [
        (1e9, None, "30 at its peak"),
        (1e8, 1.0, "10 with 1 layer (multiplexing_gain)"),
        (1e9, 4.0, "40 with 4 layers (multiplexing_gain)"),
        (1e6, 1.0, None),
        (2e7, None, None),
        (2e7, 4.0, None),
        (2e7, 1.0, "10 with 1 layer (multiplexing_gain)"),
    ],
)
def test_a_rate_in_another_unit_is_said(unit_bps, layers, bound):
    found = said(unit_bps, layers=layers)
    if bound is None:
        assert found == ""
    else:
        assert "bit/s/Hz in the mean, and a link carries no more than " + bound in found
        assert f"is column 'rate' in units of {unit_bps:g} bit/s (unit_bps)?" in found


@pytest.mark.parametrize(("block_hz", "blocks"), [(180e3, "546"), (360e3, None)])
def test_more_blocks_than_any_carrier_has_are_said(block_hz, blocks):
    network = scenario()
    network["radio"] |= {"bandwidth_hz": 98.28e6, "resolution_hz": 98.28e6 / 50, "resource_block_hz": block_hz}
    found = quietly(LOG, mapping_of(scenario=network))[1]
    assert found.startswith(f"scenario.radio: 98.28 MHz are {blocks} blocks of 180 kHz") if blocks else found == ""


@pytest.mark.parametrize(
    ("bounds", "met"),
    [
        ((1.0, 1.0, 2.0), ""),
        ((99.0, 1.0, 2.0), "ssr: never met: embb (159 decisions): look at the bounds on 'rate'; "),
        ((99.0, 0.0, 0.0), "ssr: never met: embb; always met: mtc, urllc (159 decisions): look at the bounds"),
    ],
)
def test_bounds_that_are_met_always_or_never_are_said(bounds, met):
    found = said(bounds=bounds)
    assert found == met or (met and found.startswith(met))


@pytest.mark.parametrize(("name", "side"), [("dl_delay", "at_least"), ("dl_delay", "at_most"), ("rate", "at_least")])
def test_a_reward_for_late_packets_is_said(name, side):
    (column,) = mapping_of().to_dict()["performance"]
    given = mapping_of(
        performance={column: {"name": name}}, ssr={"column": name, side: [1.0, 1.0, 2.0]}, spectral_efficiency=None
    )
    late = "ssr: at_least given, and 'dl_delay' says a delay: met where packets are late; is at_most meant?"
    assert (late in quietly(LOG, given)[1]) == (name == "dl_delay" and side == "at_least")
