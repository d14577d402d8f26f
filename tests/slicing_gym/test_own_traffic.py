"""Distributions from outside the package: registered, checked, drawn by the kernel and by the reference alike."""

from __future__ import annotations

import copy
import json
import math
import pickle
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from slicing_gym import Scenario, Simulator, Traffic, Uniform, draws, register_distribution
from slicing_gym.counter_rng import STREAM_PACKET_SIZE, cell_key, counter, uniform
from slicing_gym.distributions import DISTRIBUTIONS, Distribution, code_of, parameter_row
from tests.helpers.own_traffic import Ramp
from tests.slicing_gym.test_oracle import assert_same


@pytest.fixture
def ramps(small) -> Scenario:
    """A scenario with gaps and sizes of a distribution of our own."""
    return small.replace(
        slices={
            "calls": {"traffic": {"interarrival_s": Ramp(0.006)}},
            "data": {"traffic": {"packet_size_byte": {"kind": "ramp", "high": 60e3}}},
        }
    )


def test_drawn_bit_for_bit_by_its_quantile():
    own, key = Ramp(3.0), cell_key(9)
    counts = [counter(STREAM_PACKET_SIZE, 2, i) for i in range(1000)]
    row = parameter_row("ramp", own, 8.0)
    drawn = [draws.draw(code_of(Ramp), row, key, count) for count in counts]
    assert drawn == [Ramp.quantile(uniform(key, count), own.parameters(8.0)) for count in counts]
    assert np.mean(drawn) == pytest.approx(8.0 * own.mean, rel=0.03)


def test_the_kernel_equals_the_reference(ramps):
    assert_same(ramps, 5, [(4, 4), (1, 7), (7, 1), (2, 6)])


def test_a_scenario_of_it_is_plain_data_and_back(ramps):
    text = json.dumps(ramps.to_dict())
    assert '{"kind": "ramp", "high": 0.006}' in text
    assert Scenario.from_dict(json.loads(text)) == ramps
    with pytest.raises(ValueError, match=r"interarrival_s\.kind: unknown name 'rmp'; did you mean 'ramp'"):
        Scenario.from_dict(json.loads(text.replace('"ramp"', '"rmp"')))


def test_copies_go_on_alike(ramps):
    simulator = Simulator(ramps, [1, 2], num_threads=2)
    simulator.warm_up()
    copies = [copy.deepcopy(simulator), pickle.loads(pickle.dumps(simulator)), simulator.clone()]
    expected = simulator.advance([3, 5])
    assert expected.arrivals.sum() > 0
    for other in copies:
        np.testing.assert_array_equal(other.advance([3, 5]).utility, expected.utility)


def test_another_process_compiles_its_own(ramps, tmp_path):
    """Addresses are of one process: what travels is the scenario and the cells."""
    simulator = Simulator(ramps, [1, 2])
    simulator.warm_up()
    (tmp_path / "simulator").write_bytes(pickle.dumps(simulator))
    simulator.save(tmp_path / "simulator.npz")
    code = (
        "import pickle, sys; from slicing_gym import Simulator; import tests.helpers.own_traffic\n"
        "for cells in (pickle.load(open(sys.argv[1], 'rb')), Simulator.load(sys.argv[1] + '.npz')):\n"
        "    print(cells.advance([3, 5]).utility.tolist())"
    )
    ran = subprocess.run([sys.executable, "-c", code, tmp_path / "simulator"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split("\n")[:2] == [str(simulator.advance([3, 5]).utility.tolist())] * 2


def test_registering_again():
    before = code_of(Ramp)
    assert register_distribution(Ramp) is Ramp
    assert code_of(Ramp) == before
    assert DISTRIBUTIONS["ramp"] is Ramp

    @dataclass(frozen=True)
    class Other(Ramp):
        pass

    with pytest.raises(ValueError, match=r"Other\.kind: 'ramp' is taken by tests\.helpers\.own_traffic\.Ramp"):
        register_distribution(Other)
    with pytest.raises(TypeError, match=r"interarrival_s: .*Other.* is of a class that is not registered"):
        Traffic(Other(1.0), Uniform(0.0, 1.0))


@dataclass(frozen=True)
class Wrong(Ramp):
    """A ramp that says something untrue of itself."""

    fault: str = ""
    kind = "wrong"

    @property
    def mean(self):
        return {"mean": 0.5, "no mean": math.nan}.get(self.fault, 2.0 * self.high / 3.0)

    @property
    def largest(self):
        return {"largest": 0.9 * self.high, "endless": math.inf}.get(self.fault, self.high)

    def parameters(self, factor):
        factor = 1.0 if self.fault == "factor" else factor
        offset = {"negative": -0.1, "nan": math.inf}.get(self.fault, 0.0)
        return (self.high * factor, offset, *([0.0] * 32 if self.fault == "many" else []))

    @staticmethod
    def quantile(u, parameters):
        return parameters[0] * (math.sqrt(u) + parameters[1] - 0.0 * parameters[1])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("mean", r"\(wrong\)\.mean: 0\.5 given, but the mean of what quantile draws is 2"),
        ("no mean", r"\(wrong\)\.mean: nan given"),
        ("largest", r"\(wrong\)\.quantile: draws 2\.7\d*, allowed are 0 to 2\.7 \(its largest\)"),
        ("negative", r"\(wrong\)\.quantile: draws -0\.\d*, allowed are 0 to 3\.0"),
        ("nan", r"\(wrong\)\.quantile: draws nan"),
        ("factor", r"\(wrong\)\.parameters: factor 8 does not make every draw 8 times as large"),
        ("many", r"\(wrong\)\.parameters: .* allowed are at most 33 numbers"),
    ],
)
def test_what_contradicts_its_draws_is_refused(fault, message):
    register_distribution(Wrong)
    Traffic(Wrong(3.0), Wrong(3.0, "endless"))
    with pytest.raises(ValueError, match=f"packet_size_byte {message}"):
        Traffic(Uniform(0.0, 1.0), Wrong(3.0, fault))


def test_what_cannot_be_registered_is_refused():
    @dataclass(frozen=True)
    class Uncompiled(Ramp):
        kind = "uncompiled"

        @staticmethod
        def quantile(u, parameters):
            return open(u, parameters)

    class Undecorated(Ramp):
        kind = "undecorated"

    @dataclass(frozen=True)
    class Undrawn(Distribution):
        kind = "undrawn"

    @dataclass(frozen=True)
    class Nameless(Ramp):
        kind = "no name"

    for kind, message in (
        (Uncompiled, r"Uncompiled\.quantile: numba cannot compile it"),
        (Undrawn, r"Undrawn\.quantile: not defined, allowed is a static method"),
        (Undecorated, "Undecorated.* given, allowed is a frozen dataclass of Distribution"),
        (Nameless, r"Nameless\.kind: 'no name' given, allowed are letters"),
        (Scenario, "Scenario.* given, allowed is a frozen dataclass of Distribution"),
    ):
        with pytest.raises(TypeError, match=message):
            register_distribution(kind)
    assert not {"uncompiled", "undecorated", "undrawn", "no name"} & set(DISTRIBUTIONS)
