"""`SliceTwin-v0`: the environments on a digital twin, one cell or many; an episode is that of `SliceRAN-v0`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from slicing_gym.action import ActionCodec
from slicing_gym.backend import Backend
from slicing_gym.builtin_types import differences
from slicing_gym.episode_env import SlicingEnv
from slicing_gym.episode_vector_env import SlicingVectorEnv
from slicing_gym.errors import check_number, nearest, shown, unknown_name
from slicing_gym.observation import MeasuredInfo, Observer
from slicing_gym.presets import SCENARIOS, get_scenario
from slicing_gym.reward import RewardFunction
from slicing_gym.scenario import Reward, Scenario
from slicing_gym.space_spec import EpisodeMixin, SpaceSpec, refuse_env_config, refuse_unknown
from twin.runtime.cells import TwinCells
from twin.runtime.model import TwinModel
from twin.twin import DigitalTwin

UNCERTAINTIES = ("none", "penalty", "truncate")

_SHIPPED = Path(__file__).resolve().parent / "shipped"
SHIPPED_TWINS = ("paper", "diurnal", "flash-crowd", "nr-8slices")
"""Twins that come with the package; `python -m experiments.tools.ship twin --scenario <name>` made each."""


class TwinEpisodeMixin(EpisodeMixin):
    """What an environment on a twin has of its own: which twin, and what its uncertainty does."""

    name = "SliceTwin-v0"
    model: TwinModel

    def _take(
        self,
        twin: str | os.PathLike[str] | DigitalTwin,
        scenario: str | Scenario | Mapping[str, Any] | None,
        uncertainty: str,
        penalty: float,
        largest_std: float | None,
        allow_constant: bool,
    ) -> Scenario:
        """Keep the arguments, checked; the scenario of the twin."""
        self.model = twin_of(twin, scenario)
        if not allow_constant:
            _refuse_constant(self.model)
        if uncertainty not in UNCERTAINTIES:
            raise ValueError(unknown_name("uncertainty", uncertainty, UNCERTAINTIES))
        self.uncertainty = uncertainty
        self.penalty = check_number("penalty", penalty, at_least=0.0)
        self._largest_std = None if largest_std is None else check_number("largest_std", largest_std, at_least=0.0)
        return self.model.scenario

    def _default_references(self) -> dict[str, tuple[int, ...]]:
        """As for `SliceRANEnv`; none where the allocations of the twin's history are others than the scenario's."""
        layout = self.model.layout
        return {} if layout.smallest or layout.held else super()._default_references()

    @property
    def sums_over_slices(self) -> bool | None:
        """As for `SliceRANEnv`; no sum of terms of slices where the penalty, a property of them all, is taken off."""
        return False if self.uncertainty == "penalty" else super().sums_over_slices

    @property
    def largest_std(self) -> float:
        """The epistemic standard deviation above which `truncate` ends an episode."""
        return self.model.spread_quantile_99 if self._largest_std is None else self._largest_std

    def _rewards(self, info: MeasuredInfo, thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self.uncertainty == "penalty":
            lowered = info["utility"] - self.penalty * info["epistemic_std"]
            info = MeasuredInfo({**info, "utility": lowered})
        return super()._rewards(info, thresholds)

    def _broken_off(self, info: MeasuredInfo) -> npt.NDArray[np.bool_]:
        if self.uncertainty != "truncate":
            return super()._broken_off(info)
        beyond: npt.NDArray[np.bool_] = info["epistemic_std"] > self.largest_std
        return beyond


class SliceTwinEnv(TwinEpisodeMixin, SlicingEnv):
    """A cell that a digital twin makes up: `SliceRAN-v0` learned from its history.

    ## Description
    The twin (`twin.DigitalTwin`, the paper's section III) draws what the next decision interval brings from what it
    learned: the arrivals from a network that remembers the episode, the SLA satisfaction ratios and the spectral
    efficiency from one member, drawn again each interval, of an ensemble. Utility and reward are computed from these by
    the code that the simulator uses.

    ## Action Space, Observation Space, Rewards, Episode End
    Those of `SliceRANEnv`, for the twin's scenario.

    ## Starting State
    `reset(seed=s)` draws a new cell from s: its randomness. Every episode begins at the end of a window of decisions
    of the history that the twin was fitted to, drawn again; the first observation and info are what was measured there.

    ## Info
    The keys of `SliceRANEnv` but for `queued` and `blocked`, which a twin only has if its history measured them, and

    | key | shape | unit |
    |-----|-------|------|
    | `epistemic_std` | () | standard deviation over the ensemble of the utility that its members expect |

    ## Arguments
    ```python
    gym.make("SliceTwin-v0", twin="paper", scenario=None, reward=None, uncertainty="none", penalty=1.0,
             largest_std=None, decisions=0, render_mode=None, observer=None, reward_function=None, action_codec=None,
             allow_constant=False)
    ```
    `twin`: the file of a saved twin, a fitted `DigitalTwin`, or the name of one that comes with the package
    (`"paper"`, `"diurnal"`, `"flash-crowd"`, `"nr-8slices"`).
    `scenario`: refuse a twin of any other; its reward and length of an episode are used. `uncertainty`: `"none"`;
    `"penalty"`: the reward is that of the utility less `penalty` times `epistemic_std`; `"truncate"`: the episode ends
    early where `epistemic_std` exceeds `largest_std` (by default what 99 % of the history's decisions stay below).
    `allow_constant`: a twin whose history held one allocation throughout is refused, unless this is true: its actions
    do not matter, but in a loop a twin may begin so, and learn from later decisions.
    The others: as for `SliceRANEnv`; an observer or a reward has what the twin's history measured.

    ## Vectorized environment
    `gym.make_vec("SliceTwin-v0", num_envs=1024, num_threads=2)`; see `SliceTwinVectorEnv`.

    ## Version History
    * v0: first version.
    """

    def __init__(
        self,
        twin: str | os.PathLike[str] | DigitalTwin = "paper",
        scenario: str | Scenario | Mapping[str, Any] | None = None,
        reward: str | Reward | Mapping[str, Any] | None = None,
        uncertainty: str = "none",
        penalty: float = 1.0,
        largest_std: float | None = None,
        decisions: int = 0,
        render_mode: str | None = None,
        *,
        observer: Observer | None = None,
        reward_function: RewardFunction | None = None,
        action_codec: ActionCodec | None = None,
        allow_constant: bool = False,
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, SliceTwinEnv)
        refuse_env_config(twin, "twin:SliceTwin-v0")
        found = self._take(twin, scenario, uncertainty, penalty, largest_std, allow_constant)
        codec = self.model.layout.codec if action_codec is None else action_codec
        space_spec = SpaceSpec(found, reward, observer, reward_function, codec)
        super().__init__(space_spec, decisions, render_mode)
        self.model = with_scenario(self.model, self.scenario)

    def _make_backend(self, seeds: Sequence[int]) -> Backend:
        return TwinCells(self.model, seeds)


class SliceTwinVectorEnv(TwinEpisodeMixin, SlicingVectorEnv):
    """`num_envs` cells of `SliceTwin-v0`, advanced together; cell i is what the scalar environment of its seed is.

    Args:
        num_envs: cells.
        twin, scenario, reward, uncertainty, penalty, largest_std, allow_constant: as for `SliceTwinEnv`.
        decisions, autoreset_mode, num_threads, render_mode, max_episode_steps, observer, reward_function, action_codec:
            as for `SliceRANVectorEnv`.
    """

    def __init__(
        self,
        num_envs: int = 1,
        twin: str | os.PathLike[str] | DigitalTwin = "paper",
        scenario: str | Scenario | Mapping[str, Any] | None = None,
        reward: str | Reward | Mapping[str, Any] | None = None,
        uncertainty: str = "none",
        penalty: float = 1.0,
        largest_std: float | None = None,
        decisions: int = 0,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        num_threads: int = 1,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        *,
        observer: Observer | None = None,
        reward_function: RewardFunction | None = None,
        action_codec: ActionCodec | None = None,
        allow_constant: bool = False,
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, SliceTwinVectorEnv)
        found = self._take(twin, scenario, uncertainty, penalty, largest_std, allow_constant)
        codec = self.model.layout.codec if action_codec is None else action_codec
        space_spec = SpaceSpec(found, reward, observer, reward_function, codec)
        super().__init__(num_envs, space_spec, decisions, autoreset_mode, num_threads, render_mode, max_episode_steps)
        self.model = with_scenario(self.model, self.scenario)

    def _make_backend(self, seeds: Sequence[int]) -> Backend:
        return TwinCells(self.model, seeds, self.num_threads)


def twin_of(
    twin: str | os.PathLike[str] | DigitalTwin, scenario: str | Scenario | Mapping[str, Any] | None
) -> TwinModel:
    """The model that an environment's arguments mean, with the reward and the episode of `scenario` if one is given.

    Raises:
        TypeError: `twin` is neither a name, a path, nor a twin.
        ValueError, FileNotFoundError: there is no such twin; it was not fitted, is of another scenario, or its history
            did not measure what the reward is made of.
    """
    wanted = None if scenario is None else get_scenario(scenario)
    if isinstance(twin, DigitalTwin):
        model = twin.model
    elif isinstance(twin, str | os.PathLike):
        path = _SHIPPED / twin if twin in SHIPPED_TWINS else Path(twin)
        try:
            model = DigitalTwin.load(path).model
        except FileNotFoundError as error:
            likely = None if twin in SCENARIOS else nearest(os.fspath(twin), SHIPPED_TWINS)
            hint = "" if likely is None else f"; did you mean {likely!r}?"
            raise FileNotFoundError(f"{error}{hint} (with the package come {', '.join(SHIPPED_TWINS)})") from None
    else:
        raise TypeError(f"twin: {twin!r} is neither the name of a twin, nor a file, nor a DigitalTwin")
    if not model.has_reward:
        raise ValueError(
            "twin: its history measured no 'ssr' or no 'spectral_efficiency', of which the reward is made; "
            f"it has {', '.join(column.name for column in model.layout.columns)}"
        )
    if wanted is None:
        return model
    difference = _difference(model.scenario, wanted)
    if difference:
        is_shipped = wanted.name in SHIPPED_TWINS and not _difference(get_scenario(wanted.name), wanted)
        hint = f": {difference}; a twin of its own is DigitalTwin().fit(history), with a history of that network"
        if is_shipped:
            hint = f"; twin={wanted.name!r} is the twin of that scenario"
        raise ValueError(f"scenario: {wanted.name!r} given, the twin is of {model.scenario.name!r}{hint}")
    return with_scenario(model, wanted)


def _difference(own: Scenario, wanted: Scenario) -> str:
    """The first key in which a scenario is not that of a twin, but for reward and length of an episode; "" if none."""
    for key, its, other in differences(own.to_dict(), wanted.to_dict()):
        if key.partition(".")[0] not in ("name", "reward", "decisions_per_episode"):
            return f"{key} is {shown(its)} there, not {shown(other)}"
    return ""


def _refuse_constant(model: TwinModel) -> None:
    """Refuse a twin in which actions cannot matter.

    Raises:
        ValueError: its history held one allocation.
    """
    only = model.only_allocation
    if only is not None:
        raise ValueError(
            f"twin: its history always held the allocation {only.tolist()}, and a constant is no action: nothing was "
            "learned of what others would bring, so an environment's actions would not matter; twin.traffic makes a "
            "source of traffic of such a log"
        )


def with_scenario(model: TwinModel, scenario: Scenario) -> TwinModel:
    """The model with another reward and another length of an episode."""
    return model if scenario == model.scenario else replace(model, layout=replace(model.layout, scenario=scenario))
