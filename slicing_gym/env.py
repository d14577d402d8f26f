"""`SliceRAN-v0`, one cell: an adapter of `Simulator` to Gymnasium's `Env`."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym.interface import RENDER_MODES, CountsDecisions, Interface, check_render_mode, refuse_unknown
from slicing_gym.render import RoundView
from slicing_gym.reward import reward_of, threshold
from slicing_gym.scenario import Reward, Scenario
from slicing_gym.simulator import Interval, Simulator

Observation = npt.NDArray[np.float32]


class SliceRANEnv(CountsDecisions, gym.Env[Observation, np.int64]):
    """The bandwidth of one radio cell, shared out among slices anew every decision interval.

    ## Description
    A base station serves users that belong to slices: in the scenario `paper`, 46 VoLTE, 46 video and 8 URLLC users on
    20 MHz. Every 0.2 s (400 scheduling slots of 0.5 ms) an agent decides how many units of bandwidth each slice holds.
    Inside a slice resource blocks are dealt out round robin to the users with packets queued; Rayleigh fading, path
    loss after 3GPP TR 36.814 and bounded queues decide what gets through. The system is that of *Digital Twin-Enhanced
    Deep Reinforcement Learning for Resource Management in Networks Slicing*, section II; `docs/simulator.md` lists what
    had to be decided beyond the paper.

    ## Action Space
    `Discrete(n)`: the number of an allocation, a row of `env.unwrapped.allocations` (int array (n, n_slices), units per
    slice; every slice gets at least one unit and all units are given away). 4851 actions in `paper`, 171 in
    `paper-1mhz`.

    ## Observation Space
    `Box` float32 (n_slices,): packets that arrived per slice in the last interval over the scenario's nominal arrivals.

    | Num | Observation | Min | Max | Unit |
    |-----|-------------|-----|-----|------|
    | n   | arrivals of slice n over nominal arrivals | 0 | queues refilled in every slot, over nominal | 1 |

    ## Rewards
    With U = 0.01 SE + sum of SSR per slice (equations 4 and 5; SE in bit/s/Hz, SSR the share of packets delivered
    within the slice's SLA), `reward=` chooses:

    - `"shaped"` (default, equation 6): 1 if U reaches a threshold, else 0. The threshold grows from 5.0 to 7.5 over the
      first 20 000 decisions of the environment; `env.unwrapped.decisions` counts them over all rounds, and can be set
      (a seeded reset takes it back to what it was set to).
    - `"clip"` (GAN-DDQN, equation 24): 1 if U >= 6.5, -1 if U < 4.5, else 0.
    - `"utility"`: U.

    ## Starting State
    `reset(seed=s)` draws a new cell from s. `reset()` keeps the cell: users stay where they are, time runs on, queues
    are emptied. Either way one interval under the even split precedes the first observation; it is not counted as a
    decision.

    ## Episode End
    A round is truncated after `scenario.decisions_per_round` (200) decisions; it never terminates.

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
    gym.make("SliceRAN-v0", scenario="paper", reward=None, decisions=0, render_mode=None)
    ```
    `scenario`: a preset's name (`slicing_gym.SCENARIOS`) or a `Scenario`. `reward`: a kind or a `Reward` in place of
    the scenario's. `decisions`: where the threshold's count starts. `render_mode`: `"human"` or `"rgb_array"`.

    ## Vectorized environment
    `gym.make_vec("SliceRAN-v0", num_envs=64)` advances all cells in one call; see `SliceRANVectorEnv`.

    ## Version History
    * v0: first version.
    """

    metadata = {  # noqa: RUF012  # declared so by Gymnasium
        "render_modes": list(RENDER_MODES),
        "render_fps": 5,
    }

    def __init__(
        self,
        scenario: str | Scenario = "paper",
        reward: str | Reward | None = None,
        decisions: int = 0,
        render_mode: str | None = None,
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, SliceRANEnv)
        self.interface = Interface(scenario, reward)
        self.scenario = self.interface.scenario
        self.allocations = self.interface.allocations
        self.observation_space = self.interface.observation_space
        self.action_space = self.interface.action_space
        self.render_mode = check_render_mode(render_mode)
        self.decisions = decisions
        self._simulator: Simulator | None = None
        self._step_in_round: int | None = None  # None: a reset is due
        self._view: RoundView | None = None

    @property
    def simulator(self) -> Simulator:
        """The cell.

        Raises:
            gymnasium.error.ResetNeeded: there is none before the first reset.
        """
        if self._simulator is None:
            raise gym.error.ResetNeeded("SliceRAN-v0: call reset() first; there is no cell yet")
        return self._simulator

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a round; see "Starting State". `options` is not used."""
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._decisions = self._first_decision
        if seed is not None or self._simulator is None:
            self._simulator = Simulator(self.scenario, [int(self.np_random.integers(2**63)) if seed is None else seed])
        else:
            self._simulator.clear()
        interval = self._simulator.warm_up()
        self._step_in_round = 0
        info = self._info(interval)
        if self.render_mode is not None:
            if self._view is None:
                self._view = RoundView(self.scenario, self.render_mode, self.metadata["render_fps"])
            self._view.begin()
            if self.render_mode == "human":
                self.render()
        return self.interface.observe(interval.arrivals[0]), info

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold an allocation for one decision interval.

        Raises:
            gymnasium.error.InvalidAction: the action is not one of the allocations.
            gymnasium.error.ResetNeeded: before the first reset, or after the end of a round.
        """
        if self._step_in_round is None:
            raise gym.error.ResetNeeded("SliceRAN-v0: call reset() before step(); no round is under way")
        units = self.allocations[self.interface.check_action(action)]
        interval = self.simulator.advance(units)
        info = self._info(interval)
        reward = float(reward_of(self.scenario.reward, info["utility"], info["threshold"]))
        self._decisions += 1
        self._step_in_round += 1
        truncated = self._step_in_round >= self.scenario.decisions_per_round
        if truncated:
            self._step_in_round = None
        if self._view is not None:
            self._view.add(info)
            if self.render_mode == "human":
                self.render()
        return self.interface.observe(interval.arrivals[0]), reward, False, truncated, info

    def render(self) -> npt.NDArray[np.uint8] | None:
        """The round so far: a picture uint8 (height, width, 3), or None when it is shown in a window."""
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without a render_mode; gym.make(..., render_mode='rgb_array')")
            return None
        if self._view is None:
            raise gym.error.ResetNeeded("SliceRAN-v0: call reset() before render()")
        return self._view.draw()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._view is not None:
            self._view.close()
            self._view = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the window, which cannot be copied; a copy opens its own at its next reset."""
        return {**self.__dict__, "_view": None}

    def _info(self, interval: Interval) -> dict[str, Any]:
        """The info of the one cell; numbers as floats."""
        arrays = self.interface.info(interval, threshold(self.scenario.reward, [self._decisions]))
        return {key: array[0] if array.ndim > 1 else float(array[0]) for key, array in arrays.items()}
