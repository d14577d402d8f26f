"""`SlicePolicy`: runs an exported policy by ONNX Runtime, without PyTorch; else a safe allocation."""

from __future__ import annotations

import hashlib
import json
import math
import os
import reprlib
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agents.deploy.decision import Decision
from slicing_gym.builtin_types import named
from slicing_gym.errors import check_number
from slicing_gym.ranking import in_shape, no_allocation
from slicing_gym.scenario import Scenario

try:
    import onnxruntime
except ImportError as error:
    raise ImportError(
        f"SlicePolicy needs the extra `deploy` (pip install 'slicing-gym[deploy]'): {error}", name=error.name
    ) from None

FORMAT_VERSION = 2
"""Of the files `agents.deploy.export` writes; those of format 1 gave rows of a table that they held."""

KEY = "slicing_gym."
"""Prefix of the names of a file's ONNX metadata, all of it JSON."""

CHECKSUM_MARK = f"{KEY}sha256".encode() + b"\x12\x40"
"""What stands before the checksum in a file: its name, and that 64 characters follow."""

_DEVIATIONS = 4.0
"""A count varies by about its square root: so many of them beyond the trained range are ordinary variation."""

_WANTED = "wanted is a file that `python -m experiments.export` wrote"

_AGAIN = "export the policy again (python -m experiments.export policy=<its run or student>)"


class SlicePolicy:
    """Chooses an allocation for measured arrivals; where they cannot be trusted, a safe one.

    `decide` never raises, so that a controller's loop goes on, and keeps nothing between decisions.

    Args:
        file: path of what `python -m experiments.export` wrote, or its contents (bytes).
        max_age_s: how old a measurement may be [s]; by default two of the scenario's decision intervals.
        margin: how many times the largest arrivals of training are still allowed, and what part of the smallest.
        fallback: the safe allocation in units (n_slices,); by default the file's.

    Attributes:
        name: of the policy.
        made_from: what it was exported from.
        scenario: that it was trained on.
        trained_on: smallest and largest arrivals per slice that it was trained on, two (n_slices,).
        allowed: arrivals per slice beyond which it is not asked, two (n_slices,).
        fallback: the safe allocation in units (n_slices,).
        max_age_s: see above.

    Raises:
        ImportError: ONNX Runtime is missing (`pip install "slicing-gym[deploy]"`).
        FileNotFoundError: there is no such file.
        ValueError: it is not a policy's file, is damaged or of another version; or an argument is not allowed.
        TypeError: an argument is not a number.
    """

    def __init__(
        self,
        file: str | os.PathLike[str] | bytes,
        max_age_s: float | None = None,
        margin: float = 2.0,
        fallback: npt.ArrayLike | None = None,
    ) -> None:
        self._session, metadata = _read(file)
        self.name, self.made_from, self.scenario = metadata.name, metadata.made_from, metadata.scenario
        self.trained_on = metadata.trained_on
        interval_s = self.scenario.radio.interval_s
        self.max_age_s = 2.0 * interval_s if max_age_s is None else check_number("max_age_s", max_age_s, at_least=0.0)
        self.allowed = _allowed(*self.trained_on, check_number("margin", margin, at_least=1.0))
        with named("fallback"):
            self.fallback = metadata.fallback if fallback is None else _allocation(fallback, self.scenario)
        self._safe = Decision(self.fallback, self.scenario)
        self._shape = (len(self.fallback),)
        self._bounds = list(zip(*(bound.tolist() for bound in self.allowed), strict=True))

    def decide(self, arrivals: Sequence[float] | npt.NDArray[Any], age_s: float = 0.0) -> Decision:
        """The allocation for the next interval.

        Args:
            arrivals: packets admitted to each slice's queues in the last interval (n_slices,).
            age_s: how long ago that interval ended [s].
        """
        failure: Exception | None = None
        try:
            seen = _numbers(arrivals)
            if 0.0 <= _number(age_s) <= self.max_age_s and seen.shape == self._shape:
                for value, (low, high) in zip(seen.tolist(), self._bounds, strict=True):
                    if not low <= value <= high:
                        break
                else:
                    (units,) = self._session.run(_OUTPUTS, {"arrivals": seen[None]})[0].tolist()
                    return Decision(tuple(units), self.scenario)
        except Exception as error:  # whatever a measurement may be, the controller's loop has to go on
            failure = error
        return replace(self._safe, reason=self._refusal(arrivals, age_s) or f"policy: it failed ({_short(failure)})")

    def units(self, arrivals: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """What the policy chooses, without any of the checks of `decide`.

        Args:
            arrivals: packets in the last interval (n, n_slices).

        Returns:
            Allocations (n, n_slices) [units].
        """
        seen = np.asarray(arrivals, np.float64)
        # In parts, because the best allocation is found on arrays of about units x units for each row.
        rows = min(max(_NUMBERS // self.scenario.num_units**2, 1), _MOST_ROWS)
        parts = np.array_split(seen, max(-(-len(seen) // rows), 1))
        return np.concatenate([self._session.run(_OUTPUTS, {"arrivals": part})[0] for part in parts])

    def _refusal(self, arrivals: Any, age_s: Any) -> str | None:
        """What is wrong with a measurement (the slice, the value, what is allowed), or None."""
        names = self.scenario.slice_names
        if age_s is None:
            return "age_s: missing (None given)"
        if not 0.0 <= _number(age_s) <= self.max_age_s:
            return f"age_s: {_short(age_s)} given, allowed is 0 to {self.max_age_s:g} s"
        if arrivals is None:
            return f"arrivals: missing (None given), allowed are {len(names)} numbers ({', '.join(names)})"
        if isinstance(arrivals, list | tuple | deque) and len(items := _items(arrivals)) == len(names):
            for name, value in zip(names, items, strict=True):
                if value is None:
                    return f"arrivals.{name}: missing (None given)"
        try:
            seen = _numbers(arrivals)
            given = "" if seen.shape == self._shape else f"shape {seen.shape}"
        except Exception:  # NumPy calls methods of what it is given
            given = _short(arrivals)
        if given:
            return f"arrivals: {given} given, allowed are {len(names)} numbers ({', '.join(names)})"
        for name, value, (low, high) in zip(names, seen.tolist(), self._bounds, strict=True):
            if not low <= value <= high:
                far = "" if not math.isfinite(value) or value < 0.0 else ", far from what it was trained on"
                return f"arrivals.{name}: {value:g} given{far}; allowed is {low:g} to {high:g}"
        return None


_KINDS = frozenset({int, float, Fraction, Decimal, *(np.dtype(code).type for code in "bBhHiIlLqQefd")})
"""Classes of numbers; one that is derived of them may compare as it likes, and a bool is none."""


def _number(value: object) -> float:
    """A number as a float; NaN where it is none."""
    try:
        return float(value) if type(value) in _KINDS else math.nan  # type: ignore[arg-type]
    except (OverflowError, ValueError):  # more than 308 digits; a signalling NaN
        return math.nan


def _numbers(values: Any) -> npt.NDArray[np.float64]:
    """A list or an array of numbers as float64.

    Raises:
        Exception: it holds anything else, of whatever kind.
    """
    if isinstance(values, str | bytes | bytearray):
        raise TypeError("no numbers")
    if isinstance(values, Sequence) and not isinstance(values, memoryview):
        items = _items(values)
        if all(isinstance(each, list | tuple) for each in items):
            return np.array([_numbers(each) for each in items], np.float64)
        if not all(type(each) in _KINDS for each in items):
            raise TypeError("no numbers")
        return np.array([float(each) for each in items], np.float64)
    if not _is_array(values) or np.ma.is_masked(values):  # what is masked was not measured
        raise TypeError("no array")
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iuf":
        raise TypeError("no numbers")
    return array.astype(np.float64)


def _items(values: Sequence[Any]) -> list[Any]:
    """What a sequence holds; a list or a tuple, whatever a class derived of it says."""
    if isinstance(values, list):
        return list(list.__iter__(values))
    return list(tuple.__iter__(values) if isinstance(values, tuple) else values)


def _is_array(values: object) -> bool:
    """Whether it is an array of one type: of NumPy, of whatever makes one of itself, or a buffer."""
    try:
        memoryview(values)  # type: ignore[arg-type]
    except TypeError:
        return hasattr(type(values), "__array__")
    return True


_OUTPUTS = ["units"]

_NUMBERS, _MOST_ROWS = 4_000_000, 256
"""Numbers in an array at a time, about, and rows of arrivals."""


class _Header(NamedTuple):
    """The metadata of a policy's file; see the attributes of `SlicePolicy`."""

    name: str
    made_from: str
    scenario: Scenario
    trained_on: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
    fallback: tuple[int, ...]


def _short(value: object) -> str:
    """A value as text, even if it is long or cannot be shown."""
    try:
        return reprlib.repr(value)
    except Exception:
        return f"a {type(value).__name__}"


def _allowed(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], margin: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Bounds within which a policy is asked: the trained range, with room for varying counts and the margin."""
    least = np.maximum(low - _DEVIATIONS * np.sqrt(low + 1.0), 0.0) / margin
    most = (high + _DEVIATIONS * np.sqrt(high + 1.0)) * margin
    return least, most


def _read(file: str | os.PathLike[str] | bytes) -> tuple[onnxruntime.InferenceSession, _Header]:
    """Session and header of a policy's file; a damaged one does not reach ONNX Runtime.

    Raises:
        FileNotFoundError, ValueError: see `SlicePolicy`.
    """
    if isinstance(file, bytes):
        name, content = "the given bytes", file
    else:
        name = os.fspath(file)
        if not Path(name).is_file():
            raise FileNotFoundError(f"policy: there is no file {name!r}")
        content = Path(name).read_bytes()
    if content.count(CHECKSUM_MARK) != 1:
        raise ValueError(f"policy: {name!r} is not a policy's file, or is damaged; {_WANTED}")
    start = content.index(CHECKSUM_MARK) + len(CHECKSUM_MARK)
    if content[start : start + 64] != checksum(content):
        raise ValueError(f"policy: {name!r} is damaged: its contents do not have the checksum that it names")
    try:
        session = _session(content)
        metadata = session.get_modelmeta().custom_metadata_map
        header = {key.removeprefix(KEY): json.loads(value) for key, value in metadata.items() if key != f"{KEY}sha256"}
        version = header["format"]
    except Exception as error:  # ONNX Runtime has a class of its own for each kind of failure
        raise ValueError(f"policy: {name!r} cannot be loaded ({error}); {_WANTED}") from None
    if version != FORMAT_VERSION:
        raise ValueError(f"policy: {name!r} has format {version!r}, allowed is {FORMAT_VERSION}; {_AGAIN}")
    try:
        return session, _checked(session, header)
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"policy: {name!r} does not hold a policy ({error})") from None


def checksum(content: bytes) -> bytes:
    """The SHA-256 of a file, 64 zeros in the place of the checksum itself, as 64 hexadecimal digits."""
    start = content.index(CHECKSUM_MARK) + len(CHECKSUM_MARK)
    return hashlib.sha256(content[:start] + b"0" * 64 + content[start + 64 :]).hexdigest().encode()


def _session(content: bytes) -> onnxruntime.InferenceSession:
    """A session of one thread, on the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised
    # A file of ours is whole; one that names other files to read finds none there.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _checked(session: onnxruntime.InferenceSession, header: dict[str, Any]) -> _Header:
    """The header, after a look at whether it fits together and to the graph."""
    scenario = Scenario.from_dict(header["scenario"])
    slices = scenario.num_slices
    given = [(each.name, each.type, each.shape[1:]) for each in session.get_inputs()]
    made = [(each.name, each.type, each.shape[1:]) for each in session.get_outputs()]
    if (given, made) != ([("arrivals", "tensor(double)", [slices])], [("units", "tensor(int64)", [slices])]):
        raise ValueError(f"its input is {given} and its output {made}")
    low, high = checked_range(header["trained_on"], slices)
    fallback = _allocation(header["fallback"], scenario)
    return _Header(str(header["name"]), str(header["made_from"]), scenario, (low, high), fallback)


def checked_range(trained_on: Any, slices: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The smallest and the largest arrivals per slice of training, two (n_slices,).

    Raises:
        ValueError, TypeError: they are not.
    """
    low, high = (np.array(bound, np.float64) for bound in trained_on)
    if {low.shape, high.shape} != {(slices,)} or not (np.isfinite(high) & (low >= 0.0) & (low <= high)).all():
        raise ValueError(
            f"trained_on: {trained_on} given, wanted are the smallest and the largest arrivals of each slice"
        )
    return low, high


def _allocation(units: npt.ArrayLike, scenario: Scenario) -> tuple[int, ...]:
    """Units (n_slices,), if they are an allocation of the scenario."""
    given = in_shape(units, 1, scenario.num_slices).reshape(scenario.num_slices)
    row = tuple(given.tolist())
    if min(row) < 1 or sum(row) != scenario.num_units:
        raise no_allocation(given, scenario.num_units)
    return row
