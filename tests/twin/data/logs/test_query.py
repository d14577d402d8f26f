"""A mapping's query shapes the log, and can do nothing but read it."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

from tests.twin.data.logs.conftest import CASES, mapping_of
from twin.data.logs import read_log, read_table


@pytest.fixture
def log(tmp_path):
    (tmp_path / "log").mkdir()
    file = tmp_path / "log" / "a.csv"
    file.write_bytes((CASES / "01_decided.csv").read_bytes())
    (tmp_path / "outside.csv").write_text("secret\n1\n")
    return file


def test_a_query_shapes_the_log_before_anything_else(decided):
    query = """
        SELECT t, slice, sum("packets [pkt]") AS pkts, any_value("PRB granted next") AS prb_next,
               sum("throughput downlink [Mbps]") AS rate_mbps
        FROM (SELECT *, dense_rank() OVER (ORDER BY time) - 1 AS t FROM log) GROUP BY ALL
    """
    history = read_log(CASES / "04_row_per_ue.csv", mapping_of(query=query))
    np.testing.assert_array_equal(history.allocation, decided.allocation)
    np.testing.assert_array_equal(history.arrivals, decided.arrivals)
    np.testing.assert_array_equal(history.interval, decided.interval)


def test_numbers_are_numbers_in_a_query():
    query = "SELECT sum(rate_mbps) AS total FROM log"
    total = read_table(CASES / "03_epoch_ms_semicolon.csv", query=query).columns["total"][0]
    assert total == pytest.approx(read_table(CASES / "01_decided.csv").columns["rate_mbps"].sum())


def test_a_query_may_join_what_lies_in_the_folder_of_the_log(log):
    (log.parent / "names.csv").write_text("slice,number\nembb,1\nmtc,2\nurllc,3\n")
    query = f"SELECT log.*, number FROM log JOIN '{log.parent / 'names.csv'}' USING (slice) ORDER BY t, slice"
    assert read_table(log, query=query).columns["number"][:3].tolist() == [1, 2, 3]


REFUSED = {
    "copy out": "COPY (SELECT 1) TO '{outside}/new.csv'",
    "copy into the folder": "COPY (SELECT 1) TO '{inside}/new.csv'",
    "copy after a select": "SELECT * FROM log; COPY (SELECT 1) TO '{inside}/new.csv'",
    "copy in brackets": "SELECT 1) ; COPY (SELECT 1) TO '{inside}/new.csv'; SELECT (1",
    "attach": "ATTACH '{inside}/new.db'",
    "attach outside": "ATTACH '{outside}/new.db'",
    "export": "EXPORT DATABASE '{inside}/new'",
    "read outside": "SELECT * FROM '{outside}/outside.csv'",
    "read upwards": "SELECT * FROM read_csv('{inside}/../outside.csv')",
    "read text": "SELECT * FROM read_text('/etc/hostname')",
    "list": "SELECT * FROM glob('{outside}/*')",
    "unlock": "SET enable_external_access = true",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "pragma": "PRAGMA database_list",
    "create": "CREATE TABLE other AS SELECT 1",
    "variable of Python": "SELECT * FROM secret_frame",
    "nothing": "",
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_query_can_do_nothing_but_read_the_log(log, tmp_path, case):
    secret_frame = duckdb.sql("SELECT 1 AS secret").df()
    assert len(secret_frame) == 1
    before = sorted(tmp_path.rglob("*"))
    query = REFUSED[case].format(inside=log.parent, outside=tmp_path)
    with pytest.raises(ValueError, match=r"mapping\.query:") as caught:
        read_table(log, query=query)
    assert len(str(caught.value).splitlines()) < 10
    assert sorted(tmp_path.rglob("*")) == before


def test_a_query_that_fails_says_why_in_few_lines(log):
    with pytest.raises(ValueError, match=r'mapping\.query: line 1: .*"packets" not found') as caught:
        read_table(log, query="SELECT packets\nFROM log")
    with pytest.raises(ValueError, match=r"mapping\.query: line 3: "):
        read_table(log, query="SELECT pkts\nFROM log\nWHERE wrong")
    assert "LINE" in str(caught.value)
    assert len(str(caught.value).splitlines()) < 10
