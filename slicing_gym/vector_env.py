"""`SliceRAN-v0`, many cells in one call: the batched environment on the simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from slicing_gym.action import ActionCodec
from slicing_gym.backend import Backend
from slicing_gym.env import cells_of
from slicing_gym.episode_vector_env import SlicingVectorEnv
from slicing_gym.observation import Observer
from slicing_gym.reward import RewardFunction
from slicing_gym.scenario import Reward, Scenario
from slicing_gym.simulator import Simulator
from slicing_gym.space_spec import SpaceSpec, refuse_unknown


class SliceRANVectorEnv(SlicingVectorEnv):
    """`num_envs` cells of `SliceRAN-v0`, advanced together; cell i is what the scalar environment of its seed is.

    Args:
        num_envs: cells.
        scenario, reward: as for `SliceRANEnv`.
        decisions: where the count of decisions starts. It counts the decisions of all cells, so that the threshold of
            the shaped reward grows with what was learned from, whatever the batch: in one step cell i takes decision
            `decisions` + i.
        autoreset_mode: "NextStep", "SameStep" or "Disabled" (`gymnasium.vector.AutoresetMode`, or its value).
        num_threads: threads that share the cells.
        render_mode: None or "rgb_array": `render` gives a picture of each cell.
        max_episode_steps: decisions after which an episode is truncated, where the scenario's are more.
        observer, reward_function, action_codec: as for `SliceRANEnv`; they are called once for all cells.

    `step` returns observations float32 (num_envs, *shape of one), rewards float64, terminations and truncations bool
    (num_envs,), and info with the keys of `SliceRANEnv` as arrays (num_envs, ...), each with its mask `_key`.
    With `SameStep` a finished cell's last observation and info are in `final_obs` and `final_info`.
    """

    def __init__(
        self,
        num_envs: int = 1,
        scenario: str | Scenario | Mapping[str, Any] = "paper",
        reward: str | Reward | Mapping[str, Any] | None = None,
        decisions: int = 0,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        num_threads: int = 1,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        *,
        observer: Observer | None = None,
        reward_function: RewardFunction | None = None,
        action_codec: ActionCodec | None = None,
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, SliceRANVectorEnv)
        space_spec = SpaceSpec(scenario, reward, observer, reward_function, action_codec)
        super().__init__(num_envs, space_spec, decisions, autoreset_mode, num_threads, render_mode, max_episode_steps)

    @property
    def simulator(self) -> Simulator:
        """The cells.

        Raises:
            gymnasium.error.ResetNeeded: there are none before the first reset.
        """
        return cells_of(self._backend)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything that changes, random state included, by name; `restore` goes back to it.

        Raises:
            gymnasium.error.ResetNeeded: there is nothing before the first reset.
            RuntimeError: another thread is using the environment.
        """
        with self._exclusive:
            own = {name: getattr(self, f"_{name}").copy() for name in _CHANGING}
            return {**self.simulator.state(), **own, "counts": np.array([self._decisions, self._first_decision])}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that `state` of a batch of as many cells of the same scenario gave.

        Raises:
            ValueError: an array is missing, or is not one that this batch could have.
        """
        cells = dict(state)
        own = {name: np.asarray(cells.pop(name, ())) for name in (*_CHANGING, "counts")}
        for name in _CHANGING:
            wanted = getattr(self, f"_{name}")
            if (own[name].shape, own[name].dtype) != (wanted.shape, wanted.dtype):
                raise ValueError(f"{name}: shape {own[name].shape} given, allowed is {wanted.shape} of {wanted.dtype}")
        if own["counts"].shape != (2,):
            raise ValueError(f"counts: shape {own['counts'].shape} given, allowed is (2,)")
        simulator = Simulator(self.scenario, range(self.num_envs), self.num_threads)
        simulator.restore(cells)
        if simulator.num_cells != self.num_envs:
            raise ValueError(f"state: {simulator.num_cells} cells given, allowed are {self.num_envs}")
        with self._exclusive:
            self._backend = simulator
            for name in _CHANGING:
                getattr(self, f"_{name}")[:] = own[name]
            self._decisions, self._first_decision = own["counts"].tolist()

    def _make_backend(self, seeds: Sequence[int]) -> Backend:
        return Simulator(self.scenario, seeds, self.num_threads)


_CHANGING = ("step_in_episode", "over", "last_observations")
"""What a batch knows of its cells in addition to the simulator: attributes, each with `_` before it."""
