"""Teachers."""

from __future__ import annotations

import pytest

from agents import DDQN
from tests.helpers.small_runs import small_run


@pytest.fixture(scope="session")
def teachers(tmp_path_factory):
    """A run without a twin and one with, on the same cell."""
    folder = tmp_path_factory.mktemp("teachers")
    small_run(folder / "without", DDQN)
    small_run(folder / "with", DDQN, twin=True)
    return folder
