"""Files that anybody may have written: one line that names them, and nothing made beyond what they hold."""

from __future__ import annotations

import io
import json
import os
import zipfile
from itertools import pairwise

import numpy as np
import pytest

from slicing_gym import Simulator
from slicing_gym.reading import read_arrays, read_bytes, read_csv, read_json
from slicing_gym.yaml_reading import LONGEST, read_yaml, read_yaml_mapping


def npz(path, arrays):
    np.savez_compressed(path, **arrays)
    return path


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "header": np.array('{"text": 1}'),
        "f.order": np.asfortranarray(np.arange(12).reshape(3, 4)),
        "empty": np.empty((0, 5), np.int8),
        "flags": np.array([True, False]),
    }
    found = read_arrays("key", npz(tmp_path / "some.npz", arrays), "is damaged")
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def forged(path, shape, content=b"", dtype="'<f8'"):
    """An npz of which the array says to have a shape that it has not."""
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": dtype.strip("'"), "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", member.getvalue() + content)
    return path


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6), (-1,), (2**63,), (3,)])
def test_a_shape_that_the_file_does_not_hold_makes_no_array(shape, tmp_path):
    with pytest.raises(ValueError, match=r"forged\.npz' is not a sim.*'header\.npy' has 0 bytes, not those of"):
        Simulator.load(forged(tmp_path / "forged.npz", shape))


def test_characters_that_there_are_not_are_refused(tmp_path):
    path = forged(tmp_path / "text.npz", (), b"\xff\xff\xff\xff", "'<U1'")
    with pytest.raises(ValueError, match=r"is damaged \('header.npy' holds characters that there are not\)"):
        read_arrays("key", path, "is damaged")


def test_objects_and_bombs_are_refused(tmp_path):
    path = forged(tmp_path / "objects.npz", (1,), b"\x80\x04N.", "'|O'")
    with pytest.raises(
        ValueError, match=r"key: '.*objects\.npz' is damaged \('header.npy' holds objects, not numbers\)"
    ):
        read_arrays("key", path, "is damaged")
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", b"\0" * 1000)
    content = bytearray(path.read_bytes())
    for place in (content.index(b"PK\x03\x04") + 22, content.index(b"PK\x01\x02") + 24):
        content[place : place + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is damaged \(it unpacks from \d+ bytes to 4,294,967,294, allowed are 1,073"):
        read_arrays("key", path, "is damaged")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"[1, 2]", "it holds a list, wanted are keys and values"),
        (b"{}", "it has no 'config'"),
        (b'{"a": ' + b"[" * 100_000, "recursion"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "a whole number of 10,000 digits"),
        (b"\xff\xfe\x00", "codec can't decode"),
    ],
)
def test_damaged_json_is_refused_by_name(content, why, tmp_path):
    path = tmp_path / "summary.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"resume: '.*summary\.json' could not be read: .*" + why) as raised:
        read_json("resume", path, ["config"])
    assert "\n" not in str(raised.value)


def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(ValueError, match=r"key: '.*' could not be read: it is a folder, or no ordinary file"):
            read_bytes("key", name, 10)
    with pytest.raises(FileNotFoundError, match=r"^key: the file '.*nowhere' does not exist$"):
        read_bytes("key", tmp_path / "nowhere", 10)
    with pytest.raises(OSError, match=r"^key: '.*' could not be read: File name too long$"):
        read_bytes("key", tmp_path / ("x" * 300), 10)
    (tmp_path / "long").write_bytes(b"12345678901")
    with pytest.raises(ValueError, match=r"^key: '.*long' could not be read: it has more than 10 bytes$"):
        read_bytes("key", tmp_path / "long", 10)


BOMB = "a: &a [x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi"))
EVIL = {
    "aliases": (BOMB, r"line 2: an alias \(\*a\), allowed are none"),
    "itself": ("&a [*a]", r"an alias"),
    "merge": ("a: &a {b: 1}\nc: {<<: *a}", "an alias"),
    "python": ("!!python/object/apply:os.system ['touch evil']", "could not determine a constructor"),
    "deep": ("[" * 2000, "more than 64 levels within each other"),
    "deep mappings": ("".join(f"{' ' * level}a:\n" for level in range(200)), "more than 64 levels"),
    "base 60": (":".join(["1"] * 1_000_000), "1,999,999 characters without a blank"),
    "digits": ("1" * (LONGEST + 1), "characters without a blank"),
    "date": ("2020-13-45", "month must be in 1..12"),
    "key": ("? [a]\n: b", "unhashable"),
    "control": ("a: \x00", "not allowed|unacceptable"),
    "latin": (b"\xff\xfe\x00", "codec"),
    "torn": ("a: [1\n", "expected"),
    "several": ("a: 1\n---\nb: 2\n", "single document"),
    "large": (b"#" * (2**22 + 1), "it has more than 4,194,304 bytes"),
}


@pytest.mark.parametrize("name", EVIL)
def test_evil_yaml_is_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, why = EVIL[name]
    path = tmp_path / "evil.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=rf"mapping: '.*evil\.yaml' .*({why})") as raised:
        read_yaml("mapping", path)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "evil").exists()


def test_ordinary_yaml_is_read(tmp_path):
    data = {"a": [1, 2.5, None, True, "x"], "levels": " ".join(["0.25"] * 10_000), "b": {"c": []}}
    path = tmp_path / "ordinary.yaml"
    path.write_text(json.dumps(data))
    assert read_yaml_mapping("key", path) == data
    for content, kind in (("", "it is empty"), ("- 1", "it holds a list"), ("1", "it holds a int")):
        path.write_text(content)
        with pytest.raises(ValueError, match=f"could not be read: {kind}, wanted are keys and values"):
            read_yaml_mapping("key", path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"a,b\n1,\xff\n", "codec can't decode"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "field larger than field limit"),
        (b"a,c\n1,2\n", "it has no column 'b'"),
        (b"a,b\n1,2\n\n1,2,3\n", "line 4 has 3 values, the header 2"),
    ],
)
def test_a_damaged_table_is_one_line(content, why, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^table: '.*bad\.csv' could not be read: .*{why}") as raised:
        read_csv("table", path, ["b"])
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match=r"^table: .* it is a folder"):
        read_csv("table", tmp_path)
    path.write_bytes(b'a,b\r\n"1\n2",3\r\n\r\n')
    assert read_csv("table", path, ["b"]) == (["a", "b"], [["1\n2", "3"]])
