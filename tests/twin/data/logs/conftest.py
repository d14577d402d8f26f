"""The logs of `tests/data/logs` and what their columns mean."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from twin.data.logs import LogMapping, LogWarning, read_log

CASES = Path(__file__).resolve().parents[3] / "data" / "logs"

SLICES = {"embb": (2, 60.0), "mtc": (3, 40.0), "urllc": (4, 30.0)}
"""Users, and packets of an interval."""


def scenario() -> dict:
    """50 units and three slices, as builtin types."""
    return {
        "name": "cases",
        "radio": {"bandwidth_hz": 10e6, "resolution_hz": 200e3, "slot_s": 0.001, "slots_per_interval": 1000},
        "slices": {
            name: {
                "num_users": users,
                "traffic": {
                    "interarrival_s": {"kind": "constant", "value": users / packets},
                    "packet_size_byte": {"kind": "constant", "value": 1000},
                },
                "rate_sla_bps": 1e5,
                "latency_sla_s": 0.1,
            }
            for name, (users, packets) in SLICES.items()
        },
    }


def mapping_of(**changes) -> LogMapping:
    """The mapping of `01_decided.csv`, with changes; None takes a key out."""
    keys = {
        "interval": "t",
        "slice": "slice",
        "arrivals": "pkts",
        "allocation": "prb_next",
        "performance": {"rate_mbps": {"name": "rate", "unit": "Mbit/s"}},
        "ssr": {"column": "rate", "at_least": [1.0, 1.0, 2.0]},
        "spectral_efficiency": {"column": "rate", "unit_bps": 1e6, "users": 1},
        "scenario": scenario(),
        **changes,
    }
    return LogMapping.from_dict({key: value for key, value in keys.items() if value is not None})


def mapping_of_users(rate="sum", **changes) -> LogMapping:
    """The mapping of `04_row_per_ue.csv`, with what becomes of the rates of a slice's users, and changes."""
    return mapping_of(
        interval=None,
        time={"column": "time", "unit": "iso"},
        arrivals="packets [pkt]",
        allocation="PRB granted next",
        performance={"throughput downlink [Mbps]": {"name": "rate"}, "ues": {"whole": True}},
        aggregate={"by": "ue", "arrivals": "sum", "rate": rate, "ues": "count"},
        **changes,
    )


def quietly(files, mapping):
    """The history, and what was said about the log."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = read_log(files, mapping)
    assert all(each.category is LogWarning for each in caught)
    return history, "\n".join(str(each.message) for each in caught)


@pytest.fixture(scope="session")
def decided():
    """The history in `01_decided.csv`."""
    return read_log(CASES / "01_decided.csv", mapping_of())
