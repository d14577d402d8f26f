"""Reading files that anybody may have written: bounded before anything is made, and with errors that name the file."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST_TEXT = 2**26
"""Bytes of a text; the longest that is written here is a summary of some MB."""

UNPACKED = 2**30
"""Bytes that an archive may always unpack to."""

TIMES_PACKED = 10
"""How many times its own size an archive may unpack to beyond that; arrays of measurements pack to a third or so."""


def one_line(error: object, most: int = 300) -> str:
    """What an error says, on one line; its class where it says nothing."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else f"{text[:most]}..."


@contextmanager
def opened(key: str, path: str | os.PathLike[str]) -> Iterator[BufferedReader]:
    """A file, open for reading.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it could not be read; the message names key and file.
        ValueError: it is no file, but a folder, a pipe or a device, which might never end.
    """
    name = os.fspath(path)
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise ValueError(f"{key}: {name!r} could not be read: it is a folder, or no ordinary file")
        file = Path(path).open("rb")  # noqa: SIM115  # closed below
    except FileNotFoundError:
        raise FileNotFoundError(f"{key}: the file {name!r} does not exist") from None
    except OSError as error:
        raise type(error)(f"{key}: {name!r} could not be read: {error.strerror or one_line(error)}") from None
    with file:
        yield file


@contextmanager
def parsing(key: str, path: object, fault: str = "could not be read") -> Iterator[None]:
    """Makes one ValueError of whatever is raised inside: `key: 'path' fault: why`, or `(why)` where it is damaged."""
    try:
        yield
    except Exception as error:  # what is damaged fails in many ways, some of them OSErrors without a file
        why = f": {one_line(error)}" if fault == "could not be read" else f" ({one_line(error)})"
        raise ValueError(f"{key}: {str(path)!r} {fault}{why}") from error


def read_bytes(key: str, path: str | os.PathLike[str], most: int) -> bytes:
    """All of a file.

    Raises:
        OSError, ValueError: see `opened`; or it has more than `most` bytes.
    """
    with opened(key, path) as file, parsing(key, os.fspath(path)):
        if os.fstat(file.fileno()).st_size > most:
            raise ValueError(f"it has more than {most:,} bytes")
        return file.read()


def read_text(key: str, path: str | os.PathLike[str]) -> str:
    """All of a text in UTF-8.

    Raises:
        OSError, ValueError: see `read_bytes`; or it is no such text.
    """
    content = read_bytes(key, path, LARGEST_TEXT)
    with parsing(key, os.fspath(path)):
        return content.decode()


def read_csv(
    key: str, path: str | os.PathLike[str], wanted: Sequence[str] = (), fault: str = "could not be read"
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV; lines without anything are left out.

    Raises:
        OSError, ValueError: see `read_text`; or it is empty, lacks one of the columns that are `wanted`, or a row has
            more or fewer values than the header: `key: 'path' fault: why`.
    """
    text = read_text(key, path)
    with parsing(key, os.fspath(path), fault):
        lines = csv.reader(io.StringIO(text, newline=""))
        rows = [(lines.line_num, row) for row in lines if row]
        if not rows:
            raise ValueError("it is empty")
        _, header = rows[0]
        missing = [each for each in wanted if each not in header]
        if missing:
            raise ValueError(f"it has no column {', '.join(map(repr, missing))}")
        for number, row in rows:
            if len(row) != len(header):
                raise ValueError(f"line {number} has {len(row)} values, the header {len(header)}")
        return header, [row for _, row in rows[1:]]


def read_json(key: str, path: str | os.PathLike[str], wanted: Sequence[str] = ()) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        OSError, ValueError: see `read_bytes`; or it is no JSON, no object, or lacks one of the keys that are `wanted`.
    """
    content = read_bytes(key, path, LARGEST_TEXT)
    with parsing(key, os.fspath(path)):
        found = json.loads(content, parse_int=_whole)
        if not isinstance(found, dict):
            raise ValueError(f"it holds a {type(found).__name__}, wanted are keys and values")
        missing = [each for each in wanted if each not in found]
        if missing:
            raise ValueError(f"it has no {', '.join(map(repr, missing))}")
        return found


def _whole(text: str) -> int:
    """A whole number of JSON.

    Raises:
        ValueError: no double is as large.
    """
    if len(text) > sys.float_info.max_10_exp:
        raise ValueError(f"a whole number of {len(text):,} digits, allowed is what a double holds")
    return int(text)


def check_unpacked(
    entries: Sequence[zipfile.ZipInfo], packed: int, unpacked: int = UNPACKED, times: int = TIMES_PACKED
) -> None:
    """Refuse an archive that unpacks to more than `unpacked` bytes and more than `times` its size.

    Raises:
        ValueError: it does.
    """
    total = sum(entry.file_size for entry in entries)
    most = max(unpacked, times * packed)
    if total > most:
        raise ValueError(f"it unpacks from {packed:,} bytes to {total:,}, allowed are {most:,}")


def read_arrays(key: str, path: str | os.PathLike[str], fault: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays in an npz file, by name; reading runs no code, and makes no array that the file does not hold.

    Raises:
        OSError: see `opened`.
        ValueError: it is no such file, or is damaged: `key: 'path' fault (why)`.
    """
    with opened(key, path) as file, parsing(key, os.fspath(path), fault), zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        check_unpacked(entries, os.fstat(file.fileno()).st_size)
        return {entry.filename.removesuffix(".npy"): _array(archive, entry) for entry in entries}


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """One array, if its header says what the entry holds: NumPy makes an array of whatever shape is written there.

    Raises:
        ValueError: it does not.
    """
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    with archive.open(entry) as member:
        version = np.lib.format.read_magic(member)
        if version not in readers:
            raise ValueError(f"{entry.filename!r} has the array format {version}")
        shape, _, dtype = readers[version](member)
        if dtype.hasobject:
            raise ValueError(f"{entry.filename!r} holds objects, not numbers")
        wanted, there = math.prod(shape) * dtype.itemsize, entry.file_size - member.tell()
        if wanted != there or min(shape, default=0) < 0:
            raise ValueError(f"{entry.filename!r} has {there:,} bytes, not those of {shape}")
    with archive.open(entry) as member:
        found: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    if dtype.kind == "U" and found.size and found.reshape(-1).view(f"{dtype.byteorder}u4").max() > sys.maxunicode:
        raise ValueError(f"{entry.filename!r} holds characters that there are not")  # NumPy would make such texts
    return found
