"""The picture of an episode: bandwidth, arrivals, satisfied service agreements and utility, drawn with pygame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym.observation import ArrivalsObserver
from slicing_gym.references import ReferenceRuns
from slicing_gym.reward import ScenarioReward

if TYPE_CHECKING:
    import pygame

    from slicing_gym.space_spec import SpaceSpec

Colour = tuple[int, int, int]

# Okabe and Ito's palette, told apart by the colour-blind too, and grey.
SLICE_COLOURS: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
    (120, 120, 120),
)
REFERENCE_COLOURS: tuple[Colour, ...] = ((213, 94, 0), (86, 180, 233), (204, 121, 167), (0, 158, 115))
_INK, _SOFT, _FAINT, _PAPER = (40, 40, 40), (110, 110, 110), (225, 225, 225), (255, 255, 255)
_THRESHOLD = (150, 150, 150)
FRAMES_PER_S = 5
WIDTH, HEIGHT = 960, 720  # even, as encoders of videos want it
LEFT, RIGHT, TOP, BOTTOM, GAP = 56, 270, 58, 44, 32
PANELS = 4
_LINE = 17  # between lines of text
_NAMED_UNITS = 4  # slices up to which a legend spells an allocation out
_DASH = 6  # pixels of a dash, and of the gap that follows
_SHARPER = 2  # times the size at which text is drawn: small letters of this font lose their shapes, and i becomes I


def colour(index: int) -> Colour:
    """The colour of a slice."""
    return SLICE_COLOURS[index % len(SLICE_COLOURS)]


def panel_box(panel: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of a panel [pixels]."""
    height = (HEIGHT - TOP - BOTTOM - (PANELS - 1) * GAP) // PANELS
    return LEFT, TOP + panel * (height + GAP), WIDTH - LEFT - RIGHT, height


class EpisodeView:
    """Four panels over the decisions of an episode; at 0 stands the interval that precedes the first decision.

    Args:
        space_spec: of the environment: scenario, observer and reward.
        render_mode: "human" opens a window, "rgb_array" returns the picture.
        frames_per_s: how fast the window may move on.
    """

    def __init__(self, space_spec: SpaceSpec, render_mode: str, frames_per_s: int) -> None:
        self._space_spec = space_spec
        self._scenario = space_spec.scenario
        self._render_mode = render_mode
        self._frames_per_s = frames_per_s
        self._rows: list[dict[str, Any]] = []
        self._references: ReferenceRuns | None = None
        self._name = ""
        self._canvas: Any = None  # a surface, once something is drawn: many set a render mode and never draw
        self._window: pygame.Surface | None = None

    def _open(self) -> pygame.Surface:
        """Import pygame and make what is drawn on."""
        try:
            import pygame
        except ImportError as error:
            raise gym.error.DependencyNotInstalled(
                'rendering needs pygame: pip install "slicing-gym[render]"'
            ) from error
        pygame.font.init()
        self._pygame = pygame
        self._font = pygame.font.Font(None, _SHARPER * 20)
        self._title_font = pygame.font.Font(None, _SHARPER * 26)
        self._clock = pygame.time.Clock()
        if self._render_mode == "human":
            pygame.display.init()
            self._window = pygame.display.set_mode((WIDTH, HEIGHT))
            pygame.display.set_caption(f"slicing-gym: {self._scenario.name}")
        return pygame.Surface((WIDTH, HEIGHT))

    def begin(self, info: dict[str, Any], references: ReferenceRuns, name: str) -> None:
        """Forget the last episode.

        Args:
            info: of the interval that precedes the first decision.
            references: what the episode is compared with.
            name: of the episode in the legend.
        """
        self._rows, self._references, self._name = [info], references, name

    def add(self, info: dict[str, Any]) -> None:
        """Append a decision's info."""
        self._rows.append(info)

    def draw(self) -> npt.NDArray[np.uint8] | None:
        """Draw the episode so far: a picture uint8 (height, width, 3), or None if it went to the window.

        Raises:
            gymnasium.error.DependencyNotInstalled: pygame is missing (`pip install "slicing-gym[render]"`).
        """
        if self._canvas is None:
            self._canvas = self._open()
        self._canvas.fill(_PAPER)
        self._draw_title()
        if self._rows:
            self._draw_bandwidth()
            self._draw_arrivals()
            self._draw_satisfied()
            self._draw_utility()
        if self._window is not None:
            self._window.blit(self._canvas, (0, 0))
            self._pygame.event.pump()
            self._pygame.display.flip()
            self._clock.tick(self._frames_per_s)
            return None
        return np.ascontiguousarray(self._pygame.surfarray.array3d(self._canvas).swapaxes(0, 1))

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._pygame.display.quit()
            self._window = None

    def _draw_title(self) -> None:
        """What is seen, and how far the episode is."""
        length, interval_s = self._scenario.decisions_per_episode, self._scenario.radio.interval_s
        taken = max(len(self._rows) - 1, 0)
        title = f"Scenario {self._scenario.name}: decision {taken} of {length} ({taken * interval_s:.1f} s)"
        self._canvas.blit(self._text(title, _INK, self._title_font), (LEFT, 10))
        left, top, width, height = panel_box(PANELS - 1)
        label = self._text(f"decision (one every {interval_s:g} s)")
        self._canvas.blit(label, (left + (width - label.get_width()) // 2, top + height + 22))

    def _draw_bandwidth(self) -> None:
        bandwidth = f"{self._scenario.radio.bandwidth_hz / 1e6:.3g} MHz"
        self._panel(0, f"Action: bandwidth of each slice [% of {bandwidth}]", 100.0)
        shares = self._series("allocation") / self._scenario.num_units
        _, top, _, height = panel_box(0)
        for number, row in enumerate(shares):
            edges = np.round(height * np.concatenate([[0.0], np.cumsum(row)])).astype(int)
            x, right = (round(self._x(number + side)) for side in (-0.5, 0.5))
            for index in range(len(row)):
                bar = (x, top + height - edges[index + 1], max(right - x, 1), edges[index + 1] - edges[index])
                self._canvas.fill(colour(index), bar)
        unit = f"{self._scenario.radio.resolution_hz / 1e3:g} kHz"
        held = self._rows[-1]["allocation"]
        self._slice_legend(0, f"units of {unit}", [f"{units:.0f}" for units in held])

    def _draw_arrivals(self) -> None:
        seen = isinstance(self._space_spec.observer, ArrivalsObserver)
        prefix = "Observation: packets admitted" if seen else "Packets admitted"
        arrivals = self._series("arrivals") / self._scenario.nominal_arrivals
        highest = max(2.0, float(np.ceil(arrivals.max())))
        self._panel(1, f"{prefix} to each slice's queues, over nominal traffic", highest)
        for index in range(self._scenario.num_slices):
            self._line(1, arrivals[:, index], highest, colour(index))
        self._slice_legend(1, "packets", [f"{packets:.0f}" for packets in self._rows[-1]["arrivals"]])

    def _draw_satisfied(self) -> None:
        """One lane per slice next to its name: lines, most of them at 100 %, would lie on top of each other."""
        satisfied, slices = self._series("ssr"), self._scenario.num_slices
        self._panel(2, "Packets that met their service-level agreement; full lanes are 100 %", None)
        for index in range(slices):
            self._lane(2, index, satisfied[:, index])
        shares = [f"{100.0 * share:.0f} %" for share in satisfied[-1]]
        self._slice_legend(2, "in this interval", shares, step=panel_box(2)[3] / slices)

    def _draw_utility(self) -> None:
        """The utility, what it is compared with, and the threshold that the reward asks for."""
        assert self._references is not None
        decisions, reward = len(self._rows) - 1, self._scenario.reward
        utility = np.array([row["utility"] for row in self._rows])
        held = {name: utility[:1].tolist() + u for name, u in self._references.utilities(decisions).items()}
        top = max(reward.threshold_end, reward.clip_high, utility.max(), *(max(u) for u in held.values()))
        highest = float(np.ceil(1.1 * top))
        title = f"Utility U = {reward.se_weight:g} x spectral efficiency + sum of met shares{self._reward_text}"
        self._panel(3, title, highest)
        entries: list[tuple[str, Colour, npt.NDArray[np.float64]]] = [(self._name, _INK, utility)]
        if reward.kind == "shaped" and self._is_scenarios_reward:
            entries.insert(0, ("reward threshold", _THRESHOLD, np.array([row["threshold"] for row in self._rows])))
        for shade, (name, earned) in zip(REFERENCE_COLOURS, held.items(), strict=False):
            units = self._references.allocations[name]
            spelled = f" {'-'.join(map(str, units))}" if len(units) <= _NAMED_UNITS else ""
            entries.append((f"{name}{spelled}", shade, np.array(earned)))
        for _, shade, values in entries:
            self._line(3, values, highest, shade, dashed=shade in REFERENCE_COLOURS)
        self._utility_legend(sorted(entries, key=lambda each: each[1] == _THRESHOLD))

    @property
    def _is_scenarios_reward(self) -> bool:
        return isinstance(self._space_spec.reward_function, ScenarioReward)

    @property
    def _reward_text(self) -> str:
        """What the reward makes of the utility, if it is one of the scenario's kinds."""
        reward = self._scenario.reward
        texts = {
            "shaped": "; reward 1 if it reaches the threshold, else 0",
            "clip": f"; reward {reward.clip_value:g} from {reward.clip_high:g}, {-reward.clip_value:g} below "
            f"{reward.clip_low:g}, else 0",
            "utility": "; it is the reward",
        }
        return texts[reward.kind] if self._is_scenarios_reward else ""

    def _series(self, key: str) -> npt.NDArray[np.float64]:
        """What was measured in all intervals (intervals, n_slices)."""
        return np.array([row[key] for row in self._rows], np.float64)

    def _x(self, decision: float) -> float:
        """Where a decision is drawn [pixels]; left of the first one stands the interval before."""
        left, _, width, _ = panel_box(0)
        return left + width * (decision + 0.5) / (self._scenario.decisions_per_episode + 1)

    def _text(self, text: str, shade: Colour = _SOFT, font: Any = None) -> Any:
        """A text as a picture."""
        large = (font or self._font).render(text, True, shade)
        return self._pygame.transform.smoothscale_by(large, 1.0 / _SHARPER)

    def _label(self, text: str, x: int, y: int, shade: Colour = _INK) -> None:
        """Write at a position [pixels]."""
        self._canvas.blit(self._text(text, shade), (x, y))

    def _panel(self, panel: int, title: str, highest: float | None) -> None:
        """The frame of a panel, its title and its scales; upwards there is none without a highest value."""
        left, top, width, height = panel_box(panel)
        self._label(title, left, top - 17)
        for level in () if highest is None else (0.0, 0.5, 1.0):
            y = round(top + height * (1.0 - level))
            self._pygame.draw.line(self._canvas, _FAINT, (left, y), (left + width, y))
            text = self._text(f"{level * (highest or 0.0):g}")
            self._canvas.blit(text, (left - 8 - text.get_width(), y - 6))
        for decision in _ticks(self._scenario.decisions_per_episode):
            x = round(self._x(decision))
            self._pygame.draw.line(self._canvas, _SOFT, (x, top + height), (x, top + height + 4))
            if panel == PANELS - 1:
                text = self._text(str(decision))
                self._canvas.blit(text, (x - text.get_width() // 2, top + height + 7))
        self._pygame.draw.rect(self._canvas, _SOFT, (left, top, width, height), 1)

    def _line(
        self, panel: int, values: npt.NDArray[np.float64], highest: float, shade: Colour, dashed: bool = False
    ) -> None:
        """A line over the decisions; a single value is a dot."""
        _, top, _, height = panel_box(panel)
        heights = np.clip(values / highest, 0.0, 1.0)
        points = [(self._x(i), top + height * (1.0 - h)) for i, h in enumerate(heights)]
        if len(points) > 1:
            for part in _dashes(points) if dashed else [points]:
                self._pygame.draw.lines(self._canvas, shade, False, part, 2)
        elif not dashed:  # a reference begins where the episode does
            self._pygame.draw.circle(self._canvas, shade, points[0], 3)

    def _lane(self, panel: int, index: int, values: npt.NDArray[np.float64]) -> None:
        """Bars of one slice over the decisions, in its part of a panel; a value of 1 fills it."""
        left, top, width, height = panel_box(panel)
        upper, lower = (top + round(height * place / self._scenario.num_slices) for place in (index, index + 1))
        self._pygame.draw.line(self._canvas, _FAINT, (left + 1, lower - 1), (left + width - 2, lower - 1))
        for number, value in enumerate(values):
            x, right = (round(self._x(number + side)) for side in (-0.5, 0.5))
            tall = round((lower - upper - 1) * float(value))  # a pixel stays free, between it and the lane above
            self._canvas.fill(colour(index), (x, lower - tall, max(right - x, 1), tall))

    def _slice_legend(self, panel: int, unit: str, figures: Sequence[str], step: float = 0.0) -> None:
        """The slices' colours, names and present figures right of a panel, or of their lanes of `step` pixels."""
        top, height = panel_box(panel)[1::2]
        x, numbers = WIDTH - RIGHT + 18, WIDTH - 16
        heading = self._text(unit)
        self._canvas.blit(heading, (numbers - heading.get_width(), top - 17))
        step, above = step or min(float(_LINE), height / len(figures)), max((step - _LINE) / 2, 0.0)
        for index, (name, figure) in enumerate(zip(self._scenario.slice_names, figures, strict=True)):
            y = round(top + 2 + above + step * index)
            self._canvas.fill(colour(index), (x, y + 1, 11, 11))
            self._label(name, x + 18, y)
            text = self._text(figure, _INK)
            self._canvas.blit(text, (numbers - text.get_width(), y))

    def _utility_legend(self, entries: Sequence[tuple[str, Colour, npt.NDArray[np.float64]]]) -> None:
        """What each line is, its last value, and its mean over the decisions so far."""
        top = panel_box(3)[1]
        x, now, mean = WIDTH - RIGHT + 18, WIDTH - 58, WIDTH - 16
        for heading, right in (("now", now), ("mean", mean)):
            text = self._text(heading)
            self._canvas.blit(text, (right - text.get_width(), top - 17))
        for index, (name, shade, values) in enumerate(entries):
            y = top + 2 + _LINE * index
            for start, end in ((0, 4), (8, 12)) if shade in REFERENCE_COLOURS else ((0, 12),):
                self._pygame.draw.line(self._canvas, shade, (x + start, y + 6), (x + end - 1, y + 6), 3)
            self._label(name, x + 18, y)
            figures = [(f"{values[-1]:.2f}", now)]
            if len(values) > 1 and shade != _THRESHOLD:
                figures.append((f"{values[1:].mean():.2f}", mean))
            for figure, right in figures:
                text = self._text(figure, _INK)
                self._canvas.blit(text, (right - text.get_width(), y))


def _ticks(length: int) -> list[int]:
    """Decisions that the axis names: some four, at round numbers."""
    raw = max(length / 4.0, 1.0)
    unit = 10.0 ** np.floor(np.log10(raw))
    step = int(unit * max(factor for factor in (1, 2, 5) if factor * unit <= raw))
    return list(range(0, length + 1, step))


def _dashes(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """The dashes of a line that goes from left to right through points."""
    x, y = np.array(points).T
    along = np.arange(x[0], x[-1], 1.0)
    heights = np.interp(along, x, y)
    cuts = range(0, len(along) - 1, 2 * _DASH)
    return [list(zip(along[cut : cut + _DASH + 1], heights[cut : cut + _DASH + 1], strict=True)) for cut in cuts]
