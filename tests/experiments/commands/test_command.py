"""What a command does about the folder that was typed before anything is written there."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import pytest

from experiments.commands.command import _locked
from experiments.runs import lock


def test_a_job_of_a_sweep_whose_machine_was_lost_waits_until_the_lost_one_is_gone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lock, "STALE_S", 0.5)
    folder = tmp_path / "sweep" / "seed-0"
    folder.mkdir(parents=True)

    def lose_a_machine():
        now = time.time()
        lost = lock.Writer("another-host", 1, None, None, now, now)
        (folder / lock.LOCK_FILE).write_text(json.dumps(asdict(lost)))

    lose_a_machine()
    with pytest.raises(SystemExit), _locked(folder):
        raise AssertionError("a single run does not wait")
    assert "process 1 on host another-host" in capsys.readouterr().err
    (tmp_path / "sweep" / "sweep.json").touch()
    lose_a_machine()
    with _locked(folder):
        assert lock.read_writer(folder).is_here
