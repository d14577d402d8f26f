"""Baselines on every scenario, and the headroom between the best fixed allocation and the one-step oracle."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from matplotlib.figure import Figure

from experiments.reporting.statistics import estimate
from experiments.reporting.style import draw_bars_side_by_side, policy_colours, save_figure
from experiments.reporting.tables import write_rows
from slicing_gym.reading import parsing, read_csv


def read_evaluations(folder: Path) -> list[tuple[str, str, str, float]]:
    """Scenario, policy, seed and utility in the rows of every `evaluation.csv` below a folder.

    Raises:
        FileNotFoundError: there is none.
        OSError, ValueError: one cannot be read; the message names it.
    """
    paths = sorted(folder.rglob("evaluation.csv"), key=lambda path: path.stat().st_mtime)
    if not paths:
        raise FileNotFoundError(f"folder: no evaluation.csv below {str(folder)!r}")
    rows: list[tuple[str, str, str, float]] = []
    for path in paths:
        header, lines = read_csv("folder", path, ["scenario", "policy", "seed", "utility"])
        found = [dict(zip(header, line, strict=True)) for line in lines]
        with parsing("folder", path):
            rows += [(each["scenario"], each["policy"], each["seed"], float(each["utility"])) for each in found]
    return rows


def draw_headroom(folder: Path, output: Path) -> str:
    """Draw the utility of every policy on every scenario evaluated below `folder`; write the values next to it.

    Args:
        folder: of a sweep of `experiments.evaluate`.
        output: PNG; the values go next to it, as CSV.

    Returns:
        What was written, as text.
    """
    values: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for scenario, policy, seed, utility in read_evaluations(folder):
        if values[scenario, policy].setdefault(seed, utility) != utility:
            raise ValueError(
                f"folder: two runs give scenario {scenario!r}, policy {policy!r}, seed {seed} "
                "different utilities; give scenarios that differ different names (scenario.name=...)"
            )
    scenarios = list(dict.fromkeys(scenario for scenario, _ in values))
    policies = list(dict.fromkeys(policy for _, policy in values))
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    axes = figure.subplots()
    estimates = {
        policy: [estimate(list(values[scenario, policy].values() or [0.0])) for scenario in scenarios]
        for policy in policies
    }
    draw_bars_side_by_side(axes, estimates, policy_colours(policies), span=0.82)
    for index, scenario in enumerate(scenarios):
        best, oracle = values.get((scenario, "best_fixed")), values.get((scenario, "one_step_oracle"))
        if best and oracle and best.keys() == oracle.keys():
            room = estimate([oracle[seed] - best[seed] for seed in best])
            axes.annotate(f"headroom\n{room.mean:.2f} ± {room.half_width:.2f}", (index, 9.1), ha="center", fontsize=8.5)
    axes.set_xticks(range(len(scenarios)), scenarios)
    axes.set_ylim(0.0, 10.2)
    axes.set_ylabel("mean utility U")
    axes.set_title("Baselines on every scenario; black lines are 95 % intervals over cells", fontsize=10.5)
    figure.legend(loc="outside lower center", ncols=len(policies), frameon=False)
    save_figure(figure, output)
    rows = [[s, p, seed, f"{u:.6f}"] for (s, p), cells in values.items() for seed, u in cells.items()]
    write_rows(output.with_suffix(".csv"), ["scenario", "policy", "seed", "utility"], rows)
    return f"written: {output}, {output.with_suffix('.csv')}"
