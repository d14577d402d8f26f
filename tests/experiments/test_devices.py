"""`device`: one key of the commands that let networks learn; refused before any work, and read without a GPU."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch

from experiments.distill.settings import DistillConfig
from experiments.fidelity.settings import FidelityConfig
from experiments.offline.settings import OfflineConfig
from experiments.runs.folder import read_run
from experiments.search.settings import SearchConfig
from experiments.train.__main__ import prepare
from experiments.train.settings import TrainConfig
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import composed, configured

SCHEMAS = {
    "train": TrainConfig,
    "offline": OfflineConfig,
    "fidelity": FidelityConfig,
    "search": SearchConfig,
    "distill": DistillConfig,
}


def prepared(command, device, folder):
    """What a command does before it works."""
    teacher = ["teacher=runs/none"] if command == "distill" else []
    config = configured(command, SCHEMAS[command], *teacher, f"device={device}")
    return import_module(f"experiments.{command}.__main__").prepare(config, folder)


@pytest.mark.parametrize("command", SCHEMAS)
def test_a_name_of_no_device_is_refused_before_any_work(command, tmp_path):
    with pytest.raises(ValueError, match=r"^device: 'meta' given, allowed are cpu, cuda and cuda:<number>$"):
        prepared(command, "meta", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="says that there is no such device")
@pytest.mark.parametrize("command", SCHEMAS)
def test_a_gpu_is_refused_where_there_is_none(command, tmp_path):
    with pytest.raises(
        ValueError, match=r"^device: 'cuda:1' given, allowed is cpu: PyTorch finds no CUDA device here$"
    ):
        prepared(command, "cuda:1", tmp_path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_run_on_a_gpu_is_read_without_one(tmp_path):
    prepare(composed("train", "+experiment=debug", "twin=lstm", "device=cuda"), tmp_path)()
    run = read_run(tmp_path)
    agent = run.agent()
    assert agent.device.type == "cpu"
    assert run.twin().device == "cpu"
    actions, _ = agent.predict(np.ones((3, run.scenario.num_slices), np.float32))
    assert isinstance(actions, np.ndarray)
