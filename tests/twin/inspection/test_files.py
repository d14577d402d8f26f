"""Files of logs: how they are written, several at once, and those that are no table."""

from __future__ import annotations

import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest

from tests.twin.inspection.test_shapes import cell, keys_of
from twin import inspect_log
from twin.data.logs.preamble import is_blank


def _commas(columns, quote="", delimiter=","):
    """A CSV file in which some columns have decimal commas."""
    rows = [["t", "slice", "ssr", "rate"]]
    for row in range(120):
        values = [f"{row // 3}.5", "abc"[row % 3], f"{row % 7 / 7:.2f}", f"{row % 11 / 3:.3f}"]
        for column in columns:
            values[column] = f"{quote}{values[column].replace('.', ',')}{quote}"
        rows.append(values)
    return "\n".join(map(delimiter.join, rows)).encode()


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (
            _commas([3]),
            "out (a reader that makes the first column an index shifts every column); if numbers have decimal",
        ),
        (
            _commas([2, 3], '"'),
            "texts that look like numbers with decimal commas: ssr, rate; write it with ';' between",
        ),
        (_commas([2], delimiter=";"), None),
        (_commas([]), None),
        (
            b"t,slice,bits\n"
            + b"".join(b'%d,%c,"%d,%d"\n' % (n // 3, b"abc"[n % 3], n + 1, n + 100) for n in range(90)),
            None,
        ),
    ],
)
def test_decimal_commas_between_commas_are_told(tmp_path, content, finding):
    (tmp_path / "x.csv").write_bytes(content)
    told = [text for text in map(str, inspect_log(tmp_path / "x.csv").findings) if "write it with ';'" in text]
    assert len(told) == (finding is not None)
    assert finding is None or finding in told[0]


def test_files_of_a_folder_an_archive_and_packed_ones_are_runs(tmp_path):
    for seed in range(2):
        cell(seed=seed).to_csv(tmp_path / f"{seed}.csv", index=False)
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for seed in range(2):
            archive.write(tmp_path / f"{seed}.csv", f"{seed}.csv")
    (tmp_path / "packed").mkdir()
    for seed in range(2):
        (tmp_path / "packed" / f"{seed}.csv.gz").write_bytes(gzip.compress((tmp_path / f"{seed}.csv").read_bytes()))
    for log in (
        tmp_path / "*.csv",
        tmp_path / "both.zip",
        tmp_path / "packed",
        [tmp_path / f"{n}.csv" for n in (0, 1)],
    ):
        found = inspect_log(log)
        assert found.num_rows == 1200
        assert len(found.facts.runs) == 2
        assert found.keys["run"] == "file"
        assert not {"cells", "time_back"} & set(keys_of(found))


def test_a_file_a_user_is_one_run(tmp_path):
    """As SCOPE and ColO-RAN write their metrics: a slice's PRBs stand in the file of each of its users."""
    rng = np.random.default_rng(0)
    for user in range(4):
        frame = {
            "Timestamp": 1602000000000 + 250 * np.arange(60),
            "IMSI": 1010123456000 + user,
            "RNTI": 70 + user,
            "slice_id": user // 2,
            "slice_prb": [36, 14][user // 2],
            "scheduling_policy": 0,
            "tx_brate downlink [Mbps]": rng.uniform(0.0, 4.0, 60).round(3),
            "tx_pkts downlink": rng.integers(0, 120, 60),
        }
        pd.DataFrame(frame).to_csv(tmp_path / f"{user}_metrics.csv", index=False)
    found = inspect_log(tmp_path)
    assert found.what == "constant"
    assert "SCOPE" in found.report().splitlines()[0]
    assert len(found.facts.runs) == 1
    assert "run" not in found.keys
    assert found.facts.grid.rows.min() == found.facts.grid.rows.max() == 2
    assert found.keys["aggregate"] == {
        "by": "IMSI",
        "tx_pkts downlink": "sum",
        "tx_brate downlink [Mbps]": "sum",
        "ues": "count",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, allowed is a table with a line of names"),
        (b"\n\r\n  \n", "is empty, allowed is"),
        (b" " * 100_000, "is empty, allowed is"),
        (b"a,b,c\n", "has no rows"),
        (bytes(range(256)) * 8, "is not a table"),
        (_commas([0, 2, 3]), "more fields than its header, as where numbers have decimal commas .* write it with ';'"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path, content, message):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message) as refused:
        inspect_log(tmp_path / "x.csv")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_an_empty_file_among_others_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("t,slice,pkts\n" + "".join(f"{t},a,{t % 7}\n" for t in range(50)))
    with gzip.open(tmp_path / "b.csv.gz", "wb") as file:
        file.write(b"\n")
    with pytest.raises(ValueError, match=r"log: '.*b\.csv\.gz' is empty, allowed is a table with a line of names"):
        inspect_log(tmp_path)


def test_a_file_that_begins_with_many_blanks_is_not_empty(tmp_path):
    """It may be no table to DuckDB, but is not said to be empty."""
    file = tmp_path / "x.csv"
    file.write_text("\n" * 70_000 + "t,slice,pkts\n" + "".join(f"{t},a,{t % 7}\n" for t in range(50)))
    assert not is_blank(file)
    file.write_text("\n" * 140_000)
    assert is_blank(file)


def test_what_is_no_log_is_said_and_nothing_is_proposed(tmp_path):
    (tmp_path / "x.csv").write_text("name,colour\nx,red\ny,blue\n")
    found = inspect_log(tmp_path / "x.csv")
    assert found.what == "nothing"
    assert "no column says when" in str(found.findings[0])
    assert (found.proposal, found.keys) == (None, {})
    assert found.mapping_yaml().startswith("# No mapping can be proposed")


def test_a_query_shapes_the_log_before_it_is_looked_at(tmp_path):
    cell().rename(columns={"prb": "x", "dl_pkts": "y"}).to_csv(tmp_path / "x.csv", index=False)
    query = "SELECT interval, slice_id, y AS packets, x AS prb_next, thp_mbps FROM log"
    cell(seed=1).rename(columns={"prb": "x", "dl_pkts": "y"}).to_csv(tmp_path / "y.csv", index=False)
    assert "run" not in inspect_log(tmp_path, query=query).keys  # the files are not told apart any more
    found = inspect_log(tmp_path / "x.csv", query=query)
    assert found.proposal.query == query
    assert found.facts.arrivals == "packets"
    assert found.facts.allocation_is == "decided"


def test_a_name_that_is_very_long_is_a_name(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text(f"t,{'x' * 200_000}\n1,2\n")
    assert inspect_log(path).num_rows == 1


def test_separated_thousands_are_named(tmp_path):
    rows = [f"{t};a;{'1.483' if t % 7 == 0 else 637 + t};0,{t % 9 + 1}" for t in range(60)]
    (tmp_path / "x.csv").write_text("\n".join(["t;slice;volume;share", *rows]) + "\n")
    found = [each.message for each in inspect_log(tmp_path / "x.csv").findings if each.key == "dialect"]
    assert "'.' between thousands, which is left out, in volume" in found
