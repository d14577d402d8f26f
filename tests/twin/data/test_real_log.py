"""The log of an emulator (Colosseum), read and compared with its own rows."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
import yaml

from twin.data.logs import LogMapping, LogWarning, read_log

ROOT = Path(__file__).resolve().parents[3]


LOG = Path(os.environ.get("SLICING_GYM_LOG", ROOT.parent / "shared" / "data" / "colosseum_slicing_log.csv"))


@pytest.fixture(scope="module")
def colosseum():
    if not LOG.is_file():
        pytest.skip(f"the log {LOG} is not here; SLICING_GYM_LOG may name it")
    with (ROOT / "conf" / "mapping" / "colosseum.yaml").open() as file:
        mapping = LogMapping.from_dict(yaml.safe_load(file))
    with LOG.open() as file:
        rows = list(csv.DictReader(file))
    with pytest.warns(LogWarning, match=r"11 of 1176 allocations"):
        return read_log(LOG, mapping), rows


def test_the_real_log_is_read_whole(colosseum):
    history, rows = colosseum
    experiments = list(dict.fromkeys(row["experiment"] for row in rows))
    assert history.runs.tolist() == list(range(16)) == list(range(len(experiments)))
    assert len(history) == 8817 == len(rows) // 3 - 16
    assert (history.allocation.sum(axis=1) == 50).all()
    assert history.allocation.min() >= 1
    for number, name in enumerate(experiments):
        packets = [int(row["tx_packets"]) for row in rows if row["experiment"] == name]
        assert history.arrivals[history.run == number].sum() == sum(packets[:-3])
        assert history.next_arrivals[history.run == number].sum() == sum(packets[3:])


@pytest.mark.parametrize("interval", [0, 200])
def test_a_decision_of_the_real_log_is_what_its_rows_say(colosseum, interval):
    history, rows = colosseum
    name = "action-steering/spring-2023/exp17"
    number = list(dict.fromkeys(row["experiment"] for row in rows)).index(name)
    now, then = (
        sorted(
            (row for row in rows if row["experiment"] == name and int(row["interval"]) == each),
            key=lambda row: int(row["slice"]),
        )
        for each in (interval, interval + 1)
    )
    decision = history.take((history.run == number) & (history.interval == interval))
    assert len(decision) == 1
    assert decision.allocation[0].tolist() == [int(row["action_prb"]) for row in now]
    assert decision.controls["action_scheduler"][0].tolist() == [int(row["action_scheduler"]) for row in now]
    assert decision.arrivals[0].tolist() == [int(row["tx_packets"]) for row in now]
    assert decision.next_arrivals[0].tolist() == [int(row["tx_packets"]) for row in then]
    for column in ("tx_brate_mbps", "dl_buffer_bytes", "prb", "prb_grant_ratio", "reports"):
        assert decision.performance[column][0].tolist() == [float(row[column]) for row in then]
    bounds = (1000.0, 100.0, 100.0)
    short = [float(row["dl_buffer_bytes"]) <= bound for row, bound in zip(then, bounds, strict=True)]
    assert decision.ssr[0].tolist() == short
    users = [part.num_users for part in history.scenario.slices]
    rate = sum(count * float(row["tx_brate_mbps"]) * 1e6 for count, row in zip(users, then, strict=True))
    assert decision.spectral_efficiency[0] == pytest.approx(rate / 9e6)
    if interval == 200:  # as it stands in the file
        assert decision.allocation[0].tolist() == [30, 9, 11]
        assert decision.arrivals[0].tolist() == [179, 263, 184]
        assert decision.next_arrivals[0].tolist() == [179, 204, 316]
        assert decision.performance["tx_brate_mbps"][0].tolist() == [2.145, 0.19, 0.227]
