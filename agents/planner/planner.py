"""`Planner`: a learner that acts in an environment by a model of the network, and teaches the model as it goes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.logger import Logger

from agents.acting import changing, pack_env, unpack_env, wrappers_of
from agents.packing import Arrays, pack, part_of, unpack, with_prefix
from agents.planner.checks import check_same, checked_scenario, codec_of
from agents.planner.constraints import Bounds
from agents.planner.file import read_planner, write_planner
from agents.planner.policy import PlanningPolicy
from agents.planner.protocol import PlanningModel
from agents.protocols import AnyEnv, DecisionListener, Experience
from slicing_gym import Scenario
from slicing_gym.action import AllocationListCodec
from slicing_gym.errors import check_integer
from slicing_gym.files import digest
from slicing_gym.transitions import Transitions


class Planner(PlanningPolicy):
    """A `PlanningPolicy` that acts in an environment and learns there: a `Learner`, no algorithm of Stable-Baselines3.

    It learns from the infos of `reset` and `step`, so that neither wrappers nor the kind of reward matter to it; what
    it maximises is the scenario's utility. `predict` takes the arrivals over nominal arrivals that `SliceRAN-v0` shows,
    whatever the environment's wrappers or observer make of them.

    Args:
        env: scalar, of a `Scenario`, wrapped or not, whose actions are numbers of allocations.
        model: what it chooses by, and teaches.
        choose_by, horizon, gamma, lowest, highest, allowed, min_ssr, min_probability: see `PlanningPolicy`.
        seed: of the first reset and of the samples.

    Attributes:
        env: where it acts.
        logger: of Stable-Baselines3.
        num_decisions: taken since learning last began again.

    Raises:
        ValueError, TypeError: an argument is not allowed, or the model is of another network; the message names it.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        model: PlanningModel,
        *,
        choose_by: str = "sample",
        horizon: int = 1,
        gamma: float = 0.8,
        lowest: Bounds | None = None,
        highest: Bounds | None = None,
        allowed: npt.ArrayLike | None = None,
        min_ssr: Mapping[str, float] | None = None,
        min_probability: float = 0.9,
        seed: int = 0,
    ) -> None:
        super().__init__(
            checked_scenario(env),
            model,
            choose_by=choose_by,
            horizon=horizon,
            gamma=gamma,
            lowest=lowest,
            highest=highest,
            allowed=allowed,
            min_ssr=min_ssr,
            min_probability=min_probability,
            seed=seed,
            codec=codec_of(env),
        )
        self.env = env
        self.logger = Logger(None, [])
        self.num_decisions = 0
        self._first_seed: int | None = self.seed  # of the next reset
        self._observation: Any = None  # None: a reset is due
        self._reset_info: dict[str, Any] = {}

    @property
    def can_recall(self) -> bool:
        """False: what it has learned from is not kept as transitions."""
        return False

    def act_in(self, env: AnyEnv, seed: int) -> None:
        """Act in another environment of the same scenario from now on.

        Args:
            env: scalar; it is reset before the next decision.
            seed: of its first reset.

        Raises:
            ValueError, TypeError: it is a batch, or of other slices or units.
        """
        scenario = checked_scenario(env)
        check_same("env", scenario, self.scenario)
        assert isinstance(env, gym.Env)
        self.codec = codec_of(env)
        self.env, self._observation = env, None
        self._first_seed = check_integer("seed", seed, at_least=0)

    def learn(self, decisions: int, listener: DecisionListener | None = None, *, restart: bool = False) -> None:
        """Decide so often, and learn from each decision. The episode that is under way goes on.

        TensorBoard tags: `planner/value` (mean of the chosen allocations' values, by what decided), `planner/decisions`
        (that the model has learned from); with `min_ssr` also `planner/probability` (with which it is met). They are
        written whenever the logger is dumped.

        Args:
            decisions: to take.
            listener: is called for each.
            restart: count from 0 again, and begin another episode.
        """
        check_integer("decisions", decisions, at_least=1)
        if restart:
            self.num_decisions, self._observation = 0, None
        if self._observation is None:
            self._reset()
        if listener is not None:
            listener.on_start(self._reset_info)
        for _ in range(decisions):
            self._decide_once(listener)
        self._warn_once()

    def _reset(self) -> None:
        self._observation, self._reset_info = self.env.reset(seed=self._first_seed)
        self._first_seed = None
        self.begin(self._reset_info)

    def _decide_once(self, listener: DecisionListener | None) -> None:
        """A decision, and what is learned from it."""
        if listener is not None:
            listener.on_settled()
        before, (action, value) = self._observation, self.decide()
        following, reward, terminated, truncated, info = self.env.step(np.int64(action))
        self._observation, over = following, bool(terminated or truncated)
        if over:
            self._observation, self._reset_info = self.env.reset()
        self.num_decisions += 1
        self._record(value)
        if listener is not None:
            seen = np.array(before), action, float(reward), np.array(following), bool(terminated), bool(truncated)
            listener.on_decision(Experience(*seen, info=info, reset_info=self._reset_info if over else None))
        self.observe(info)
        if over:
            self.begin(self._reset_info)

    def _record(self, value: float) -> None:
        self.logger.record_mean("planner/value", value)
        self.logger.record("planner/decisions", self.model.num_decisions)
        if self.constraints.demands:
            self.logger.record_mean("planner/probability", self._permit().probability)

    def update(self, progress: float) -> None:
        """Nothing: from what it has seen it has learned already."""

    def remember(self, transitions: Transitions) -> None:
        """Not possible: transitions do not say what each slice got; let `begin` and `observe` see the infos."""
        raise NotImplementedError("remember: a planner learns from infos, which transitions do not hold")

    def recall(self, number: int) -> Transitions:
        """Not possible."""
        raise NotImplementedError("recall: a planner keeps no transitions")

    def forget(self) -> None:
        """Not possible: make another with a model that has seen nothing."""
        raise NotImplementedError("forget: a planner's model cannot unlearn; make a planner with another model")

    def copy_from(self, other: Planner, *, optimizer: bool = True) -> None:
        """Take over what the model of another planner of the same configuration has learned."""
        del optimizer
        self.model.restore(*other.model.state())
        self._permitted = None

    def check_storable(self) -> None:
        """Refuse an environment of which `state` could not give everything.

        Raises:
            ValueError, TypeError: the message names what cannot be stored.
        """
        for wrapper in wrappers_of(self.env):
            changing(wrapper)

    def state(self, replay: bool = True) -> tuple[dict[str, Any], Arrays]:
        """Everything that learning changes: builtin types, and arrays by name.

        Args:
            replay: with the environment it acts in, too.

        Raises:
            ValueError, TypeError: the environment cannot be stored; the message says why.
        """
        own: Arrays = {}
        header, arrays = self.model.state()
        data = {
            "model": header,
            "num_decisions": self.num_decisions,
            "generator": pack(self.generator, "generator", own),
            "first_seed": self._first_seed,
            "warned": self._warned,
        }
        if replay and self._observation is not None:
            seen = {name: getattr(self, name) for name in _UNDER_WAY}
            data["seen"] = pack(seen, "seen", own)
            data["acting"] = pack_env(wrappers_of(self.env), self.env.unwrapped, own)
        return data, own | with_prefix(arrays, "model.")

    def restore(self, data: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to what `state` of a planner of the same configuration gave."""
        self.model.restore(data["model"], part_of(arrays, "model."))
        self.num_decisions, self._first_seed = data["num_decisions"], data["first_seed"]
        self._warned, self._permitted, self._observation = data["warned"], None, None
        unpack(data["generator"], arrays, self.generator)
        if "acting" in data:
            self.env.reset()  # wrappers and environment are then what can be restored
            unpack_env(data["acting"], arrays, wrappers_of(self.env), self.env.unwrapped)
            vars(self).update(unpack(data["seen"], arrays))

    def save(self, file: str | os.PathLike[str] | io.BufferedIOBase) -> None:
        """Write model and settings to a file, given by its path or open; see `load`. Reading it runs no code."""
        settings = {
            "choose_by": self.choose_by,
            "horizon": self.horizon,
            "gamma": self.gamma,
            "seed": self.seed,
            **self.constraints.to_dict(),
        }
        header = {"scenario": self.scenario.to_dict(), "settings": settings, "num_decisions": self.num_decisions}
        if isinstance(self.codec, AllocationListCodec):
            header["held"] = int(self.codec.space(self.scenario).n)
        write_planner(file, header, self.model.to_bytes())

    @classmethod
    def load(
        cls,
        file: str | os.PathLike[str] | io.BufferedIOBase,
        model_from: Callable[[bytes], PlanningModel],
        env: gym.Env[Any, Any] | None = None,
    ) -> Planner:
        """The planner in a file that `save` wrote; its samples begin again.

        Args:
            file: its path, or the open file.
            model_from: makes the model of its bytes, as `PlanningTwin.from_bytes` does.
            env: to act in; None: `SliceRAN-v0` of its scenario.

        Raises:
            FileNotFoundError, OSError: there is no such file, or it cannot be read.
            ValueError: the file holds no planner, or is damaged; or it chose among a few allocations of an environment,
                and `env` does not say among which.
        """
        header, content = read_planner(file)
        if env is None:
            if "held" in header:
                raise ValueError(
                    f"env: None given, the planner chose among {header['held']} allocations of its environment; "
                    "allowed is an environment that offers these"
                )
            env = gym.make("SliceRAN-v0", scenario=Scenario.from_dict(header["scenario"]))
        made = cls(env, model_from(content), **header["settings"])
        made.num_decisions = check_integer("num_decisions", header["num_decisions"], at_least=0)
        return made

    def digest(self) -> str:
        """SHA-256 of what the model has learned."""
        return digest(*self.model.state())


_UNDER_WAY = ("_observation", "_reset_info", "_seen")
"""Attributes of the episode that is under way."""
