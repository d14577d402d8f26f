from __future__ import annotations

import pytest

from experiments.offline import record_history
from tests.helpers.histories import COARSE


@pytest.fixture(scope="session")
def history():
    """80 random decisions on six allocations."""
    return record_history("random", COARSE, 0, 80)
