"""Every command that writes results: where its output is on a full disk they are whole, and its exit status is 1."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import onnx
import pytest
import yaml
from PIL import Image

from agents import DDQN
from experiments.runs.status import state_of
from experiments.tools.fuzz import runs
from experiments.tools.fuzz.nursery import Life, Nursery
from slicing_gym.cli import commands
from tests.helpers.runs import read_rows
from tests.helpers.twins import cold_twin, history_of
from twin import DigitalTwin, History

ROOT = Path(__file__).resolve().parents[2]
LOG = "log={folder}/log.csv"
SCENARIO, SMALL = "scenario={folder}/small.yaml", "agent.net_arch=[8]"
EVALUATION = ("evaluation.policies=[random]", "evaluation.seeds=[100]", "evaluation.decisions=5")
TWIN = ("twin.transition.members=1", "twin.performance.members=1", "twin.training.max_epochs=1")
CELLS = (SCENARIO, "seeds=[0]", "held_out_runs=1", "copies=2", "threads=1", "progress=false")

TYPED = {
    "train": (SCENARIO, "agent=ddqn", SMALL, "twin=none", "decisions=60", "agent.learning_starts=20", *EVALUATION),
    "evaluate": (SCENARIO, "policy=[random,hard]", "seeds=[1]", "decisions=5"),
    "offline": (SCENARIO, "agent=ddqn", SMALL, "twin=none", "decisions=60", "algorithm.epochs=1",
                "estimate.epochs=1", *EVALUATION),
    "distill": ("teacher={folder}/train", "hidden=[4]", "updates=20", *EVALUATION[1:]),
    "landscape": ("agent={folder}/train", "points=3", "surface_points=3", "directions=1", "stock=false"),
    "export": ("policy={folder}/train", "states=100"),
    "fidelity": (*CELLS, *TWIN, "decisions=80", "run_length=20", "horizon=5", "allocations=3", "policies=[]",
                 "tree=false"),
    "what_if": ("twin={folder}/twin.safetensors", "interval=3", "samples=20"),
    "calibration": (*CELLS, *TWIN, "decisions=80", "fresh=[64]"),
    "search": (SCENARIO, *TWIN, "n_trials=1", "decisions=40", "collect=64", "runs=1", "evaluations=1",
               "cells=2", "cell_decisions=5", "finalists=1", "final_runs=1", "confirm=[]"),
    "inspect": (LOG,),
    "describe": (SCENARIO, "seeds=[0]", "decisions=3"),
    "traffic": (LOG, "mapping=colosseum", "period_s=0.25"),
    "benchmark_suite": ("task=page", "table={folder}/benchmark.csv", "folder={folder}/benchmark_suite"),
    "report": ("{folder}/train", "--output", "{folder}/report"),
    "figures": ("headroom", "{folder}/train", "--output", "{folder}/figures/headroom.png"),
}  # fmt: skip
"""The commands that write files, as typed in small."""

WITHOUT_FOLDER = ("report", "figures")
"""Commands that have no folder of their own."""

WRITTEN = {
    "train": "agent.zip episodes.csv evaluation.csv history.npz summary.json training.png",
    "evaluate": "evaluation.csv evaluation.png",
    "offline": "agent.zip evaluation.csv history.npz offline.json",
    "distill": "students.csv students.png",
    "landscape": "flatness.csv landscape.csv surface.csv landscape_paper-1mhz_factored.png",
    "export": "policy.onnx",
    "fidelity": "fidelity.csv fidelity.txt fidelity.png twin_0.safetensors uncertainty.png",
    "what_if": "what_if.csv what_if.png",
    "calibration": "calibration.csv calibration.png",
    "search": "search.json study.csv study.png twin.safetensors",
    "inspect": "mapping.yaml log.png",
    "describe": "description.json link.csv slices.csv description.png",
    "traffic": "my_traffic.yaml traffic.png",
    "benchmark_suite": "benchmark.csv benchmark.md benchmark.png benchmark_bandits.png",
    "report": "report.html report.md report.csv report_runs.csv",
    "figures": "headroom.png",
}
"""By command, what it writes last, and what others go on from."""


def read_whole(path):
    """Read a file to its end, as its kind is read."""
    read = {
        ".csv": lambda: read_rows(path)[0],
        ".json": lambda: json.loads(path.read_text())[
            {"search.json": "trials", "description.json": "scenario"}.get(path.name, "config")
        ],
        ".yaml": lambda: yaml.safe_load(path.read_text()).keys(),
        ".png": lambda: Image.open(path).load(),
        ".npz": lambda: History.load(path),
        ".safetensors": lambda: DigitalTwin.load(path),
        ".zip": lambda: DDQN.load(path, device="cpu"),
        ".onnx": lambda: onnx.load(path),
        ".md": lambda: path.read_text().rindex("|"),
        ".txt": lambda: path.read_text().rindex("\n", -1),
        ".html": lambda: path.read_text().rindex("</html>"),
    }
    read[path.suffix]()


def warm_up(folder):
    """Import and compile what commands need, but for export: forks with the ONNX runtime's thread never end."""
    runs.warm_up(folder)
    for name in TYPED.keys() - {"export"}:
        import_module(f"experiments.{name}.__main__")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    runs.write_parts(folder)
    for name, rows in {"results/benchmark.csv": 60, "data/synthetic_log.csv": 1501}.items():
        lines = (ROOT / "docs" / name).read_text().splitlines(keepends=True)
        (folder / Path(name).name.replace("synthetic_", "")).write_text("".join(lines[:rows]))
    history_of("paper-1mhz", 40).save(folder / "history.npz")
    cold_twin(history_of("paper-1mhz", 40)).save(folder / "twin.safetensors")
    return folder


@pytest.fixture(scope="module")
def nursery(place):
    made = Nursery("tests.experiments.test_full_output:warm_up", place, {"SLICING_GYM_CACHE": str(place / "cache")})
    yield made
    made.close()


def run(name, place, nursery):
    """Run a command that prints to a full disk; its exit status."""
    own = [] if name in WITHOUT_FOLDER else [f"hydra.run.dir={place / name}"]
    typed = [*(each.format(folder=place) for each in TYPED[name]), *own]
    return nursery.run(Life(f"experiments.{name}", typed, str(place / name), "/dev/full")).status


@pytest.fixture(scope="module")
def trained(place, nursery):
    """The exit status of the run that other commands look at."""
    return run("train", place, nursery)


@pytest.mark.parametrize("name", TYPED)
def test_what_a_command_has_to_say_is_lost_and_its_files_are_whole(place, nursery, trained, name):
    assert (trained if name == "train" else run(name, place, nursery)) == 1
    if name not in WITHOUT_FOLDER:
        assert state_of(place / name) == "done"
    for file in WRITTEN[name].split():
        read_whole(place / name / file)


def test_no_other_command_writes_results():
    assert set(commands()) == {*TYPED, "benchmark"}  # which prints alone
