"""Twins that several files test."""

from __future__ import annotations

import pytest

from tests.helpers.twins import SMALL, history_of, small_twin
from twin import (
    DigitalTwin,
    History,
)


@pytest.fixture(scope="session")
def history() -> History:
    return history_of("paper-1mhz")


@pytest.fixture(scope="session", params=list(SMALL))
def twin(request, history) -> DigitalTwin:
    return small_twin(history, request.param)
