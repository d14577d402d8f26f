"""Every example runs, at a small size, and is short."""

from __future__ import annotations

import math
import sys
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


@pytest.mark.parametrize(
    ("name", "missing"), [("cleanrl_vector", "torch"), ("pytorch_loop", "torch"), ("stock_agents", "sb3_contrib")]
)
def test_an_example_says_in_one_line_what_is_missing(name, missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit, match=f"^error: {missing} is missing: pip install [^\n]+$"):
        run_path(str(FOLDER / f"{name}.py"))


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
