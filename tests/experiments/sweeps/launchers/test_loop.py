"""The loop of every launcher: whatever comes while jobs are begun, those that have begun are ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from experiments.runs.stopping import Stopped, signals_put_off, stopped_by_signals
from experiments.sweeps.launchers.job import Job
from experiments.sweeps.launchers.loop import run_jobs


class Sleeper:
    """A process that does nothing until it is ended."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])

    def poll(self):
        return self.process.poll() is not None

    def status(self):
        return self.process.returncode

    def terminate(self):
        self.process.terminate()

    def kill(self):
        self.process.kill()


@pytest.fixture
def started():
    """Sleepers that a test has begun; none is left."""
    found = []
    yield found
    for each in found:
        if each.process.poll() is None:
            each.kill()
        each.process.wait()


def begin_with(started, between):
    def begin(jobs):
        for number, _ in enumerate(jobs):
            started.append(Sleeper())
            between(number)
            yield started[-1]

    return begin


def jobs(tmp_path):
    return [Job(number, (), tmp_path / str(number)) for number in range(2)]


def test_a_signal_that_comes_while_jobs_are_begun_ends_them_all(tmp_path, started):
    ended = []
    begin = begin_with(started, lambda number: number or os.kill(os.getpid(), signal.SIGTERM))
    with stopped_by_signals(), pytest.raises(Stopped):
        run_jobs(jobs(tmp_path), lambda job, status: ended.append((job.number, status)), begin, at_a_time=2)
    assert sorted(ended) == [(0, -signal.SIGTERM), (1, -signal.SIGTERM)]
    assert len(started) == 2


def test_a_job_that_cannot_be_begun_leaves_none_behind(tmp_path, started):
    ended = []

    def cannot(number):
        if number == 1:
            raise BlockingIOError("no more processes")

    begin = begin_with(started, cannot)
    with pytest.raises(BlockingIOError):
        run_jobs(jobs(tmp_path), lambda job, status: ended.append((job.number, status)), begin, at_a_time=2)
    assert ended == [(0, -signal.SIGTERM)]


def test_signals_that_were_put_off_come_and_processes_do_not_inherit_that(started):
    def work():
        with stopped_by_signals(), signals_put_off():
            os.kill(os.getpid(), signal.SIGHUP)
            started.append(Sleeper())

    with pytest.raises(Stopped):
        work()
    started[0].process.terminate()
    assert started[0].process.wait() == -signal.SIGTERM
