"""Where networks are fitted: names of devices, what is refused, and a GPU where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.helpers.twins import ENSEMBLE, SMALL, small_twin
from twin import DigitalTwin, TrainingSettings
from twin.fitting.devices import check_device

HAS_GPU = torch.cuda.is_available()


@pytest.mark.parametrize("device", ["meta", "gpu", "cuda:", "cuda:x", "auto", "", "cpu:0"])
def test_other_names_are_refused(device):
    with pytest.raises(ValueError, match=f"^device: '{device}' given, allowed are cpu, cuda and cuda:<number>$"):
        DigitalTwin(device=device)


def test_what_is_no_name_is_refused():
    with pytest.raises(TypeError, match=r"^device: 0 given"):
        DigitalTwin(device=0)


@pytest.mark.skipif(HAS_GPU, reason="says that there is no such device")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
def test_a_gpu_is_refused_where_there_is_none(device):
    with pytest.raises(ValueError, match=f"'{device}' given, allowed is cpu: PyTorch finds no CUDA device here"):
        check_device("twin.device", device)


def test_the_cpu_is_the_default_to_the_byte(history):
    fitted = DigitalTwin(SMALL["lstm"], ENSEMBLE, TrainingSettings(max_epochs=3), device="cpu").fit(history)
    assert fitted.to_bytes() == small_twin(history).to_bytes()


@pytest.mark.skipif(not HAS_GPU, reason="there is no CUDA device")
@pytest.mark.parametrize("kind", list(SMALL))
def test_a_fit_on_a_gpu_is_about_that_on_the_cpu(kind, history, tmp_path):
    """One pass: later ones amplify what rounding makes of it. What it leaves behind is read without a GPU."""
    settings = TrainingSettings(max_epochs=1)
    twins = [DigitalTwin(SMALL[kind], ENSEMBLE, settings, device=device).fit(history) for device in ("cpu", "cuda")]
    losses = [twin.report.performance.validation_loss for twin in twins]
    assert losses[0] == pytest.approx(losses[1], rel=0.05, abs=0.05)
    twins[1].save(tmp_path / "twin.safetensors")
    stored = DigitalTwin.load(tmp_path / "twin.safetensors")
    assert stored.device == "cpu"
    for name, values in twins[1].model.performance_parameters.items():
        np.testing.assert_array_equal(stored.model.performance_parameters[name], values)
    assert twins[1].calibrate(history).report is not None
