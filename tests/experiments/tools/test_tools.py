"""What developers run by hand: the synthetic log made again, and commands that have new names."""

from __future__ import annotations

import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from experiments.config.hydra import Command, register
from experiments.sweeps.compose import Composer
from experiments.sweeps.expand import expand, parse
from experiments.tools import ship, sweep_faults
from experiments.train.__main__ import prepare
from experiments.train.settings import TrainConfig
from twin.data.logs import LogMapping, LogWarning, read_log
from twin.env import SHIPPED_TWINS

ROOT = Path(__file__).resolve().parents[3]


def test_the_synthetic_log_is_what_its_command_makes(tmp_path):
    made = tmp_path / "log.csv"
    ship.main(["log", "--output", str(made)])
    assert made.read_bytes() == (ROOT / "docs" / "data" / "synthetic_log.csv").read_bytes()
    mapping = LogMapping.from_dict(yaml.safe_load((ROOT / "conf" / "mapping" / "colosseum.yaml").read_text()))
    with pytest.warns(LogWarning, match="never met: embb"):
        history = read_log(made, mapping)
    assert (len(history.runs), len(history)) == (8, 8 * 99)


def test_what_is_shipped_is_where_the_package_looks_for_it():
    for name in SHIPPED_TWINS:
        path = ship.SHIPPED / f"{name}.safetensors"
        assert path.stat().st_size < 1e6
        card = (ship.SHIPPED / f"{name}.card.md").read_text()
        assert sha256(path.read_bytes()).hexdigest() in card
        assert f'| Use | `gym.make("SliceTwin-v0", twin="{name}")` |' in card
        assert re.search(
            rf"R² of the utility 0\.\d+, rank .*`python -m experiments.tools.ship card --scenario {name}`", card
        )
        explained, correlation = map(float, re.findall(r"(?:utility|allocations) (0\.\d+)", card))
        assert f"| Limits | {ship.limits_of(explained, correlation)} |" in card
        assert "log" not in card.partition("| Licence |")[2].partition("\n")[0]
    assert (ROOT / ship.SYNTHETIC_LOG).is_file()


def test_a_card_says_what_a_rough_twin_is_not_for():
    assert "nor for allocations that random decisions seldom hold" in ship.limits_of(0.997, 0.999)
    assert "Not for figures" not in ship.limits_of(0.95, 0.95)
    assert "utility (R² 0.750)" in ship.limits_of(0.75, 0.999)
    assert "rank correlation 0.848" in ship.limits_of(0.99, 0.848)


def test_a_card_has_the_figures_that_its_command_measures(tmp_path):
    copied = Path(shutil.copy(ship.SHIPPED / "paper.safetensors", tmp_path))
    ship.main(["card", "--scenario", "paper", "--output", str(copied)])
    assert (tmp_path / "paper.card.md").read_text() == (ship.SHIPPED / "paper.card.md").read_text()


def test_the_sweep_whose_runs_are_killed_is_a_command_line_of_today(tmp_path):
    """That it ends as it should takes minutes and is a command of its own; here, that its keys are there."""
    register("train", TrainConfig)
    sweep_faults.write_unlucky(tmp_path)
    typed = parse(sweep_faults.TrialSweep(tmp_path / "sweep", []).command[3:])
    combinations = expand(typed.overrides, {})
    composer = Composer(Command("train", TrainConfig, prepare), typed.flags)
    assert len(combinations) == 8
    assert composer.config(combinations[0].overrides).agent.name == "unlucky"


@pytest.mark.parametrize(("first", "again", "shown"), [(1, 1, "1"), (0, 1, "0, then 1"), (-15, 0, "-15, then 0")])
def test_the_exit_statuses_of_both_sweeps_are_shown(first, again, shown):
    assert sweep_faults.exit_statuses(first, again) == shown
