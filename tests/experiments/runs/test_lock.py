"""One writer a folder: processes that are there, gone, on other hosts, or come at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from experiments.runs import lock
from experiments.runs.lock import RunIsLocked, RunLock, Writer, is_locked, read_writer, wait_for_heartbeat

HOLD = """
import sys, time
from experiments.runs import lock
from experiments.runs.lock import RunLock
lock.HEARTBEAT_S = float(sys.argv[2])
with RunLock(sys.argv[1]):
    print("locked", flush=True)
    for _ in range(1200):
        time.sleep(0.05)
"""


def holder(folder, heartbeat_s=lock.HEARTBEAT_S):
    """A process that has locked a folder."""
    command = [sys.executable, "-c", HOLD, str(folder), str(heartbeat_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    return process


def end(process):
    process.kill()
    process.communicate()


def store(folder, writer):
    (folder / lock.LOCK_FILE).write_text(json.dumps(asdict(writer)))


def test_a_second_process_is_refused_and_told_who_writes(tmp_path):
    process = holder(tmp_path)
    try:
        with pytest.raises(RunIsLocked, match=f"process {process.pid} on host .* has been writing here since 2"):
            RunLock(tmp_path).__enter__()
        assert read_writer(tmp_path).process == process.pid
    finally:
        end(process)


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    process = holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert read_writer(tmp_path).process == process.pid
    assert not is_locked(tmp_path)
    with RunLock(tmp_path):
        assert read_writer(tmp_path).process == os.getpid()
    assert not (tmp_path / lock.LOCK_FILE).exists()


def test_a_process_that_has_ended_and_was_not_waited_for_is_gone(tmp_path):
    process = holder(tmp_path)
    process.kill()
    for _ in range(100):
        if not is_locked(tmp_path):
            break
        time.sleep(0.05)
    assert not is_locked(tmp_path)  # a zombie still
    process.communicate()


def test_an_id_that_another_process_has_by_now_holds_no_lock(tmp_path):
    with RunLock(tmp_path):
        own = read_writer(tmp_path)
        store(tmp_path, replace(own, process_start=own.process_start - 100))
        assert not is_locked(tmp_path)
        store(tmp_path, own)
        assert is_locked(tmp_path)


def test_of_another_host_only_the_heartbeat_counts(tmp_path):
    now = time.time()
    far = Writer("another-host", 1, None, None, now - 1000, now - lock.STALE_S / 2)
    store(tmp_path, far)
    with pytest.raises(RunIsLocked, match="process 1 on host another-host"):
        RunLock(tmp_path).__enter__()
    store(tmp_path, replace(far, heartbeat=now - lock.STALE_S - 1))
    with RunLock(tmp_path):
        assert read_writer(tmp_path).host != "another-host"


def test_a_clock_that_is_set_makes_no_writer_gone_but_another_boot_does(tmp_path, monkeypatch):
    read_text = Path.read_text
    with RunLock(tmp_path):
        own = read_writer(tmp_path)
        store(tmp_path, replace(own, boot="another"))
        assert not is_locked(tmp_path)
        store(tmp_path, own)

        def set_clock(path):
            text = read_text(path)
            moved = [f"btime {int(x[6:]) + 5}" if x.startswith("btime") else x for x in text.splitlines()]
            return "\n".join(moved) if str(path) == "/proc/stat" else text

        monkeypatch.setattr(Path, "read_text", set_clock)
        assert is_locked(tmp_path)
        monkeypatch.undo()


def wait_for_beat(folder):
    first = read_writer(folder)
    for _ in range(200):
        if read_writer(folder).heartbeat > first.heartbeat:
            break
        time.sleep(0.01)
    assert read_writer(folder).heartbeat > first.heartbeat


def test_a_writer_says_that_it_is_there_also_after_its_lock_could_not_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)
    with RunLock(tmp_path):
        wait_for_beat(tmp_path)
        place = tmp_path / lock.LOCK_FILE
        whole = place.read_bytes()
        place.write_bytes(b"{")
        time.sleep(0.05)
        if read_writer(tmp_path) is None:  # else a beat was between its look and its write
            place.write_bytes(whole)
        wait_for_beat(tmp_path)
    assert not is_locked(tmp_path)


def test_a_writer_whose_folder_was_removed_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)
    folder = tmp_path / "run"

    def work():
        with RunLock(folder):
            while (folder / lock.LOCK_FILE).exists():  # a beat between its look and its write would put it there again
                shutil.rmtree(folder, ignore_errors=True)
            for _ in range(500):
                time.sleep(0.01)
            raise AssertionError("went on")

    with pytest.raises(FileNotFoundError, match=r"the folder, or its run\.lock, was removed during the run"):
        work()


def test_a_writer_that_was_suspended_while_another_took_over_ends_when_it_goes_on(tmp_path):
    held = holder(tmp_path, heartbeat_s=0.2)
    os.kill(held.pid, signal.SIGSTOP)
    other = Writer("another-host", 1, None, None, time.time(), time.time())
    store(tmp_path, other)
    time.sleep(0.5)
    assert read_writer(tmp_path) == other
    os.kill(held.pid, signal.SIGCONT)
    _, error = held.communicate(timeout=30)
    assert held.returncode == 1
    assert "RunIsLocked: folder: " in error
    assert read_writer(tmp_path) == other


def test_a_suspended_writer_of_this_host_keeps_its_folder_however_long(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "STALE_S", 0.1)
    held = holder(tmp_path, heartbeat_s=0.01)
    try:
        os.kill(held.pid, signal.SIGSTOP)
        time.sleep(0.3)
        with pytest.raises(RunIsLocked, match=f"process {held.pid} on host"), RunLock(tmp_path):
            raise AssertionError("it is still there")
    finally:
        end(held)


def test_a_clock_that_was_set_back_lets_nobody_wait_for_longer(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "STALE_S", 0.2)
    ahead = time.time() + 1e6
    store(tmp_path, Writer("another-host", 1, None, None, ahead, ahead))
    wait_for_heartbeat(tmp_path, poll_s=0.01)
    with RunLock(tmp_path):
        assert read_writer(tmp_path).is_here


def test_a_writer_whose_folder_another_has_taken_over_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)
    other = Writer("another-host", 1, None, None, time.time(), time.time())
    steps = []

    def work():
        with RunLock(tmp_path):
            for step in range(500):
                store(tmp_path, other)  # a beat between its look and its write would put its own there again
                time.sleep(0.01)
                steps.append(step)

    with pytest.raises(RunIsLocked, match="process 1 on host another-host"):
        work()
    assert len(steps) < 500
    assert read_writer(tmp_path) == other


def test_waiting_for_a_heartbeat_ends_as_it_moves_or_is_too_old(tmp_path, monkeypatch):
    now = time.time()
    far = Writer("another-host", 1, None, None, now - 1000, now - 60)
    looks = []

    def look(_):
        looks.append(time.time())
        if len(looks) == 3:
            store(tmp_path, replace(far, heartbeat=now))

    wait_for_heartbeat(tmp_path)  # nobody is there
    store(tmp_path, far)
    with monkeypatch.context() as patched:
        patched.setattr(lock.time, "sleep", look)
        wait_for_heartbeat(tmp_path)
    assert len(looks) == 3
    with pytest.raises(RunIsLocked):
        RunLock(tmp_path).__enter__()

    monkeypatch.setattr(lock, "STALE_S", 0.2)
    store(tmp_path, replace(far, heartbeat=time.time()))
    wait_for_heartbeat(tmp_path, poll_s=0.02)
    with RunLock(tmp_path):
        assert read_writer(tmp_path).is_here
        wait_for_heartbeat(tmp_path)  # of this host the process tells


def test_the_same_process_may_lock_a_folder_within_its_lock(tmp_path):
    with RunLock(tmp_path / "run"):
        with RunLock(tmp_path / "run"):
            assert is_locked(tmp_path / "run")
        assert is_locked(tmp_path / "run")
    assert not is_locked(tmp_path / "run")


def test_a_damaged_lock_is_nobodys(tmp_path):
    (tmp_path / lock.LOCK_FILE).write_text("{")
    assert not is_locked(tmp_path)
    with RunLock(tmp_path):
        assert is_locked(tmp_path)


AT_ONCE = """
import sys, time
from pathlib import Path
from experiments.runs.lock import RunIsLocked, RunLock
folder, begin = Path(sys.argv[1]), float(sys.argv[2])
won = 0
while time.time() < begin:
    pass
for number in range(100):
    try:
        lock = RunLock(folder / str(number)).__enter__()
        won += 1
    except RunIsLocked:
        pass
print(won, flush=True)
sys.stdin.read()
"""


def test_of_several_processes_at_once_one_gets_each_folder_whose_writer_is_gone(tmp_path):
    gone = Writer("another-host", 1, None, None, 0.0, 0.0)
    for number in range(100):
        (tmp_path / str(number)).mkdir()
        store(tmp_path / str(number), gone)
    command = [sys.executable, "-c", AT_ONCE, str(tmp_path), str(time.time() + 1.5)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    won = [int(process.stdout.readline()) for process in processes]
    for process in processes:
        process.communicate("")
    assert sum(won) == 100
