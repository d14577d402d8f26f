"""A small exported policy that several test modules look at."""

from __future__ import annotations

import json
from functools import cache

import gymnasium as gym
import numpy as np
import onnx
import pytest
import stable_baselines3
import torch
from onnx import helper

from agents.deploy.export import to_onnx
from agents.deploy.slice_policy import CHECKSUM_MARK, KEY, checksum
from agents.student import StudentPolicy
from slicing_gym import get_scenario
from tests.helpers.learners import KINDS, learner
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


def make_env(scenario=SCENARIO):
    return gym.make("SliceRAN-v0", scenario=scenario, reward="utility")


def restless(network, seed=0):
    """Weights of which the best action differs from state to state."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.5 * torch.randn(parameter.shape, generator=generator)


HEADS = {
    "dense": {"head": "dense"},
    "geometry": {"head": "geometry"},
    "factored": {"head": "factored"},
    "table": {"head": "factored", "head_kwargs": {"values": "table"}},
}


def some_policy(kind, head, scenario=SCENARIO):
    """A policy of any kind that chooses many different actions."""
    if kind == "StudentPolicy":
        torch.manual_seed(0)
        policy = StudentPolicy(scenario, hidden=4, **HEADS[head])
        policy.scale.fill_(0.1)
        restless(policy)
        return policy
    env = make_env(scenario)
    if kind == "stock":
        policy = stable_baselines3.DQN("MlpPolicy", env, policy_kwargs={"net_arch": [16]}, device="cpu", seed=0)
    else:
        policy = learner(KINDS[kind], env=env, policy=HEADS[head])
    restless(policy.policy.q_net)
    return policy


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
    """The file after `change(model, metadata)`, with the checksum that then belongs to it; `metadata` by name."""
    model = onnx.ModelProto.FromString(content)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    change(model, metadata)
    metadata[f"{KEY}sha256"] = "0" * 64
    helper.set_model_props(model, metadata)
    written = model.SerializeToString()
    return written.replace(CHECKSUM_MARK + b"0" * 64, CHECKSUM_MARK + checksum(written))


def setting(key, value):
    def change(_, metadata):
        metadata[KEY + key] = json.dumps(value)

    return change
