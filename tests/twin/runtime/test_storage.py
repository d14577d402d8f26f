"""Twins in files: what was saved goes on alike, what is no twin is refused by name."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from slicing_gym import allocation_table
from slicing_gym.files import digest
from tests.helpers.twins import cold_twin, history_of, small_twin, without_range
from twin import (
    DigitalTwin,
)


def test_a_saved_twin_goes_on_alike(twin, tmp_path):
    twin.save(tmp_path / "twin.safetensors")
    other = DigitalTwin.load(tmp_path / "twin")
    assert (other.transition, other.performance, other.training, other.seed) == (
        twin.transition,
        twin.performance,
        twin.training,
        twin.seed,
    )
    plan = allocation_table(20, 3)[[3, 100, 7, 55]]
    for mine, theirs in zip(twin.sample(plan, [4, 5]), other.sample(plan, [4, 5]), strict=True):
        np.testing.assert_array_equal(mine.arrivals, theirs.arrivals)
        np.testing.assert_array_equal(mine.utility, theirs.utility)


def test_a_twin_knows_the_units_that_it_was_fitted_to():
    """The wider range counts where it was calibrated; a file of before says nothing of it, and may not be guessed."""
    history = history_of("paper-1mhz", 200)
    few = history.take(np.flatnonzero((history.allocation >= 3).all(axis=1)))
    twin = cold_twin(few)
    loaded = DigitalTwin.from_bytes(twin.to_bytes())
    for each in (twin, loaded):
        np.testing.assert_array_equal(
            each.model.coverage.ends, np.transpose([few.allocation.min(0), few.allocation.max(0)])
        )
    np.testing.assert_array_equal(
        loaded.calibrate(history).model.coverage.ends,
        np.transpose([history.allocation.min(0), history.allocation.max(0)]),
    )
    loaded.calibrate(few)
    np.testing.assert_array_equal(loaded.model.coverage.ends[:, 0], history.allocation.min(0))
    former = DigitalTwin.from_bytes(without_range(twin))
    assert former.model.coverage is None
    assert former.calibrate(few).model.coverage is None


def test_files_that_are_no_twins_are_refused(tmp_path, history):
    twin = small_twin(history, epochs=1)
    path = tmp_path / "twin.safetensors"
    twin.save(path)
    whole = path.read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + size])
    tensors = load_file(path)

    def with_header(changed: dict[str, object]) -> bytes:
        metadata = {"twin": with_checksum(changed, tensors)}
        text = json.dumps({**header, "__metadata__": metadata}).encode()
        return struct.pack("<Q", len(text)) + text + whole[8 + size :]

    def with_checksum(changed: object, arrays: dict[str, np.ndarray]) -> str:
        """A header that names its own checksum rightly."""
        if not isinstance(changed, dict):
            return json.dumps(changed)
        return json.dumps({**changed, "sha256": digest(changed, arrays)})

    contents = json.loads(header["__metadata__"]["twin"])
    del contents["sha256"]
    other = json.loads(json.dumps(contents))
    del other["layout"]["scenario"]["slices"]["volte"]
    wrong = {
        "truncated": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"hello, this is no twin at all",
        "version": with_header({**contents, "format": 99}),
        "fewer slices": with_header(other),
        "unknown transition": with_header({**contents, "transition": {"name": "gru"}}),
        "no mapping": with_header([1]),
        "bad seed": with_header({**contents, "seed": "x"}),
        "units of one slice": with_header({**contents, "coverage": covered([[1, 18]])}),
        "units in no order": with_header({**contents, "coverage": covered([[18, 1]] * 3)}),
        "halves of units": with_header({**contents, "coverage": covered([[1.5, 18]] * 3)}),
        "no edges": with_header({**contents, "coverage": covered([[1, 18]] * 3) | {"edges": [[5.0]] * 3}}),
        "a flipped bit": whole[:-100] + bytes([whole[-100] ^ 4]) + whole[-99:],
    }
    halves = {**tensors, "performance.first": tensors["performance.first"].astype(np.float16)}
    save_file(halves, tmp_path / "halves", {"twin": with_checksum(contents, halves)})
    wrong["other numbers"] = (tmp_path / "halves").read_bytes()
    poisoned = {**tensors, "table.spread": np.full_like(tensors["table.spread"], np.nan)}
    save_file(poisoned, tmp_path / "poisoned", {"twin": with_checksum(contents, poisoned)})
    wrong["not a number"] = (tmp_path / "poisoned").read_bytes()
    messages = {
        "version": "has format 99, allowed are 1 and 2",
        "fewer slices": "has shape",
        "unknown transition": "transition: unknown name 'gru'",
        "bad seed": "seed: 'x'",
        "units of one slice": "coverage has shape",
        "units in no order": "ends has to rise, from the fewest to the most",
        "halves of units": r"ends has shape \(3, 2\), or is of float64",
        "no edges": "edges has shape",
        "a flipped bit": "does not have|do not have the checksum",
        "other numbers": "performance.first has values of type float16, wanted are float32",
        "not a number": "table.spread has values that are not finite",
    }
    for name, content in wrong.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=messages.get(name, "twin: ")):
            DigitalTwin.load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*missing"):
        DigitalTwin.load(tmp_path / "missing")


def covered(ends):
    """What a header has of units of a fit, whatever the loads."""
    return {"ends": ends, "edges": [[]] * len(ends), "held": [[each] for each in ends]}
