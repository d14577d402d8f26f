"""The networks exist twice, for gradients and for stepping; and their mixtures are distributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from slicing_gym import get_scenario
from tests.helpers.twins import ENSEMBLE, SMALL
from twin import (
    ARRIVALS,
    Column,
    Layout,
)
from twin.fitting.loop import Data, Prior
from twin.models.mixture import Mixture
from twin.models.performance import EnsembleNetwork
from twin.models.transition import TransitionEnsemble
from twin.runtime.encoding import encode, make_scaler, target_bounds


def test_the_kernel_computes_what_pytorch_computes(twin, history):
    """The networks exist twice, for gradients and for stepping: they are the same."""
    model = twin.model
    encoded = encode(model.layout, model.scaler, history)
    slices, rest = 3, model.layout.num_variables - 3
    outputs = {"transition": 3 * (1 + 2 * slices), "performance": 2 * (1 + 2 * rest)}
    f = TransitionEnsemble(model.transition, model.layout.num_features, outputs["transition"])
    g = EnsembleNetwork(model.performance, model.layout.num_features, outputs["performance"])
    f.load_state_dict({name: torch.from_numpy(value) for name, value in model.transition_parameters.items()})
    g.load_state_dict({name: torch.from_numpy(value) for name, value in model.performance_parameters.items()})
    prediction = twin.predict(history)
    with torch.no_grad():
        runs = [f(torch.from_numpy(encoded.features[block])[None])[0] for block in encoded.sequences]
        members = g(torch.from_numpy(encoded.features)).transpose(0, 1)
    np.testing.assert_allclose(prediction.transition, torch.cat(runs).numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(prediction.performance, members.numpy(), rtol=1e-3, atol=1e-4)
    mixture = Mixture.of(members, model.performance.components)
    low, high = (torch.from_numpy(edge[3:]).float() for edge in (model.scaler.low, model.scaler.high))
    means = mixture.mean(low, high).numpy() * model.scaler.spread[3:] + model.scaler.center[3:]
    np.testing.assert_allclose(prediction.expected, means, rtol=1e-3, atol=1e-3)


@given(
    st.lists(st.floats(-3, 3), min_size=4, max_size=4),
    st.lists(st.floats(-3, 1), min_size=4, max_size=4),
    st.floats(0.0, 1.0),
)
def test_the_probabilities_of_all_counts_sum_to_one(locations, log_scales, weight):
    raw = torch.tensor([weight, 1.0 - weight, *locations, *log_scales], dtype=torch.float64)  # K = 2, V = 2
    layout = Layout(get_scenario("paper-1mhz"), ARRIVALS, (Column("load", per_slice=False),))
    table = make_scaler(layout, np.array([[100.0, 40.0, 3.0, 1.0], [140.0, 90.0, 9.0, 2.0]]))
    counts = np.repeat(np.arange(0.0, 5000.0)[:, None], 4, axis=1)
    below, above = (torch.from_numpy(edge[:, :2]) for edge in target_bounds(table, counts))
    total = Mixture.of(raw, 2).marginal_log_likelihood(below, above).exp().sum(dim=0)
    assert ((total > 0.98) & (total < 1.0 + 1e-6)).all(), total  # the tail beyond 5000 is left out


@pytest.mark.parametrize("kind", list(SMALL))
def test_networks_make_no_tensor_on_another_device(kind):
    """On the meta device a tensor that is left on the CPU is refused, as it is on a GPU."""
    network = SMALL[kind].make_network(20, 3 * 7).to("meta")
    data = Data(*(torch.zeros(size) for size in ((9, 20), (9, 3), (9, 3), (9, 3), (3,), (3,))), [slice(0, 9)]).to(
        "meta"
    )
    raw = network(data.features[None])
    assert data.loss(raw[0], torch.arange(9, device="meta"), 3, 1.0).is_meta
    ensemble = EnsembleNetwork(ENSEMBLE, 20, 2 * 7).to("meta")
    rows = torch.zeros(3, 4, dtype=torch.int64, device="meta")
    assert data.loss(ensemble(data.features[rows]), rows, 2, 1.0).is_meta
    prior = Prior(data.features, torch.zeros(3, 9, 3, device="meta"), torch.zeros(9, device="meta"))
    assert prior.loss(ensemble, rows[0], data, 2).is_meta
