"""Free runs compared with what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from twin.fidelity.rollout import Rollout


def test_distances_from_what_never_changed_are_in_its_own_unit():
    """The mean of 45 times 0.3 is not quite 0.3, so that their standard deviation is not 0."""
    past, truth = np.full((45, 1), 0.3), np.full((2, 3, 1), 0.3)
    found = Rollout(np.full((2, 3, 4, 1), 0.5), truth, truth[0], None, past).marginal_distance(0, 2)
    assert found == {"twin": pytest.approx(0.2), "climatology": 0.0}
