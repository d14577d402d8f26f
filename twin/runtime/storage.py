"""Twins as bytes and in files: tensors as safetensors, all else as JSON in the header; reading one runs no code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as bytes_of

from slicing_gym.builtin_types import build
from slicing_gym.errors import check_integer
from slicing_gym.files import atomic_write, digest
from twin.data.columns import PRESENT
from twin.data.layout import Layout
from twin.models.registry import transition_kind
from twin.models.settings import PerformanceSettings, TrainingSettings, TransitionSettings
from twin.runtime import arrays
from twin.runtime.coverage import Coverage
from twin.runtime.draws import num_outputs
from twin.runtime.model import InitialWindows, TwinModel
from twin.runtime.performance import STEPPERS, checked_structure
from twin.runtime.presence import Presence
from twin.runtime.weights import transition_shapes

FORMAT_VERSIONS = (1, 2, 3)
"""Of the files `DigitalTwin.save` writes: 3 where a variable is modelled by its ranks, 1 where all that was asked for
are networks without priors, else 2."""

SUFFIX = ".safetensors"

# Names of tensors in files.
_SCALER, _WINDOWS, _CONTROLS, _REHEARSAL = "table.", "starts.", "usual_controls", "rehearsal"
_PRESENCE = "presence."
_TABLES = ("knots", "scores")

_DTYPES = {
    f"{_SCALER}transform": np.dtype(np.int64),
    f"{_SCALER}whole": np.dtype(np.int64),
    f"{_WINDOWS}measured": np.dtype(np.float64),
    f"{_WINDOWS}units": np.dtype(np.int64),
    f"{_PRESENCE}chance": np.dtype(np.float64),
    f"{_PRESENCE}absent": np.dtype(np.float64),
}


def save(path: str | os.PathLike[str], content: bytes) -> None:
    """See `DigitalTwin.save`."""
    with atomic_write(path) as file:
        file.write(content)


class Contents(NamedTuple):
    """What a file holds: the model, the transition and performance that were asked for, and how it was fitted."""

    model: TwinModel
    transition: TransitionSettings
    performance: PerformanceSettings
    training: TrainingSettings
    seed: int


def load(path: str | os.PathLike[str]) -> Contents:
    """See `DigitalTwin.load`."""
    name = os.fspath(path)
    file = next((each for each in (Path(path), Path(f"{name}{SUFFIX}")) if each.is_file()), None)
    if file is None:
        other = "" if name.endswith(SUFFIX) else f" or {name + SUFFIX!r}"
        raise FileNotFoundError(f"twin: there is no file {name!r}{other}")
    return parse(file.read_bytes(), repr(name))


def dump(contents: Contents) -> bytes:
    """See `DigitalTwin.to_bytes`."""
    model, transition, asked, training, seed = contents
    tensors = _tensors(model)
    performance = _as_in_format_1(asdict(asked))
    first = len(performance) == _SETTINGS_OF_FORMAT_1 and model.transition == transition
    header: dict[str, Any] = {
        "format": 3 if model.scaler.knots.shape[1] else 1 if first else 2,
        "layout": model.layout.to_dict(),
        "transition": _named(transition),
        "performance": performance,
        "training": asdict(training),
        "seed": seed,
    }
    if not first:
        fitted: dict[str, Any] = {"transition": _named(model.transition), "structure": model.structure}
        if model.performance.prior_scale != asked.prior_scale:
            fitted["prior_scale"] = model.performance.prior_scale
        header |= {"fitted": fitted}
    if model.coverage is not None:
        header |= {"coverage": {name: array.tolist() for name, array in vars(model.coverage).items()}}
    whole = json.dumps({"sha256": digest(header, tensors), **header})  # one entry: the order of several is not fixed
    content: bytes = bytes_of(tensors, {"twin": whole})
    return content


def _tensors(model: TwinModel) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a model by their names in a file."""
    scales = model.scaler._asdict()
    if not scales["knots"].shape[1]:
        scales = {name: array for name, array in scales.items() if name not in _TABLES}
    tensors: dict[str, npt.NDArray[Any]] = {f"{_SCALER}{name}": array for name, array in scales.items()}
    tensors |= {f"transition.{name}": array for name, array in model.transition_parameters.items()}
    tensors |= {f"performance.{name}": array for name, array in model.performance_parameters.items()}
    tensors |= {f"{_WINDOWS}{name}": array for name, array in vars(model.initial_windows).items()}
    if model.rehearsal is not model.initial_windows.features:
        tensors[_REHEARSAL] = model.rehearsal
    tensors[_CONTROLS] = model.modal_controls
    if model.presence is not None:
        tensors |= {f"{_PRESENCE}{name}": array for name, array in vars(model.presence).items()}
    return {key: np.ascontiguousarray(array) for key, array in tensors.items()}


_FORMER = {"prior_scale": 0.0, "structure": "joint"}
"""Settings that format 1 does not name, and what they are there."""

_SETTINGS_OF_FORMAT_1 = len(fields(PerformanceSettings)) - len(_FORMER)


def _as_in_format_1(performance: dict[str, Any]) -> dict[str, Any]:
    """Settings without those that are what they were before there was a choice, so that such a twin keeps its bytes."""
    return {name: value for name, value in performance.items() if name not in _FORMER or value != _FORMER[name]}


def _named(transition: TransitionSettings) -> dict[str, Any]:
    return {"name": transition.name, **_in_order(transition)}


def _in_order(transition: TransitionSettings) -> dict[str, Any]:
    """Settings in the order of format 1, so that the same twin keeps its bytes: the kind's come after `members`."""
    settings = asdict(transition)
    first, *others = [each.name for each in fields(TransitionSettings)]
    own = [name for name in settings if name not in (first, *others)]
    return {name: settings[name] for name in (first, *own, *others)}


def parse(content: bytes, name: str = "content") -> Contents:
    """See `DigitalTwin.from_bytes`; `name` is where the bytes are from, for messages."""
    try:
        tensors = tensors_of(content)  # looks at the layout of the whole
        size = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["twin"])
        version, checksum = header["format"], header.pop("sha256", None)
    except (SafetensorError, AttributeError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"twin: {name} is not a twin's file, or is damaged ({error})") from error
    if version not in FORMAT_VERSIONS:
        allowed = " and ".join(map(str, FORMAT_VERSIONS))
        raise ValueError(f"twin: {name} has format {version!r}, allowed are {allowed}")
    if checksum != digest(header, tensors):
        raise ValueError(f"twin: {name} is damaged: its contents do not have the checksum that it names")
    try:
        seed = check_integer("seed", header["seed"], at_least=0)
        asked = _transition(header["transition"])
        performance = build(PerformanceSettings, "performance", _FORMER | header["performance"])
        training = build(TrainingSettings, "training", header["training"])
        return Contents(_model(header, asked, performance, tensors), asked, performance, training, seed)
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"twin: {name} does not hold a twin ({error})") from error


def _transition(named: Mapping[str, Any]) -> TransitionSettings:
    """The settings that `_named` gave."""
    settings = dict(named)
    return build(transition_kind("transition", settings.pop("name")), "transition", settings)


def _model(
    header: dict[str, Any],
    asked: TransitionSettings,
    performance: PerformanceSettings,
    tensors: Mapping[str, npt.NDArray[Any]],
) -> TwinModel:
    """The model of a header and its tensors, checked."""
    for key, array in tensors.items():
        kind = _DTYPES.get(key, np.dtype(np.float64 if key.startswith(_SCALER) else np.float32))
        if array.dtype != kind:
            raise ValueError(f"{key} has values of type {array.dtype}, wanted are {kind}")
        if key not in (f"{_SCALER}lower", f"{_SCALER}upper") and not np.isfinite(array).all():
            raise ValueError(f"{key} has values that are not finite")
    fitted = header.get("fitted")
    scale = performance.prior_scale if fitted is None else fitted.get("prior_scale", performance.prior_scale)
    windows = InitialWindows(**_part(tensors, _WINDOWS))
    model = TwinModel(
        layout=Layout.from_dict(header["layout"]),
        scaler=_scaler(tensors),
        transition=_transition(fitted["transition"]) if fitted else asked,
        performance=replace(performance, prior_scale=scale),
        transition_parameters=_part(tensors, "transition."),
        performance_parameters=_part(tensors, "performance."),
        initial_windows=windows,
        rehearsal=tensors.get(_REHEARSAL, windows.features),
        modal_controls=tensors[_CONTROLS],
        structure=checked_structure(fitted["structure"]) if fitted else "joint",
        presence=Presence(**_part(tensors, _PRESENCE)) if f"{_PRESENCE}chance" in tensors else None,
        coverage=_coverage(header["coverage"]) if "coverage" in header else None,
    )
    _check_shapes(model)
    return model


def _scaler(tensors: Mapping[str, npt.NDArray[Any]]) -> arrays.Scaler:
    """The scales; without tables of ranks in files before format 3, and where no variable has one."""
    found = _part(tensors, _SCALER)
    if _TABLES[0] not in found:
        found |= {name: np.zeros((len(found["transform"]), 0)) for name in _TABLES}
    return arrays.Scaler(**found)


def _coverage(given: Mapping[str, Any]) -> Coverage:
    """What a twin was fitted to, as it stands in a header."""
    return Coverage(np.array(given["ends"]), np.array(given["edges"], np.float64), np.array(given["held"]))


def _check_shapes(model: TwinModel) -> None:
    """Compiled code trusts shapes, so they are looked at before it runs."""
    layout = model.layout
    variables, slices, features = layout.num_variables, layout.scenario.num_slices, layout.num_features
    number, window = model.initial_windows.features.shape[:2]
    f_outputs = num_outputs(model.transition.components, slices)
    f_shapes = transition_shapes(model.transition, features, f_outputs)
    g_shapes = STEPPERS[model.structure].shapes(layout, model.performance)
    wanted: dict[str, tuple[int, ...]] = {
        **{f"{_SCALER}{name}": (variables,) for name in arrays.Scaler._fields if name not in _TABLES},
        **{f"transition.{name}": shape for name, shape in f_shapes.items()},
        **{f"performance.{name}": shape for name, shape in g_shapes.items()},
        f"{_WINDOWS}features": (number, window, features),
        f"{_WINDOWS}measured": (number, variables),
        f"{_WINDOWS}units": (number, slices),
        _REHEARSAL: (*model.rehearsal.shape[:2], features),
        _CONTROLS: (layout.num_controls,),
    }
    if knots := model.scaler.knots.shape[-1]:
        wanted |= {f"{_SCALER}{name}": (variables, knots) for name in _TABLES}
    if PRESENT in layout.columns:
        wanted |= {f"{_PRESENCE}chance": (2, slices), f"{_PRESENCE}absent": (variables,)}
    given = {_REHEARSAL: model.rehearsal.shape, **{name: array.shape for name, array in _tensors(model).items()}}
    if model.coverage is not None:
        wanted["coverage"], given["coverage"] = (slices,), model.coverage.held.shape[:1]
    for name in sorted(wanted.keys() | given.keys()):
        if wanted.get(name) != given.get(name):
            raise ValueError(f"{name} has shape {given.get(name)}, wanted is {wanted.get(name)}")
    if number < 1 or window < 1:
        raise ValueError(f"{_WINDOWS}features: the twin has no window to begin an episode from")


def _part(tensors: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {key.removeprefix(prefix): array for key, array in tensors.items() if key.startswith(prefix)}
