"""The benchmark: protocol, plan, queue, rows and figures, on runs of a few decisions."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import numpy as np
import pytest

from agents.registry import import_modules
from experiments.benchmark_suite import (
    BENCHMARKED,
    PROTOCOL,
    Protocol,
    RunKey,
    RunQueue,
    RunRow,
    make_plan,
    normalised_score,
    own_method,
    read_results,
    read_rows,
    work_through,
    write_table,
)
from experiments.benchmark_suite.__main__ import prepare
from experiments.benchmark_suite.queue import ERROR_LOG, RUNS, deadline, processes_of
from experiments.benchmark_suite.rows import result_file, score_of
from experiments.benchmark_suite.settings import BenchmarkSuiteConfig
from experiments.evaluate import Settings, evaluate
from experiments.runs.lock import RunLock
from tests.helpers.learners import _one_thread as _one_thread

TINY = Protocol(
    scenarios=("paper-1mhz",), training_seeds={40: (0, 1)}, evaluation_seeds=(100, 101), evaluation_decisions=10
)
OWN = "tests.experiments.benchmark_suite.own"


def tiny_plan(*methods, **more):
    return make_plan(methods=methods, protocol=TINY, **more)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Baselines and a planner, on both seeds."""
    folder = tmp_path_factory.mktemp("benchmark")
    queue = RunQueue(tiny_plan("random", "proportional", "planner"), folder)
    queue.work(progress=False)
    return queue


def test_the_score_is_zero_at_hard_slicing_and_one_at_the_oracle():
    assert [normalised_score(u, 5.0, 8.0) for u in (5.0, 8.0, 6.5, 4.0)] == pytest.approx([0.0, 1.0, 0.5, -1 / 3])
    with pytest.raises(ValueError, match="above that of hard slicing, 8"):
        normalised_score(7.0, 8.0, 8.0)


def test_the_protocol_is_that_of_the_page():
    """What is frozen: another protocol is another version."""
    assert PROTOCOL.version == 1
    assert PROTOCOL.training_seeds == {1_000: tuple(range(10)), 20_000: (0, 1, 2)}
    assert PROTOCOL.evaluation_seeds == tuple(range(100, 120))
    assert PROTOCOL.evaluation_decisions == 200
    assert not set(PROTOCOL.evaluation_seeds) & {seed for seeds in PROTOCOL.training_seeds.values() for seed in seeds}


def test_a_plan_has_all_runs_of_the_protocol_and_says_why_others_are_none():
    plan = make_plan()
    learning = [each for each in BENCHMARKED.values() if each.learns]
    impossible = [each for each in learning if each.lists_allocations]
    once = {"hard", "proportional", "best_fixed", "one_step_oracle"}  # no seed changes their figures
    assert len(plan.runs) == 10 * (8 * (len(BENCHMARKED) - len(once)) - len(impossible)) + 8 * len(once)
    assert {run.seed for run in plan.runs if run.method in once} == {0}
    assert [run.seed for run in make_plan(["paper"], ["hard", "random"], [3]).runs if run.method == "hard"] == [0]
    assert {key[1] for key in plan.left_out} == {each.name for each in impossible}
    assert all(key[0] == "nr-8slices" for key in plan.left_out)
    assert [BENCHMARKED[run.method].learns for run in plan.runs[:112]] == [False] * 112  # what is cheap comes first
    longer = make_plan(budget=20_000)
    references = [run for run in longer.runs if run.budget == 1_000]
    assert {run.method for run in references} == {"hard", "best_fixed", "one_step_oracle"}
    assert "ddqn_twin" not in {run.method for run in longer.runs}
    assert longer.left_out["paper", "random", 20_000] == "does not learn"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scenarios": ["papper"]}, "scenarios: unknown name 'papper'; did you mean 'paper'"),
        ({"scenarios": ["mine.yaml"]}, "scenarios: 'mine.yaml' given, allowed are presets alone .*experiments.train"),
        ({"methods": ["sb3_dqm"]}, "methods: unknown name 'sb3_dqm'; did you mean 'sb3_dqn'"),
        ({"seeds": [10]}, "seeds: 10 given, allowed is 0 to 9"),
        ({"budget": 500}, "budget: 500 given, allowed are 1000, 20000"),
        ({"seeds": [3], "budget": 20_000}, "seeds: 3 given, allowed is 0 to 2"),
    ],
)
def test_what_the_protocol_does_not_have_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        make_plan(**given)


def test_every_run_leaves_one_small_file_and_nothing_else(done):
    rows = read_results(done.folder, TINY)
    assert set(rows) == set(done.plan.runs)
    assert len(rows) == 4 + 2 * 2  # hard slicing, the best fixed allocation and the oracle come with every slice
    assert not list((done.folder / RUNS).iterdir())
    assert done.runs == []
    assert not done.failed


def test_rows_say_what_evaluate_says(done):
    """The same cells, decisions and policies, by the command that compares policies."""
    rows = read_results(done.folder, TINY)
    settings = Settings(seeds=[100, 101], decisions=10, threads=1, progress=False)
    names = ["hard", "proportional", "best_fixed", "one_step_oracle"]
    for each in evaluate(names, "paper-1mhz", settings).evaluations:
        assert rows[RunKey("paper-1mhz", each.policy, 40, 0)].utility == pytest.approx(each.utility.mean())
    own = Settings(seeds=[0], decisions=40, threads=1, progress=False)  # the training cell of the first seed
    found = evaluate(["best_fixed", "proportional"], "paper-1mhz", own).evaluations
    lost = 40 * float((found[0].utility - found[1].utility)[0])
    assert rows[RunKey("paper-1mhz", "proportional", 40, 0)].regret == pytest.approx(lost)


def test_scores_are_between_hard_slicing_and_the_oracle(done, tmp_path):
    rows = read_results(done.folder, TINY)
    scores = {key: score_of(row, rows, TINY) for key, row in rows.items()}
    assert scores[RunKey("paper-1mhz", "hard", 40, 0)] == 0.0
    assert scores[RunKey("paper-1mhz", "one_step_oracle", 40, 0)] == 1.0
    assert max(scores.values()) == 1.0
    without = {key: row for key, row in rows.items() if key.method != "hard"}
    assert {score_of(row, without, TINY) for row in without.values()} == {None}
    table = tmp_path / "benchmark.csv"
    write_table(table, rows, list(BENCHMARKED), TINY)
    found = read_rows(table, TINY)
    assert found.keys() == rows.keys()
    assert all(found[key].utility == pytest.approx(row.utility, abs=1e-6) for key, row in rows.items())
    assert read_rows(table, replace(TINY, version=2)) == {}  # another protocol's rows do not count
    with pytest.raises(FileNotFoundError, match=r"^table: the file '.*none\.csv' does not exist"):
        read_rows(tmp_path / "none.csv", TINY)
    again = tmp_path / "again.csv"
    write_table(again, found, list(BENCHMARKED), TINY)
    assert again.read_bytes() == table.read_bytes()  # though its rows were rounded, and those of the first were not
    table.write_text(table.read_text().replace("planner", "planner,7", 1))
    with pytest.raises(ValueError, match=r"table: .* holds no row of the benchmark"):
        read_rows(table, TINY)


def test_typed_again_it_does_what_is_missing_alone(done, tmp_path):
    plan = tiny_plan("random", "planner")
    known = frozenset(run for run in plan.runs if run.method != "planner")
    again = RunQueue(plan, tmp_path, known)
    assert [(run.method, run.seed) for run in again.runs] == [("planner", 0), ("planner", 1)]
    over = replace(again, until=time.monotonic() - 1.0)
    over.work()
    assert over.runs == again.runs  # no time was left
    with RunLock(tmp_path / RUNS / again.runs[0].name):
        with RunLockedElsewhere(tmp_path / RUNS / again.runs[0].name):
            again.work(progress=False)
        assert [run.seed for run in again.runs] == [0]  # another process has it
    again.work(progress=False)
    rows, before = read_results(tmp_path, TINY), read_results(done.folder, TINY)
    assert [row.utility for row in rows.values()] == [before[key].utility for key in rows]  # the same to the bit
    assert [row.regret for row in rows.values()] == [before[key].regret for key in rows]


class RunLockedElsewhere:
    """A folder whose lock is another process's, that of this test's parent."""

    def __init__(self, folder):
        self._lock = folder / "run.lock"

    def __enter__(self):
        from experiments.runs import lock

        self._held, self._text = dict(lock._held), self._lock.read_text()
        lock._held.clear()
        found = json.loads(self._text) | {"process": 1, "boot": lock._boot(), "process_start": lock._start_of(1)}
        self._lock.write_text(json.dumps(found))

    def __exit__(self, *_):
        from experiments.runs import lock

        lock._held.update(self._held)
        self._lock.write_text(self._text)


def test_a_run_that_fails_is_named_and_stops_no_other(tmp_path):
    import_modules([OWN])
    method = own_method("fails", f"{OWN}.FailsWithSeedOne", None, kwargs={"n_steps": 20, "batch_size": 10})
    plan = tiny_plan(own=method)
    queue = RunQueue(plan, tmp_path, frozenset(run for run in plan.runs if run.method != "fails"), imports=(OWN,))
    work_through(queue, jobs=2, progress=False)  # the second process takes the second run, or finds nothing to do
    first, second = (RunKey("paper-1mhz", "fails", 40, seed) for seed in (0, 1))
    assert result_file(tmp_path, first).is_file()
    assert queue.failed == {second: "RuntimeError: not with this seed"}
    assert (tmp_path / RUNS / second.name / ERROR_LOG).is_file()


def test_a_result_that_cannot_be_written_fails_its_run_alone(tmp_path):
    plan = tiny_plan("random")
    queue = RunQueue(plan, tmp_path, frozenset(run for run in plan.runs if run.method != "random"))
    (tmp_path / "results").write_text("a file where the folder of results would be")
    queue.work(progress=False)
    assert list(queue.failed) == queue.runs == [RunKey("paper-1mhz", "random", 40, seed) for seed in (0, 1)]
    assert all("results" in why for why in queue.failed.values())
    (tmp_path / RUNS / queue.runs[0].name / ERROR_LOG).write_text("\n")  # as where the disk was full
    assert queue.failed[queue.runs[0]] == "why was not kept"


def test_places_that_cannot_be_used_are_refused_before_anything_begins(tmp_path):
    file, nowhere = tmp_path / "file", tmp_path / "none.csv"
    file.write_bytes(b"a\xff\n")
    for name in ("", str(file)):
        with pytest.raises(ValueError, match=f"^folder: '{name}' given, allowed is the name of a folder$"):
            prepare(BenchmarkSuiteConfig(folder=name), tmp_path)
    with pytest.raises(ValueError, match=f"^table: '{file}' could not be read: .*codec"):
        prepare(BenchmarkSuiteConfig(table=str(file)), tmp_path)
    with pytest.raises(FileNotFoundError, match=f"^table: the file '{nowhere}' does not exist"):
        prepare(BenchmarkSuiteConfig(table=str(nowhere)), tmp_path)


def test_the_projects_table_is_known_wherever_the_command_is_typed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = BenchmarkSuiteConfig(scenarios=["paper"], methods=["hard"], minutes=0.0)
    prepare(settings, tmp_path)()
    assert "3 runs, 0 of them to do" in capsys.readouterr().out
    monkeypatch.setattr("experiments.benchmark_suite.__main__.KNOWN", tmp_path / "none.csv")  # as in a wheel
    prepare(settings, tmp_path)()
    said = capsys.readouterr().out
    assert said.startswith("table: none given, and none comes with an installed package: hard slicing, best fixed and")
    assert "3 runs, 3 of them to do" in said


def test_no_more_processes_than_runs_or_processors_and_none_when_time_is_over(tmp_path):
    queue = RunQueue(tiny_plan("random", "planner"), tmp_path)
    assert len(queue.runs) == 7
    assert processes_of(queue, 10**20) == min(7, len(os.sched_getaffinity(0)))
    assert processes_of(queue, 1) == 1
    assert processes_of(replace(queue, until=time.monotonic() - 1.0), 10**20) == 1
    assert processes_of(replace(queue, done=frozenset(queue.runs)), 2) == 1


@pytest.mark.parametrize("shift", [1e9, -1e9])
def test_a_clock_that_is_set_changes_no_deadline(shift, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: time.monotonic() + shift)
    queue = RunQueue(tiny_plan("random"), tmp_path)
    assert deadline(None) is None
    assert processes_of(replace(queue, until=deadline(60.0)), 2) == min(2, len(os.sched_getaffinity(0)))
    over = replace(queue, until=deadline(0.0))
    assert processes_of(over, 2) == 1
    over.work()
    assert over.runs == queue.runs


def test_regret_of_an_on_policy_algorithm_counts_every_decision(done, tmp_path):
    """PPO that learns nothing earns what its first policy does: its regret is below that of no policy at all."""
    method = BENCHMARKED["sb3_ppo"]
    short = replace(method, kwargs={**method.kwargs, "n_steps": 20, "batch_size": 10})
    found = short.perform(_scenario(), 40, 0, TINY, tmp_path)
    best = read_results(done.folder, TINY)[RunKey("paper-1mhz", "best_fixed", 40, 0)]
    assert 0.0 < found.regret < 40 * best.utility
    assert np.isfinite(found.utility)
    with pytest.raises(ValueError, match="n_steps: 100 given, allowed are numbers that divide the budget of 40"):
        method.perform(_scenario(), 40, 0, TINY, tmp_path)


def _scenario():
    from slicing_gym import get_scenario

    return get_scenario("paper-1mhz")


def test_a_damaged_result_is_named(tmp_path):
    row = RunRow("paper", "hard", 1000, 0, 5.0, 0.0, 1.0, 1.0, 1, "")
    path = result_file(tmp_path, row.key)
    path.parent.mkdir()
    path.write_text('{"scenario": "paper"}')
    with pytest.raises(ValueError, match=r"paper_hard_1000_seed0\.json' holds no row"):
        read_results(tmp_path, TINY)
