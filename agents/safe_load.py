"""Looking into an agent's file before it is loaded: what an agent is made of is let in, nothing that runs code."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import zipfile
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from stable_baselines3.common.buffers import BaseBuffer
from stable_baselines3.common.policies import BasePolicy
from torch import nn

from agents.pickles import Look, Name, Part, stand_in
from agents.registry import is_imported
from agents.tensor_files import check_tensors
from slicing_gym.reading import check_unpacked, one_line, parsing, read_bytes

LARGEST = 2**33
"""Bytes of an agent's file."""

UNPACKED, TIMES_PACKED = 2**26, 4
"""Bytes that an agent's file may unpack to, and beyond that how many times its size: what it is saved with packs
nothing."""

OPEN = "the open file"
"""What a file without a name is called in messages."""

_FAULT = "is not an agent's file, or is damaged"

_MADE = {
    "builtins": {"set", "frozenset", "slice", "complex", "bytearray"},
    "collections": {"deque", "OrderedDict"},
    "gymnasium.spaces.box": {"Box"},
    "gymnasium.spaces.dict": {"Dict"},
    "gymnasium.spaces.discrete": {"Discrete"},
    "gymnasium.spaces.multi_binary": {"MultiBinary"},
    "gymnasium.spaces.multi_discrete": {"MultiDiscrete"},
    "numpy": {"dtype"},
    "numpy.random._pickle": {"__generator_ctor", "__bit_generator_ctor", "__randomstate_ctor"},
    "numpy.random.bit_generator": {"__pyx_unpickle_SeedSequence"},
    "slicing_gym.spaces": {"AllocationSpace"},
    "stable_baselines3.common.type_aliases": {"TrainFreq", "TrainFrequencyUnit"},
    "stable_baselines3.common.utils": {"FloatSchedule", "ConstantSchedule", "LinearSchedule"},
    **{f"numpy.{core}.numeric": {"_frombuffer"} for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray": {"_reconstruct", "scalar"} for core in ("core", "_core")},
}
"""By module, what agents' files make objects with: containers, arrays, spaces, generators, schedules."""

_CLASSES = {
    "numpy": {"ndarray"},
    "numpy.random._pcg64": {"PCG64"},
    "numpy.random._mt19937": {"MT19937"},
    "numpy.random.bit_generator": {"SeedSequence"},
}
"""By module, classes that are named there: what is called makes them."""

_NAMED = ("torch.nn.modules.activation",)
"""Modules of which any class may be named that is defined there, but not made."""

_NAMED_BELOW = ("torch.optim.",)
"""As above, for the modules of this package."""

_PARTS_BELOW = ("agents.", "stable_baselines3.", "sb3_contrib.")
"""As above, of the modules of these packages only policies, buffers and networks."""

_PARTS = (BasePolicy, BaseBuffer, nn.Module)


def _find(module: str, name: str) -> type[Part]:
    """What stands for a name in the entries of an agent's file.

    Raises:
        UnpicklingError: it is no part of an agent.
    """
    if name in _MADE.get(module, ()):
        return stand_in(Part, module, name)
    if name in _CLASSES.get(module, ()) or _is_class_of(module, name):
        return stand_in(Name, module, name)
    raise pickle.UnpicklingError(f"{module}.{name}")


def _is_class_of(module: str, name: str) -> bool:
    """Whether this is a class that is defined in one of the modules above, or in one that the user has asked for."""
    every = module in _NAMED or module.startswith(_NAMED_BELOW) or is_imported(module)
    if not every and not module.startswith(_PARTS_BELOW):
        return False
    found = getattr(import_module(module), name, None)
    return isinstance(found, type) and found.__module__ == module and (every or issubclass(found, _PARTS))


def read_checked(
    path: str | os.PathLike[str] | io.BufferedIOBase, but_for: Collection[str] = (), key: str = "agent"
) -> io.BytesIO:
    """The bytes of an agent's file, after a look at what its pickles would call.

    Args:
        path: of a zip that an algorithm of Stable-Baselines3 saved (".zip" may be left out), or an open file.
        but_for: entries that are not going to be unpickled.
        key: what the file is called where it was given.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a zip, is damaged, unpacks to more than an agent needs, or an entry would run code
            that is not an agent's.
    """
    if isinstance(path, io.IOBase):
        name, content = OPEN, path.read()
    else:
        name = os.fspath(path)
        file = next((each for each in (Path(name), Path(f"{name}.zip")) if each.is_file()), None)
        if file is None:
            raise FileNotFoundError(f"agent: there is no file {name!r}, nor {name + '.zip'!r}")
        content = read_bytes(key, file, LARGEST)
    entries, tensors = _read_entries(name, content, key)
    _check_entries(name, {each: entry for each, entry in entries.items() if each not in but_for})
    for each, part in tensors.items():
        with parsing(key, name, f"does not hold an agent: its part {each!r} is damaged, or would run code"):
            check_tensors(part)
    return io.BytesIO(content)


def _read_entries(name: str, content: bytes, key: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The JSON of an agent's file, and its parts of tensors by their names.

    Raises:
        ValueError: it is no such file, is damaged, or unpacks to more than an agent needs.
    """
    with parsing(key, name, _FAULT), zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_unpacked(archive.infolist(), len(content), UNPACKED, TIMES_PACKED)
        damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"its part {damaged!r} does not have its checksum")
        data = archive.read("data")
        if len(data) > UNPACKED:
            raise ValueError(f"its part 'data' has {len(data):,} bytes, allowed are {UNPACKED:,}")
        parts = {each: archive.read(each) for each in archive.namelist() if each.endswith(".pth")}
        return dict(json.loads(data)), parts


def read_entries(path: str | os.PathLike[str] | io.BufferedIOBase, key: str) -> dict[str, Any]:
    """The JSON of an agent's file, nothing of which was unpickled.

    Args:
        path: of the file, or the open file.
        key: what it is called where it was given.

    Raises:
        OSError, ValueError: see `read_checked`.
    """
    if isinstance(path, io.IOBase):
        path.seek(0)
        return _read_entries(OPEN, path.read(), key)[0]
    return _read_entries(os.fspath(path), read_bytes(key, path, LARGEST), key)[0]


def _check_entries(name: str, entries: Mapping[str, Any]) -> None:
    """Refuse what would run code when Stable-Baselines3 loads it.

    Raises:
        ValueError: the message names file and entry.
    """
    if entries.get("env") is not None:  # Stable-Baselines3 saves none, but would make the one that is named
        raise UntrustedError(_refusal(name, "env", "an environment"))
    for key, entry in entries.items():
        if not (isinstance(entry, dict) and ":serialized:" in entry):
            continue
        try:
            Look(base64.b64decode(entry[":serialized:"]), _find).load()
        except Exception as error:  # a pickle may hold anything, and fail in as many ways
            raise UntrustedError(_refusal(name, key, error)) from None


class UntrustedError(ValueError):
    """A file that would run code, and was not said to be trusted."""


def _refusal(name: str, key: str, wanted: object) -> str:
    return (
        f"agent: {name!r} asks in {key!r} for {one_line(wanted)}, which is not part of an agent and may run code; "
        f"give it in custom_objects={{{key!r}: ...}}, or load with trust=True what you have made yourself"
    )
