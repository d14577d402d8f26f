"""`export_policy`: what an agent or a student chooses as one ONNX file, from raw arrivals to the allocation."""

from __future__ import annotations

import copy
import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import gymnasium as gym
import numpy.typing as npt
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

try:
    import onnx  # before the runtime, which the extra `deploy` alone would bring
    import onnxscript  # noqa: F401  # torch.onnx asks for it
except ImportError as error:
    raise ImportError(
        f"exporting a policy needs the extra `export` (pip install 'slicing-gym[train,export]'): {error}",
        name=error.name,
    ) from None

from agents.deploy.graph import Graph, SliceValues
from agents.deploy.slice_policy import CHECKSUM_MARK, FORMAT_VERSION, KEY, SlicePolicy, checked_range, checksum
from agents.dqn import GeometryHead
from agents.hooks import action_values, has_hook, is_factored
from agents.log_actions import if_of_a_log
from agents.state import PAGE
from agents.student import StudentPolicy
from slicing_gym import Scenario, get_scenario
from slicing_gym.allocation import MAX_LISTED, checked_allocations, even_split
from slicing_gym.files import atomic_write


def export_policy(
    policy: BaseAlgorithm | StudentPolicy,
    scenario: str | Scenario,
    path: str | os.PathLike[str],
    *,
    trained_on: tuple[npt.ArrayLike, npt.ArrayLike],
    fallback: npt.ArrayLike | None = None,
    name: str = "policy",
    made_from: str = "",
) -> None:
    """Write what a policy chooses as one ONNX file that `SlicePolicy` runs, atomically.

    The graph takes arrivals, float64 (batch, n_slices) packets per interval, and gives the units of the allocation
    with the highest value, int64 (batch, n_slices); of equal ones that of the lowest index. Observations are made of
    arrivals as `SpaceSpec.observe` does, to the bit; the values are those of the policy but for the rounding of their
    sums, so where two allocations are worth the same to six digits the other one may be chosen. No file holds a table
    of allocations, though what a dense or a geometry head knows of each is as long as one.

    Args:
        policy: an agent whose `agents.action_values` are known, or a student.
        scenario: that it was trained on.
        path: of the file.
        trained_on: the smallest and the largest arrivals per slice that it was trained on, two (n_slices,).
        fallback: the safe allocation in units (n_slices,); by default the same for every slice.
        name: of the policy.
        made_from: what it was exported from, in words.

    Raises:
        ImportError: ONNX is missing (`pip install "slicing-gym[train,export]"`).
        ValueError, TypeError: the policy cannot be exported, or an argument does not fit the scenario.
    """
    content = to_onnx(
        policy, get_scenario(scenario), trained_on=trained_on, fallback=fallback, name=name, made_from=made_from
    )
    SlicePolicy(content)  # looks at everything
    with atomic_write(path) as file:
        file.write(content)


def to_onnx(
    policy: BaseAlgorithm | StudentPolicy,
    scenario: Scenario,
    *,
    trained_on: tuple[npt.ArrayLike, npt.ArrayLike],
    fallback: npt.ArrayLike | None,
    name: str,
    made_from: str,
) -> bytes:
    """The contents of the file that `export_policy` writes; the same policy makes the same bytes."""
    check_exportable(policy, scenario)
    low, high = checked_range(trained_on, scenario.num_slices)
    safe = even_split(scenario.num_units, scenario.num_slices) if fallback is None else fallback
    (units,) = checked_allocations(safe, 1, scenario.num_units, scenario.num_slices)
    metadata = {
        "format": FORMAT_VERSION,
        "name": name,
        "made_from": made_from,
        "scenario": scenario.to_dict(),
        "trained_on": [low.tolist(), high.tolist()],
        "fallback": units.tolist(),
    }
    space = policy.observation_space
    assert isinstance(space, gym.spaces.Box)  # of the scenario's slices, as was checked
    graph = Graph(scenario, space.high, value_network(policy), factored=is_factored(_network(policy)))
    model = _traced(graph, scenario)
    onnx.helper.set_model_props(model, {f"{KEY}{key}": json.dumps(value) for key, value in metadata.items()})
    model.metadata_props.add(key=f"{KEY}sha256", value="0" * 64)
    content: bytes = model.SerializeToString(deterministic=True)
    return content.replace(CHECKSUM_MARK + b"0" * 64, CHECKSUM_MARK + checksum(content))


def check_exportable(policy: object, scenario: Scenario) -> None:
    """Refuse a policy that has no network to export, or another scenario's.

    Raises:
        TypeError: it is no agent and no student, or its values are not known.
        ValueError: it does not fit the scenario, sees scaled observations, or has values that are not finite.
    """
    if not isinstance(policy, BaseAlgorithm | StudentPolicy):
        raise TypeError(
            f"policy: a {type(policy).__name__} given, allowed are agents of Stable-Baselines3 and StudentPolicy"
        )
    if isinstance(policy, BaseAlgorithm) and not has_hook(action_values, type(policy)):
        raise TypeError(
            f"policy: {type(policy).__name__} has no action_values to export; register them ({PAGE}), or export a "
            "student of it: python -m experiments.distill teacher=<its run>"
        )
    if isinstance(policy, StudentPolicy) and policy.scenario != scenario:
        raise ValueError(
            f"scenario: {scenario.name!r} given, the student was distilled on another, {policy.scenario.name!r}"
        )
    actions, shape = getattr(policy.action_space, "n", 0), policy.observation_space.shape
    if actions != scenario.num_allocations or shape != (scenario.num_slices,):
        of_log = if_of_a_log(actions, scenario.num_allocations) if shape == (scenario.num_slices,) else ""
        raise ValueError(
            f"scenario: {scenario.name!r} has {scenario.num_allocations} allocations of {scenario.num_units} units to "
            f"{scenario.num_slices} slices, the policy chooses among {actions} and sees "
            f"observations of shape {shape}{of_log}"
        )
    if isinstance(policy, BaseAlgorithm) and getattr(policy.get_vec_normalize_env(), "norm_obs", False):
        raise ValueError("policy: it sees observations that VecNormalize has scaled; allowed are those of the scenario")
    if not is_factored(_network(policy)) and actions > MAX_LISTED:
        raise ValueError(
            f"policy: it values each of {actions} allocations, allowed are {MAX_LISTED}; a factored head values slices"
        )
    with torch.no_grad():
        if not torch.isfinite(value_network(policy)(torch.ones(1, scenario.num_slices))).all():
            raise ValueError("policy: its values are not finite")


def value_network(policy: BaseAlgorithm | StudentPolicy) -> nn.Module:
    """A copy of what values allocations, of observations (batch, n_slices), in evaluation mode.

    Its values are (batch, num_actions), with a factored head (batch, n_slices, units). What a head makes of the
    allocations or the units alone, an embedding, is a constant in it.
    """
    copied = copy.deepcopy(_network(policy)).cpu().eval().requires_grad_(False)
    if is_factored(copied):
        return SliceValues(copied)
    for module in list(copied.modules()):
        for child_name, child in list(module.named_children()):
            if isinstance(child, GeometryHead):
                setattr(module, child_name, _constant_head(child))
    return copied


def _network(policy: BaseAlgorithm | StudentPolicy) -> nn.Module:
    return policy if isinstance(policy, StudentPolicy) else action_values(policy)


def _constant_head(head: GeometryHead) -> nn.Module:
    """The same values from linear layers only: two, or where the layer before is narrow, their product."""
    every = head.embedding(head.shares)  # (num_actions, embedding_size)
    first = _linear(head.scale * head.state.weight, head.scale * head.state.bias)
    if head.state.in_features >= head.state.out_features:
        return nn.Sequential(first, _linear(every, None))
    product, shift = every.double() @ first.weight.double(), every.double() @ first.bias.double()
    return _linear(product.float(), shift.float())


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A linear layer of these numbers."""
    outputs, inputs = weight.shape
    layer = nn.Linear(inputs, outputs, bias=bias is not None).requires_grad_(False)
    layer.weight.copy_(weight)
    if bias is not None:
        layer.bias.copy_(bias)
    return layer


def _traced(network: nn.Module, scenario: Scenario) -> onnx.ModelProto:
    """The graph of a network, without the names of source files that PyTorch's exporter adds."""
    example = torch.ones(2, scenario.num_slices, dtype=torch.float64)
    with _quiet():
        program = torch.onnx.export(
            network.eval(),
            (example,),
            input_names=["arrivals"],
            output_names=["units"],
            dynamic_shapes={"arrivals": {0: torch.export.Dim("batch")}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    del model.graph.value_info[:]
    parts: Sequence[object] = [
        *(model, model.graph),
        *(*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer),
    ]
    for part in parts:
        del part.metadata_props[:]  # type: ignore[attr-defined]
        part.ClearField("doc_string")  # type: ignore[attr-defined]
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence PyTorch's exporter, which warns of its own code and of packages that are not needed."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
