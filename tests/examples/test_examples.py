"""Every example runs, at a small size, and is short."""

from __future__ import annotations

import math
from pathlib import Path
from runpy import run_path

import pytest

from experiments.tools.package import SIZES

FOLDER = Path(__file__).resolve().parents[2] / "examples"


def test_every_example_is_run_here_and_has_less_than_60_lines():
    paths = {path.stem: path for path in FOLDER.glob("*.py")}
    assert set(paths) == set(SIZES)
    assert {name: len(path.read_text().splitlines()) for name, path in paths.items() if _lines(path) >= 60} == {}


def _lines(path):
    return len(path.read_text().splitlines())


@pytest.mark.filterwarnings("ignore:ssr. never met:twin.LogWarning")  # what the synthetic log is like
@pytest.mark.parametrize("name", SIZES)
def test_an_example_runs(name, capsys):
    if name == "torchrl_loop":
        pytest.importorskip("torchrl", reason="it is no dependency of this project")
    result = run_path(str(FOLDER / f"{name}.py"), run_name="example")["main"](SIZES[name])
    assert capsys.readouterr().out
    if isinstance(result, dict):
        assert all(map(math.isfinite, result.values()))
    elif isinstance(result, float):
        assert math.isfinite(result)
