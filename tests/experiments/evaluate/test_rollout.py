"""Policies in cells: common random numbers, episodes one after the other, memories."""

from __future__ import annotations

import gymnasium as gym
import numpy as np

from experiments.evaluate import Evaluation, Settings, compare, evaluate, evaluate_policy, load_policy, make_cells
from experiments.evaluate.report import queue_warnings, read_csv, write_csv
from slicing_gym import Constant, Exponential, Simulator, get_scenario
from slicing_gym.offered import offered_packets

SCENARIO = get_scenario("paper-1mhz")


def test_policies_meet_the_same_random_numbers():
    envs = make_cells(SCENARIO, 3)
    policies = {name: load_policy("hard", SCENARIO, envs, 1) for name in ("one", "other")}
    one, other = compare(SCENARIO, policies, envs, [4, 5, 6], decisions=5)
    np.testing.assert_array_equal(one.utility, other.utility)
    assert len(set(one.utility)) == 3


def test_episodes_follow_one_another_in_an_evaluation():
    """More decisions than an episode: the figures of its last decision are not lost to the reset."""
    scenario = SCENARIO.replace(decisions_per_episode=3)
    envs = make_cells(scenario, 2)
    hard = load_policy("hard", scenario, envs, 1)
    result = evaluate_policy("hard", hard, envs, [0, 1], decisions=7)
    assert (result.utility > 5.0).all()
    assert (result.ssr > 0.9).all()


class Counts:
    """Has a memory: how many decisions of the episode are behind, by cell."""

    def __init__(self):
        self.seen = []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        assert deterministic
        count = np.zeros(len(observation), int) if state is None else np.where(episode_start, 0, state + 1)
        self.seen.append(count)
        return count, count


def test_a_memory_is_kept_within_an_episode():
    short = make_cells(SCENARIO.replace(decisions_per_episode=3), 2)
    policy = Counts()
    evaluate_policy("", policy, short, [0, 1], 7)
    assert [row.tolist() for row in policy.seen] == [[n, n] for n in (0, 1, 2, 0, 1, 2, 0)]


def evaluated(scenario, decisions):
    envs = make_cells(scenario, 2)
    return evaluate_policy("hard", load_policy("hard", scenario, envs, 1), envs, [0, 1], decisions)


STARVING = SCENARIO.replace(
    decisions_per_episode=4,
    radio={"multiplexing_gain": 1e-6, "queue_capacity": 1},
    slices={"urllc": {"traffic": {"interarrival_s": Exponential(0.1)}}},
)
"""Packets take for ever, so queues of one packet are full after some decisions of an episode, and admit nothing."""


def test_decisions_in_which_full_queues_admit_nothing_are_counted_to_the_last_of_an_episode():
    cells, found = Simulator(STARVING, [0, 1]), []
    for decision in range(8):
        if decision % 4 == 0:
            cells.begin_episode()
        interval = cells.advance([6, 7, 7])
        found.append((interval.arrivals == 0) & (interval.blocked > 0))
    expected = np.mean(found, axis=0)
    assert 0.0 < expected[:, 2].min() < 1.0
    np.testing.assert_array_equal(evaluated(STARVING, 8).starved, expected)
    assert not evaluated(SCENARIO, 8).starved.any()


def test_a_starved_slice_has_one_warning_that_names_the_policies_and_the_ssr_of_its_other_decisions():
    ssr = np.array([[1.0, 0.56], [1.0, 0.58]])
    starved = np.array([[0.04, 0.55], [0.04, 0.57]])
    zero = np.zeros(2)
    made = [
        Evaluation("hard", (0, 1), zero, zero, zero, ssr, starved),
        Evaluation("good", (0, 1), zero, zero, zero, ssr, np.zeros((2, 2))),
        Evaluation("best_fixed", (0, 1), zero, zero, zero, np.ones((2, 2)), np.ones((2, 2)) * [0.0, 1.0]),
        Evaluation("read", (0, 1), zero, zero, zero, ssr),
    ]
    two = SCENARIO.replace(slices={"urllc": None})
    (line,) = queue_warnings(two, made)
    assert line == (
        "warning: video: full queues admit nothing, which counts as SSR 1, in 56% of the intervals under hard "
        "(over the others its SSR is 0.023), in 100% of the intervals under best_fixed; see "
        "docs/scenarios.md#an-overloaded-cell"
    )


def test_what_is_offered_is_what_a_cell_admits_whose_queues_are_never_full():
    """Links do not matter: here packets take for ever, and all of them find room."""
    roomy = STARVING.replace(radio={"queue_capacity": 1000})
    for scenario in (roomy, SCENARIO):
        cells, admitted = Simulator(scenario, [3, 4]), np.zeros((2, 3))
        for decision in range(8):
            if decision % scenario.decisions_per_episode == 0:
                cells.begin_episode()
            interval = cells.advance([6, 7, 7])
            assert not interval.blocked.any()
            admitted += interval.arrivals
        np.testing.assert_array_equal(offered_packets(scenario, (3, 4), 8), admitted)
        assert (admitted > 0).all()
    np.testing.assert_array_equal(offered_packets(STARVING, (3, 4), 8), offered_packets(roomy, (3, 4), 8))


def test_the_share_admitted_is_of_what_is_offered_and_1_where_no_queue_is_full():
    cells, admitted = Simulator(STARVING, [0, 1]), np.zeros((2, 3))
    for decision in range(8):
        if decision % 4 == 0:
            cells.begin_episode()
        admitted += cells.advance([6, 7, 7]).arrivals
    share = evaluated(STARVING, 8).admitted
    np.testing.assert_array_equal(share, admitted / offered_packets(STARVING, (0, 1), 8))
    assert share[:, 2].max() < 0.8
    np.testing.assert_array_equal(evaluated(SCENARIO, 8).admitted, 1.0)


def test_packets_are_kept_out_within_an_interval_whose_queues_are_empty_at_its_end():
    """Small packets: a queue fills between two slots, and the next one drains it."""
    busy = {"traffic": {"interarrival_s": Exponential(5e-5), "packet_size_byte": Constant(1.0)}}
    found = evaluated(SCENARIO.replace(slices={"volte": busy}), 8)
    assert found.ssr[:, 0].min() > 0.99
    assert 0.1 < found.admitted[:, 0].min() < found.admitted[:, 0].max() < 0.5
    np.testing.assert_array_equal(found.admitted[:, 2], 1.0)


def test_shares_are_not_known_where_wrappers_end_episodes_early():
    """Each reset has an interval that does not count, so what is offered in those that do is another."""
    envs = gym.make_vec(
        "SliceRAN-v0",
        num_envs=2,
        vectorization_mode="sync",
        scenario=SCENARIO,
        wrappers=[lambda env: gym.wrappers.TimeLimit(env, 4)],
    )
    found = evaluate_policy("hard", load_policy("hard", SCENARIO, make_cells(SCENARIO, 2), 1), envs, [0, 1], 8)
    assert found.admitted is None
    assert found.starved is not None


def test_what_full_queues_admit_is_shown_of_slices_that_they_keep_out_under_some_policy():
    zero, one = np.zeros(2), np.ones((2, 2))
    few = np.array([[0.96, 0.7], [0.95, 0.8]])
    made = [
        Evaluation("hard", (0, 1), zero, zero, zero, one, admitted=few),
        Evaluation("good", (0, 1), zero, zero, zero, one, admitted=one),
        Evaluation("read", (0, 1), zero, zero, zero, one),
    ]
    warning, table = queue_warnings(SCENARIO.replace(slices={"urllc": None}), made)
    assert warning == (
        "warning: full queues keep packets of video out, which SSR does not count; see "
        "docs/scenarios.md#an-overloaded-cell"
    )
    assert [line.split() for line in table.splitlines() if "--" not in line] == [
        ["admitted", "of", "those", "offered", "video"],
        ["hard", "0.750", "[0.115,", "1.000]"],
        ["good", "1.000", "±", "0.000"],
    ]


def test_what_is_known_of_queues_is_written_and_read(tmp_path):
    found = [evaluated(STARVING, 8), Evaluation("twin", (0, 1), *np.zeros((3, 2)), np.ones((2, 3)))]
    write_csv(tmp_path / "evaluation.csv", STARVING, found)
    read, unknown = read_csv(tmp_path / "evaluation.csv")
    np.testing.assert_allclose(read.admitted, found[0].admitted, atol=1e-6)
    np.testing.assert_allclose(read.starved, found[0].starved, atol=1e-6)
    assert queue_warnings(STARVING, [read]) == queue_warnings(STARVING, found[:1])
    assert unknown.admitted is unknown.starved is None
    text = (tmp_path / "evaluation.csv").read_text()
    (tmp_path / "cut.csv").write_text(text.replace("1.000000", "", 1))
    assert np.isnan(read_csv(tmp_path / "cut.csv")[0].ssr).sum() == 1


def test_reports_end_with_the_warning_of_a_starved_slice_and_those_of_others_have_none():
    settings = Settings(seeds=[0, 1], decisions=8, threads=1, progress=False)
    last = evaluate(["hard"], STARVING, settings).report().splitlines()[-1]
    assert last.startswith("warning: urllc: full queues admit nothing")
    assert "warning" not in evaluate(["hard"], SCENARIO, settings).report()


def test_intervals_of_shares_end_at_0_and_1_and_that_of_a_single_cell_stays_unknown():
    zero, ssr = np.zeros(2), np.array([[0.4, 0.99, 0.988, 0.5], [0.6, 0.99, 0.992, 0.51]])
    two = Evaluation("hard", (0, 1), zero, np.array([0.35, 0.55]), zero, ssr).estimates(
        ["one", "other", "near", "inside"]
    )
    assert str(two["reward"]) == "0.450 [0.000, 1.000]"
    assert str(two["ssr_one"]) == "0.500 [0.000, 1.000]"
    assert str(two["ssr_other"]) == "0.990 ± 0.000"
    assert str(two["ssr_near"]) == "0.990 [0.965, 1.000]"  # not 0.990 ± 0.025, which ends beyond 1
    assert str(two["ssr_inside"]) == "0.505 ± 0.064"
    assert (
        str(Evaluation("hard", (0,), zero[:1], ssr[:1, 0], zero[:1], ssr[:1]).estimates(["a", "b"])["reward"])
        == "0.400"
    )
