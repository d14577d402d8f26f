"""Files that are whole or not there: what cannot be written says so, and what killed writers left is removed."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
import torch

from slicing_gym.files import UNFINISHED, atomic_write, remove_unfinished
from tests.helpers.full_disk import files_of_at_most

ARRAY = np.arange(10_000.0)


@pytest.mark.parametrize(
    "write",
    [
        lambda file: file.write(ARRAY.tobytes()),
        lambda file: np.savez(file, array=ARRAY),  # zipfile raises a ValueError after it
        lambda file: torch.save(torch.from_numpy(ARRAY), file),  # a RuntimeError
        lambda file: file.write(bytes(2000)),  # as it is flushed
    ],
)
def test_what_does_not_fit_names_its_file_and_leaves_the_one_before(tmp_path, write):
    path = tmp_path / "file.bin"
    path.write_bytes(b"before")
    with (
        files_of_at_most(1000),
        pytest.raises(OSError, match=r"File too large: '.*file\.bin'$"),
        atomic_write(path) as file,
    ):
        write(file)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_an_error_of_another_file_is_left_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"), atomic_write(tmp_path / "file.bin"):
        (tmp_path / "missing").read_bytes()
    assert not os.listdir(tmp_path)


def test_a_folder_in_which_nothing_can_be_made_is_named_with_the_file():
    with pytest.raises(OSError, match=r"'/proc/file\.bin'$"), atomic_write("/proc/file.bin"):
        raise AssertionError("no file can be made in /proc")


def test_a_name_may_be_as_long_as_the_system_lets_it(tmp_path):
    with atomic_write(tmp_path / ("a" * 255)) as file:
        file.write(b"whole")
    assert os.listdir(tmp_path) == ["a" * 255]
    with pytest.raises(OSError, match="File name too long"), atomic_write(tmp_path / ("b" * 256)) as file:
        file.write(b"whole")
    assert os.listdir(tmp_path) == ["a" * 255]


def test_what_a_killed_writer_left_is_removed_by_the_next_and_what_another_writes_is_not(tmp_path):
    child = os.fork()
    if child == 0:
        with atomic_write(tmp_path / "file.bin") as file:
            file.write(ARRAY.tobytes())
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = os.listdir(tmp_path)
    assert left.endswith(UNFINISHED)
    with atomic_write(tmp_path / "one") as one:
        assert left not in os.listdir(tmp_path)
        one.write(b"1")
        with atomic_write(tmp_path / "two") as two:
            two.write(b"2")
        remove_unfinished(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]
    assert (tmp_path / "one").read_bytes() == b"1"


def test_processes_that_write_to_one_folder_at_the_same_time_lose_nothing(tmp_path):
    """A file that is not yet locked by its writer may be taken for left by another; the writer makes a new one."""
    end, children = time.monotonic() + 3.0, []
    for number in range(6):
        child = os.fork()
        if child == 0:
            try:
                while time.monotonic() < end:
                    with atomic_write(tmp_path / f"file{number}") as file:
                        file.write(b"whole")
            except BaseException:
                os._exit(1)
            os._exit(0)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 6
    assert sorted(os.listdir(tmp_path)) == [f"file{number}" for number in range(6)]
