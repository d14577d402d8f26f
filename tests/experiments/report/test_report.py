"""Reports over sweeps: groups, figures against a plain recomputation, and runs that are not done named."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from scipy import stats

from experiments.report import __main__ as command
from experiments.report import comparison, report
from experiments.report.measures import FINAL, GOAL, REGRET, SECONDS
from experiments.report.tables import differences_table, groups_table, runs_table
from tests.helpers.runs import read_rows
from tests.helpers.studies import FAULT, RATES, SEEDS, TWINS, break_sweep, config_of, figures_of, leave_run, leave_sweep


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Every run of three learning rates, two twins and three seeds."""
    folder = tmp_path_factory.mktemp("sweep")
    leave_sweep(folder)
    return folder


@pytest.fixture
def broken(tmp_path):
    folder = tmp_path / "broken"
    return folder, break_sweep(leave_sweep(folder))


def only_section(found):
    (section,) = found.sections
    return section


def test_a_sweep_over_a_learning_rate_has_a_row_a_value(sweep):
    section = only_section(report(sweep))
    assert section.keys == ("twin", "agent.learning_rate")
    found = [(group.values["twin"], float(group.values["agent.learning_rate"])) for group in section.groups]
    assert found == [(twin, rate) for twin in TWINS for rate in sorted(RATES)]
    assert all(group.seeds == list(SEEDS) and group.seeds_shown == "3" for group in section.groups)
    assert section.in_common == {"agent": "ddqn", "head": "dense", "decisions": "600", "reward": "utility"}
    table = groups_table(section)
    assert table.header[:4] == ["twin", "agent.learning_rate", "seeds", "decisions"]
    assert len(table.rows) == 6


def test_figures_are_those_of_a_plain_recomputation(sweep):
    """Of the interquartile mean by SciPy, of the interval by all resamples of three runs there are."""
    for group in only_section(report(sweep)).groups:
        rate, twin = float(group.values["agent.learning_rate"]), group.values["twin"]
        runs = [figures_of(rate, twin, seed) for seed in SEEDS]
        for measure, name in ((FINAL, "utility"), (REGRET, "regret"), (SECONDS, "cpu_seconds")):
            values = [figures[name] for figures, _ in runs]
            interval = group.interval(measure)
            assert interval.value == pytest.approx(stats.trim_mean(values, 0.25))
            means = [np.mean([values[i], values[j], values[k]]) for i in SEEDS for j in SEEDS for k in SEEDS]
            low, high = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
            assert (float(interval.low), float(interval.high)) == pytest.approx((low, high))
        reached = [figures["episodes_to_goal"] for figures, _ in runs]
        assert group.values_of(GOAL) == [np.inf if each is None else each for each in reached]
        last = [utility[-1] for _, utility in runs]
        (measure,) = [each for each in only_section(report(sweep)).measures if each.name == "utility"]
        assert group.interval(measure).value == pytest.approx(np.mean(last), abs=1e-6)


def test_a_goal_that_was_not_reached_is_more_than_all_episodes(sweep):
    table = groups_table(only_section(report(sweep)))
    column = table.header.index("episodes to the goal")
    assert all(row[column].startswith(">3 [") and row[column].endswith(">3]") for row in table.rows[:3])
    assert not any(">" in row[column] for row in table.rows[3:])


def test_differences_are_of_common_seeds_and_of_one_key(sweep, tmp_path):
    folder = tmp_path / "sweep"
    shutil.copytree(sweep, folder)
    (folder / "agent.learning_rate-0.001_twin-lstm_seed-0" / "summary.json").unlink()
    section = only_section(report(folder))
    found = section.differences
    assert len({each.label for each in found}) == 3 + 2 * 3  # a twin at each rate; pairs of rates with each twin
    label = "twin: lstm minus none (agent.learning_rate 0.001)"
    (own,) = [each for each in found if each.label == label and each.measure is REGRET]
    assert own.seeds == (1, 2)
    one, two = ([figures_of(0.001, twin, seed)[0]["regret"] for seed in (1, 2)] for twin in ("lstm", "none"))
    assert own.difference.value == pytest.approx(np.mean(np.subtract(one, two)))
    below = stats.mannwhitneyu(two, one).statistic / 4  # lower is better
    assert own.probability.value == pytest.approx(below)
    assert own.better == np.sum(np.less(one, two))
    (row,) = [row for row in differences_table(section).rows if row[0] == label]
    assert row[1] == "2"


def test_of_two_seeds_p_better_has_no_interval_in_any_file(tmp_path):
    leave_sweep(tmp_path / "sweep", rates=[0.001], seeds=[0, 1])
    found = report(tmp_path / "sweep")
    written = {path.name: path.read_text() for path in found.write(tmp_path / "out")}
    own, cells = only_section(found).differences, differences_table(only_section(found)).rows[0]
    assert [cells[3], cells[6]] == [f"{each.probability.value:.2f}" for each in own]
    assert "[" in cells[2]  # the difference has its range
    alone = re.escape(cells[6])
    for text in (found.text(), *(written[f"report{end}"] for end in (".html", ".md", ".tex"))):
        assert re.search(alone, text)
        assert not re.search(rf"{alone} \[", text)
    for row in read_rows(tmp_path / "out" / "report_differences.csv"):
        assert (row["seeds"], row["low_probability"], row["high_probability"]) == ("2", "", "")
        assert row["low"]
        assert row["probability_better"]


def test_groups_are_compared_once_however_often_they_are_shown(sweep, tmp_path, monkeypatch):
    found, calls = report(sweep), []
    interval = comparison.bootstrap_interval
    monkeypatch.setattr(comparison, "bootstrap_interval", lambda values: calls.append(0) or interval(values))
    found.text()
    assert len(calls) == len(only_section(found).differences)
    found.write(tmp_path)
    assert len(calls) == len(only_section(found).differences) == 2 * 9


def test_runs_that_are_not_done_are_named_wherever_the_report_is_read(broken, tmp_path):
    folder, states = broken
    found = report(folder)
    assert found.counts == "18 runs: 12 done, 1 dead, 1 failed, 1 missing, 1 refused, 1 unfinished, 1 unreadable"
    named = {entry.folder.name: entry for entry in found.not_done}
    assert {entry.state for entry in named.values()} == set(states)
    for state, (rate, twin, seed) in states.items():
        entry = named[f"agent.learning_rate-{rate}_twin-{twin}_seed-{seed}"]
        assert entry.state == state
        assert entry.error
    written = {path.name: path.read_text() for path in found.write(tmp_path / "out")}
    for text in (found.text(), *(written[f"report{end}"] for end in (".html", ".md", ".tex", "_runs.csv"))):
        for name in named:
            assert name in text
    assert FAULT in found.text()
    assert "seed: 0 is refused" in written["report.md"]
    assert len(runs_table(only_section(found)).rows) == 18


def test_they_count_as_missing_in_their_groups(broken):
    """All six are of the highest rate, whose runs are few: with each twin three are not there."""
    folder, states = broken
    section = only_section(report(folder))
    assert len(section.groups) == 6
    shown = {tuple(group.values.values()): group.seeds_shown for group in section.groups}
    assert shown == {("none", "0.01"): "0 of 3", ("lstm", "0.01"): "0 of 3"} | {
        (twin, rate): "3" for twin in TWINS for rate in ("0.0001", "0.001")
    }
    assert {rate for rate, _, _ in states.values()} == {0.01}
    table = groups_table(section)
    assert [row[4] for row in table.rows if row[1] == "0.01"] == ["-", "-"]


def test_keys_may_be_given(sweep):
    found = report(sweep, ["twin"])
    section = only_section(found)
    assert [group.values for group in section.groups] == [{"twin": "none"}, {"twin": "lstm"}]
    assert [group.seeds_shown for group in section.groups] == ["3 (9 runs)"] * 2
    everything = [figures_of(rate, "none", seed)[0]["utility"] for rate in RATES for seed in SEEDS]
    assert section.groups[0].interval(FINAL).value == pytest.approx(stats.trim_mean(everything, 0.25))
    assert any("several runs a seed: 2" in note for note in section.notes)
    with pytest.raises(ValueError, match=r"by: unknown name 'agent\.learning_rat'; did you mean '.*_rate'"):
        report(sweep, ["agent.learning_rat"])
    with pytest.raises(ValueError, match="by: none given"):
        report(sweep, [])


def test_the_command_prints_and_writes(sweep, tmp_path, capsys):
    command.main([str(sweep), "by=agent,twin,agent.learning_rate", "--output", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "agent  twin  agent.learning_rate  seeds" in printed
    assert "P(better)" in printed
    lines = [
        "regret below 0: more was earned while learning than the best fixed allocation earns",
        "goal: the first episode with a share at c_max of 0.8 (U ≥ 7.5), whichever reward is learned from; "
        "> where runs ended before",
    ]
    assert "\n".join(["", *lines, ""]) in printed
    markdown = (tmp_path / "out" / "report.md").read_text()
    assert all(line in markdown.splitlines() for line in lines)
    rows = read_rows(tmp_path / "out" / "report.csv")
    assert {row["figure"] for row in rows} >= {"utility_unseen", "regret", "episodes_to_goal", "cpu_seconds"}
    values = {(row["group"], row["figure"]): float(row["value"]) for row in rows}
    own = [figures_of(0.01, "lstm", seed)[0]["regret"] for seed in SEEDS]
    assert values["agent ddqn, twin lstm, agent.learning_rate 0.01", "regret"] == pytest.approx(np.mean(own))
    runs = read_rows(tmp_path / "out" / "report_runs.csv")
    assert len(runs) == 18
    assert sum(float(row["regret"]) for row in runs[:3]) / 3 == pytest.approx(
        np.mean([figures_of(0.0001, "none", seed)[0]["regret"] for seed in SEEDS])
    )
    with pytest.raises(SystemExit, match="error: by: unknown name 'colour'"):
        command.main([str(sweep), "by=colour", "--output", str(tmp_path / "none")])
    assert not (tmp_path / "none").exists()


def test_latex_is_whole(broken):
    """Braces and environments are balanced, cells as many as columns, and nothing is left that LaTeX would take."""
    folder, _ = broken
    for run in list(folder.glob("*seed-0")):
        summary = json.loads((run / "summary.json").read_text()) if (run / "summary.json").is_file() else None
        if summary and len(summary) > 2:
            summary["config"]["agent"]["kwargs"] = {"my_key": "50%_of {it} \\now"}
            (run / "summary.json").write_text(json.dumps(summary))
    text = report(folder, ["agent.learning_rate", "agent.kwargs.my_key"]).latex()
    assert r"50\%\_of \{it\} \textbackslash{}now" in text
    code = re.sub(r"(?m)(?<!\\)%.*$", "", text)
    assert re.findall(r"\\begin\{(\w+)\}", code) == ["table", "tabular"] * (code.count(r"\begin{table}"))
    assert sorted(re.findall(r"\\begin\{(\w+)\}", code)) == sorted(re.findall(r"\\end\{(\w+)\}", code))
    plain = re.sub(r"\\[&%$#_{}\\]", "", code)
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert not re.search(r"[_#^~%]", plain)
    for body, columns in re.findall(r"(?s)\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", code):
        lines = [line for line in columns.splitlines() if line.endswith(r"\\")]
        assert len(lines) > 1
        assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines} == {len(body)}


def test_what_decides_groups_is_what_was_typed_not_what_goes_with_it(tmp_path):
    """A size of the twin's memory says nothing that the twin does not; two keys that change together make one."""
    for seed in SEEDS:
        for rate, decisions in ((0.01, 600), (0.001, 300)):
            config = config_of(rate, "none", seed, decisions=decisions)
            leave_run(tmp_path / f"{rate}-{seed}", rate, "none", seed, config=config)
        leave_run(tmp_path / f"twin-{seed}", 0.001, "lstm", seed, config=config_of(0.001, "lstm", seed, decisions=300))
    section = only_section(report(tmp_path))
    assert section.keys == ("twin", "decisions")
    assert len(section.groups) == 3
    assert any("too, which makes no groups of its own" in note for note in section.notes)
