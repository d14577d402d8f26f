"""A run as a process: its status, exit status, log and folder, however it ends."""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import signal
import time
from dataclasses import asdict
from functools import partial

import pytest

from experiments.runs import lock, stopping
from experiments.runs.lock import RunLock, is_locked
from experiments.runs.process import FINISHED, Process
from experiments.runs.status import DEAD, Status, read_status, state_of, write_status


def process(folder, work, prepare=None):
    return Process(folder, "train", ["seed=0"], prepare or (lambda: work), lambda: "type it again", lambda: None)


def test_a_run_that_ends_well_is_done(tmp_path):
    def work():
        assert read_status(tmp_path / "run").state == "running"
        assert is_locked(tmp_path / "run")

    assert process(tmp_path / "run", work).run() == 0
    status = read_status(tmp_path / "run")
    assert (status.state, status.command, status.overrides, status.error) == ("done", "train", ("seed=0",), "")
    assert status.process == os.getpid()
    assert status.seconds >= 0
    assert status.started <= status.ended
    assert not is_locked(tmp_path / "run")


def test_an_error_is_in_status_and_log_and_on_the_terminal(tmp_path, capsys):
    handler = logging.FileHandler(tmp_path / "train.log")
    logging.getLogger().addHandler(handler)
    try:
        assert process(tmp_path, lambda: 1 / 0).run() == 1
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    status = read_status(tmp_path)
    assert (status.state, status.error) == ("failed", "ZeroDivisionError: division by zero")
    printed = capsys.readouterr().err
    for text in (status.traceback, (tmp_path / "train.log").read_text(), printed):
        assert "Traceback (most recent call last)" in text
        assert "ZeroDivisionError: division by zero" in text


def test_an_exit_with_a_message_fails_without_a_traceback(tmp_path, capsys):
    def work():
        raise SystemExit("error: they disagree")

    assert process(tmp_path, work).run() == 1
    assert capsys.readouterr().err == "error: they disagree\n"
    assert read_status(tmp_path).traceback == ""


def test_what_is_refused_leaves_no_status_but_in_a_sweep(tmp_path, capsys):
    def refuse():
        raise ValueError("seed: -1 given, allowed is 0 or more")

    folder = tmp_path / "sweep" / "run"
    assert process(folder, None, refuse).run() == 1
    assert capsys.readouterr().err == "error: seed: -1 given, allowed is 0 or more\n"
    assert not folder.exists()
    (tmp_path / "sweep" / "sweep.json").touch()
    assert process(folder, None, refuse).run() == 1
    assert read_status(folder).state == "refused"
    assert read_status(folder).error == "seed: -1 given, allowed is 0 or more"
    done = Status("done", "train", seconds=5.0)
    write_status(folder, done)
    assert process(folder, None, refuse).run() == 1
    assert read_status(folder) == done


def test_a_run_that_was_finished_before_keeps_its_status(tmp_path):
    done = Status("done", "train", seconds=5.0)
    write_status(tmp_path, done)
    assert process(tmp_path, lambda: FINISHED).run() == 0
    assert read_status(tmp_path) == done


def test_a_folder_in_which_another_process_writes_is_left_alone(tmp_path, capsys):
    child = os.fork()
    if child == 0:
        RunLock(tmp_path).__enter__()
        signal.pause()
    try:
        while not is_locked(tmp_path):
            pass
        assert process(tmp_path, lambda: (tmp_path / "written").touch()).run() == 1
        assert f"process {child} on host" in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["run.lock"]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_that_says_how_to_go_on(tmp_path, capsys, request, number, expected):
    found = signal.signal(number, signal.default_int_handler)  # what runs in the background ignores Ctrl-C
    request.addfinalizer(lambda: signal.signal(number, found))
    before = [signal.getsignal(each) for each in stopping.SIGNALS]

    def work():
        os.kill(os.getpid(), number)
        raise AssertionError("went on")

    assert process(tmp_path, work).run() == expected
    assert read_status(tmp_path).state == "stopped"
    assert f"stopped by {number.name}; type it again" in capsys.readouterr().err
    assert [signal.getsignal(each) for each in stopping.SIGNALS] == before
    assert not is_locked(tmp_path)


def test_a_signal_waits_for_a_checkpoint_and_a_later_one_does_not(tmp_path, monkeypatch):
    steps = []

    def work(signals):
        with stopping.waiting_for_checkpoint():
            for step in range(10):
                if step in signals:
                    os.kill(os.getpid(), signal.SIGTERM)
                steps.append(step)
                if stopping.is_asked() and step >= 5:
                    steps.append("saved")
                    stopping.stop()

    assert process(tmp_path, lambda: work([2])).run() == 143
    assert steps == [0, 1, 2, 3, 4, 5, "saved"]
    steps.clear()
    assert process(tmp_path, lambda: work([2, 3, 4])).run() == 143  # sent again at once, as clusters do
    assert steps == [0, 1, 2, 3, 4, 5, "saved"]
    steps.clear()
    monkeypatch.setattr(stopping, "_TOGETHER_S", 0.0)
    assert process(tmp_path, lambda: work([2, 4])).run() == 143
    assert steps == [0, 1, 2, 3]
    steps.clear()
    assert process(tmp_path, lambda: work([9])).run() == 143  # that one saves as it ends
    assert steps == [*range(10), "saved"]


def test_a_second_ctrl_c_does_not_wait(tmp_path, request):
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, found))

    def work():
        with stopping.waiting_for_checkpoint():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("went on")

    assert process(tmp_path, work).run() == 130


def test_a_signal_sent_twice_leaves_the_status_of_the_first(tmp_path):
    def work():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    assert process(tmp_path, work).run() == 143
    assert read_status(tmp_path).state == "stopped"


def test_a_disk_that_is_full_is_one_line(tmp_path, capsys, request):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    request.addfinalizer(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before))

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # from now on there is no room, for its status either
        write_status(tmp_path / "results", Status("done"))

    assert process(tmp_path, work).run() == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    shown = capsys.readouterr().err
    assert shown == f"error: [Errno 27] File too large: '{tmp_path / 'results' / 'status.json'}'\n"
    assert state_of(tmp_path) == DEAD  # so that it goes on when it is typed again


@pytest.mark.parametrize("waits", [True, False])
def test_a_folder_that_is_removed_during_the_run_ends_it_in_one_line(tmp_path, monkeypatch, capsys, waits):
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)

    def work():
        shutil.rmtree(tmp_path / "run", ignore_errors=True)  # a heartbeat may be written meanwhile
        (tmp_path / "run" / lock.LOCK_FILE).unlink(missing_ok=True)
        for _ in range(500 * waits):
            time.sleep(0.01)
        assert not waits, "went on"

    assert process(tmp_path / "run", work).run() == 1
    shown = capsys.readouterr().err
    assert shown == f"error: [Errno 2] the folder, or its run.lock, was removed during the run: '{tmp_path / 'run'}'\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_or_after_the_run_of_a_command_ends_it_without_a_traceback(request, number, status):
    for each in stopping.SIGNALS:
        request.addfinalizer(partial(signal.signal, each, signal.getsignal(each)))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with pytest.raises(SystemExit) as end, stopping.ended_by_signals():
        signal.raise_signal(number)
    assert end.value.code == status
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL  # one that comes while the interpreter ends
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_signal_that_was_ignored_still_is(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        assert process(tmp_path, lambda: os.kill(os.getpid(), signal.SIGHUP)).run() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_whose_folder_another_has_taken_over_leaves_its_status_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)
    other = lock.Writer("another-host", 1, None, None, time.time(), time.time())
    theirs = Status("running", "train", process=1, host="another-host")

    def work():
        with stopping.waiting_for_checkpoint():  # what has lost its folder saves nothing there
            write_status(tmp_path, theirs)
            for _ in range(500):
                (tmp_path / lock.LOCK_FILE).write_text(json.dumps(asdict(other)))
                time.sleep(0.01)
            raise AssertionError("went on")

    assert process(tmp_path, work).run() == 1
    printed = capsys.readouterr().err
    assert "process 1 on host another-host has been writing here" in printed
    assert "type it again" not in printed
    assert read_status(tmp_path) == theirs
