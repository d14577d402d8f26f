"""From the networks' parameters by name to the arrays that the kernel reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slicing_gym.exclusive import OwnArrays
from twin.models.operations import Floats, IntArray
from twin.models.parameters import Parameters, Shapes
from twin.models.settings import TransitionSettings
from twin.runtime import arrays


@dataclass(frozen=True)
class Stepper(OwnArrays):
    """A transition as the kernel runs it: M members.

    Args:
        step: the kind's (see `TransitionSettings.step`).
        members: the weights that it reads, of each.
        state_size: numbers of memory a cell and member.
        scratch_size: numbers of working memory.
    """

    step: Callable[..., None]
    members: Sequence[Any]
    state_size: int
    scratch_size: int

    def __call__(
        self,
        rows: IntArray,
        features: Floats,
        memory: Floats,
        age: IntArray,
        raw: Floats,
        scratch: Floats,
    ) -> None:
        """Let all members take in the features (B, F) of some rows, and write their outputs into `raw` (B, M, P)."""
        for number, member in enumerate(self.members):
            self.step(member, number, rows, features, memory, age, raw, scratch)
        age[rows] += 1

    def step_one(
        self,
        members: IntArray,
        rows: IntArray,
        features: Floats,
        memory: Floats,
        age: IntArray,
        raw: Floats,
        scratch: Floats,
    ) -> None:
        """As above, of each row its own member (B,) alone; memory (B, 1, size) and `raw` (B, 1, P) are that one's."""
        for number, member in enumerate(self.members):
            own = rows[members[rows] == number]
            if len(own):
                self.step(member, 0, own, features, memory, age, raw, scratch)
        age[rows] += 1

    def memory(self, number: int) -> Floats:
        """Of so many cells that have seen nothing (number, M, size)."""
        return np.zeros((number, len(self.members), self.state_size), np.float32)


def make_stepper(settings: TransitionSettings, parameters: Parameters, num_features: int) -> Stepper:
    """The transition of these settings with these parameters."""
    members = []
    for number in range(settings.members):
        prefix = f"members.{number}."
        own = {name.removeprefix(prefix): array for name, array in parameters.items() if name.startswith(prefix)}
        members.append(settings.step_arrays(own))
    return Stepper(settings.step, members, settings.state_size(num_features), settings.scratch_size(num_features))


def transition_shapes(settings: TransitionSettings, num_features: int, num_outputs: int) -> Shapes:
    """The shape of every parameter of the transition's ensemble."""
    one = settings.parameter_shapes(num_features, num_outputs)
    return {f"members.{number}.{name}": shape for number in range(settings.members) for name, shape in one.items()}


def ensemble_weights(parameters: Parameters) -> arrays.Ensemble:
    """Of an `EnsembleNetwork`."""
    biases = {name: parameters[name][:, 0].copy() for name in ("first_bias", "second_bias", "output_bias")}
    return arrays.Ensemble(
        first=parameters["first"], second=parameters["second"], output=parameters["output"], **biases
    )
