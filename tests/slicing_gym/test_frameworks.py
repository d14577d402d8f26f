"""What other frameworks expect of an environment, in both ids."""

from __future__ import annotations

import sys

import gymnasium as gym
import numpy as np
import pytest

from slicing_gym.registration import ENVIRONMENT_IDS
from twin.registration import TWIN_ID

each_id = pytest.mark.parametrize("env_id", [*ENVIRONMENT_IDS, TWIN_ID])


@each_id
def test_a_render_mode_needs_pygame_only_where_something_is_drawn(env_id, monkeypatch):
    """Stable-Baselines3 sets the mode in every environment that it makes of an id."""
    monkeypatch.setitem(sys.modules, "pygame", None)  # as where it is not installed
    env = gym.make(env_id, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(0)
    with pytest.raises(gym.error.DependencyNotInstalled, match=r"slicing-gym\[render\]"):
        env.render()


@each_id
def test_unknown_arguments_are_reported_as_python_does(env_id):
    """TorchRL tries `frameskip`, and goes on without it where it finds this phrase."""
    with pytest.raises(TypeError, match=r"Env.__init__\(\) got an unexpected keyword argument 'frameskip'; .*allowed"):
        gym.make(env_id, frameskip=1)
    with pytest.raises(TypeError, match=r"Env.__init__\(\) got an unexpected keyword argument 'frameskip'; .*allowed"):
        gym.make_vec(env_id, num_envs=2, frameskip=1)


@each_id
def test_info_values_have_a_shape_and_a_type(env_id):
    env = gym.make(env_id)
    for info in (env.reset(seed=0)[1], env.step(0)[4]):
        assert all(isinstance(value, np.ndarray | np.float64) for value in info.values())
