"""The tables of KPIs in docs/logs.md: their keys are a mapping's, and the mapping below them reads such a log."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.twin.data.logs.conftest import scenario
from twin import LogMapping, read_log

ROOT = Path(__file__).resolve().parents[4]
CONF = ROOT / "conf" / "mapping"
SECTION = (ROOT / "docs" / "logs.md").read_text().split("### KPIs by their standard names")[1].split("\n### ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in SECTION.splitlines() if line[:1] == "|"]
SLICES = ("1-000001", "2-000001", "3-000001")


def named(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_every_key_is_one_that_a_mapping_takes():
    keys = {field.name for field in fields(LogMapping)}
    shown = {key for row in ROWS for key in named(row[3])}
    assert len(shown) > 8
    assert shown <= keys
    assert all(named(row[3]) for row in ROWS if row[0] not in ("KPI", "column", "---"))


def test_columns_of_scope_are_those_of_its_mapping():
    shown = [named(row[0])[0] for row in ROWS[[row[0] for row in ROWS].index("column") + 2 :]]
    mapping = (CONF / "colosseum_scope.yaml").read_text()
    assert len(shown) == 8
    assert [name for name in shown if name not in mapping] == []


def kpis(periods=40):
    """A log of the first table."""
    noise = np.random.default_rng(0)
    rows = []
    for time in range(periods):
        caps = noise.permutation([50, 30, 20])
        for number, name in enumerate(SLICES):
            offered = int(8 * noise.integers(100, 200))
            rows.append(
                {
                    "time": 1_700_000_000 + time,
                    "snssai": name,
                    "DRB.PdcpSduVolumeDL": offered,
                    "DRB.RlcSduTransmittedVolumeDL": offered if number < 2 else 9 * offered // 10,
                    "DRB.UEThpDl": 4000.0 + offered,
                    "DRB.RlcSduDelayDl": 40.0 + 20.0 * (time % 2),
                    "DRB.PdcpSduDelayDl": 2.0,
                    "DRB.PdcpPacketDropRateDl": 0,
                    "DRB.RlcPacketDropRateDl": 1000,
                    "RRU.PrbUsedDl": 7,
                    "RRU.PrbTotDl": 42,
                    "RRU.PrbAvailDl": 50,
                    "DRB.MeanActiveUeDl": 3.0,
                    "RRC.ConnMean": 12,
                    "rRMPolicyMaxRatio": int(caps[number]),
                }
            )
    return pd.DataFrame(rows)


@pytest.mark.filterwarnings("ignore::twin.LogWarning")
def test_the_mapping_reads_a_log_with_these_names():
    log = kpis()
    (text,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    mapping = LogMapping.from_dict({**yaml.safe_load(text), "scenario": scenario()})
    history = read_log(log, mapping)
    wanted = {name for row in ROWS for name in named(row[0]) if "." in name or name == "rRMPolicyMaxRatio"}
    assert wanted <= set(log.columns)
    first, second = (log[log.time == 1_700_000_000 + n] for n in (0, 1))
    np.testing.assert_array_equal(history.arrivals[0][:3], first["DRB.PdcpSduVolumeDL"] / 8)
    assert history.allocation[0].tolist() == [*(second.rRMPolicyMaxRatio // 2), 0]
    sent = second["DRB.RlcSduTransmittedVolumeDL"].sum() * 1000  # bit in a second
    assert history.spectral_efficiency[0] == pytest.approx(sent / 10e6)
    assert history.ssr[0][:3].tolist() == [1.0, 1.0, 0.0]  # 6 ms, of which URLLC allows 5
