"""A kind of transition that a user adds in one file, this one: fitted, stepped, saved and loaded like those of twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from numba import njit
from torch import nn

from tests.helpers.twins import ENSEMBLE, history_of
from twin import (
    DigitalTwin,
    LstmSettings,
    TrainingSettings,
    TransitionSettings,
    register_transition,
    transition_kinds,
)
from twin.models.registry import transition_settings
from twin.runtime.encoding import encode
from twin.runtime.weights import transition_shapes


class SmoothWeights(NamedTuple):
    decay: np.ndarray  # (1,)
    weight: np.ndarray  # (2 F, P)
    bias: np.ndarray  # (P,)


class SmoothNetwork(nn.Module):
    """Linear in the features and in their exponentially weighted mean."""

    def __init__(self, decay: float, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.decay = decay
        self.output = nn.Linear(2 * num_features, num_outputs)

    def forward(self, features):
        mean, means = torch.zeros_like(features[:, 0]), []
        for now in features.unbind(dim=1):
            mean = self.decay * mean + (1.0 - self.decay) * now
            means.append(mean)
        return self.output(torch.cat([features, torch.stack(means, dim=1)], dim=-1))


@dataclass(frozen=True)
class SmoothSettings(TransitionSettings):
    decay: float = 0.8
    name: ClassVar[str] = "smooth"

    def make_network(self, num_features, num_outputs):
        return SmoothNetwork(self.decay, num_features, num_outputs)

    def parameter_shapes(self, num_features, num_outputs):
        return {"output.weight": (num_outputs, 2 * num_features), "output.bias": (num_outputs,)}

    def step_arrays(self, parameters):
        decay = np.array([self.decay], np.float32)
        return SmoothWeights(decay, np.ascontiguousarray(parameters["output.weight"].T), parameters["output.bias"])

    def state_size(self, num_features):
        return num_features

    def scratch_size(self, num_features):  # noqa: ARG002  # it needs none
        return 0

    @staticmethod
    def step(weights, member, rows, features, memory, age, raw, scratch):  # noqa: ARG004  # every step is called alike
        for row in rows:
            mean = memory[row, member]
            mean[:] = weights.decay * mean + (1 - weights.decay) * features[row]
            raw[row, member] = np.concatenate([features[row], mean]) @ weights.weight + weights.bias


@njit
def fast_step(weights, member, rows, features, memory, age, raw, scratch):  # noqa: ARG001
    size = features.shape[1]
    decay = weights.decay[0]
    for row in rows:
        mean, out = memory[row, member], raw[row, member]
        out[:] = weights.bias
        for k in range(size):
            mean[k] = decay * mean[k] + (np.float32(1.0) - decay) * features[row, k]
            for j in range(len(out)):
                out[j] += features[row, k] * weights.weight[k, j] + mean[k] * weights.weight[size + k, j]


@register_transition
@dataclass(frozen=True)
class FastSettings(SmoothSettings):
    name: ClassVar[str] = "smooth_compiled"
    step = staticmethod(fast_step)


register_transition(SmoothSettings)


def fitted(kind) -> DigitalTwin:
    torch.set_num_threads(1)
    return DigitalTwin(kind(members=2, components=2), ENSEMBLE, TrainingSettings(max_epochs=3)).fit(
        history_of("paper-1mhz")
    )


@pytest.fixture(scope="module", params=[SmoothSettings, FastSettings])
def twin(request) -> DigitalTwin:
    return fitted(request.param)


def test_it_learns(twin):
    assert twin.report.transition.best_epoch > 0


def test_its_step_computes_what_its_network_computes(twin):
    model = twin.model
    encoded = encode(model.layout, model.scaler, history_of("paper-1mhz"))
    prediction = model.predict(encoded)
    for number in range(2):
        network = model.transition.make_network(model.layout.num_features, prediction.transition.shape[2])
        names = {name: f"members.{number}.{name}" for name in network.state_dict()}
        network.load_state_dict({k: torch.from_numpy(model.transition_parameters[v]) for k, v in names.items()})
        with torch.no_grad():
            runs = [network(torch.from_numpy(encoded.features[block])[None])[0] for block in encoded.sequences]
        np.testing.assert_allclose(prediction.transition[:, number], torch.cat(runs).numpy(), rtol=1e-3, atol=1e-4)


def test_a_batch_of_it_equals_its_cells(twin):
    plan = np.random.default_rng(0).permutation([[5, 5, 10], [1, 1, 18], [10, 5, 5], [2, 16, 2]])
    together = twin.sample(plan, range(6), num_threads=2)
    alone = twin.sample(plan, [4])
    for one, batch in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.arrivals[0], batch.arrivals[4])
        np.testing.assert_array_equal(one.utility[0], batch.utility[4])


def test_it_makes_an_environment_and_survives_a_file(twin, tmp_path):
    twin.save(tmp_path / "own")
    loaded = DigitalTwin.load(tmp_path / "own")
    assert loaded.transition == twin.transition
    assert loaded.to_bytes() == twin.to_bytes()
    seen = []
    for each in (twin, tmp_path / "own"):
        env = gym.make("SliceTwin-v0", twin=each)
        observation, _ = env.reset(seed=3)
        seen.append([observation, *(env.step(action)[0] for action in (0, 50, 100))])
    np.testing.assert_array_equal(seen[0], seen[1])


def test_it_is_calibrated(twin):
    again = DigitalTwin.from_bytes(twin.to_bytes())
    again.calibrate(history_of("paper-1mhz", seed=0).take(slice(0, 100)))
    assert again.report.decisions == 100


def test_a_file_of_a_kind_that_is_not_registered_is_refused_with_what_to_do(twin, monkeypatch):
    content = twin.to_bytes()
    kinds = {name: kind for name, kind in transition_kinds().items() if not name.startswith("smooth")}
    monkeypatch.setattr("twin.models.registry._KINDS", kinds)
    with pytest.raises(ValueError, match=r"unknown name 'smooth.*the module that calls twin.register_transition"):
        DigitalTwin.from_bytes(content)


def test_registering_twice_is_fine_and_a_name_is_taken_once():
    assert register_transition(SmoothSettings) is SmoothSettings
    assert {"lstm", "transformer", "smooth"} <= set(transition_kinds())

    @dataclass(frozen=True)
    class Other(SmoothSettings):
        name: ClassVar[str] = "lstm"

    with pytest.raises(ValueError, match=r"the name 'lstm' of .*Other is that of .*LstmSettings already"):
        register_transition(Other)
    assert transition_kinds()["lstm"] is LstmSettings
    transition_kinds().clear()  # a copy
    assert transition_kinds()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (3, "transition: 3 given, allowed is a dataclass that extends TransitionSettings"),
        (TrainingSettings, "allowed is a dataclass that extends TransitionSettings"),
        (TransitionSettings, "TransitionSettings.name is None"),
        (type("Spaced", (SmoothSettings,), {"name": "a b"}), "Spaced.name is 'a b'"),
    ],
)
def test_what_is_no_kind_is_refused(wrong, message):
    with pytest.raises((TypeError, ValueError), match=message):
        register_transition(wrong)


def test_settings_that_are_not_registered_are_refused_before_a_fit():
    @dataclass(frozen=True)
    class Unknown(SmoothSettings):
        name: ClassVar[str] = "unknown"

    with pytest.raises(ValueError, match=r"Unknown is not registered; call twin.register_transition"):
        DigitalTwin(Unknown())
    with pytest.raises(TypeError, match="abstract"):
        type("Bare", (TransitionSettings,), {"name": "bare"})()
    with pytest.raises(ValueError, match=r"transition.members: 0 given"):
        SmoothSettings(members=0)


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_shapes_are_those_of_the_network(name):
    """What files are checked against is what PyTorch has."""
    settings = transition_settings(name)
    state = settings.make_network(11, 7).state_dict()
    assert settings.parameter_shapes(11, 7) == {key: tuple(value.shape) for key, value in state.items()}
    assert len(transition_shapes(settings, 11, 7)) == settings.members * len(state)
