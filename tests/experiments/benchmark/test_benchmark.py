"""The benchmark: its ratios, its timing, and the reference implementation that a checkout has."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest
import torch

from experiments.benchmark import alternate, paced, single_calls
from experiments.benchmark.__main__ import main
from experiments.benchmark.decision import time_decision
from experiments.benchmark.simulator import compare_with_reference
from slicing_gym import get_scenario

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "tests" / "helpers" / "oracle.py"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("simulator", ["two threads / one", "times as fast", "packets", "times as long"]),
        ("twin", ["/ simulator", "/ real cell", "lstm", "transformer"]),
        pytest.param(
            "decision",
            ["p99.9 [us]", "as fast as SB3", "2x4: SlicePolicy.decide", "step, observe", "after a pause"],
            marks=pytest.mark.slow,  # it exports four policies, as does the test where no allocation is listed
        ),
    ],
)
def test_each_prints_its_ratios(what, expected, capsys):
    given = ["--seconds", "0.01", "--reference", str(REFERENCE), "--batches", "1", "64", "--history", "20"]
    main([what, "--scenario", "paper-1mhz", *given])
    printed = capsys.readouterr().out
    for text in expected:
        assert text in printed


def test_batches_prints_a_row_an_agent_and_number_of_cells(capsys):
    main(["batches", "--scenario", "paper-1mhz", "--cells", "1", "16", "--decisions", "240", "--seeds", "2"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[3:]]
    assert [row[-11] for row in rows] == ["1", "16"] * 3
    assert [int(row[-4]) for row in rows] == [10, 12] * 3  # after 204, 208, ... and after 208, 224, 240 decisions


def test_gpu_prints_a_row_a_device_and_says_what_was_not_measured(capsys):
    given = ["--seconds", "0.01", "--batches", "64", "--twin-cells", "100", "300"]
    main(["gpu", "--scenario", "paper-1mhz", *given])
    printed = capsys.readouterr().out
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    assert ("cuda was not measured" in printed) == (devices == ["cpu"])
    rows = [line.split() for line in printed.splitlines()]
    assert [row[2] for row in rows if row[:2] in (["dense", "64"], ["factored", "64"])] == 2 * devices
    assert [row[1:3] for row in rows if row[:1] == ["PyTorch"]] == [[n, d] for n in ("100", "300") for d in devices]


@pytest.mark.slow  # two processes train in a twin for it
def test_the_twin_phase_of_a_checkout_is_that_of_itself(capsys):
    """Compared with itself: the same agents, to the last digit that is printed."""
    main(["twin_phase", "--before", str(ROOT), "--seeds", "1", "--decisions", "3072"])
    printed = capsys.readouterr().out
    before, this = (line.split() for line in printed.splitlines()[3:5])
    assert (before[0], this[0]) == ("before", "this")
    assert before[3:] == this[3:]
    assert "this - before: U in the twin 0.0000, in real cells 0.0000" in printed


@pytest.mark.slow
def test_decisions_where_no_allocation_is_listed(capsys):
    scenario = get_scenario("nr-8slices").replace(name="large", radio={"resolution_hz": 7 * 360e3})
    time_decision(scenario, 0.01, history=10)
    printed = capsys.readouterr().out
    assert "scenario large: 39 units for 8 slices, 12620256 allocations" in printed
    assert "impossible; ratios are to DQN, factored: predict" in printed
    assert "student 2x16, factored: SlicePolicy.decide" in printed
    assert "dense" not in printed


def test_without_a_reference_implementation_it_says_where_there_is_one(capsys):
    compare_with_reference(get_scenario("paper-1mhz"), 1e4, Path("nowhere.py"))
    assert capsys.readouterr().out == (
        "no reference implementation at nowhere.py: run this from a checkout to compare with it\n"
    )


def test_blocks_alternate():
    calls = []
    times = alternate([lambda: calls.append("one"), lambda: calls.append("other")], seconds=0.001)
    assert [len(each) for each in times] == [len(times[0])] * 2
    assert len(times[0]) >= 3
    assert all(each > 0.0 for taken in times for each in taken)
    blocks = [name for name, _ in groupby(calls)]
    assert blocks == ["one", "other"] * (len(times[0]) + 1)  # the first of each is warm-up


def test_single_calls_are_timed_one_by_one_and_the_first_block_does_not_count():
    calls = {"one": 0, "other": 0}

    def step(name):
        calls[name] += 1

    taken = single_calls({name: lambda name=name: step(name) for name in calls}, seconds=0.01)
    for name, number in calls.items():
        assert 0 < len(taken[name]) < number
    assert len(paced(lambda: step("one"), seconds=0.0)) == 10


def test_reading_a_log_prints_seconds_and_megabytes(capsys):
    main(["log_reading", "--rows", "300"])
    text = capsys.readouterr().out
    assert "read 300 rows" in text
    assert "to 99 decisions: " in text
    assert "fit a twin to 99 of them: " in text
    assert " s, " in text
    assert " MB at most" in text
