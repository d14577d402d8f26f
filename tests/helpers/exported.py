"""A small exported policy that several test modules look at."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from agents.deploy.export import to_onnx
from agents.deploy.slice_policy import CHECKSUM_MARK, KEY, checksum
from agents.student import StudentPolicy
from slicing_gym import get_scenario
from tests.helpers.learners import _one_thread as _one_thread

SCENARIO = get_scenario("paper-1mhz")
LOW, HIGH = np.array([90.0, 1600.0, 2.0]), np.array([150.0, 1900.0, 19.0])
USUAL = [115.0, 1752.0, 9.0]


def restless_student(scenario=SCENARIO, seed=0):
    """A student whose choices differ from state to state."""
    torch.manual_seed(seed)
    student = StudentPolicy(scenario, hidden=8)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.normal_(0.0, 2.0)
        student.scale.fill_(0.05)
    return student


@pytest.fixture
def student():
    return restless_student()


@cache
def exported():
    """The file of that student; to make it takes seconds."""
    known = {"trained_on": (LOW, HIGH), "fallback": [4, 12, 4], "name": "small", "made_from": "a test"}
    return to_onnx(restless_student(), SCENARIO, **known)


@pytest.fixture
def content():
    return exported()


def remade(content, change):
    """The file after `change(model, said)`, with the checksum that then belongs to it; `said` is its metadata."""
    model = onnx.ModelProto.FromString(content)
    said = {entry.key: entry.value for entry in model.metadata_props}
    change(model, said)
    said[f"{KEY}sha256"] = "0" * 64
    helper.set_model_props(model, said)
    written = model.SerializeToString()
    return written.replace(CHECKSUM_MARK + b"0" * 64, CHECKSUM_MARK + checksum(written))


def setting(key, value):
    def change(_, said):
        said[KEY + key] = json.dumps(value)

    return change
