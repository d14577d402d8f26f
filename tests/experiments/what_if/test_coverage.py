"""Allocations of which a log says little, those in percent, and what the picture shows first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image

from experiments.what_if import Alternative, Settings, find_moment, what_if
from experiments.what_if.figure import panels_of
from experiments.what_if.inputs import ssr_of_config
from experiments.what_if.notes import MOST_COMPARED, never_held
from experiments.what_if.settings import WhatIfConfig
from tests.helpers.twins import cold_twin
from tests.twin.data.logs.conftest import CASES, mapping_of, quietly
from twin.data.logs import SsrRule

QUICK = Settings(samples=100, threads=1)
RATE = SsrRule("rate", at_least=(1.0, 1.0, 2.0))


@pytest.fixture(scope="module")
def log():
    """50 units, of which some allocations were held."""
    return quietly(CASES / "01_decided.csv", mapping_of())[0]


@pytest.fixture(scope="module")
def twin(log):
    return cold_twin(log)


def notes(result):
    return [line for line in result.report().splitlines() if line.startswith("note: ")]


def test_an_allocation_that_was_never_held_is_named_with_the_nearest(twin, log):
    few = replace(log, allocation=np.where(np.arange(len(log))[:, None] % 3 > 0, [20, 15, 15], [10, 20, 20]))
    result = what_if(twin, few, ["logged", "20-15-15", "19-14-17"], QUICK, interval=40)
    times = (few.allocation == [20, 15, 15]).all(axis=1).sum()
    assert notes(result) == [
        "note: 19-14-17 is no allocation of the log, which has 2; the nearest is 20-15-15, held in "
        f"{times} decisions, with 2 units elsewhere"
    ]
    assert notes(what_if(twin, few, ["logged"], QUICK, interval=40)) == []


def test_what_the_mapping_does_not_allow_is_named(log):
    few = replace(log, allocation=np.where(np.arange(len(log))[:, None] % 3 > 0, [20, 15, 15], [10, 20, 20]))
    few = replace(few, held=((10, 20, 20), (20, 15, 15)))
    (note,) = notes(what_if(cold_twin(few), few, ["logged", "21-15-14"], QUICK, interval=40))
    assert note.endswith(" with 1 unit elsewhere; the mapping does not allow it (allowed: held)")


class Either:
    """Decides by the sample's number."""

    def __init__(self, space, numbers):
        self.action_space, self._numbers = space, numbers

    def predict(self, observation):
        return np.resize(self._numbers, len(observation)), None


def test_of_an_agent_the_share_of_its_decisions_and_the_farthest_are_named(twin, log):
    few = replace(log, allocation=np.where(np.arange(len(log))[:, None] % 3 > 0, [20, 15, 15], [10, 20, 20]))
    codec = twin.model.layout.codec
    space = codec.space(twin.scenario)
    units = codec.units(twin.scenario, np.arange(space.n))
    numbers = [int(np.flatnonzero((units == row).all(axis=1))[0]) for row in ([20, 15, 15], [19, 15, 16], [17, 15, 18])]
    (note,) = notes(what_if(twin, few, {"mine": Either(space, [*numbers, numbers[0]])}, QUICK, interval=40))
    assert note.startswith(
        "note: mine: 50% of its decisions are no allocation of the log, which has 2; 17-15-18 is the farthest, "
        "the nearest is 20-15-15, held "
    )
    assert note.endswith(" with 3 units elsewhere")


def test_of_many_allocations_the_most_frequent_are_compared(log):
    """Those that were held count as such, however many others there are."""
    few = replace(log, allocation=np.tile([20, 15, 15], (len(log), 1)))
    rare = [[10, 3 + n, 37 - n] for n in range(36)] + [[11, 3 + n, 36 - n] for n in range(35)]
    rare += [[12 + m, 3 + n, 35 - m - n] for m in range(5) for n in range(30)]
    units = [[20, 15, 15]] * len(rare) * 2 + rare * 2 + [[1, 1, 48]]  # the farthest, and the rarest
    assert len(rare) > MOST_COMPARED
    many = Alternative("mine", np.array([units]), {}, {})
    (note,) = never_held(find_moment(few, interval=40), [many])
    assert note.startswith("note: mine: 50% of its decisions are no allocation of the log; of the 200 most frequent ")
    assert "1-1-48" not in note
    some = replace(many, units=np.array([[*rare[:3], [1, 1, 48]]]))
    (note,) = never_held(find_moment(few, interval=40), [some])
    assert "of the log; 1-1-48 is the farthest, the nearest is 20-15-15" in note


def test_units_are_named_for_what_is_given_in_percent(twin, log):
    for given, told in (("60-15-25", "; in percent: 30-8-12"), ("50-30-20", "; in percent: 25-15-10")):
        with pytest.raises(ValueError, match=f"policies: '{given}' given, .* sum to 50, at least 1-1-1{told}$"):
            what_if(twin, log, [given], interval=40)
    for given in ("60-15-24", "100-0-0"):
        with pytest.raises(ValueError, match=f"policies: '{given}' given, .* at least 1-1-1$"):
            what_if(twin, log, [given], interval=40)


def test_utility_and_ssr_come_first_then_what_ssr_is_made_of_and_arrivals_last(twin, log):
    measured = what_if(twin, log, ["logged"], QUICK, interval=40).measured
    layout = twin.model.layout
    assert list(panels_of(layout, measured, RATE)) == ["utility", "ssr", "rate", "spectral_efficiency", "arrivals"]
    shown = {name: value for name, value in measured.items() if not name.startswith("arrivals")}
    assert "arrivals" not in panels_of(layout, shown, RATE)


def reddest(path) -> int:
    """Points in the colour of bounds."""
    return int((np.asarray(Image.open(path).convert("RGB")) == (204, 0, 0)).all(axis=2).sum())


def test_the_bounds_of_slas_are_drawn(twin, log, tmp_path):
    for name, rule in (("with", RATE), ("without", None)):
        what_if(twin, log, ["logged"], QUICK, tmp_path / name, interval=40, ssr=rule)
    assert reddest(tmp_path / "with" / "what_if.png") > 100
    assert reddest(tmp_path / "without" / "what_if.png") == 0
    with pytest.raises(ValueError, match=r"^ssr: .* allowed is the rule that the history's SSR was made with, or None"):
        what_if(twin, log, ["logged"], QUICK, interval=40, ssr=SsrRule("rate", at_least=(1.0, 1.0, 2.5)))


def test_bounds_are_those_of_the_run_that_left_the_twin_while_they_hold(log, tmp_path):
    (tmp_path / ".hydra").mkdir()
    stored = tmp_path / ".hydra" / "config.yaml"
    config = WhatIfConfig(fitted=str(tmp_path))
    assert ssr_of_config(config, log) is None
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(mapping_of().to_yaml())
    stored.write_text(yaml.safe_dump({"mapping": {}, "mapping_file": str(mapping)}))
    assert ssr_of_config(config, log) == RATE
    assert ssr_of_config(WhatIfConfig(fitted=str(tmp_path / "twin.safetensors")), log) == RATE
    mapping.write_text(mapping_of(ssr={"column": "rate", "at_least": [1.0, 1.0, 2.5]}).to_yaml())
    assert ssr_of_config(config, log) is None  # edited since
    mapping.unlink()
    assert ssr_of_config(config, log) is None
    given = WhatIfConfig(fitted=str(tmp_path), mapping=yaml.safe_load(mapping_of().to_yaml()))
    assert ssr_of_config(given, log) == RATE
