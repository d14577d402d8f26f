"""`SliceRAN-v0`, one cell: the scalar environment on the simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym.action import ActionCodec
from slicing_gym.backend import Backend
from slicing_gym.episode_env import SlicingEnv
from slicing_gym.observation import Observer
from slicing_gym.reward import RewardFunction
from slicing_gym.scenario import Reward, Scenario
from slicing_gym.simulator import Simulator
from slicing_gym.space_spec import SpaceSpec, refuse_env_config, refuse_unknown


class SliceRANEnv(SlicingEnv):
    """The bandwidth of one radio cell, divided among slices every decision interval.

    ## Description
    A base station serves users that belong to slices: in the scenario `paper`, 46 VoLTE, 46 video and 8 URLLC users on
    20 MHz. Every 0.2 s (400 scheduling slots of 0.5 ms) an agent decides how many units of bandwidth each slice holds.
    Inside a slice resource blocks are scheduled round robin among the users with packets queued; Rayleigh fading, path
    loss after 3GPP TR 36.814 and bounded queues decide what gets through. The system is that of *Digital Twin-Enhanced
    Deep Reinforcement Learning for Resource Management in Networks Slicing*, section II; `docs/simulator.md` lists what
    had to be decided beyond the paper.

    ## Action Space
    `AllocationSpace(num_units, num_slices)`, a `Discrete(n)`: the number of an allocation (units per slice; every slice
    gets at least one unit and all units are given away) in lexicographic order. `slicing_gym.allocation_units` makes
    units of it and `slicing_gym.allocation_index` is the inverse; `env.unwrapped.allocations` lists them all (int array
    (n, n_slices)) where there are at most 2 million. 4851 actions in `paper`, 171 in `paper-1mhz`.

    ## Observation Space
    `Box` float32 (n_slices,): packets admitted to each slice's queues in the last interval over nominal traffic.

    | Num | Observation | Min | Max | Unit |
    |-----|-------------|-----|-----|------|
    | n   | packets admitted to slice n's queues over nominal traffic | 0 | 10 in presets (`ArrivalsObserver`) | 1 |

    ## Rewards
    U = `se_weight` SE + sum over slices of `ssr_weight` SSR (equations 4 and 5; SE in bit/s/Hz, SSR the share of
    packets delivered within the slice's SLA). `reward=` chooses the kind; by default it is the scenario's
    (`scenario.reward.kind`), `"shaped"` in most. The numbers below are those of `paper`, where `se_weight` is 0.01 and
    each `ssr_weight` 1; other scenarios have their own (`Reward`).

    - `"shaped"` (equation 6): 1 if U reaches a threshold, else 0. The threshold grows from 5.0 to 7.5 over the first
      20 000 decisions of the environment; `env.unwrapped.decisions` counts them over all episodes, and can be set
      (a seeded reset takes it back to what it was set to).
    - `"clip"` (GAN-DDQN, equation 24): 1 if U >= 6.5, -1 if U < 4.5, else 0.
    - `"utility"`: U.

    ## Starting State
    `reset(seed=s)` draws a new cell from s. `reset()` keeps the cell: users stay where they are, time runs on, queues
    are emptied. Either way one interval under the even split precedes the first observation; it is not counted as a
    decision.

    ## Episode End
    An episode is truncated after `scenario.decisions_per_episode` (200) decisions; it never terminates. `env.spec`
    has that number as `max_episode_steps`.

    ## Info
    | key | shape | unit |
    |-----|-------|------|
    | `arrivals` | (n_slices,) | packets that joined a queue |
    | `allocation` | (n_slices,) | units |
    | `ssr` | (n_slices,) | 1 |
    | `spectral_efficiency` | () | bit/s/Hz |
    | `utility`, `threshold` | () | 1 |
    | `queued` | (n_slices,) | packets in queues |
    | `blocked` | (n_slices,) | users whose next packet waits for room |

    ## Arguments
    ```python
    gym.make("SliceRAN-v0", scenario="paper", reward=None, decisions=0, render_mode=None,
             observer=None, reward_function=None, action_codec=None)
    ```
    `scenario`: a preset's name (`slicing_gym.SCENARIOS`), a `Scenario`, or the builtin types of one (as of
    `Scenario.to_dict`, and as the environment's spec has it). `reward`: a kind, a `Reward` or its builtin types in
    place of the scenario's. `decisions`: where the threshold's count starts. `render_mode`: `"human"` or `"rgb_array"`;
    the picture compares the episode with `env.unwrapped.reference_allocations`, held in the same cell with the same
    random numbers.
    `observer` (`Observer`), `reward_function` (`RewardFunction`, not together with `reward`), `action_codec`
    (`ActionCodec`): objects of your own in place of what is described above, see `docs/extending.md`.

    ## Vectorized environment
    `gym.make_vec("SliceRAN-v0", num_envs=64)` advances all cells in one call; see `SliceRANVectorEnv`.

    ## Version History
    * v0: first version.
    """

    def __init__(
        self,
        scenario: str | Scenario | Mapping[str, Any] = "paper",
        reward: str | Reward | Mapping[str, Any] | None = None,
        decisions: int = 0,
        render_mode: str | None = None,
        *,
        observer: Observer | None = None,
        reward_function: RewardFunction | None = None,
        action_codec: ActionCodec | None = None,
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, SliceRANEnv)
        refuse_env_config(scenario, "slicing_gym:SliceRAN-v0")
        space_spec = SpaceSpec(scenario, reward, observer, reward_function, action_codec)
        super().__init__(space_spec, decisions, render_mode)

    @property
    def simulator(self) -> Simulator:
        """The cell.

        Raises:
            gymnasium.error.ResetNeeded: there is none before the first reset.
        """
        return cells_of(self._backend)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything that changes, random state included, by name; `restore` goes back to it.

        Raises:
            gymnasium.error.ResetNeeded: there is nothing before the first reset.
        """
        with self._exclusive:
            over = -1 if self._step_in_episode is None else self._step_in_episode
            counts = np.array([self._decisions, self._first_decision, over])
            return {**self.simulator.state(), "counts": counts}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that `state` of an environment of the same scenario gave.

        Raises:
            ValueError: an array is missing, or is not one that this environment could have.
        """
        cell = dict(state)
        counts = np.asarray(cell.pop("counts", ()))
        if counts.shape != (3,):
            raise ValueError(f"counts: shape {counts.shape} given, allowed is (3,)")
        simulator = Simulator(self.scenario, [0])
        simulator.restore(cell)
        with self._exclusive:
            self._backend = simulator
            self._decisions, self._first_decision, step = counts.tolist()
            self._step_in_episode = None if step < 0 else step

    def _make_backend(self, seeds: Sequence[int]) -> Backend:
        return Simulator(self.scenario, seeds)


def cells_of(backend: Backend | None) -> Simulator:
    """The simulator of an environment that was reset."""
    if not isinstance(backend, Simulator):
        raise gym.error.ResetNeeded("SliceRAN-v0: call reset() first; there are no cells yet")
    return backend
