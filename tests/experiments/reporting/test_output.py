"""Terminals, pipes and disks that take nothing: a command goes on, and its exit status says what was lost."""

from __future__ import annotations

import io
import os
import sys

import pytest

from experiments.reporting.output import steady_output

LINE = "U 7.9 ± 0.7"


@steady_output()
def command(place, status=0):
    for _ in range(3000):
        sys.stdout.write(f"{LINE * 3}\n")
        sys.stderr.write(f"{LINE}\n")
    with open(place / "results", "w") as file:
        file.write("whole")
        file.flush()
        sys.stderr.write(f"{LINE}\n")
    sys.exit(status)


def stream(number, encoding, at_once):
    """A stream as Python makes them when it begins."""
    try:
        os.fstat(number)
    except OSError:
        return None
    return io.TextIOWrapper(open(number, "wb", 0 if at_once else -1, closefd=False), encoding, write_through=at_once)


def begin(work, output, error, encoding="utf-8", at_once=False):
    """Begin a process with these descriptors as its output and error, None for closed; its id."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        for number, descriptor in ((1, output), (2, error)):
            os.close(number) if descriptor is None else os.dup2(descriptor, number)
        sys.stdout = sys.__stdout__ = stream(1, encoding, at_once)
        sys.stderr = sys.__stderr__ = stream(2, encoding, at_once)
        work()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(ended.code)
            sys.stderr.flush()
        status = ended.code if isinstance(ended.code, int) else 1
    finally:
        os._exit(status)


def exit_status(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def nobody():
    """A pipe that nobody reads."""
    reads, writes = os.pipe()
    os.close(reads)
    yield writes
    os.close(writes)


@pytest.fixture
def full():
    """A file on a full disk."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def seen(tmp_path):
    """A file that takes all."""
    descriptor = os.open(tmp_path / "seen", os.O_WRONLY | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("kind", ["closed", "broken", "full error"])
def test_nobody_reads_it_and_the_results_are_written(tmp_path, nobody, full, seen, kind, at_once):
    pair = {"closed": (None, None), "broken": (nobody, nobody), "full error": (seen, full)}[kind]
    assert exit_status(begin(lambda: command(tmp_path), *pair, at_once=at_once)) == 0
    assert (tmp_path / "results").read_text() == "whole"


@pytest.mark.parametrize("at_once", [False, True])
def test_a_full_disk_is_one_line_at_the_end(tmp_path, full, seen, at_once):
    assert exit_status(begin(lambda: command(tmp_path), full, seen, at_once=at_once)) == 1
    last = (tmp_path / "seen").read_text().splitlines()[-1]
    assert last == "error: what was printed could not be written whole: [Errno 28] No space left on device"
    assert (tmp_path / "results").read_text() == "whole"
    assert exit_status(begin(lambda: command(tmp_path, 143), full, seen, at_once=at_once)) == 143


def test_a_terminal_that_knows_ascii_alone(tmp_path, seen):
    assert exit_status(begin(lambda: command(tmp_path), seen, None, "ascii")) == 0
    assert (tmp_path / "seen").read_text().splitlines() == [LINE.replace("±", "?") * 3] * 3000


@pytest.mark.parametrize("at_once", [False, True])
def test_a_reader_that_is_slow_gets_all_from_a_pipe_that_does_not_wait(tmp_path, at_once):
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    child = begin(lambda: command(tmp_path), writes, None, at_once=at_once)
    os.close(writes)
    with open(reads, encoding="utf-8") as pipe:
        assert pipe.read().splitlines() == [LINE * 3] * 3000
    assert exit_status(child) == 0
