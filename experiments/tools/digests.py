"""Checksums of what a finished run left, to compare it with another: whatever does not hold times or paths."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_SECONDS = "cpu_seconds"


def digests(folder: Path) -> dict[str, str]:
    """Checksum by the name of each file below the folder of a finished run.

    Curves, pictures, logs, the status and Hydra's files are left out; any other file counts, known or not.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir() or name.parts[0] == ".hydra" or name.name == "status.json":
            continue
        if name.suffix in (".log", ".png") or name.name.startswith("events.out.tfevents"):
            continue
        digest = hashlib.sha256()
        _READERS.get(name.suffix, _whole)(digest, path)
        found[str(name)] = digest.hexdigest()
    return found


def _whole(digest: hashlib._Hash, path: Path) -> None:
    digest.update(path.read_bytes())


def _arrays(digest: hashlib._Hash, path: Path) -> None:
    with np.load(path, allow_pickle=False) as archive:
        for name in sorted(archive.files):
            digest.update(name.encode() + archive[name].tobytes())


def _weights(digest: hashlib._Hash, path: Path) -> None:
    """Weights and optimizers in an agent's zip."""
    import torch

    with zipfile.ZipFile(path) as archive:
        for name in sorted(each for each in archive.namelist() if each.endswith(".pth")):
            _add(digest, name)
            _add(digest, torch.load(io.BytesIO(archive.read(name)), weights_only=True))


def _figures(digest: hashlib._Hash, path: Path) -> None:
    figures = json.loads(path.read_text())
    figures.pop(_SECONDS, None)
    digest.update(json.dumps(figures, sort_keys=True).encode())


def _card(digest: hashlib._Hash, path: Path) -> None:
    """All but the checksum of an agent's file, which holds times."""
    kept = [line for line in path.read_text().splitlines() if not line.startswith("| File |")]
    digest.update("\n".join(kept).encode())


def _add(digest: hashlib._Hash, value: Any) -> None:
    """Feed nested tensors and numbers to a checksum."""
    if hasattr(value, "numpy"):
        digest.update(value.numpy().tobytes())
    elif isinstance(value, dict):
        for key, each in value.items():
            digest.update(str(key).encode())
            _add(digest, each)
    elif isinstance(value, list | tuple):
        for each in value:
            _add(digest, each)
    else:
        digest.update(repr(value).encode())


_READERS: dict[str, Callable[[hashlib._Hash, Path], None]] = {
    ".md": _card,
    ".npz": _arrays,
    ".zip": _weights,
    ".json": _figures,
}
