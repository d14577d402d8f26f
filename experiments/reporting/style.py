"""The pictures of the experiments."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reporting.statistics import Interval
from slicing_gym.files import atomic_write

_BASELINE_COLOURS = {
    "random": "#999999",
    "hard": "#E69F00",
    "proportional": "#56B4E9",
    "best_fixed": "#009E73",
    "one_step_oracle": "#CC79A7",
}
_OTHER_COLOURS = ("#0072B2", "#D55E00", "#F0E442", "#000000")  # Okabe and Ito's, as are those above

_AGENT_COLOURS = {
    "dqn": "#0072B2",
    "ddqn": "#D55E00",
    "gan_ddqn": "#009E73",
    "sb3_dqn": "#CC79A7",
    "sb3_qrdqn": "#E69F00",
    "random": "#999999",
}
_SPARE_COLOURS = ("#56B4E9", "#000000", "#882255", "#44AA99", "#999933")


def base_name(method: str) -> str:
    """Of ddqn-dt: ddqn."""
    return method.partition("-dt")[0]


def agent_colour(method: str) -> str:
    """Of an agent, with a twin or without; the same in every picture, whatever else is in it."""
    name = base_name(method)
    return _AGENT_COLOURS.get(name, _SPARE_COLOURS[zlib.crc32(name.encode()) % len(_SPARE_COLOURS)])


def interval_bar(axes: Axes, place: float, value: Interval, method: str, **style: Any) -> None:
    """A bar with its interval in the colour of an agent, hatched where it has no twin."""
    axes.bar(
        place,
        float(value.value),
        color=agent_colour(method),
        hatch="//" if method == base_name(method) else "",
        edgecolor="white",
        yerr=[[float(value.value - value.low)], [float(value.high - value.value)]],
        error_kw={"lw": 1},
        **style,
    )


def policy_colours(policies: Sequence[str]) -> dict[str, str]:
    """A colour for each policy; a baseline has the same in every picture."""
    others = [policy for policy in policies if policy not in _BASELINE_COLOURS]
    return _BASELINE_COLOURS | {p: _OTHER_COLOURS[n % len(_OTHER_COLOURS)] for n, p in enumerate(others)}


def over_seeds(number: int) -> str:
    """How many seeds a picture is of, and that its bars are intervals if there are any."""
    return f"{number} seeds, 95 % intervals" if number > 1 else "one seed"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, atomically."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    with atomic_write(path) as file:
        file.write(picture.getvalue())
