from __future__ import annotations

import copy
import hashlib
import json
import multiprocessing
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicing_gym import SCENARIOS, Simulator, allocation_units, get_scenario
from slicing_gym.interval import Interval
from tests.helpers.strategies import allocations, scenarios

FIELDS = Interval.__dataclass_fields__


def assert_equal(one: Interval, other: Interval, rows=slice(None)):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name)[rows], err_msg=name)


def random_rows(scenario, count, seed=0):
    actions = np.random.default_rng(seed).integers(scenario.num_allocations, size=count)
    return allocation_units(actions, scenario.num_units, scenario.num_slices)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_batch_is_its_cells_bit_for_bit_whatever_the_threads(name):
    scenario = get_scenario(name)
    seeds = [7, 0, 3]
    alone = [Simulator(scenario, [seed]) for seed in seeds]
    batch, threaded = Simulator(scenario, seeds), Simulator(scenario, seeds, num_threads=2)
    for step in range(5):
        units = random_rows(scenario, 3, step)
        together = batch.advance(units)
        assert_equal(together, threaded.advance(units))
        for i, simulator in enumerate(alone):
            assert_equal(simulator.advance(units[i]), together, [i])


def test_some_cells_can_be_advanced_alone():
    batch, reference = Simulator("paper", range(4)), Simulator("paper", [2, 0])
    units = random_rows(batch.scenario, 2)
    assert_equal(batch.advance(units, cells=[2, 0]), reference.advance(units))
    assert batch.decisions.tolist() == [1, 0, 1, 0]


def test_cells_may_be_named_in_any_order():
    units = [[1, 94, 5], [5, 6, 89]]
    assert_equal(Simulator("paper", [0, 1]).advance(units, cells=[1, 0]), Simulator("paper", [1, 0]).advance(units))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([5_000_000], "allowed are 0 to 1"),
        ([-1], "allowed are 0 to 1"),
        ([0, 0], "allowed are different ones"),
        ([0.5], "allowed are integers"),
        (0, "allowed are integers"),
    ],
)
def test_bad_cells_are_refused(cells, message):
    simulator = Simulator("paper", [0, 1])
    for act in (lambda: simulator.advance([33, 33, 34], cells), lambda: simulator.clear(cells)):
        with pytest.raises((ValueError, TypeError), match=f"cells: .*{message}"):
            act()
    with pytest.raises(ValueError, match="cells: "):
        simulator.what_if([33, 33, 34], cell=2)


def test_threads_outlive_a_fork():
    simulator = Simulator("paper-1mhz", [0, 1], num_threads=2)
    simulator.warm_up()
    expected = simulator.clone().advance([7, 7, 6])
    with multiprocessing.get_context("fork").Pool(1) as pool, warnings.catch_warnings():
        assert_equal(pool.apply_async(_advance, [simulator]).get(timeout=60), expected)


def _advance(simulator: Simulator) -> Interval:
    return simulator.advance([7, 7, 6])


DIGEST = """
import hashlib
from slicing_gym import Simulator
simulator = Simulator("paper", [11, 12])
digest = hashlib.sha256()
for units in ([33, 33, 34], [1, 94, 5], [5, 6, 89]):
    interval = simulator.advance(units)
    digest.update(interval.utility.tobytes() + interval.arrivals.tobytes())
for array in simulator.state().values():
    digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_same_seed_same_bytes_across_processes():
    runs = [
        subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True) for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == len(hashlib.sha256().hexdigest())


def test_different_seeds_are_different_cells():
    intervals = Simulator("paper", range(30)).advance([1, 94, 5])
    assert len(np.unique(intervals.utility)) == 30
    assert len({tuple(row) for row in intervals.arrivals.tolist()}) == 30


@given(st.data())
def test_what_if_is_advancing_clones_bit_for_bit(data):
    scenario = data.draw(scenarios())
    simulator = Simulator(scenario, [data.draw(st.integers(0, 1000)), 5])
    simulator.advance(data.draw(allocations(scenario)))
    tried = [data.draw(allocations(scenario)) for _ in range(5)]
    before = simulator.state()
    supposed = simulator.what_if(tried, cell=1, intervals=2)
    clones = simulator.clone([1] * 5)
    for interval in supposed:
        assert_equal(interval, clones.advance(tried))
    for name, array in simulator.state().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    # ... and the next interval is the same.
    assert_equal(simulator.advance([tried[0]], cells=[1]), supposed[0], [0])


def test_copies_go_on_alike_and_apart():
    simulator = Simulator("flash-crowd", [1, 2], num_threads=2)
    simulator.warm_up()
    copies = [copy.deepcopy(simulator), pickle.loads(pickle.dumps(simulator)), simulator.clone()]
    expected = simulator.advance([2, 80, 18])
    for other in copies:
        assert_equal(other.advance([2, 80, 18]), expected)
    copies[0].warm_up()
    assert_equal(copies[1].advance([1, 98, 1]), copies[2].advance([1, 98, 1]))


def test_saved_and_loaded(tmp_path, small):
    simulator = Simulator(small, [4, 5])
    simulator.warm_up()
    simulator.save(tmp_path / "cells.npz")
    loaded = Simulator.load(tmp_path / "cells.npz")
    assert loaded.scenario == small
    assert_equal(loaded.advance([3, 5]), simulator.advance([3, 5]))
    assert [path.name for path in tmp_path.iterdir()] == ["cells.npz"]


def test_a_file_of_format_1_is_read(tmp_path, small):
    """It calls the round-robin pointer and the length of an episode by other names."""
    simulator = Simulator(small, [4, 5])
    simulator.advance([3, 5])
    arrays = simulator.state()
    assert arrays["round_robin"].any()
    arrays["turn"] = arrays.pop("round_robin")
    scenario = small.to_dict()
    scenario["decisions_per_round"] = scenario.pop("decisions_per_episode")
    with (tmp_path / "old.npz").open("wb") as file:
        np.savez(file, header=np.array(json.dumps({"format": 1, "scenario": scenario})), **arrays)
    loaded = Simulator.load(tmp_path / "old.npz")
    assert loaded.scenario == small
    assert_equal(loaded.advance([3, 5]), simulator.advance([3, 5]))


def test_a_file_of_a_later_format_is_refused(tmp_path, small):
    header = json.dumps({"format": 3, "scenario": small.to_dict()})
    with (tmp_path / "later.npz").open("wb") as file:
        np.savez(file, header=np.array(header), **Simulator(small).state())
    with pytest.raises(ValueError, match=r"later.npz' has format 3, allowed are 1 to 2"):
        Simulator.load(tmp_path / "later.npz")


def test_restored_state_repeats_the_past(small):
    simulator = Simulator(small, [4])
    simulator.warm_up()
    state = simulator.state()
    first = simulator.advance([3, 5])
    simulator.restore(state)
    assert_equal(simulator.advance([3, 5]), first)


def test_bad_files_and_states_are_refused_by_name(tmp_path, small):
    with pytest.raises(FileNotFoundError, match=r"absent.npz"):
        Simulator.load(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"text.npz.* is not a simulator's file"):
        Simulator.load(tmp_path / "text.npz")
    Simulator(small).save(tmp_path / "whole.npz")
    (tmp_path / "half.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:900])
    with pytest.raises(ValueError, match=r"half.npz.* is not a simulator's file"):
        Simulator.load(tmp_path / "half.npz")
    with pytest.raises(ValueError, match="state"):
        Simulator(small).restore(Simulator("paper").state())
    with pytest.raises(ValueError, match="state: 'key' is missing"):
        Simulator(small).restore({})
    for header in ("[1]", '{"format": 1}', "{"):
        with (tmp_path / "header.npz").open("wb") as file:
            np.savez(file, header=np.array(header))
        with pytest.raises(ValueError, match=r"header.npz.* is not a simulator's file"):
            Simulator.load(tmp_path / "header.npz")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("round_robin", 10**9),
        ("round_robin", -1),
        ("snr_hz", np.nan),
        ("snr_hz", 1e248),
        ("snr_hz", 1e-3),
        ("next_arrival", np.nan),
        ("queued", 99),
        ("slot", -5),
        ("slot", 3),
        ("head_bits", -1.0),
        ("head_bits", np.inf),
        ("level", np.nan),
        ("level", 1e200),
        ("decision", -1),
    ],
)
def test_a_state_with_impossible_values_is_refused(small, name, value):
    state = Simulator(small).state()
    state[name][:] = value
    with pytest.raises(ValueError, match=rf"state\['{name}'\]"):
        Simulator(small).restore(state)


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ([33, 33, 33], r"\[33, 33, 33\] given, allowed is at least 1 a slice and 100 in all"),
        ([0, 50, 50], "at least 1 a slice"),
        ([-1, 51, 50], "at least 1 a slice"),
        ([50, 50], r"shape \(2,\) given"),
        ([[33, 33, 34]] * 2, r"shape \(2, 3\) given"),
        ([33.0, 33.0, 34.0], "float64 given, allowed are integers"),
    ],
)
def test_bad_allocations_are_refused(units, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Simulator("paper").advance(units)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": []}, "seeds: none given"),
        ({"seeds": [-1]}, "seeds: -1 given"),
        ({"seeds": [0.5]}, "seeds: 0.5 is not a whole number"),
        ({"num_threads": 0}, "num_threads: 0 given"),
        ({"seeds": 5}, "seeds: 5 given"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Simulator("paper", **arguments)


def test_clearing_empties_queues_and_keeps_the_users(small):
    crowded = small.replace(slices={"data": {"num_users": 40}})
    simulator = Simulator(crowded, [0, 1])
    simulator.advance([7, 1])
    positions = simulator.state()["snr_hz"]
    assert (simulator.state()["queued"].sum(axis=1) > 0).all()
    simulator.clear([0])
    queued = simulator.state()["queued"].sum(axis=1)
    assert queued[0] == 0
    assert queued[1] > 0
    np.testing.assert_array_equal(simulator.state()["snr_hz"], positions)
