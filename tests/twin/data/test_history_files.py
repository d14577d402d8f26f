"""Files of histories."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.twins import assert_same
from twin import History
from twin.data.history import FORMAT_VERSION, concatenate


def test_save_and_load(history, tmp_path):
    path = tmp_path / "folder" / "history.npz"
    history.save(path)
    assert_same(History.load(path), history)


def test_damaged_and_foreign_files_are_refused(history, tmp_path):
    path = tmp_path / "history.npz"
    history.save(path)
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"history\.npz' is not a history's file, or is damaged"):
            History.load(path)
    path.write_bytes(b"text")
    with pytest.raises(ValueError, match="is not a history's file"):
        History.load(path)
    np.savez(path, run=np.zeros(3))
    with pytest.raises(ValueError, match="is not a history's file"):
        History.load(path)
    with pytest.raises(FileNotFoundError, match=r"'.*absent\.npz' does not exist"):
        History.load(tmp_path / "absent.npz")


def rewrite(path, change):
    """The file with its arrays changed."""
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)


def test_other_versions_and_contents_are_refused(history, tmp_path):
    path = tmp_path / "history.npz"

    def other_version(arrays):
        text = str(arrays["header"])
        assert f'"format": {FORMAT_VERSION}' in text
        arrays["header"] = np.array(text.replace(f'"format": {FORMAT_VERSION}', '"format": 99'))

    for change, message in (
        (other_version, rf"history\.npz' has format 99, allowed is {FORMAT_VERSION}"),
        (lambda arrays: arrays.pop("arrivals"), "does not hold a history .*'arrivals'"),
        (lambda arrays: arrays.pop("performance.ssr"), "does not hold a history .*performance: ssr missing"),
        (lambda arrays: arrays["allocation"].fill(9), r"does not hold a history .*allocation: \[9, 9\] in row 0"),
    ):
        history.save(path)
        rewrite(path, change)
        with pytest.raises(ValueError, match=message):
            History.load(path)


def test_loading_runs_no_code(history, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "history.npz"
    history.save(path)
    rewrite(path, lambda arrays: arrays.update(run=np.array([Trap()], dtype=object)))
    with pytest.raises(ValueError, match="is not a history's file"):
        History.load(path)
    assert not (tmp_path / "sprung").exists()


def test_saving_is_atomic(history, tmp_path, monkeypatch):
    path = tmp_path / "history.npz"
    history.save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        history.take(slice(0, 2)).save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["history.npz"]


def test_every_damaged_file_is_refused_by_name(history, tmp_path):
    """Among them those of which NumPy says "[Errno 22] Invalid argument" and no more."""
    history.save(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    random, path, refused = np.random.default_rng(0), tmp_path / "damaged.npz", []
    for number in range(200):
        content = bytearray(whole)
        start = int(random.integers(len(content)))
        if number % 3 == 0:
            del content[start:]
        elif number % 3 == 1:
            content[start : start + 4] = random.bytes(4)
        else:  # the directory of the archive is at its end
            content[-int(random.integers(1, 120))] ^= 1 << int(random.integers(8))
        path.write_bytes(content)
        try:
            History.load(path)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 120
    assert any("Errno 22" in each for each in refused)
    assert all(each.startswith(f"history: {str(path)!r} ") and "\n" not in each for each in refused)


def test_times_are_kept_and_taken_along(history, tmp_path):
    stamped = replace(history, time=1e9 + 0.25 * np.arange(len(history)))
    stamped.save(tmp_path / "history.npz")
    read = History.load(tmp_path / "history.npz")
    np.testing.assert_array_equal(read.time, stamped.time, strict=True)
    np.testing.assert_array_equal(read.take(read.run == 1).time, stamped.time[history.run == 1])
    assert len(concatenate([read, read]).time) == 2 * len(history)
    assert concatenate([read, history]).time is None
    for wrong, message in ((np.zeros(3), r"time: shape \(3,\) given"), (np.full(len(history), np.nan), "time: nan in")):
        with pytest.raises(ValueError, match=message):
            replace(history, time=wrong)
