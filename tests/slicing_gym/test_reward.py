from __future__ import annotations

import numpy as np

from slicing_gym import Reward, get_scenario
from slicing_gym.reward import reward_of, sla_satisfaction_ratio, threshold, utility


def test_ratio_without_arrivals_is_one_and_a_backlog_is_clipped():
    np.testing.assert_array_equal(sla_satisfaction_ratio([0, 3, 1, 5], [0, 4, 0, 2]), [1.0, 0.75, 1.0, 1.0])


def test_utility_is_equation_4():
    paper = get_scenario("paper")
    assert utility(paper, 500.0, [1.0, 0.5, 0.25]) == 5.0 + 1.75
    weighted = paper.replace(
        slices={"video": {"ssr_weight": 4.0}, "urllc": {"ssr_weight": 6.0}}, reward={"se_weight": 0.1}
    )
    assert utility(weighted, 10.0, [1.0, 0.5, 0.25]) == 1.0 + 1.0 + 2.0 + 1.5


def test_threshold_grows_in_a_line_and_stops():
    np.testing.assert_allclose(threshold(Reward(), [0, 10_000, 20_000, 10**9]), [5.0, 6.25, 7.5, 7.5])


def test_kinds_of_reward():
    utilities, thresholds = np.array([4.4, 4.5, 6.4, 6.5, 8.0]), np.full(5, 6.4)
    assert reward_of(Reward("shaped"), utilities, thresholds).tolist() == [0, 0, 1, 1, 1]
    assert reward_of(Reward("clip", clip_value=2.0), utilities, thresholds).tolist() == [-2, 0, 0, 2, 2]
    assert reward_of(Reward("utility"), utilities, thresholds).tolist() == utilities.tolist()
