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

from agents.registry import is_imported

_MADE = {
    "builtins": {"set", "frozenset", "slice", "complex", "bytearray"},
    "collections": {"deque", "OrderedDict"},
    "gymnasium.spaces.box": {"Box"},
    "gymnasium.spaces.dict": {"Dict"},
    "gymnasium.spaces.discrete": {"Discrete"},
    "gymnasium.spaces.multi_binary": {"MultiBinary"},
    "gymnasium.spaces.multi_discrete": {"MultiDiscrete"},
    "numpy": {"dtype", "ndarray"},
    "numpy.random._pickle": {"__generator_ctor", "__bit_generator_ctor", "__randomstate_ctor"},
    "numpy.random._pcg64": {"PCG64"},
    "numpy.random._mt19937": {"MT19937"},
    "numpy.random.bit_generator": {"__pyx_unpickle_SeedSequence", "SeedSequence"},
    "slicing_gym.spaces": {"AllocationSpace"},
    "stable_baselines3.common.type_aliases": {"TrainFreq", "TrainFrequencyUnit"},
    "stable_baselines3.common.utils": {"FloatSchedule", "ConstantSchedule", "LinearSchedule"},
    **{f"numpy.{core}.numeric": {"_frombuffer"} for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray": {"_reconstruct", "scalar"} for core in ("core", "_core")},
}
"""By module, what agents' files make objects with: containers, arrays, spaces, generators, schedules."""

_NAMED = ("torch.nn.modules.activation",)
"""Modules of which any class may be named that is defined there, but not made."""

_NAMED_BELOW = ("torch.optim.",)
"""As above, for the modules of this package."""

_PARTS_BELOW = ("agents.", "stable_baselines3.", "sb3_contrib.")
"""As above, of the modules of these packages only policies, buffers and networks."""

_PARTS = (BasePolicy, BaseBuffer, nn.Module)


class _Part:
    """Stands for what a pickle makes of an allowed name: it takes whatever it is given, and does nothing."""

    def __new__(cls, *_: object, **__: object) -> Any:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, _: object) -> None:
        """As a list has it."""


class _Name(_Part):
    """Stands for a class that may be named, but not made."""

    def __new__(cls, *_: object, **__: object) -> Any:
        raise pickle.UnpicklingError(f"a call of {cls.__module__}.{cls.__name__}")


class _Look(pickle.Unpickler):
    """Reads a pickle with stand-ins in place of everything it names, so that looking runs nothing at all."""

    def find_class(self, module: str, name: str) -> Any:
        if name in _MADE.get(module, ()):
            kind: type[_Part] = _Part
        elif _is_class_of(module, name):
            kind = _Name
        else:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return type(name, (kind,), {"__module__": module})

    def persistent_load(self, identity: Any) -> Any:
        raise pickle.UnpicklingError(f"a persistent object ({identity!r})")


def _is_class_of(module: str, name: str) -> bool:
    """Whether this is a class that is defined in one of the modules above, or in one that the user has asked for."""
    every = module in _NAMED or module.startswith(_NAMED_BELOW) or is_imported(module)
    if not every and not module.startswith(_PARTS_BELOW):
        return False
    found = getattr(import_module(module), name, None)
    return isinstance(found, type) and found.__module__ == module and (every or issubclass(found, _PARTS))


def read_checked(path: str | os.PathLike[str] | io.BufferedIOBase, but_for: Collection[str] = ()) -> io.BytesIO:
    """The bytes of an agent's file, after a look at what its pickles would call.

    Args:
        path: of a zip that an algorithm of Stable-Baselines3 saved (".zip" may be left out), or an open file.
        but_for: entries that are not going to be unpickled.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a zip, is damaged, or an entry would run code that is not an agent's.
    """
    if isinstance(path, io.IOBase):
        name, content = "the open file", path.read()
    else:
        name = os.fspath(path)
        file = next((each for each in (Path(name), Path(f"{name}.zip")) if each.is_file()), None)
        if file is None:
            raise FileNotFoundError(f"agent: there is no file {name!r}, nor {name + '.zip'!r}")
        content = file.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
            entries = dict(json.loads(archive.read("data")))
    except Exception as error:  # a damaged archive fails in many ways
        raise ValueError(f"agent: {name!r} is not an agent's file, or is damaged ({error})") from None
    if damaged is not None:
        raise ValueError(f"agent: {name!r} is damaged: its part {damaged!r} does not have its checksum")
    _check_entries(name, {key: entry for key, entry in entries.items() if key not in but_for})
    return io.BytesIO(content)


def _check_entries(name: str, entries: Mapping[str, Any]) -> None:
    """Refuse what would run code when Stable-Baselines3 loads it.

    Raises:
        ValueError: the message names file and entry.
    """
    if entries.get("env") is not None:  # Stable-Baselines3 saves none, but would make the one that is named
        raise ValueError(_refusal(name, "env", "an environment"))
    for key, entry in entries.items():
        if not (isinstance(entry, dict) and ":serialized:" in entry):
            continue
        try:
            _Look(io.BytesIO(base64.b64decode(entry[":serialized:"]))).load()
        except Exception as error:  # a pickle may hold anything, and fail in as many ways
            raise ValueError(_refusal(name, key, error)) from None


def _refusal(name: str, key: str, wanted: object) -> str:
    return (
        f"agent: {name!r} asks in {key!r} for {wanted}, which is not part of an agent and may run code; "
        f"give it in custom_objects={{{key!r}: ...}}, or load with trust=True what you have made yourself"
    )
