"""From the networks' parameters by name to the arrays that the kernel reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.models.settings import LstmSettings, PerformanceSettings, TransformerSettings, TransitionSettings
from twin.runtime import arrays, kernel

Parameters = Mapping[str, arrays.Floats]
"""The parameters of a network by PyTorch's names."""


@dataclass(frozen=True)
class Stepper:
    """A transition as the kernel runs it: M members.

    Args:
        step: the compiled function.
        members: what it reads, of each.
        memory_size: numbers of memory a cell and member.
        scratch_size: numbers of working memory.
    """

    step: Callable[..., None]
    members: Sequence[arrays.Lstm | arrays.Transformer]
    memory_size: int
    scratch_size: int

    def __call__(
        self,
        rows: npt.NDArray[np.int64],
        features: arrays.Floats,
        memory: arrays.Floats,
        age: npt.NDArray[np.int64],
        raw: arrays.Floats,
        scratch: arrays.Floats,
    ) -> None:
        """Let all members take in the features (B, F) of some rows, and write what they say into `raw` (B, M, P)."""
        for number, member in enumerate(self.members):
            self.step(member, number, rows, features, memory, age, raw, scratch)
        age[rows] += 1

    def step_one(
        self,
        members: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
        features: arrays.Floats,
        memory: arrays.Floats,
        age: npt.NDArray[np.int64],
        raw: arrays.Floats,
        scratch: arrays.Floats,
    ) -> None:
        """As above, of each row its own member (B,) alone; memory (B, 1, size) and `raw` (B, 1, P) are that one's."""
        for number, member in enumerate(self.members):
            own = rows[members[rows] == number]
            if len(own):
                self.step(member, 0, own, features, memory, age, raw, scratch)
        age[rows] += 1

    def memory(self, number: int) -> arrays.Floats:
        """Of so many cells that have seen nothing (number, M, size)."""
        return np.zeros((number, len(self.members), self.memory_size), np.float32)


def make_stepper(settings: TransitionSettings, parameters: Parameters) -> Stepper:
    """The transition of these settings with these parameters."""
    parts = []
    for number in range(settings.members):
        prefix = f"members.{number}."
        parts.append({k.removeprefix(prefix): v for k, v in parameters.items() if k.startswith(prefix)})
    if isinstance(settings, LstmSettings):
        size = settings.memory_size
        members = [lstm_weights(part) for part in parts]
        return Stepper(kernel.lstm_step, members, 2 * size, 4 * size + settings.hidden_size)
    memory = settings.layers * settings.context * 2 * settings.width
    scratch = 6 * settings.width + settings.context
    return Stepper(kernel.transformer_step, [transformer_weights(settings, part) for part in parts], memory, scratch)


def parameter_shapes(
    settings: TransitionSettings | PerformanceSettings, num_features: int, num_outputs: int
) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter of a network with these settings."""
    if isinstance(settings, PerformanceSettings):
        members, size = settings.members, settings.hidden_size
        layers = {"first": (num_features, size), "second": (size, size), "output": (size + num_features, num_outputs)}
        return {
            **{name: (members, *shape) for name, shape in layers.items()},
            **{f"{name}_bias": (members, 1, outputs) for name, (_, outputs) in layers.items()},
        }
    one = _member_shapes(settings, num_features, num_outputs)
    return {f"members.{m}.{name}": shape for m in range(settings.members) for name, shape in one.items()}


def _member_shapes(settings: TransitionSettings, num_features: int, num_outputs: int) -> dict[str, tuple[int, ...]]:
    """As `parameter_shapes`, of one member of a transition."""
    if isinstance(settings, LstmSettings):
        size, hidden = settings.memory_size, settings.hidden_size
        return {
            "recurrent.weight_ih_l0": (4 * size, num_features),
            "recurrent.weight_hh_l0": (4 * size, size),
            "recurrent.bias_ih_l0": (4 * size,),
            "recurrent.bias_hh_l0": (4 * size,),
            **_linear("hidden", size + num_features, hidden),
            **_linear("output", hidden + num_features, num_outputs),
        }
    width = settings.width
    shapes = {"slope": (settings.heads,), **_linear("embed", num_features, width)}
    for layer in range(settings.layers):
        shapes |= _linear(f"attention.{layer}", width, 3 * width) | _linear(f"project.{layer}", width, width)
        shapes |= _linear(f"expand.{layer}", width, 2 * width) | _linear(f"contract.{layer}", 2 * width, width)
    for norm in range(2 * settings.layers + 1):
        shapes |= {f"norm.{norm}.weight": (width,), f"norm.{norm}.bias": (width,)}
    return {**shapes, **_linear("output", width + num_features, num_outputs)}


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """The shapes of one of PyTorch's linear layers."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def lstm_weights(parameters: Parameters) -> arrays.Lstm:
    """Of an `LstmNetwork`."""
    both = [parameters["recurrent.weight_ih_l0"], parameters["recurrent.weight_hh_l0"]]
    return arrays.Lstm(
        recurrent=_transposed(np.concatenate(both, axis=1)),
        recurrent_bias=parameters["recurrent.bias_ih_l0"] + parameters["recurrent.bias_hh_l0"],
        hidden=_transposed(parameters["hidden.weight"]),
        hidden_bias=parameters["hidden.bias"],
        output=_transposed(parameters["output.weight"]),
        output_bias=parameters["output.bias"],
    )


def transformer_weights(settings: TransformerSettings, parameters: Parameters) -> arrays.Transformer:
    """Of a `TransformerNetwork`."""

    def weights(part: str) -> arrays.Floats:
        return np.stack([_transposed(parameters[f"{part}.{layer}.weight"]) for layer in range(settings.layers)])

    def biases(part: str) -> arrays.Floats:
        return np.stack([parameters[f"{part}.{layer}.bias"] for layer in range(settings.layers)])

    norms = range(2 * settings.layers + 1)
    return arrays.Transformer(
        embed=_transposed(parameters["embed.weight"]),
        embed_bias=parameters["embed.bias"],
        attention=weights("attention"),
        attention_bias=biases("attention"),
        project=weights("project"),
        project_bias=biases("project"),
        expand=weights("expand"),
        expand_bias=biases("expand"),
        contract=weights("contract"),
        contract_bias=biases("contract"),
        norm=np.stack([np.stack([parameters[f"norm.{i}.weight"], parameters[f"norm.{i}.bias"]]) for i in norms]),
        slope=parameters["slope"],
        context=np.array([settings.context]),
        output=_transposed(parameters["output.weight"]),
        output_bias=parameters["output.bias"],
    )


def ensemble_weights(parameters: Parameters) -> arrays.Ensemble:
    """Of an `EnsembleNetwork`."""
    biases = {name: parameters[name][:, 0].copy() for name in ("first_bias", "second_bias", "output_bias")}
    return arrays.Ensemble(
        first=parameters["first"], second=parameters["second"], output=parameters["output"], **biases
    )


def _transposed(array: arrays.Floats) -> arrays.Floats:
    return np.ascontiguousarray(array.T)
