"""The notebook runs from its first cell to its last, at a small size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "start.ipynb"


def test_it_is_stored_with_what_it_prints_and_draws():
    assert NOTEBOOK.stat().st_size < 300_000
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
    assert sum("image/png" in output.get("data", {}) for output in outputs) == sum(
        "plt.show()" in "".join(cell["source"]) for cell in cells
    )
    assert {output.get("name", "stdout") for output in outputs} == {"stdout"}  # no warnings


def test_the_notebook_runs(monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="the extra `test` brings it")
    nbclient = pytest.importorskip("nbclient", reason="the extra `test` brings it")
    monkeypatch.setenv("SLICING_GYM_SIZE", "0.01")
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOK.parents[1])}}).execute()
    printed = "".join(out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", []))
    assert "from the twin" in printed
    assert "one_step_oracle" in printed
    assert "Warning" not in printed
