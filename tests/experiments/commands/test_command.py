"""What a command does about what was typed, and about its folder, before anything is written there."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import asdict

import pytest

from experiments.commands.command import _locked, _single, command
from experiments.config.hydra import Command, register
from experiments.runs import lock
from experiments.train.__main__ import prepare
from experiments.train.settings import TrainConfig


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


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("agent.learning_rate=${oc.env:NOT_THERE}", "agent.learning_rate: KeyError raised while resolving"),
        ("agent.net_arch=[${oc.env:NOT_THERE}]", "agent.net_arch[0]: KeyError raised while resolving"),
        ("+agent.policy_kwargs.x=${oc.env:NOT_THERE}", "agent.policy_kwargs.x: KeyError raised while resolving"),
        ("agent.learning_rate=${nope:1}", "agent.learning_rate: Unsupported interpolation type nope"),
    ],
)
def test_what_refers_to_nothing_is_refused_in_a_line(argument, message, tmp_path, monkeypatch, capsys):
    register("train", TrainConfig)
    monkeypatch.setattr(sys, "argv", ["train"])
    quiet = ("hydra/job_logging=none", "hydra/hydra_logging=none", f"hydra.run.dir={tmp_path / 'run'}")
    assert _single(Command("train", TrainConfig, prepare), [argument, *quiet]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {message}")
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_ctrl_c_before_anything_is_composed_ends_it_without_a_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train", "seed=1"])
    monkeypatch.setitem(command.__wrapped__.__globals__, "register", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as end:
            command("train", TrainConfig, prepare)
    finally:
        signal.signal(signal.SIGINT, before)
    assert end.value.code == 130
