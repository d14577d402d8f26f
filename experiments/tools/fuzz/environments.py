"""`env`: scenarios, arguments, seeds and actions of any kind, on the simulator's environments and the twin's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np

from experiments.tools.fuzz.cases import Fault
from experiments.tools.fuzz.mutate import Random, changed, some
from slicing_gym import Scenario, get_scenario
from twin import SliceTwinEnv, SliceTwinVectorEnv  # noqa: F401  # registers the twin's

_ARGUMENTS = ("reward", "decisions", "uncertainty", "penalty", "largest_std", "frameskip", "scenario", "num_threads")


class EnvironmentFuzzer:
    """A case makes an environment, resets it and takes some decisions."""

    errors = (ValueError, TypeError, gym.error.Error, FileNotFoundError)

    def __init__(self) -> None:
        small = get_scenario("paper-1mhz")
        small = replace(small, radio=replace(small.radio, slots_per_interval=40), decisions_per_episode=5)
        self._scenario = small.to_dict()

    def try_case(self, random: Random) -> bool:
        """See `Fuzzer`."""
        twin, batch = random.random() < 0.3, random.random() < 0.3
        arguments: dict[str, Any] = {}
        if not twin:
            data = changed(self._scenario, random) if random.random() < 0.6 else self._scenario
            scenario = Scenario.from_dict(data)
            if scenario.num_units > 5000 or scenario.radio.slots_per_interval > 20_000:
                return True  # whole, and too large to be stepped here
            if sum(each.num_users for each in scenario.slices) > 3000:
                return True
            arguments["scenario"] = scenario
        if random.random() < 0.3:
            arguments[_ARGUMENTS[int(random.integers(len(_ARGUMENTS)))]] = some(random)
        name = "SliceTwin-v0" if twin else "SliceRAN-v0"
        made: Any = gym.make_vec(name, 2, **arguments) if batch else gym.make(name, **arguments)
        try:
            self._drive(made, random, batch)
        finally:
            made.close()
        return True

    def _drive(self, env: Any, random: Random, batch: bool) -> None:
        """Reset and step, with seeds and actions that are mostly right."""
        seed = some(random) if random.random() < 0.1 else int(random.integers(2**31))
        _check(env, env.reset(seed=seed)[0])
        for _ in range(int(random.integers(1, 8))):
            action = env.action_space.sample()
            if random.random() < 0.1:
                action = some(random)
            elif random.random() < 0.1:
                action = np.asarray(action) + int(random.choice([-(2**40), -1, 1, 2**40]))
            observation, reward, terminated, truncated, _ = env.step(action)
            _check(env, observation)
            if not np.isfinite(reward).all():
                raise Fault(f"a reward of {reward}")
            if not batch and (terminated or truncated):
                env.reset()


def _check(env: Any, observation: Any) -> None:
    if not env.observation_space.contains(observation) or not np.isfinite(observation).all():
        raise Fault(f"an observation outside its space: {observation}")
