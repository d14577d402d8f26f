"""Figures as they are saved, for tests of what is in a picture."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that is saved from now on, in order; its file is written as usual."""
    figures: list[Figure] = []
    save = Figure.savefig

    def saved(self, *args, **given):
        figures.append(self)
        save(self, *args, **given)

    monkeypatch.setattr(Figure, "savefig", saved)
    return figures
