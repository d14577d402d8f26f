"""Metrics folders of SCOPE, made up in the documented form: one file per user, empty columns, 250 ms a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.twin.data.logs.conftest import quietly
from twin.data.logs import LogMapping

MAPPING = Path(__file__).resolve().parents[4] / "conf" / "mapping" / "colosseum_scope.yaml"

HEADER = (
    "Timestamp,num_ues,IMSI,RNTI,,slicing_enabled,slice_id,slice_prb,power_multiplier,scheduling_policy,,dl_mcs,"
    "dl_n_samples,dl_buffer [bytes],tx_brate downlink [Mbps],tx_pkts downlink,tx_errors downlink (%),dl_cqi,,ul_mcs,"
    "ul_n_samples,ul_buffer [bytes],rx_brate uplink [Mbps],rx_pkts uplink,rx_errors uplink (%),ul_rssi,ul_sinr,phr,,"
    "sum_requested_prbs,sum_granted_prbs,,dl_pmi,dl_ri,ul_n,ul_turbo_iters"
)

UNITS = {0: 30, 1: 9, 2: 11}
"""Of each slice, the same in all of a run, as in the data sets."""


def write_user(folder, imsi, part, seconds, offset, units):
    """One user's rows: 2 packets and 0.5 Mbit/s a row more than its number."""
    lines = [HEADER]
    for row in range(4 * seconds):
        stamp = 1_600_000_000_000 + offset + 250 * row
        lines.append(
            f"{stamp},3,{imsi},70,,1,{part},{units},1.0,{part},,10.5,12,{100 * imsi % 1000},0.5,{2 + imsi % 3},0,9.1,,"
            "20.0,5,0,0.01,1,0,0,30.1,40.0,,20,10,,0,0,0,0"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{imsi}_metrics.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path):
    """Two cells: three slices with one or two users, of which URLLC leaves the second cell after 5 seconds."""
    for cell in (1, 2):
        inside = tmp_path / "tr0" / "exp1" / f"bs{cell}" / f"slices_bs{cell}"
        for number, part in enumerate((0, 0, 1, 2)):
            imsi = 1010123456000 + 10 * cell + number
            seconds = 5 if cell == 2 and part == 2 else 12
            write_user(inside, imsi, part, seconds, 10 * number, UNITS[part])
        (tmp_path / "tr0" / "exp1" / f"bs{cell}" / f"bs{cell}.csv").write_text("time,nof_ue\n1,3\n")  # not of the log
    return tmp_path


def test_a_folder_of_cells_is_a_history(folder):
    mapping = LogMapping.from_yaml(MAPPING)
    history, said = quietly(folder, mapping)
    assert history.runs.tolist() == [0, 1]
    assert history.scenario.slice_names == ("embb", "mtc", "urllc", "idle")
    assert len(history) == 2 * 11
    assert (history.allocation[history.run == 0] == [30, 9, 11, 0]).all()
    late = (history.run == 1) & (history.interval + 1 >= 6)
    assert (history.allocation[late] == [30, 9, 0, 11]).all()  # what URLLC held belongs to nobody
    assert history.performance["ues"][0].tolist() == [2.0, 1.0, 1.0, 0.0]
    assert history.performance["present"][late, 2].tolist() == [0.0] * late.sum()
    np.testing.assert_allclose(history.performance["tx_brate_mbps"][0], [1.0, 0.5, 0.5, 0.0])
    packets = [sum(4 * (2 + (1010123456010 + n) % 3) for n in users) for users in ((0, 1), (2,), (3,))]
    assert history.arrivals[0].tolist() == [*packets, 0]
    assert history.performance["prb_grant_ratio"][0].tolist() == [0.5, 0.5, 0.5, 0.0]
    assert history.controls["scheduling_policy"][0].tolist() == [0, 1, 2, 0]
    assert "explained far better" not in said


def test_one_cell_says_that_its_allocation_is_no_action(folder):
    history, said = quietly(folder / "tr0" / "exp1" / "bs1", LogMapping.from_yaml(MAPPING))
    assert history.runs.tolist() == [0]
    assert "the allocation is always [30, 9, 11, 0]: a constant is no action" in said
