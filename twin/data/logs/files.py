"""Which files a log is made of: a path, a glob, a folder or a list of these; archives are unpacked for the while."""

from __future__ import annotations

import glob
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicing_gym.errors import check_instance, shown
from slicing_gym.reading import check_unpacked, parsing

Files = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

FILE = "file"
"""What queries, and `run` in mappings, call the file that a row comes from, where the log has no such column itself."""

KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""Formats by the ends of names; in a folder other files are passed over, a file given by its name is taken for CSV."""

_UNPACKED, _TIMES_PACKED = 2**32, 50
"""Bytes that an archive may unpack to, and beyond that how many times its size."""

PACKED = (".gz", ".zst")
"""What may follow; DuckDB unpacks these."""


@dataclass(frozen=True)
class Source:
    """Files of one format.

    Args:
        kind: "csv", "json" or "parquet".
        paths: where they are.
        names: what they are called in messages.
    """

    kind: str
    paths: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def folders(self) -> list[str]:
        """Where they are, without the folders that lie in another one of these."""
        found = sorted({str(Path(path).resolve().parent) for path in self.paths})
        return [each for each in found if not any(each.startswith(f"{other}{os.sep}") for other in found)]


@contextmanager
def opened(files: Files) -> Iterator[Source]:
    """The files, zip archives unpacked to a temporary folder.

    Raises:
        FileNotFoundError: there are none.
        ValueError: they are of several formats.
    """
    found = find(files)
    with tempfile.TemporaryDirectory() as folder:
        pairs: list[tuple[str, str]] = []
        for place, path in enumerate(found):
            if path.suffix.lower() == ".zip":
                pairs += _unpacked(path, Path(folder) / str(place))
            else:
                pairs.append((str(path), str(path)))
        kinds = {kind_of(Path(path)) or "csv" for path, _ in pairs}
        if len(kinds) > 1:
            raise ValueError(f"log: files of several formats given ({', '.join(sorted(kinds))}), allowed is one")
        yield Source(kinds.pop(), tuple(path for path, _ in pairs), tuple(name for _, name in pairs))


def find(files: Files) -> list[Path]:
    """The files that a path, a glob, a folder or a list of these means, in order of their names."""
    if isinstance(files, Iterable) and not isinstance(files, str):
        found = [path for each in files for path in find(each)]
        if not found:
            raise FileNotFoundError("log: no files given, allowed are one or more")
        return found
    check_instance("log", files, (str, os.PathLike))
    path = Path(files)
    try:
        if path.is_file():
            return [path]
    except OSError as error:  # a name that is too long
        raise type(error)(f"log: {shown(str(path))} could not be read: {error.strerror}") from None
    if path.is_dir():
        inside = [each for each in sorted(path.rglob("*")) if each.is_file()]
        known = [each for each in inside if kind_of(each) or each.suffix.lower() == ".zip"]
        if not known:
            ends = ", ".join([*KINDS, ".zip"])
            raise FileNotFoundError(f"log: the folder {str(path)!r} holds no log, allowed are files named {ends}")
        return known
    if glob.has_magic(str(path)):
        matched = [Path(each) for each in sorted(glob.glob(str(path), recursive=True)) if Path(each).is_file()]
        if not matched:
            raise FileNotFoundError(f"log: {str(path)!r} matches no file")
        return matched
    raise FileNotFoundError(f"log: the file {str(path)!r} does not exist")


def files_of(files: Files | Any, pattern: str | None) -> Files | Any:
    """The files of a log: those in a folder, or in each of a list, that a mapping's `files` names, if it names some.

    Raises:
        FileNotFoundError: it does, and this is no folder.
    """
    if pattern is None or hasattr(files, "columns"):  # a DataFrame is no file
        return files
    if isinstance(files, Iterable) and not isinstance(files, str):
        return [files_of(each, pattern) for each in files]
    check_instance("log", files, (str, os.PathLike))
    if not Path(files).is_dir():
        raise FileNotFoundError(f"log: {os.fspath(files)!r} is no folder, in which to look for files={pattern!r}")
    return os.path.join(files, pattern)


def kind_of(path: Path) -> str | None:
    """The format by the name; None if it is none that is known."""
    end = path.suffix.lower()
    if end in PACKED:
        end = Path(path.stem).suffix.lower()
    return KINDS.get(end)


def _unpacked(archive: Path, folder: Path) -> list[tuple[str, str]]:
    """The logs in a zip archive: where each was put, and its name."""
    with parsing("log", archive, "is not a zip archive, or is damaged"), zipfile.ZipFile(archive) as opened_archive:
        entries = [each for each in opened_archive.infolist() if kind_of(Path(each.filename))]
        check_unpacked(entries, archive.stat().st_size, _UNPACKED, _TIMES_PACKED)
        names = sorted({each.filename for each in entries})
        # `extract` keeps names that lead out of the folder inside it.
        pairs = [(opened_archive.extract(name, folder), f"{archive}/{name}") for name in names]
    if not pairs:
        raise FileNotFoundError(f"log: the archive {str(archive)!r} holds no log")
    return pairs
