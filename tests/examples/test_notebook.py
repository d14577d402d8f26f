"""The notebook runs from its first cell to its last, at a small size."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "start.ipynb"


def test_the_notebook_runs(monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="the extra `test` brings it")
    nbclient = pytest.importorskip("nbclient", reason="the extra `test` brings it")
    monkeypatch.setenv("SLICING_GYM_SIZE", "0.01")
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)  # it is stored without what it prints
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOK.parents[1])}}).execute()
    printed = "".join(out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", []))
    assert "from the twin" in printed
    assert "one_step_oracle" in printed
    assert "Warning" not in printed
