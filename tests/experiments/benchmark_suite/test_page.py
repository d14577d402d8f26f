"""Leaderboards, the honest column, the page and the picture, on rows whose figures are known."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from experiments.benchmark_suite import BENCHMARKED, PROTOCOL, RunKey, RunRow, is_it_worth_it, make_board, read_rows
from experiments.benchmark_suite.__main__ import prepare
from experiments.benchmark_suite.cost import cost_of
from experiments.benchmark_suite.figure import _OWN, _legend, draw_benchmark
from experiments.benchmark_suite.page import (
    BEGIN,
    END,
    TABLES_BLOCK,
    _worth,
    boards_of,
    findings_of,
    leaderboards_of,
    write_page,
)
from experiments.benchmark_suite.rows import write_result
from experiments.benchmark_suite.settings import BenchmarkSuiteConfig
from experiments.benchmark_suite.writing import write_rounded
from experiments.evaluate import Settings, evaluate
from tests.helpers.drawn import drawn as drawn

ROOT = Path(__file__).resolve().parents[3]
TABLE = ROOT / "docs" / "results" / "benchmark.csv"
PAGE = ROOT / "docs" / "benchmark.md"
LEADERBOARDS = ROOT / "docs" / "results" / "benchmark.md"


def rows_of(scenario="diurnal", budget=1_000, **utilities):
    """Rows of a scenario: by method, U of each seed."""
    found = {}
    for method, values in utilities.items():
        for seed, value in enumerate(values):
            own = budget if method not in BENCHMARKED or BENCHMARKED[method].learns else 1_000
            key = RunKey(scenario, method, own, seed)
            found[key] = RunRow(*key, value, 0.5, 10.0 * seed, 1.0, 1, "")
    return found


REFERENCES = {"hard": [5.0] * 10, "best_fixed": [7.0] * 10, "one_step_oracle": [8.0] * 10}


def test_standings_are_ranked_and_scored():
    learner = [7.5, 7.5, 7.5, 7.6, 7.6, 7.6, 7.4, 7.4, 6.9, 7.5]
    board = make_board(rows_of(**REFERENCES, sb3_dqn=learner, planner=[7.8] * 4), "diurnal", 1_000)
    assert [each.method for each in board.standings] == ["one_step_oracle", "planner", "sb3_dqn", "best_fixed", "hard"]
    assert [each.rank for each in board.standings] == [None, 1, 2, 3, 4]
    dqn = board.of("sb3_dqn")
    assert float(dqn.score.value) == pytest.approx((float(dqn.utility.value) - 5.0) / 3.0)
    assert float(dqn.improvement.value) == pytest.approx(0.9)
    assert (board.headroom, board.share) == pytest.approx((1.0, 1 / 3))
    assert board.missing["planner"] == "4 of 10 seeds"
    assert board.missing["sb3_ppo"] == "not run yet"
    assert "sb3_dqn" not in board.missing


@pytest.mark.parametrize(
    ("utilities", "answer"),
    [
        ({}, "not run yet"),
        ({"planner": [7.8]}, "not run yet (planner wins 80% of the headroom)"),
        ({"sb3_dqn": [7.5] * 10}, "yes (so far): SB3 DQN wins 50% of the headroom"),
        ({"sb3_dqn": [6.9] * 10}, "no (so far): SB3 DQN ends 10% of the headroom below best fixed"),
        (
            {"sb3_dqn": [6.5, 7.5] * 5, "planner": [7.2]},
            "undecided (so far): SB3 DQN wins 0% of the headroom (planner wins 20% of the headroom)",
        ),
        (
            {"sb3_dqn": [7.5] * 10, "proportional": [7.6] * 10},  # a rule does better
            "no (so far): SB3 DQN wins 50% of the headroom (proportional wins 60% of the headroom)",
        ),
        ({"one_step_oracle": [7.05] * 10}, "no: one fixed allocation leaves 2.4% to be gained"),
        (
            {name: [7.5] * 10 for name in BENCHMARKED if BENCHMARKED[name].network},
            "yes: SB3 DQN wins 50% of the headroom",
        ),
    ],
)
def test_is_it_worth_it(utilities, answer):
    board = make_board(rows_of(**{**REFERENCES, **utilities}), "diurnal", 1_000)
    assert is_it_worth_it(board) == answer


def test_nothing_is_said_where_nothing_was_run():
    board = make_board({}, "paper", 1_000)
    assert (board.standings, board.headroom, board.share) == ((), None, None)
    assert is_it_worth_it(board) == "not run yet"
    assert "n/a" in make_board({}, "nr-8slices", 1_000).missing["sb3_ppo"]


def test_the_tables_name_what_is_missing():
    rows = {**rows_of(**REFERENCES, sb3_dqn=[7.5] * 3), **rows_of("diurnal", 20_000, ddqn_dense=[7.6] * 3)}
    text = findings_of(rows)
    assert "| SB3 DQN | 0.83 (3 of 10 seeds) | not run yet | not run yet |" in text  # what has most to gain comes first
    assert "n/a on `nr-8slices` (one output for each of 20 218 614 631 344 allocations): SB3 DQN;" in text
    assert "n/a everywhere (with a twin at 1000 decisions only): DDQN with a twin, planner first." in text
    longer = leaderboards_of(rows).partition("## diurnal, 20 000 decisions")[2]
    assert "| 1 | DDQN, dense head | 7.600 | 0.867 | 1.00 | 0.500 |" in longer
    assert "SB3 DQN |" not in longer  # it was run at the other budget
    assert "| 2 | best fixed | 7.000 | 0.667 | - | 0.500 | - | - | - |" in longer  # regret is of 1000 decisions


def test_regret_is_shown_of_what_learned_at_a_budget():
    """Rules have one at the first budget alone; that of the best fixed allocation is 0 by its meaning."""
    rows = {
        **rows_of(**REFERENCES, random=[4.0] * 10, sb3_dqn=[7.5] * 3),
        **rows_of("diurnal", 20_000, ddqn_dense=[7.6] * 3),
    }
    first, longer = (
        findings_of(rows).partition(f"## Regret over {budget} decisions [U]")[2].partition("##")[0]
        for budget in ("1 000", "20 000")
    )
    assert "| random | 45 [" in first
    assert "| SB3 DQN | 10 [0, 20] (3 of 10 seeds) |" in first
    assert "SB3 PPO" not in first  # not run: n/a on `nr-8slices` alone is no row
    assert "| DDQN, dense head | 10 [0, 20] |" in longer
    for name in ("best fixed", "one-step oracle"):
        assert name not in first
    for name in ("random", "SB3 DQN"):
        assert name not in longer


@pytest.mark.parametrize(("scenario", "share"), [("diurnal", "0.500"), ("nr-8slices", "n/a")])
def test_a_share_at_c_max_is_shown_where_the_reward_asks_for_it(scenario, share):
    text = leaderboards_of(rows_of(scenario, **REFERENCES, planner=[7.5] * 10))
    cells = {line.split(" | ")[1]: line.split(" | ")[5] for line in text.splitlines() if line.count(" | ") == 8}
    assert (cells.pop("method"), cells.pop("---")) == ("share at c_max", "---")
    assert set(cells.values()) == {share}
    assert {"planner", "hard slicing"} <= set(cells)


def test_rows_of_rules_carry_no_number_of_seeds():
    text = leaderboards_of(rows_of(**REFERENCES, planner=[7.5] * 10, random=[4.0, 4.2]))
    seeds = {line.split(" | ")[1]: line.split(" | ")[-1] for line in text.splitlines() if line.count(" | ") == 8}
    assert (seeds["hard slicing"], seeds["best fixed"], seeds["one-step oracle"]) == ("- |",) * 3
    assert (seeds["planner"], seeds["random"]) == ("10 of 10 |", "2 of 10 |")


def test_an_own_method_known_by_its_rows_has_the_number_of_its_seeds_and_no_number_that_is_missing():
    for seeds, shown, score in ((1, "1", "(1 seed)"), (3, "3", "(3 seeds)"), (10, "10 of 10", "")):
        rows = rows_of(**REFERENCES, mine=[7.4] * seeds)
        line = next(line for line in leaderboards_of(rows).splitlines() if "| mine |" in line)
        assert line.endswith(f"| {shown} |")
        assert (f"{score} |" if score else "0.80 |") in findings_of(rows)
        assert ("of 10" in line) == (seeds == 10)


def test_a_row_names_its_seeds_where_some_are_missing_whoever_made_it():
    rows = rows_of(hard=[5.0], best_fixed=[7.0] * 10, one_step_oracle=[8.0], random=[4.0, 4.2])
    for seed in (0, 1):
        rows[RunKey("diurnal", "mine", 1_000, seed)] = RunRow("diurnal", "mine", 1_000, seed, 7.4, 0.5, 1.0, 1.0, 1, "")
    lines = findings_of(rows).splitlines()
    scores = {
        name: next(line.split(" | ")[1] for line in lines if line.startswith(f"| {name} "))
        for name in ("random", "hard slicing", "best fixed", "one-step oracle", "mine")
    }
    assert scores.pop("random").endswith("(2 of 10 seeds)")
    assert scores == {
        "hard slicing": "0.00",
        "best fixed": "0.67",
        "one-step oracle": "1.00",
        "mine": "0.80 (2 seeds)",
    }


@pytest.mark.parametrize("name", [name for name, method in BENCHMARKED.items() if not method.seeded])
def test_methods_of_which_one_run_is_enough_have_the_same_figures_with_every_seed(name):
    rows = [row for row in read_rows(TABLE, PROTOCOL).values() if row.method == name]
    assert len({(row.scenario, row.utility, row.reward_at_c_max) for row in rows}) == len(PROTOCOL.scenarios)


def test_each_scenario_has_its_own_answers_however_budgets_are_sorted():
    learner = rows_of("diurnal", 20_000, ddqn_dense=[7.6] * 3)
    boards = boards_of({**rows_of(**REFERENCES), **learner})
    boards[20_000] = boards[20_000][::-1]
    (row,) = (line for line in _worth(boards).splitlines() if "`diurnal`" in line)
    assert row.endswith("| not run yet | yes (so far): DDQN, dense head wins 60% of the headroom |")


def test_the_cost_of_what_is_missing_is_that_of_the_same_method():
    rows = rows_of(sb3_dqn=[7.5] * 4)
    rows = {key: replace(row, cpu_seconds=36.0) for key, row in rows.items()}
    cost = cost_of(rows)
    of_dqn = (7 * 10 - 4) * 36.0 + 7 * 3 * 20 * 36.0  # on seven scenarios; at 20 000 decisions twenty times as much
    assert (cost.done, cost.done_s) == (4, 144.0)
    assert cost.missing_s == pytest.approx(of_dqn)
    assert cost.missing == 10 * 8 * 8 - 40 - 4 + 4 * 8 + 3 * (8 * 6 - 4)  # rules but `random` have one run per scenario
    assert set(cost.unknown) == {*BENCHMARKED} - {"sb3_dqn"}
    assert str(cost).startswith("4 runs are done; they trained for 0.0 h of processor time. ")


def test_tables_go_between_the_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n<!-- benchmark: begin, as it was worded once -->\nold\n{END}\nafter\n")
    write_page(page, "new \\1\n")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew \\1\n\n{END}\nafter\n"
    write_page(page, "new\n")
    assert page.read_text().count("new") == 1
    page.write_text("no markers")
    with pytest.raises(ValueError, match=r"task=publish: .* has no lines"):
        write_page(page, "new")


def test_the_page_says_what_the_table_says(tmp_path):
    """Typed again, `task=publish` changes nothing."""
    rows = write_rounded(tmp_path / "benchmark.csv", read_rows(TABLE, PROTOCOL))
    assert (tmp_path / "benchmark.csv").read_bytes() == TABLE.read_bytes()
    for page, made in ((PAGE, findings_of(rows)), (LEADERBOARDS, leaderboards_of(rows))):
        assert TABLES_BLOCK.search(page.read_text())[1].strip() == made.strip()


def test_what_is_made_of_own_rows_goes_into_the_folder_and_known_rows_stay_to_the_byte(tmp_path, monkeypatch):
    """Even where a known run was done again, with figures that have more digits."""
    known = rows_of(**{**REFERENCES, "hard": [5.1234564] * 10}, sb3_dqn=[7.4, 7.5])
    table, folder = tmp_path / "known.csv", tmp_path / "runs"
    write_rounded(table, known)
    again, mine = RunKey("diurnal", "sb3_dqn", 1_000, 0), RunKey("diurnal", "mine", 1_000, 0)
    write_result(folder, RunRow(*again, 7.40000049, 0.5, 1.0, 99.0, 1, ""))
    write_result(folder, RunRow(*mine, 7.6, 0.5, 1.0, 1.0, 1, ""))
    monkeypatch.chdir(tmp_path)
    before = table.read_text().splitlines()
    prepare(BenchmarkSuiteConfig(task="page", folder=str(folder), table=str(table)), tmp_path)()
    after = (folder / "benchmark.csv").read_text().splitlines()
    assert [line for line in after if line not in before] == [line for line in after if line.startswith("diurnal,mine")]
    assert [line for line in after if line in before] == before == table.read_text().splitlines()
    assert "| mine | 0.86 (1 seed) |" in (folder / "benchmark.md").read_text()
    assert "scenarios.md" not in (folder / "benchmark.md").read_text()  # which does not lie there
    assert {path.name for path in tmp_path.iterdir()} == {"known.csv", "runs"}
    imread(io.BytesIO((folder / "benchmark.png").read_bytes()))


def test_the_projects_own_pages_are_written_by_publish_in_a_checkout_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = BenchmarkSuiteConfig(task="publish", folder=str(tmp_path / "runs"))
    with pytest.raises(FileNotFoundError, match=r"^task=publish: the file 'docs/benchmark\.md' does not exist"):
        prepare(settings, tmp_path)
    for page in (PAGE, LEADERBOARDS):
        copy = tmp_path / page.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(page.read_text())
    before = TABLE.read_text()
    here = tmp_path / "docs" / "results" / "benchmark.csv"
    here.write_text("".join(before.splitlines(keepends=True)[:-1]))  # a row less than the package's checkout has
    prepare(settings, tmp_path)()
    assert TABLE.read_text() == before  # of the checkout that the package comes from, not the one it was typed in
    rows = read_rows(here, PROTOCOL)
    assert len(rows) == len(read_rows(TABLE, PROTOCOL)) - 1
    assert findings_of(rows).strip() in (tmp_path / "docs" / "benchmark.md").read_text()
    assert leaderboards_of(rows).strip() in (tmp_path / "docs" / "results" / "benchmark.md").read_text()
    assert (tmp_path / "docs" / "images" / "benchmark.png").is_file()


def test_the_picture_has_a_panel_a_scenario(tmp_path):
    path = tmp_path / "benchmark.png"
    rows = rows_of(**REFERENCES, random=[3.0] * 10, sb3_dqn=[7.4, 7.5, 7.6])
    assert draw_benchmark(path, boards_of(rows)[1_000]) == [path]
    pixels = imread(io.BytesIO(path.read_bytes()))
    assert pixels.shape[0] > 600
    assert pixels.shape[1] > 1_000
    assert (ROOT / "docs" / "images" / "benchmark.png").stat().st_size < 1_000_000


def test_scenarios_of_one_good_allocation_have_a_picture_of_their_own(tmp_path):
    flat = rows_of("paper", **{**REFERENCES, "best_fixed": [7.99] * 10})
    both = boards_of(rows_of(**REFERENCES) | flat)[1_000]
    paths = draw_benchmark(tmp_path / "benchmark.png", both)
    assert [path.name for path in paths] == ["benchmark.png", "benchmark_bandits.png"]
    (alone,) = draw_benchmark(tmp_path / "alone.png", [each for each in both if each.scenario == "paper"])
    assert alone.name == "alone.png"
    assert alone.read_bytes() == paths[1].read_bytes()


def test_the_picture_has_a_row_for_a_method_of_ones_own(tmp_path):
    rows = rows_of(**REFERENCES)
    mine = RunKey("diurnal", "mine", 1_000, 0)
    with_own = rows | {mine: RunRow(*mine, 7.4, 0.5, 1.0, 1.0, 1, "")}
    found = []
    for number, each in enumerate((rows, with_own)):
        draw_benchmark(tmp_path / f"{number}.png", boards_of(each)[1_000])
        pixels = imread(io.BytesIO((tmp_path / f"{number}.png").read_bytes()))
        found.append((pixels.shape[0], int((abs(pixels[..., :3] - to_rgb(_OWN)) < 0.01).all(axis=-1).sum())))
    assert found[0][1] == 0  # without it, the legend does not name it, either
    assert found[1][1] > 100
    assert found[1][0] > found[0][0]


def test_the_picture_says_what_its_marks_mean():
    labels = " ".join(handle.get_label() for handle in _legend(own=False, partly=False, below=True, without=True))
    assert "n/a: one network output per allocation would be too many" in labels
    assert "below -0.35, off the scale" in labels
    assert "your own" not in labels
    assert "training seeds so far" not in labels


@pytest.mark.parametrize(("seeds", "marked"), [(10, False), (3, True)])
def test_the_legend_explains_a_number_of_seeds_where_the_picture_has_one(seeds, marked, tmp_path, drawn):
    rows = rows_of(**REFERENCES, random=[3.0] * 10, sb3_dqn=[7.4] * seeds)
    draw_benchmark(tmp_path / "benchmark.png", boards_of(rows)[1_000])
    (picture,) = drawn
    texts = [text.get_text() for axes in picture.axes for text in axes.texts]
    assert any(text.endswith(f"({seeds})") for text in texts) == marked
    explained = " ".join(text.get_text() for text in picture.legends[0].get_texts())
    assert ("training seeds so far" in explained) == marked


@pytest.mark.parametrize("scenario", PROTOCOL.scenarios)
def test_the_table_is_of_todays_simulator(scenario):
    """Where physics or a preset has changed, rows are stale: the protocol gets another version."""
    row = read_rows(TABLE, PROTOCOL).get(RunKey(scenario, "hard", PROTOCOL.first_budget, 0))
    if row is None:
        pytest.skip("not run yet")
    seeds, decisions = PROTOCOL.evaluation_seeds, PROTOCOL.evaluation_decisions
    found = evaluate("hard", scenario, Settings(seeds=list(seeds), decisions=decisions, threads=1, progress=False))
    assert found.evaluations[0].utility.mean() == pytest.approx(row.utility, abs=1e-6)
