"""The picture of an episode: bandwidth split, arrivals, SLA satisfaction and utility, drawn with pygame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym.scenario import Scenario

if TYPE_CHECKING:
    import pygame

# Okabe and Ito's palette: told apart by the colour-blind too.
SLICE_COLOURS = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
)
_INK, _FAINT, _PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
FRAMES_PER_S = 5
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _GAP = 760, 640, 64, 150, 30, 28


def colour(index: int) -> tuple[int, int, int]:
    """The colour of a slice."""
    return SLICE_COLOURS[index % len(SLICE_COLOURS)]


class EpisodeView:
    """Four panels over the decisions of an episode.

    Args:
        scenario: names the slices and the length of an episode.
        render_mode: "human" opens a window, "rgb_array" returns the picture.
        frames_per_s: how fast the window may move on.
    """

    def __init__(self, scenario: Scenario, render_mode: str, frames_per_s: int) -> None:
        self._scenario = scenario
        self._render_mode = render_mode
        self._frames_per_s = frames_per_s
        self._rows: list[dict[str, Any]] = []
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
        self._font = pygame.font.Font(None, 19)
        self._clock = pygame.time.Clock()
        if self._render_mode == "human":
            pygame.display.init()
            self._window = pygame.display.set_mode((_WIDTH, _HEIGHT))
            pygame.display.set_caption(f"SliceRAN: {self._scenario.name}")
        return pygame.Surface((_WIDTH, _HEIGHT))

    def begin(self) -> None:
        """Forget the last episode."""
        self._rows = []

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
        rows, slices = self._rows, self._scenario.num_slices
        split = np.array([row["allocation"] for row in rows]).reshape(len(rows), slices) / self._scenario.num_units
        arrivals = (
            np.array([row["arrivals"] for row in rows]).reshape(len(rows), slices) / self._scenario.nominal_arrivals
        )
        ssr = np.array([row["ssr"] for row in rows]).reshape(len(rows), slices)
        utility = np.array([[row["utility"], row["threshold"]] for row in rows]).reshape(len(rows), 2)
        highest = 1.1 * (5.5 + self._scenario.ssr_weights.sum())
        self._label(f"{self._scenario.name}: decision {len(rows)} of {self._scenario.decisions_per_episode}", _LEFT, 8)
        self._panel(0, "bandwidth", 1.0, "share")
        self._stack(0, split)
        self._panel(1, "arrivals", max(2.0, float(arrivals.max(initial=0.0))), "over nominal")
        self._panel(2, "SSR", 1.0, "met / arrived")
        self._panel(3, "utility", max(highest, float(utility.max(initial=0.0))), "U (black), threshold")
        for index, name in enumerate(self._scenario.slice_names):
            self._line(1, arrivals[:, index] if rows else [], max(2.0, float(arrivals.max(initial=0.0))), colour(index))
            self._line(2, ssr[:, index] if rows else [], 1.0, colour(index))
            self._legend(index, name, rows[-1] if rows else None)
        if rows:
            self._line(3, utility[:, 1], max(highest, float(utility.max())), (150, 150, 150))
            self._line(3, utility[:, 0], max(highest, float(utility.max())), _INK)
            self._label(f"U = {rows[-1]['utility']:.2f}", _WIDTH - _RIGHT + 12, self._box(3)[1] + 24)
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

    def _box(self, panel: int) -> tuple[int, int, int, int]:
        """Left, top, width and height of a panel."""
        height = (_HEIGHT - _TOP - 4 * _GAP) // 4
        return _LEFT, _TOP + panel * (height + _GAP) + 4, _WIDTH - _LEFT - _RIGHT, height

    def _label(self, text: str, x: int, y: int, shade: tuple[int, int, int] = _INK) -> None:
        """Write at a position [pixels]."""
        self._canvas.blit(self._font.render(text, True, shade), (x, y))

    def _panel(self, panel: int, title: str, highest: float, unit: str) -> None:
        """The frame of a panel, its title and its scale."""
        left, top, width, height = self._box(panel)
        for level in (0.0, 0.5, 1.0):
            y = round(top + height * (1.0 - level))
            self._pygame.draw.line(self._canvas, _FAINT, (left, y), (left + width, y))
            self._label(f"{level * highest:.1f}", left - 34, y - 6)
        self._pygame.draw.rect(self._canvas, _INK, (left, top, width, height), 1)
        self._label(title, _WIDTH - _RIGHT + 12, top - 4)
        self._label(unit, left, top + height + 3, (120, 120, 120))

    def _stack(self, panel: int, split: npt.NDArray[np.float64]) -> None:
        """A column a decision, the slices' shares stacked from below."""
        left, top, width, height = self._box(panel)
        step = width / self._scenario.decisions_per_episode
        for number, shares in enumerate(split):
            edges = np.round(height * np.concatenate([[0.0], np.cumsum(shares)])).astype(int)
            x, right = round(left + number * step), round(left + (number + 1) * step)
            for index in range(len(shares)):
                bar = (x, top + height - edges[index + 1], max(right - x, 1), edges[index + 1] - edges[index])
                self._canvas.fill(colour(index), bar)

    def _line(self, panel: int, values: npt.ArrayLike, highest: float, shade: tuple[int, int, int]) -> None:
        """A line over the decisions."""
        left, top, width, height = self._box(panel)
        step = width / self._scenario.decisions_per_episode
        heights = np.clip(np.asarray(values, np.float64) / highest, 0.0, 1.0)
        points = [(left + (i + 0.5) * step, top + height * (1.0 - h)) for i, h in enumerate(heights)]
        if len(points) > 1:
            self._pygame.draw.lines(self._canvas, shade, False, points, 2)

    def _legend(self, index: int, name: str, row: dict[str, Any] | None) -> None:
        """A slice's colour, name and present figures to the right of the panels."""
        x = _WIDTH - _RIGHT + 12
        texts = (
            ("", "", "")
            if row is None
            else (
                f" {row['allocation'][index]}",
                f" {row['arrivals'][index]}",
                f" {row['ssr'][index]:.2f}",
            )
        )
        for panel, text in enumerate(texts):
            step = min(18.0, (self._box(panel)[3] - 8) / self._scenario.num_slices)
            self._label(f"{name}{text}", x, round(self._box(panel)[1] + 12 + step * (index + 0.4)), colour(index))
