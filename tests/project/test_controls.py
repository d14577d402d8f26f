"""What of a twin's gain needs no twin: pages show the regrets and the paired differences of the runs that they name."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from experiments.reporting.statistics import estimate
from tests.helpers.excerpts import DOCS, RESULTS, close, of_first_decisions, of_runs, said, shows, shows_paired, table


def check_what_needs_no_twin(cells: list[str], runs: list[tuple[pd.Series[float], pd.Series[float]]]) -> None:
    """Check regrets of a row, and differences between the last two, against (regret, final U) of their runs by seed."""
    *regrets, saved, gained = cells
    for cell, (regret, _) in zip(filter(None, regrets), runs, strict=True):
        assert shows(cell, regret), cell
    (regret, final), (regret_of_twin, final_of_twin) = runs[-2:]
    if not saved:  # there are no runs with eight updates
        assert len(runs) == 3
        assert not gained
        return
    assert shows_paired(saved, regret - regret_of_twin)
    assert shows_paired(gained, final_of_twin - final)


@pytest.mark.parametrize("row", table("convergence.md", "head, scenario | without a twin, ε falls until 500 |")[1:])
def test_what_of_the_gain_needs_no_twin_is_what_was_measured(row):
    label, *cells = row
    head, scenario = label.replace("`", "").split(", ")
    runs, columns = f"{scenario}_{head}", ("regret", "utility")
    made = ("early",) if head == "geometry" else ("early", "often")
    of_controls = [tuple(of_runs(f"{each}_{runs}", "ddqn", column) for column in columns) for each in made]
    if scenario == "nr-8slices":
        both = ("regret_best_fixed", "u_unseen")
        plain, twin = (
            tuple(of_first_decisions(scenario, method, column) for column in both) for method in ("ddqn", "ddqn-dt")
        )
    else:
        plain, twin = (
            tuple(of_runs(f"convergence_{runs}", agent, column) for column in columns) for agent in ("ddqn", "ddqn-dt")
        )
    check_what_needs_no_twin(cells, [plain, *of_controls, twin])


SAID = [
    ("convergence.md", "rate DDQN without a twin loses (.*?) on `paper`", "often_slower_paper_factored", "regret"),
    ("convergence.md", "a twin loses .*? on `paper`, (.*?) on `diurnal`,", "often_slower_diurnal_factored", "regret"),
    (
        "convergence.md",
        "`diurnal`, ([^,]*?, [^,]*?) on `flash-crowd`,",
        "often_slower_flash-crowd_factored",
        "regret",
    ),
    (
        "convergence.md",
        "and ([^,]*?, [^,]*?) on `nr-8slices`\\. Its",
        "often_slower_nr-8slices_factored",
        "regret",
    ),
    ("agents.md", "DDQN loses (.*?) on `paper` while", "early_paper_factored", "regret"),
    ("agents.md", "on `paper` while it learns, not (.*?);", "convergence_paper_factored", "regret"),
    ("agents.md", "gradient_steps=8`, too, (.*?), for some", "often_paper_factored", "regret"),
    ("agents.md", "better on `diurnal` \\((.*?), not", "often_diurnal_factored", "utility"),
    ("agents.md", "better on `diurnal` \\(.*?, not (.*?)\\)", "convergence_diurnal_factored", "utility"),
    ("agents.md", "not on `flash-crowd` \\((.*?), not", "often_flash-crowd_factored", "utility"),
    ("agents.md", "not on `flash-crowd` \\(.*?, not (.*?)\\)", "convergence_flash-crowd_factored", "utility"),
]
"""Sentences on DDQN without a twin: the page, what stands in each, the runs and the figure."""


@pytest.mark.parametrize(("page", "sentence", "runs", "column"), SAID)
def test_what_is_said_of_agents_that_are_updated_more_often_is_what_was_measured(page, sentence, runs, column):
    assert shows(said(page, sentence), of_runs(runs, "ddqn", column))


PAIRED = [
    ("convergence.md", "on `flash-crowd` is then (.*?) below", "utility", "flash-crowd_factored"),
    ("when-a-twin-pays.md", "at the same rate of learning (.*?)\\. So", "utility", "flash-crowd_factored"),
    ("convergence.md", "the final policy is (.*?) better with a twin; of", "utility", "eq6"),
    ("convergence.md", "of the regret it saves (.*?), which", "regret", "eq6"),
    ("when-a-twin-pays.md", "a better final policy, by (.*?) \\(paired", "utility", "eq6"),
    ("when-a-twin-pays.md", "of the regret (.*?)\\) \\(\\[why", "regret", "eq6"),
    ("convergence.md", "stock DQN ends (.*?) of U higher", "utility", "coarse"),
    ("convergence.md", "higher and loses (.*?) less", "regret", "coarse"),
    ("convergence.md", "gains nothing on `diurnal` either: final U (.*?),", "utility", "today"),
    ("convergence.md", "gains nothing .* regret (.*?) \\(paired with", "regret", "today"),
    ("when-a-twin-pays.md", "today's twin: there it ends (.*?) higher", "utility", "coarse"),
    ("when-a-twin-pays.md", "higher and loses (.*?) less with one", "regret", "coarse"),
]
"""Sentences on what an agent gains by a twin: the page, what stands in each, the figure and the comparison."""

COMPARED = {
    "flash-crowd_factored": (
        ("convergence_flash-crowd_factored", "ddqn-dt"),
        ("often_slower_flash-crowd_factored", "ddqn"),
    ),
    "eq6": (("eq6_twin_paper_dense", "ddqn-dt"), ("eq6_final_threshold_often_paper_dense", "ddqn")),
    "today": (("often_today_diurnal_factored", "ddqn-dt"), ("often_diurnal_factored", "ddqn")),
    "coarse": (("often_coarse_diurnal-1mhz_dense", "sb3_dqn-dt"), ("often_coarse_diurnal-1mhz_dense", "sb3_dqn")),
}
"""Of each comparison the runs with a twin and those without, and whose they are."""


@pytest.mark.parametrize(("page", "sentence", "column", "comparison"), PAIRED)
def test_what_a_twin_is_said_to_gain_is_what_was_measured(page, sentence, column, comparison):
    twin, control = (of_runs(runs, agent, column) for runs, agent in COMPARED[comparison])
    assert shows_paired(said(page, sentence), twin - control if column == "utility" else control - twin)


ALGORITHMS = {
    "stock DQN": ("any_agent", "sb3_dqn"),
    "QR-DQN": ("any_agent", "sb3_qrdqn"),
    "Dueling GAN-DDQN": ("convergence", "gan_ddqn"),
}
"""Algorithms with the dense head by their name on the page: the runs with and without a twin, and the agent."""


@pytest.mark.parametrize(
    "row", table("convergence.md", "algorithm, scenario | without a twin, ε falls until 500 |")[1:]
)
def test_what_of_the_gain_of_other_algorithms_needs_no_twin_is_what_was_measured(row):
    label, *cells = row
    algorithm, scenario = label.replace("`", "").split(", ")
    name, agent = ALGORITHMS[algorithm]
    made = ("early", "often_more") if cells[2] else ("early",)
    names = [(name, agent), *((each, agent) for each in made), (name, f"{agent}-dt")]
    runs = [
        tuple(of_runs(f"{each}_{scenario}_dense", who, column) for column in ("regret", "utility"))
        for each, who in names
    ]
    check_what_needs_no_twin(cells, runs)


SOON = [("often", "ddqn"), ("soon", "ddqn"), ("soon_fall", "ddqn"), ("soon", "ddqn-dt")]
"""Runs and agent by the columns of the table on fewer random decisions."""


@pytest.mark.parametrize("row", table("convergence.md", "scenario | without a twin, 200 random decisions")[1:])
def test_what_fewer_random_decisions_change_is_what_was_measured(row):
    name, *cells, saved, gained = row
    regrets, finals = (
        [of_runs(f"{runs}_{name.strip('`')}_factored", agent, column) for runs, agent in SOON]
        for column in ("regret", "utility")
    )
    assert all(map(shows, cells, regrets))
    assert shows_paired(saved, regrets[1] - regrets[3])
    assert shows_paired(gained, finals[3] - finals[1])
    for fewer in regrets[1:]:
        assert ((regrets[0] - fewer).between(200.0, 500.0)).all() or name == "`flash-crowd`"
    (mean, half), (more, around) = estimate(regrets[1] - regrets[3]), estimate(finals[3] - finals[1])
    assert abs(mean) < half
    assert abs(more) < around
    assert name != "`flash-crowd`" or (finals[3] > finals[1]).all()


def test_a_neural_contextual_bandit_ends_beside_the_planner():
    sentence = (
        r"it loses (.*?) on `diurnal` and ends at (.*?), beside the planner's (.*?)\. On `paper` it loses (.*?) \("
    )
    ((regret, final, planner, on_paper),) = re.findall(sentence, (DOCS / "convergence.md").read_text())
    assert shows(regret, of_runs("bandit_diurnal_geometry", "ddqn", "regret"))
    assert shows(final, of_runs("bandit_diurnal_geometry", "ddqn", "utility"))
    assert shows(planner, of_first_decisions("diurnal", "planner", "u_unseen"))
    assert shows(on_paper, of_runs("bandit_paper_geometry", "ddqn", "regret"))


def test_dueling_gan_ddqn_without_a_twin_forgets_as_the_page_says():
    sentence = (
        r"U falls in each of the five runs: from (.*?) to (.*?) in the third episode to (.*?) to (.*?) in the fifth.*"
        r"With a twin U is above (.*?) from the third episode on"
    )
    (given,) = re.findall(sentence, (DOCS / "convergence.md").read_text())
    early, twin = (pd.read_csv(RESULTS / f"{name}_paper_dense.csv") for name in ("early", "convergence"))
    own = early[early["agent"] == "gan_ddqn"].pivot(index="seed", columns="episode", values="utility")
    assert len(own) == 5
    assert (own[5] < own[3]).all()
    assert all(map(close, given[:4], [own[3].min(), own[3].max(), own[5].min(), own[5].max()]))
    later = twin.loc[(twin["agent"] == "gan_ddqn-dt") & (twin["episode"] >= 3), "utility"]
    assert float(given[4]) < later.min()
