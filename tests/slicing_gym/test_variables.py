"""Environment variables with which numba compiles nothing."""

from __future__ import annotations

import sys

import pytest

from slicing_gym._variables import check_numba_variables
from slicing_gym.extras import check_command

WRONG = [
    ("NUMBA_NUM_THREADS", "0", "NUMBA_NUM_THREADS: 0 given, allowed is 1 or more"),
    ("NUMBA_NUM_THREADS", "-3", "NUMBA_NUM_THREADS: -3 given, allowed is 1 or more"),
    ("NUMBA_DISABLE_JIT", "1", "NUMBA_DISABLE_JIT: 1 given, allowed is 0: the simulator uses"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_variable_that_is_in_the_way_is_named_also_by_commands(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(ImportError, match=message):
        check_numba_variables()
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(SystemExit, match=f"error: {message}"):
        check_command()


@pytest.mark.parametrize("value", ["", "many", "1", "1000"])
def test_what_numba_takes_or_warns_of_is_left_to_it(monkeypatch, value):
    monkeypatch.setenv("NUMBA_NUM_THREADS", value)
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "0")
    check_numba_variables()
