"""Tables of any form: what is read alike, what is found about a file, and what is refused."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import zipfile

import duckdb
import numpy as np
import pytest

from tests.twin.data.logs.conftest import CASES, mapping_of, quietly
from twin.data.logs import read_table
from twin.data.logs.intervals import read_intervals


@pytest.fixture
def log(tmp_path):
    """A file of its own, in a folder of its own."""
    (tmp_path / "log").mkdir()
    file = tmp_path / "log" / "a.csv"
    file.write_bytes((CASES / "01_decided.csv").read_bytes())
    return file


def test_every_form_gives_the_same_columns(log, tmp_path):
    wanted = read_table(log).columns
    text = log.read_text()
    forms = {
        "tabs.tsv": text.replace(",", "\t").encode(),
        "bars.txt": text.replace(",", "|").encode(),
        "comma.csv": text.replace(",", ";").replace(".", ",").encode(),
        "quoted.csv": text.replace("embb", '"embb"').encode(),
        "windows.csv": text.replace("\n", "\r\n").encode(),
        "packed.csv.gz": gzip.compress(text.encode()),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.write(log, "inner/a.csv")
    duckdb.sql(f"COPY (FROM '{log}') TO '{tmp_path / 'log.parquet'}'")
    duckdb.sql(f"COPY (FROM '{log}') TO '{tmp_path / 'log.jsonl'}'")
    frame = duckdb.sql(f"FROM '{log}'").df()
    for files in [tmp_path / name for name in (*forms, "packed.zip", "log.parquet", "log.jsonl")] + [frame]:
        found = read_table(files).columns
        assert list(found) == list(wanted), files
        for name, values in wanted.items():
            assert found[name].dtype == values.dtype, (files, name)
            np.testing.assert_array_equal(found[name], values, err_msg=f"{files} {name}")


def test_times_with_a_zone_are_those_of_utc_on_every_machine(tmp_path):
    """02:00 and 02:30 stand twice in Berlin."""
    first, last = "TIMESTAMPTZ '2026-10-25 00:00:00+00'", "TIMESTAMPTZ '2026-10-25 01:30:00+00'"
    stamps = f"SELECT unnest(generate_series({first}, {last}, INTERVAL 30 MINUTE)) AS t"
    duckdb.sql(f"COPY ({stamps}) TO '{tmp_path / 'zoned.parquet'}'")
    program = f"""
import pandas as pd
from twin.data.logs import read_table
when = pd.date_range("2026-10-25", periods=4, freq="30min", tz="UTC")
frame = pd.DataFrame({{"t": when.tz_convert("Europe/Berlin")}})
for log in (frame, {str(tmp_path / "zoned.parquet")!r}):
    print(*(str(each)[11:16] for each in read_table(log).columns["t"]))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"TZ": "Europe/Berlin"},
        capture_output=True,
        text=True,
    )
    assert not run.returncode, run.stderr
    assert run.stdout.splitlines() == ["00:00 00:30 01:00 01:30"] * 2


def test_several_files_are_read_in_order(log):
    other = log.parent / "b.csv"
    other.write_text("t,slice,pkts,rate_mbps,prb_next\n7,embb,1,2.5,3\n")
    for files in (log.parent, str(log.parent / "*.csv"), [log, other]):
        table = read_table(files)
        assert table.files == (str(log), str(other))
        assert (len(table), table.file[0], table.file[-1]) == (481, 0, 1)
        assert table.columns["rate_mbps"][-1] == 2.5
        assert (table.rows[479], table.rows[480]) == (481, 2)
        assert table.where(480) == f"row 2 of {str(other)!r}"


def test_files_of_different_columns_are_refused(log):
    (log.parent / "b.csv").write_text("t,slice,pkts,rate,prb_next\n7,embb,1,2.5,3\n")
    with pytest.raises(
        ValueError, match=r"'.*b\.csv' has other columns than '.*a\.csv': only one .* 'rate', 'rate_mbps'"
    ):
        read_table(log.parent)
    (log.parent / "b.csv").write_text("slice,t,pkts,rate_mbps,prb_next\nembb,7,1,2.5,3\n")
    with pytest.raises(ValueError, match="they stand in another order"):
        read_table(log.parent)


def test_what_is_not_there_is_refused(tmp_path):
    for files, message in (
        (tmp_path / "absent.csv", r"the file '.*absent\.csv' does not exist"),
        (tmp_path, r"the folder '.*' holds no log"),
        (tmp_path / "*.csv", r"'.*\*\.csv' matches no file"),
        ([], "no files given"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            read_table(files)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(ValueError, match=r"files of several formats given \(csv, json\), allowed is one"):
        read_table(tmp_path)
    (tmp_path / "c.zip").write_text("no archive")
    with pytest.raises(ValueError, match=r"'.*c\.zip' is not a zip archive"):
        read_table(tmp_path / "c.zip")


@pytest.mark.parametrize(
    ("encoding", "advice"),
    [
        ("latin-1", "Latin-1: iconv -f LATIN1"),
        *((each, "UTF-16, as it begins: iconv -f UTF-16") for each in ("utf-16", "utf-16-be")),
    ],
)
@pytest.mark.parametrize("rows", [1, 30_000], ids=["seen at once", "beyond what is sniffed"])
def test_a_file_that_is_not_utf_8_is_named_with_what_to_do(encoding, advice, rows, tmp_path):
    path = tmp_path / "a.csv"
    text = "t,city\n" + "1,Bonn\n" * rows + "2,Köln\n"
    path.write_bytes((b"\xfe\xff" if encoding == "utf-16-be" else b"") + text.encode(encoding))
    with pytest.raises(ValueError, match=rf"^log: '.*a\.csv' is not UTF-8; write it as UTF-8 \(of {advice} ") as said:
        read_table(path)
    assert "encoding=" not in str(said.value)
    path.write_text(text, encoding="utf-8")
    assert read_table(path).columns["city"][-1] == "Köln"


def as_zst(content):
    """Fewer than 256 bytes as a frame of zstd with one block that is not compressed."""
    header = b"\x28\xb5\x2f\xfd\x20" + bytes([len(content)])
    return header + (len(content) << 3 | 1).to_bytes(3, "little") + content


@pytest.mark.parametrize(
    ("name", "pack", "encoding", "advice"),
    [
        ("a.csv.gz", gzip.compress, "latin-1", "of Latin-1: gzip -dc <file> | iconv -f LATIN1 -t UTF-8 > <new file>"),
        (
            *("a.csv.gz", gzip.compress, "utf-16"),
            "of UTF-16, as it begins: gzip -dc <file> | iconv -f UTF-16 -t UTF-8 > <new file>",
        ),
        (
            *("a.csv.zst", as_zst, "utf-16"),
            "of Latin-1: zstd -dc <file> | iconv -f LATIN1 -t UTF-8 > <new file>; "
            "of UTF-16: zstd -dc <file> | iconv -f UTF-16 -t UTF-8 > <new file>",
        ),
    ],
)
def test_so_is_one_that_is_packed(name, pack, encoding, advice, tmp_path):
    (tmp_path / name).write_bytes(pack("t,city\n1,Köln\n".encode(encoding)))
    with pytest.raises(ValueError, match=rf"{name}' is not UTF-8; write it as UTF-8 \({re.escape(advice)}\)$"):
        read_table(tmp_path / name)
    (tmp_path / name).write_bytes(pack(b"t,city\n1,Bonn\n"))
    assert read_table(tmp_path / name).columns["city"].tolist() == ["Bonn"]


def test_the_dialect_is_reported(log):
    found = read_table(CASES / "03_epoch_ms_semicolon.csv").dialect
    assert (found.delimiter, found.numbers.decimal, found.header) == (";", ",", True)
    assert read_table(log).dialect.numbers.decimal == "."
    assert read_table(CASES / "11_rows.jsonl").dialect is None


@pytest.mark.parametrize(
    ("cells", "rows", "expected"),
    [
        ("637 1.147 45", "{};{};0,5", [637, 1147, 45]),
        ("637 1.147.300 1.002", "{};{};0,5", [637, 1147300, 1002]),
        ("637 1.147,595 9,5", "{};{};0,5", [637, 1147.595, 9.5]),
        ('"637" "1,147.595" "-2,000"', "{},{},0.5", [637, 1147.595, -2000]),
        ("0.951 1.147 2", "{};{};0,5", [0.951, 1.147, 2]),  # 0.951 is not 951, so neither is 1.147 more than it says
        ("12.5 1.147 2", "{};{};0,5", [12.5, 1.147, 2]),
    ],
)
def test_thousands_may_be_separated(cells, rows, expected, tmp_path):
    separator = "," if '"' in cells else ";"
    lines = [separator.join(("t", "volume", "share")), *(rows.format(t, each) for t, each in enumerate(cells.split()))]
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
    table = read_table(tmp_path / "x.csv")
    assert table.columns["volume"].tolist() == expected
    assert table.columns["share"].tolist() == [0.5] * 3
    assert table.dialect.numbers.grouped == (("volume",) if max(expected) > 1000 else ())


def test_lists_of_numbers_are_no_separated_thousands(tmp_path):
    (tmp_path / "x.csv").write_text('t,units\n0,"100,173"\n1,"120,153"\n')
    assert read_table(tmp_path / "x.csv").columns["units"].tolist() == ["100,173", "120,153"]


def test_cells_that_are_no_numbers_are_kept_apart():
    table = read_table(CASES / "14_dirty.csv")
    assert table.columns["rate_mbps"].dtype == np.float64
    found = {name: (table.rows[each.rows].tolist(), each.texts.tolist()) for name, each in table.wrong.items()}
    assert found == {"rate_mbps": ([33, 64], ["-", ""]), "prb_next": ([152], [None])}
    assert np.isnan(table.columns["rate_mbps"][[31, 62]]).all()
    assert np.isinf(table.columns["pkts"][120])


def test_digits_with_a_zero_in_front_are_texts(tmp_path):
    (tmp_path / "a.csv").write_text("mask,number\n0011,11\n1100,7\n")
    columns = read_table(tmp_path / "a.csv").columns
    assert columns["mask"].tolist() == ["0011", "1100"]
    assert columns["number"].tolist() == [11, 7]
    (tmp_path / "a.csv").write_text("mask,number\n1111,11\n1100,7\n")
    assert read_table(tmp_path / "a.csv").columns["mask"].tolist() == [1111, 1100]
    assert read_table(tmp_path / "a.csv", as_text=["mask"]).columns["mask"].tolist() == ["1111", "1100"]


def test_blank_lines_count_in_messages_only(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n\n1,2\n3,4\n\n\n5,x\n7,8\n")
    table = read_table(tmp_path / "a.csv")
    assert table.columns["a"].tolist() == [1, 3, 5, 7]
    assert table.rows.tolist() == [3, 4, 7, 8]
    assert table.rows[table.wrong["b"].rows].tolist() == [7]


def test_fields_beyond_the_header_are_noted(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2,\n3,4,\n5,6,oops\n")
    table = read_table(tmp_path / "a.csv")
    assert list(table.columns) == ["a", "b"]
    assert table.rows[table.surplus].tolist() == [4]


def test_only_wanted_columns_are_read_and_the_nearest_names_are_said(log):
    assert list(read_table(log, columns=["pkts", "t"]).columns) == ["t", "pkts"]
    with pytest.raises(
        ValueError, match=r"wants column 'packets', which the log lacks; is it 'pkts'\?.*it has t, slice"
    ):
        read_table(log, columns=["packets"])


def test_line_breaks_within_quotes_are_read(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n1,"two\nlines"\n2,"one"\n')
    assert read_table(tmp_path / "a.csv").columns["b"].tolist() == ["two\nlines", "one"]


def test_the_path_of_a_file_may_hold_quotes(log):
    odd = log.parent / "it's; a log.csv"
    log.rename(odd)
    assert len(read_table(odd)) == 480


def test_without_duckdb_one_message_says_what_to_install(log, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ImportError, match=r'pip install "slicing-gym\[logs\]"'):
        read_table(log)


def test_a_mapping_may_name_files_in_the_folder(log):
    other = log.parent / "b.csv"
    other.write_text(log.read_text())
    mapping = mapping_of(files="*.csv", run=["file"])
    for folder in (log.parent, [log.parent]):  # commands give a list
        history, _ = quietly(folder, mapping)
        assert history.runs.tolist() == [0, 1]
        assert len(history) == 2 * 159
    with pytest.raises(FileNotFoundError, match="no folder, in which to look for files="):
        read_intervals(log, mapping)
