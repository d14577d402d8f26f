"""Files of tensors that PyTorch wrote: looked at before they are read, and a bound on what is made while they are."""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from agents.pickles import Look, Name, Part, is_shape, stand_in
from slicing_gym.reading import check_unpacked, one_line

_MADE = {"collections": {"OrderedDict"}, "torch._utils": {"_rebuild_tensor_v2", "_rebuild_parameter"}}

_BYTES = {
    **dict.fromkeys(("DoubleStorage", "LongStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    **dict.fromkeys(("ByteStorage", "CharStorage", "BoolStorage"), 1),
}
"""Of a number in each kind of storage."""

_LARGEST_PICKLE = 2**24

_UNPACKED, _TIMES_PACKED = 2**24, 4


class _Storage(Part):
    """Stands for the numbers that a tensor is a view of."""

    numbers = 0


class _LookAtTensors(Look):
    """Reads the pickle in a file of tensors with stand-ins; its storages have to lie next to it, whole."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        super().__init__(archive.read(name), _find)
        self._sizes_of = {entry.filename: entry.file_size for entry in archive.infolist()}
        self._folder = name.removesuffix("data.pkl")

    def persistent_load(self, identity: Any) -> _Storage:
        """What stands for a storage."""
        word, kind, key, _, numbers = identity
        there = self._sizes_of.get(f"{self._folder}data/{key}")
        if word != "storage" or type(numbers) is not int or numbers * _BYTES[kind.__name__] != there:
            raise pickle.UnpicklingError(f"a storage of {numbers} numbers in {there} bytes")
        storage = _Storage()
        storage.numbers = numbers
        return storage


def _find(module: str, name: str) -> type[Part]:
    if name in _MADE.get(module, ()):
        return stand_in(_REBUILT.get(name, Part), module, name)
    if module == "torch" and name in _BYTES:
        return stand_in(Name, module, name)
    raise pickle.UnpicklingError(f"{module}.{name}")


class _Tensor(Part):
    """Stands for a tensor, which may have no more numbers than its storage."""

    def __new__(cls, storage: Any, offset: Any, shape: Any, strides: Any, *_: object) -> Any:
        if not isinstance(storage, _Storage) or not is_shape((offset,)) or not is_shape(shape) or not is_shape(strides):
            raise pickle.UnpicklingError("a tensor of something else than a storage")
        last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
        if math.prod(shape) and (math.prod(shape) > storage.numbers or last >= storage.numbers):
            raise pickle.UnpicklingError(f"a tensor {shape} of a storage of {storage.numbers} numbers")
        return object.__new__(cls)


_REBUILT: Mapping[str, type[Part]] = {"_rebuild_tensor_v2": _Tensor}


def check_tensors(content: bytes) -> None:
    """Refuse a file of tensors that is damaged, would run code, or makes larger tensors than it holds.

    Raises:
        Exception: of whatever kind.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_unpacked(archive.infolist(), len(content), _UNPACKED, _TIMES_PACKED)
        (name,) = [each for each in archive.namelist() if each.endswith("/data.pkl")]
        if archive.getinfo(name).file_size > _LARGEST_PICKLE:
            raise ValueError(f"{name!r} has more than {_LARGEST_PICKLE:,} bytes")
        _LookAtTensors(archive, name).load()


_SHAPED: Mapping[Callable[..., Any], int] = {
    **dict.fromkeys((torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn), 0),
    **dict.fromkeys((torch.full, torch.randint), 1),
}
"""What makes tensors of a shape that is given; where it stands at the earliest."""


class _Budget(TorchFunctionMode):
    """Counts the numbers of tensors that are made of a shape, and refuses the one that is too many."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self._left = self._all = numbers

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by PyTorch in place of each of its functions."""
        kwargs = kwargs or {}
        if function in _SHAPED:
            shape = kwargs.get("size", args[_SHAPED[function] :])
            flat = [each for part in shape for each in (part if isinstance(part, tuple | list) else (part,))]
            self._left -= math.prod(int(each) for each in flat if isinstance(each, int))
            if self._left < 0:
                raise ValueError(f"it describes networks of more than {self._all:,} numbers, and holds far fewer")
        return function(*args, **kwargs)


_ALWAYS, _TIMES_HELD = 2**24, 8
"""Numbers that an agent may be made of whatever it holds, and how many times as many as it holds: weights are drawn,
made orthogonal and copied."""


def budget(held: int) -> AbstractContextManager[Any]:
    """Inside, PyTorch makes no more numbers than a file that holds so many has use for; ValueError where it should."""
    return _Budget(_ALWAYS + _TIMES_HELD * held)


@contextmanager
def bounded(path: object, content: io.BytesIO, key: str = "agent", alone: bool = True) -> Iterator[None]:
    """Inside, PyTorch makes no more numbers than an agent's file has use for; what fails is a ValueError of one line.

    Args:
        path: of an agent's file, for messages.
        content: of the file.
        key: what it is called where it was given.
        alone: nothing else was given, such as an environment, that an error could be about.

    Raises:
        ValueError: what was loaded fits the file's spaces, networks or class not.
    """
    with zipfile.ZipFile(content) as archive:
        held = sum(entry.file_size for entry in archive.infolist() if entry.filename.endswith(".pth")) // 4
    content.seek(0)
    name = "the open file" if isinstance(path, io.IOBase) else str(path)
    try:
        with budget(held):
            yield
    except Exception as error:  # what does not fit together fails in many ways
        if isinstance(error, ValueError) and not alone:
            raise
        raise ValueError(f"{key}: {name!r} does not hold such an agent ({one_line(error)})") from error
