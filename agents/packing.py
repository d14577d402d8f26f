"""Objects as builtin types and arrays, and back in place; no pickle, so that reading runs no code."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.wrappers.utils import RunningMeanStd as GymnasiumStatistics
from stable_baselines3.common.running_mean_std import RunningMeanStd

Arrays = dict[str, npt.NDArray[Any]]


class UnstorableError(ValueError):
    """A part that no checkpoint can hold.

    Args:
        path: where it is, by attribute.
        part: it.
    """

    def __init__(self, path: str, part: object) -> None:
        self.path, self.part = path, part
        super().__init__(f"{path}: a {type(part).__name__} is neither number, text, array nor tensor")


def pack(part: Any, path: str, arrays: Arrays) -> Any:
    """A part as builtin types that JSON holds; its arrays go to `arrays`, by their path.

    Raises:
        UnstorableError: some of it is of another kind.
    """
    if isinstance(part, np.bool_ | np.number):  # before float, which np.float64 is too: arithmetic tells them apart
        return {"scalar": _store(np.array(part), path, arrays)}
    if isinstance(part, Enum):
        raise UnstorableError(path, part)
    if part is None or isinstance(part, bool | int | float | str):
        return {"value": part}
    if isinstance(part, np.ndarray) and not part.dtype.hasobject:
        return {"array": _store(part, path, arrays)}
    if isinstance(part, torch.Tensor):
        try:
            array = part.detach().cpu().numpy()
        except (TypeError, RuntimeError):  # of a kind that NumPy has not
            raise UnstorableError(path, part) from None
        return {"tensor": _store(array, path, arrays)}
    if isinstance(part, Mapping):
        return {"items": [[_key(key, path), pack(each, f"{path}.{key}", arrays)] for key, each in part.items()]}
    if type(part) in _SEQUENCES:
        rows = [pack(each, f"{path}.{number}", arrays) for number, each in enumerate(part)]
        return {"sequence": _SEQUENCES[type(part)], "rows": rows, "maxlen": getattr(part, "maxlen", None)}
    if isinstance(part, np.random.Generator):
        return {"generator": pack(part.bit_generator.state, path, arrays)}
    if isinstance(part, random.Random):
        return {"random": pack(part.getstate(), path, arrays)}
    if isinstance(part, torch.Generator):
        return {"torch_generator": pack(part.get_state(), path, arrays)}
    if isinstance(part, RunningMeanStd | GymnasiumStatistics):
        return {"statistics": pack(vars(part), path, arrays)}
    if hasattr(part, "state_dict") and hasattr(part, "load_state_dict"):
        return {"state_dict": pack(part.state_dict(), path, arrays)}
    raise UnstorableError(path, part)


def _store(array: npt.NDArray[Any], path: str, arrays: Arrays) -> str:
    """Keep a copy under its path, or one like it that is free; where it is."""
    while path in arrays:
        path += "+"
    arrays[path] = array.copy()
    return path


_SEQUENCES: dict[type, str] = {list: "list", tuple: "tuple", deque: "deque", set: "set"}


def _key(key: Any, path: str) -> Any:
    if key is None or isinstance(key, bool | int | float | str):
        return key
    raise UnstorableError(f"{path}[{key!r}]", key)


def unpack(packed: Any, arrays: Mapping[str, npt.NDArray[Any]], old: Any = None) -> Any:
    """What `pack` took apart; an `old` of the same kind is changed in place and returned, for it may be shared.

    Raises:
        ValueError: `old` is not what can take the state.
    """
    if "value" in packed:
        return packed["value"]
    if "scalar" in packed:
        return arrays[packed["scalar"]][()]
    if "array" in packed:  # never in place: two arrays that are one now may have been two
        return arrays[packed["array"]].copy()
    if "tensor" in packed:
        return _into_tensor(torch.from_numpy(arrays[packed["tensor"]].copy()), old)
    if "items" in packed:
        before = old if isinstance(old, dict) else {}
        made = {key: unpack(each, arrays, before.get(key)) for key, each in packed["items"]}
        if not isinstance(old, dict):
            return made
        old.clear()
        old.update(made)
        return old
    if "sequence" in packed:
        return _into_sequence(packed, arrays, old)
    (kind,) = packed
    if kind == "generator":
        state = unpack(packed[kind], arrays)
        own = old if isinstance(old, np.random.Generator) else _generator(state["bit_generator"])
        own.bit_generator.state = state
        return own
    if old is None:
        raise ValueError(f"resume: the checkpoint has the state of a {kind} that this agent has not")
    if kind == "random":
        old.setstate(unpack(packed[kind], arrays))
    elif kind == "torch_generator":
        old.set_state(unpack(packed[kind], arrays))
    elif kind == "statistics":
        vars(old).update(unpack(packed[kind], arrays))
    else:
        old.load_state_dict(unpack(packed[kind], arrays))
    return old


def _into_tensor(tensor: torch.Tensor, old: Any) -> Any:
    if isinstance(old, torch.Tensor) and (old.shape, old.dtype) == (tensor.shape, tensor.dtype):
        with torch.no_grad():
            return old.copy_(tensor)
    return tensor


def _into_sequence(packed: Any, arrays: Mapping[str, npt.NDArray[Any]], old: Any) -> Any:
    before = [None] * len(packed["rows"])
    if type(old) in (list, tuple, deque) and len(old) == len(before) == len({id(each) for each in old}):
        before = list(old)
    rows = [unpack(each, arrays, former) for each, former in zip(packed["rows"], before, strict=True)]
    kind = packed["sequence"]
    if kind == "deque":
        if not isinstance(old, deque) or old.maxlen != packed["maxlen"]:
            return deque(rows, packed["maxlen"])
        old.clear()
        old.extend(rows)
        return old
    if kind == "list" and isinstance(old, list):
        old[:] = rows
        return old
    if kind == "set" and isinstance(old, set):
        old.clear()
        old.update(rows)
        return old
    return {"list": list, "tuple": tuple, "set": set}[kind](rows)


def _generator(name: str) -> np.random.Generator:
    if name not in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"):
        raise ValueError(f"resume: the checkpoint names {name!r}, which is no bit generator of NumPy")
    return np.random.Generator(getattr(np.random, name)())


def part_of(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Arrays:
    """Those whose names begin so, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def with_prefix(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Arrays:
    """The inverse of `part_of`."""
    return {f"{prefix}{name}": array for name, array in arrays.items()}
