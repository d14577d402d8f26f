"""Twins in files: tensors as safetensors, all else as JSON in the header; reading one runs no code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from slicing_gym.builtin_types import build
from slicing_gym.errors import check_integer, unknown_name
from slicing_gym.files import atomic_write, digest
from twin.data.layout import Layout
from twin.models.settings import TRANSITIONS, PerformanceSettings, TrainingSettings
from twin.runtime import arrays
from twin.runtime.draws import num_outputs
from twin.runtime.model import Starts, TwinModel
from twin.runtime.weights import parameter_shapes

FORMAT_VERSION = 1
"""Of the files `DigitalTwin.save` writes."""

SUFFIX = ".safetensors"

_DTYPES = {
    name: np.dtype(kind)
    for name, kind in (
        ("table.transform", np.int64),
        ("table.whole", np.int64),
        ("starts.measured", np.float64),
        ("starts.units", np.int64),
    )
}


def save(path: str | os.PathLike[str], model: TwinModel, training: TrainingSettings, seed: int) -> None:
    """See `DigitalTwin.save`."""
    tensors: dict[str, npt.NDArray[Any]] = {f"table.{name}": array for name, array in model.table._asdict().items()}
    tensors |= {f"transition.{name}": array for name, array in model.transition_parameters.items()}
    tensors |= {f"performance.{name}": array for name, array in model.performance_parameters.items()}
    tensors |= {f"starts.{name}": array for name, array in vars(model.starts).items()}
    if model.rehearsal is not model.starts.features:
        tensors["rehearsal"] = model.rehearsal
    tensors["usual_controls"] = model.usual_controls
    header = {
        "format": FORMAT_VERSION,
        "layout": model.layout.to_dict(),
        "transition": {"name": model.transition.name, **asdict(model.transition)},
        "performance": asdict(model.performance),
        "training": asdict(training),
        "seed": seed,
    }
    tensors = {key: np.ascontiguousarray(array) for key, array in tensors.items()}
    whole = json.dumps({"sha256": digest(header, tensors), **header})  # one entry: the order of several is not fixed
    with atomic_write(path) as file:
        file.write(to_bytes(tensors, {"twin": whole}))


def load(path: str | os.PathLike[str]) -> tuple[TwinModel, TrainingSettings, int]:
    """See `DigitalTwin.load`."""
    name = os.fspath(path)
    file = next((each for each in (Path(path), Path(f"{name}{SUFFIX}")) if each.is_file()), None)
    if file is None:
        other = "" if name.endswith(SUFFIX) else f" or {name + SUFFIX!r}"
        raise FileNotFoundError(
            f"twin: there is no file {name!r}{other}; the twin that comes with the package is 'paper'"
        )
    try:
        with safe_open(file, framework="numpy") as archive:
            header = json.loads((archive.metadata() or {})["twin"])
            tensors = {key: archive.get_tensor(key) for key in archive.keys()}  # noqa: SIM118  # not a dict
        version, checksum = header["format"], header.pop("sha256", None)
    except (SafetensorError, AttributeError, KeyError, ValueError, TypeError, RecursionError, OSError) as error:
        raise ValueError(f"twin: {name!r} is not a twin's file, or is damaged ({error})") from error
    if version != FORMAT_VERSION:
        raise ValueError(f"twin: {name!r} has format {version!r}, allowed is {FORMAT_VERSION}")
    if checksum != digest(header, tensors):
        raise ValueError(f"twin: {name!r} is damaged: its contents do not have the checksum that it names")
    try:
        seed = check_integer("seed", header["seed"], at_least=0)
        return _model(header, tensors), build(TrainingSettings, "training", header["training"]), seed
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"twin: {name!r} does not hold a twin ({error})") from error


def _model(header: dict[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> TwinModel:
    """The model of a header and its tensors, checked."""
    for key, array in tensors.items():
        kind = _DTYPES.get(key, np.dtype(np.float64 if key.startswith("table.") else np.float32))
        if array.dtype != kind:
            raise ValueError(f"{key} has values of type {array.dtype}, wanted are {kind}")
        if key not in ("table.lower", "table.upper") and not np.isfinite(array).all():
            raise ValueError(f"{key} has values that are not finite")
    settings = dict(header["transition"])
    name = settings.pop("name")
    if name not in TRANSITIONS:
        raise ValueError(unknown_name("transition", name, TRANSITIONS))
    layout = Layout.from_dict(header["layout"])
    starts = Starts(**_part(tensors, "starts."))
    model = TwinModel(
        layout=layout,
        table=arrays.Table(**{name: tensors[f"table.{name}"] for name in arrays.Table._fields}),
        transition=build(TRANSITIONS[name], "transition", settings),
        performance=build(PerformanceSettings, "performance", header["performance"]),
        transition_parameters=_part(tensors, "transition."),
        performance_parameters=_part(tensors, "performance."),
        starts=starts,
        rehearsal=tensors.get("rehearsal", starts.features),
        usual_controls=tensors["usual_controls"],
    )
    _check_shapes(model)
    return model


def _check_shapes(model: TwinModel) -> None:
    """Compiled code trusts shapes, so they are looked at before it runs."""
    layout = model.layout
    variables, slices = layout.num_variables, layout.scenario.num_slices
    wanted: dict[str, tuple[int, ...]] = {f"table.{name}": (variables,) for name in arrays.Table._fields}
    given: dict[str, tuple[int, ...]] = {f"table.{name}": array.shape for name, array in model.table._asdict().items()}
    number, window = model.starts.features.shape[:2]
    wanted |= {
        "starts.features": (number, window, layout.num_features),
        "starts.measured": (number, variables),
        "starts.units": (number, slices),
        "rehearsal": (*model.rehearsal.shape[:2], layout.num_features),
        "usual_controls": (layout.num_controls,),
    }
    given |= {f"starts.{name}": array.shape for name, array in vars(model.starts).items()}
    given["rehearsal"] = model.rehearsal.shape
    given["usual_controls"] = model.usual_controls.shape
    for part, settings, parameters, targets in (
        ("transition", model.transition, model.transition_parameters, slices),
        ("performance", model.performance, model.performance_parameters, variables - slices),
    ):
        shapes = parameter_shapes(settings, layout.num_features, num_outputs(settings.components, targets))
        wanted |= {f"{part}.{name}": shape for name, shape in shapes.items()}
        given |= {f"{part}.{name}": array.shape for name, array in parameters.items()}
    for name in sorted(wanted.keys() | given.keys()):
        if wanted.get(name) != given.get(name):
            raise ValueError(f"{name} has shape {given.get(name)}, wanted is {wanted.get(name)}")
    if number < 1 or window < 1:
        raise ValueError("starts: there are none")


def _part(tensors: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {key.removeprefix(prefix): array for key, array in tensors.items() if key.startswith(prefix)}
