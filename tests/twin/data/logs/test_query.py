"""A mapping's query shapes the log, and can do nothing but read it."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

from tests.twin.data.logs.conftest import CASES, mapping_of
from twin.data.logs import LogWarning, read_log, read_table


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


def with_nil(log, cells=(4, 9)):
    """The log with NIL in some rows' rates, and its mapping's `missing` for it."""
    lines = log.read_text().splitlines()
    place = lines[0].split(",").index("rate_mbps")
    for row in cells:
        fields = lines[row].split(",")
        fields[place] = "NIL"
        lines[row] = ",".join(fields)
    log.write_text("\n".join(lines) + "\n")
    return {"missing": ["NIL"], "missing_is": "gap"}


@pytest.mark.filterwarnings("ignore::twin.data.logs.LogWarning")
@pytest.mark.parametrize(
    "query", ["SELECT * FROM log", "SELECT * REPLACE (nullif(rate_mbps, -1) AS rate_mbps) FROM log"]
)
def test_a_query_takes_nothing_from_what_is_missing(log, query):
    rules = with_nil(log)
    plain, shaped = (read_log(log, mapping_of(query=each, **rules)) for each in (None, query))
    assert 0 < len(shaped) == len(plain) < len(read_log(CASES / "01_decided.csv", mapping_of()))
    np.testing.assert_array_equal(shaped.arrivals, plain.arrivals)


def test_without_missing_null_of_a_query_is_refused_with_what_to_write(log):
    with_nil(log, (4,))
    message = (
        r'rate_mbps: nothing stands in row 4 of the query\'s result, .* \(or "" under missing, if it was not measured'
    )
    with pytest.raises(ValueError, match=message):
        read_log(log, mapping_of(query="SELECT * FROM log"))
    with pytest.warns(LogWarning, match="1 missing value"):
        read_log(log, mapping_of(query="SELECT * FROM log", missing=[""]))


def test_of_a_slice_that_is_empty_nothing_is_said_of_missing(log):
    with pytest.raises(ValueError, match=r"slice: nothing stands in row 1 of the query's result, .* every row$"):
        read_log(
            log, mapping_of(query="SELECT * REPLACE (CASE WHEN t > 0 OR slice > 'f' THEN slice END AS slice) FROM log")
        )


def test_what_a_query_adds_need_not_be_named(log):
    """SELECT * brings the name of the file; what the log itself has is to be named all the same."""
    assert len(read_log(log, mapping_of(query="SELECT * FROM log"))) > 0
    with pytest.raises(ValueError, match="does not name column 'twice'"):
        read_log(log, mapping_of(query="SELECT *, 2 * pkts AS twice FROM log"))
