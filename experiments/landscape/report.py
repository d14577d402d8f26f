"""The loss around the weights of agents as tables and CSVs: methods side by side over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from experiments.landscape.flatness import Flatness, FloatArray
from experiments.landscape.losses import STOCK
from experiments.reporting.statistics import Interval, base_name, bootstrap_interval, interquartile_mean
from experiments.reporting.tables import aligned, write_rows


@dataclass(frozen=True)
class Measurement:
    """What was measured of one agent.

    Args:
        group: scenario and head.
        method: which agent: ddqn, with a twin ddqn-dt.
        seed: of its cell.
        td_error: mean of |y - Q(s, a)| over the data [U].
        flatness: the numbers.
        curves: loss (points,) over "epsilon" (equation 11) and over "distance" along the unit gradient.
        surface: loss (n, n) over two filter-normalised random directions.
    """

    group: tuple[str, str]
    method: str
    seed: int
    td_error: float
    flatness: Flatness
    curves: Mapping[str, FloatArray]
    surface: FloatArray

    def value(self, name: str) -> float:
        """One of its numbers."""
        return self.td_error if name == "td_error" else float(getattr(self.flatness, name))


@dataclass(frozen=True)
class Quantity:
    """How a number is shown, and whether a smaller or a larger one is flatter; None: it tells nothing of that."""

    label: str
    flatter: str | None


QUANTITIES = {
    "loss": Quantity("loss at theta [U^2]", None),
    "td_error": Quantity("mean |TD error| [U]", None),
    "gradient_norm": Quantity("slope |g|", "smaller"),
    "curvature": Quantity("curvature along g", "smaller"),
    "top_eigenvalue": Quantity("largest curvature", "smaller"),
    "doubling_epsilon": Quantity("epsilon: loss doubles", "larger"),
    "rise_epsilon": Quantity("epsilon: loss + {rise:g}", "larger"),
    "doubling_distance": Quantity("distance: loss doubles", "larger"),
    "rise_distance": Quantity("distance: loss + {rise:g}", "larger"),
    "random_rise": Quantity("rise at random, size {size:g}", "smaller"),
}
"""Rows of the tables."""


def sorted_by_method(measured: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """Measurements by method, each by seed; an agent without a twin before the one with one, stock SB3's last."""
    ordered = sorted(measured, key=lambda each: (each.method == STOCK, base_name(each.method), each.method, each.seed))
    methods: dict[str, list[Measurement]] = {}
    for each in ordered:
        methods.setdefault(each.method, []).append(each)
    return methods


def method_pairs(methods: Sequence[str]) -> list[tuple[str, str]]:
    """Which methods are compared: an agent without and with a twin; ours without one and stock DQN of SB3."""
    found = [
        (base_name(method), method)
        for method in methods
        if base_name(method) in methods and base_name(method) != method
    ]
    ours = next((method for method in ("dqn", "ddqn") if method in methods), None)
    return [*found, (ours, STOCK)] if STOCK in methods and ours is not None else found


def values_of(method: Sequence[Measurement]) -> FloatArray:
    """All quantities of a method (seeds, quantities)."""
    return np.array([[each.value(name) for name in QUANTITIES] for each in method])


def differences(first: Sequence[Measurement], second: Sequence[Measurement]) -> FloatArray:
    """Second less first, of the seeds that both have (n, quantities); 0 where both are infinite."""
    own = {each.seed: values for each, values in zip(first, values_of(first), strict=True)}
    both = [(own[e.seed], values) for e, values in zip(second, values_of(second), strict=True) if e.seed in own]
    if not both:
        return np.empty((0, len(QUANTITIES)))
    one, other = np.array(both).swapaxes(0, 1)
    return np.array(np.subtract(other, one, out=np.zeros_like(one), where=one != other))


def verdict(quantity: Quantity, low: float, high: float) -> str:
    """What the interval of a difference of two methods says of the second: flatter, sharper, or neither if it has 0.

    Nothing where there is no interval: of one seed.
    """
    if quantity.flatter is None or np.isnan(low):
        return ""
    if low <= 0.0 <= high:
        return "no difference"
    return "flatter" if (low > 0.0) == (quantity.flatter == "larger") else "sharper"


def pair_table(first: Sequence[Measurement], second: Sequence[Measurement], settings: Mapping[str, float]) -> str:
    """Two methods side by side: one row per quantity, the difference paired by seed, and what it says of the second.

    Below, in how many quantities it is flatter.
    """
    name, other = first[0].method, second[0].method
    change = differences(first, second)
    columns = [bootstrap_interval(values_of(method)) for method in (first, second)]
    if len(change):
        columns.append(bootstrap_interval(change))
    rows, verdicts = [], []
    for number, quantity in enumerate(QUANTITIES.values()):
        row = [quantity.label.format(**settings), *(show_one(column, number) for column in columns)]
        if len(change):
            row.append(_agreeing(quantity, change[:, number]))
            row.append(verdict(quantity, float(columns[2].low[number]), float(columns[2].high[number])))
            verdicts.append(row[-1])
        rows.append(row)
    header = ["", name, other]
    if not len(change):
        return aligned(header, rows)
    counts = [f"{what} in {verdicts.count(what)}" for what in ("flatter", "sharper", "no difference")]
    table = aligned([*header, f"{other} less {name}", "flatter in", f"{other} is"], rows)
    if len(change) == 1:
        return f"{table}\none seed tells no methods apart"
    return f"{table}\n{other} is {', '.join(counts)}"


def single_table(method: Sequence[Measurement], settings: Mapping[str, float]) -> str:
    """A method that is compared with none."""
    column = bootstrap_interval(values_of(method))
    labels = [quantity.label.format(**settings) for quantity in QUANTITIES.values()]
    return aligned(["", method[0].method], [[label, show_one(column, number)] for number, label in enumerate(labels)])


def _agreeing(quantity: Quantity, change: FloatArray) -> str:
    """In how many seeds the second is flatter, of how many."""
    if quantity.flatter is None:
        return ""
    flatter = change > 0.0 if quantity.flatter == "larger" else change < 0.0
    return f"{int(flatter.sum())} of {len(change)}"


def show_one(interval: Interval, number: int) -> str:
    """One of an interval's values with its ends, to three figures."""
    value, low, high = (f"{float(each[number]):.3g}" for each in interval)
    return value if low == "nan" else f"{value} [{low}, {high}]"


def landscape_tables(measured: Sequence[Measurement], settings: Mapping[str, float]) -> str:
    """The tables of one scenario and head."""
    methods = sorted_by_method(measured)
    compared = method_pairs(list(methods))
    texts = [pair_table(methods[name], methods[other], settings) for name, other in compared]
    in_pairs = {method for pair in compared for method in pair}
    texts += [single_table(method, settings) for name, method in methods.items() if name not in in_pairs]
    return "\n\n".join(texts)


def write_csvs(folder: Path, measured: Sequence[Measurement], steps: Mapping[str, FloatArray]) -> list[Path]:
    """Write `flatness.csv` (one row per agent), `landscape.csv` (the curves) and `surface.csv` (interquartile means).

    Args:
        folder: where.
        measured: agents of any scenarios and heads.
        steps: along the curves (points,) by their names, and of the surface under that name.
    """
    head = ["scenario", "head", "method", "seed"]
    names = [field.name for field in fields(Flatness)]
    numbers = [
        [
            *each.group,
            each.method,
            each.seed,
            f"{each.td_error:.6g}",
            *(f"{v:.6g}" for v in asdict(each.flatness).values()),
        ]
        for each in measured
    ]
    curves = [
        [*each.group, each.method, each.seed, along, f"{step:.6g}", f"{loss:.6g}"]
        for each in measured
        for along, values in each.curves.items()
        for step, loss in zip(steps[along], values, strict=True)
    ]
    grid = steps["surface"]
    planes = [
        [*group, method, f"{grid[column]:.4g}", f"{grid[row]:.4g}", f"{value:.5g}"]
        for group in dict.fromkeys(each.group for each in measured)
        for method, those in sorted_by_method([each for each in measured if each.group == group]).items()
        for (row, column), value in np.ndenumerate(mean_surface(those))
    ]
    tables: dict[str, tuple[list[str], Sequence[Sequence[object]]]] = {
        "flatness.csv": ([*head, "td_error", *names], numbers),
        "landscape.csv": ([*head, "along", "step", "loss"], curves),
        "surface.csv": (["scenario", "head", "method", "first", "second", "loss"], planes),
    }
    for name, (header, rows) in tables.items():
        write_rows(folder / name, header, rows)
    return [folder / name for name in tables]


def mean_surface(method: Sequence[Measurement]) -> FloatArray:
    """The interquartile mean over seeds (n, n) of a method's surfaces."""
    return interquartile_mean(np.array([each.surface for each in method]))
