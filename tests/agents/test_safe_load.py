"""Files of ours that would run code are refused before they do; what is harmless loads."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import sys
import zipfile
from contextlib import suppress

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch
from sb3_contrib import QRDQN
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule

from agents import DQN, SlicePolicy
from agents.safe_load import read_checked
from agents.student import StudentPolicy
from experiments.evaluate.policies import load_run_agent as load_agent
from experiments.runs import checkpoint
from slicing_gym import AllocationSpace, Simulator
from tests.helpers.learners import Follow, each_kind, learner, same, weights
from tests.helpers.learners import _one_thread as _one_thread
from twin import DigitalTwin, History


def write_mark(path):
    """What an attack of these tests does: it leaves a file."""
    open(path, "w").close()


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "mark"


@pytest.fixture
def saved(tmp_path):
    agent = learner(DQN)
    agent.save(tmp_path / "agent")
    return tmp_path / "agent.zip"


def with_entry(path, key, entry):
    """The zip with another entry in its data."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(parts["data"])
    data[key] = entry
    parts["data"] = json.dumps(data).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


def pickled(content):
    return {":type:": "a", ":serialized:": base64.b64encode(content).decode()}


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def text(value):
    """The opcodes that put a text on the stack (protocol 2)."""
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def named_call(module, name, argument):
    """A pickle (protocol 4) that calls what is found by any names, dotted ones too."""
    return b"\x80\x04" + text(module) + text(name) + b"\x93" + text(argument) + b"\x85R."


def old_call(module, name, argument):
    """The same as Python 2 wrote it."""
    return f"c{module}\n{name}\n(V{argument}\ntR.".encode()


ATTACKS = {
    "os.system": lambda mark: pickle.dumps(Calls(os.system, f"touch {mark}")),
    "eval": lambda mark: pickle.dumps(Calls(eval, f"open({str(mark)!r}, 'w').close()")),
    "a dotted name through agents": lambda mark: named_call("agents.dqn.policies", "torch.os.system", f"touch {mark}"),
    "a function of our own module": lambda mark: named_call("agents.dqn.dqn", "gym.os.system", f"touch {mark}"),
    "names of Python 2": lambda mark: old_call("__builtin__", "eval", f"open({str(mark)!r}, 'w').close()"),
    "os.system by its old name": lambda mark: old_call("posix", "system", f"touch {mark}"),
    "a lambda": lambda mark: cloudpickle.dumps(lambda _, path=str(mark): open(path, "w").close()),
    "within what is harmless": lambda mark: pickle.dumps({"net_arch": [Calls(os.system, f"touch {mark}")]}),
    "a generator's constructor": lambda mark: pickle.dumps(
        Calls(np.random.default_rng(0).__reduce__()[0], f"touch {mark}", os.system)
    ),
}
RUN_WHEN_TRUSTED = set(ATTACKS) - {"a lambda"}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_agent_that_would_run_code_is_refused(attack, saved, mark):
    with_entry(saved, "policy_kwargs", pickled(ATTACKS[attack](mark)))
    with pytest.raises(ValueError, match=r"agent\.zip' asks in 'policy_kwargs' for .* may run code"):
        DQN.load(saved, device="cpu")
    with pytest.raises(ValueError, match="'policy_kwargs' for"):
        load_agent(str(saved))
    assert not mark.exists()


@pytest.mark.parametrize("attack", sorted(RUN_WHEN_TRUSTED))
@pytest.mark.filterwarnings("ignore")
def test_the_attacks_are_real(attack, saved, mark):
    """Stable-Baselines3 runs them; so the test above can fail."""
    with_entry(saved, "policy_kwargs", pickled(ATTACKS[attack](mark)))
    with suppress(Exception):
        DQN.load(saved, device="cpu", trust=True)
    assert mark.exists()


def test_what_may_be_named_may_not_be_called(saved):
    for kind, arguments in ((torch.nn.Tanh, ()), (torch.optim.Adam, ([],))):
        with_entry(saved, "policy_kwargs", pickled(pickle.dumps(Calls(kind, *arguments))))
        with pytest.raises(ValueError, match="'policy_kwargs' for"):
            DQN.load(saved, device="cpu")


def test_no_class_is_changed(saved):
    """The opcode that sets an object's state sets a class's attributes, too."""
    before = LinearSchedule.__call__
    content = b"\x80\x04" + text("stable_baselines3.common.utils") + text("LinearSchedule") + b"\x93"
    content += b"N}" + text("__call__") + b"K\x01s\x86b."  # the state (None, {"__call__": 1})
    with_entry(saved, "learning_rate", pickled(content))
    with pytest.raises(ValueError, match="asks in 'learning_rate' for"):
        DQN.load(saved, device="cpu")
    assert LinearSchedule.__call__ is before


def test_looking_makes_nothing(saved, monkeypatch):
    """Not even what agents are made of: a look has no effect."""
    made = []
    monkeypatch.setattr(gym.spaces.Discrete, "__init__", lambda self, *_: made.append(self))
    monkeypatch.setattr(gym.spaces.Discrete, "__setstate__", lambda self, _: made.append(self))
    read_checked(saved)
    assert made == []
    with suppress(Exception):
        DQN.load(saved, device="cpu")
    assert made


def test_a_named_environment_is_not_made(saved, tmp_path, mark, monkeypatch):
    (tmp_path / "planted.py").write_text(f"open({str(mark)!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    with_entry(saved, "env", "planted:Env-v0")
    with pytest.raises(ValueError, match="asks in 'env' for an environment"):
        DQN.load(saved, device="cpu")
    assert not mark.exists()
    DQN.load(saved, device="cpu", custom_objects={"env": None})
    with suppress(Exception):
        DQN.load(saved, device="cpu", trust=True)
    assert mark.exists()


def test_a_configuration_may_not_name_any_class(saved, tmp_path, mark, monkeypatch):
    (tmp_path / "planted2.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Agent: pass")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / ".hydra").mkdir()
    for target, message in (
        ("planted2.Agent", "is of a module that was not asked for; type imports="),
        ("stable_baselines3.common.policies.BasePolicy", "is no algorithm"),
        ("agents.HardPolicy", "is no algorithm"),
    ):
        (tmp_path / ".hydra" / "config.yaml").write_text(f"agent:\n  _target_: {target}\n")
        with pytest.raises(ValueError, match=message):
            load_agent(str(saved))
    assert not mark.exists()
    assert "planted2" not in sys.modules


# What is harmless


@each_kind
@pytest.mark.parametrize(
    "arguments",
    [
        {"learning_rate": LinearSchedule(1e-3, 1e-5, 1.0)},
        {"learning_rate": FloatSchedule(ConstantSchedule(1e-3))},
        {"train_freq": (1, "episode")},
        {"replay_buffer_class": stable_baselines3.common.buffers.ReplayBuffer},
        {"policy": {"activation_fn": torch.nn.Tanh, "optimizer_class": torch.optim.RMSprop}},
        {"policy": {"optimizer_class": torch.optim.SGD, "optimizer_kwargs": {"momentum": 0.5}}},
        {"head": "geometry", "env": gym.make("SliceRAN-v0", scenario="paper-1mhz")},
    ],
    ids=["linear schedule", "float schedule", "episodes", "SB3's buffer", "tanh, RMSprop", "SGD", "geometry"],
)
def test_ordinary_agents_load(kind, arguments, tmp_path):
    agent = learner(kind, **{"env": None, **arguments})
    agent.learn(30)
    agent.save(tmp_path / "agent")
    loaded = kind.load(tmp_path / "agent", device="cpu")
    assert same(weights(loaded), weights(agent))
    assert loaded.lr_schedule(0.3) == agent.lr_schedule(0.3)
    assert loaded.train_freq == agent.train_freq


@pytest.mark.parametrize("plain", [True, False])
def test_the_space_of_allocations_loads_and_the_plain_one_of_earlier_files(plain, tmp_path):
    env = gym.make("SliceRAN-v0", scenario="paper-1mhz")
    made_in = gym.make("SliceRAN-v0", scenario="paper-1mhz")
    if plain:
        made_in.unwrapped.action_space = gym.spaces.Discrete(171)
    agent = learner(DQN, env=made_in)
    agent.save(tmp_path / "agent")
    loaded = DQN.load(tmp_path / "agent", env=env, device="cpu")
    assert same(weights(loaded), weights(agent))
    assert type(loaded.action_space) is (gym.spaces.Discrete if plain else AllocationSpace)
    loaded.learn(30)


@pytest.mark.parametrize("kind", [stable_baselines3.DQN, QRDQN])
def test_agents_of_stable_baselines_load_by_their_file(kind, tmp_path):
    agent = kind("MlpPolicy", Follow(), learning_starts=5, buffer_size=100, policy_kwargs={"net_arch": [8]}, seed=0)
    agent.learn(20)
    agent.save(tmp_path / "agent.zip")
    (tmp_path / ".hydra").mkdir()
    target = f"{kind.__module__.split('.')[0]}.{kind.__name__}"
    (tmp_path / ".hydra" / "config.yaml").write_text(f"agent:\n  _target_: {target}\n")
    loaded = load_agent(str(tmp_path / "agent.zip"))
    assert type(loaded) is kind
    assert same(weights(loaded), weights(agent))


def test_an_open_file_and_a_name_without_ending(saved):
    wanted = weights(DQN.load(saved, device="cpu"))
    with saved.open("rb") as file:
        assert same(weights(DQN.load(file, device="cpu")), wanted)
    assert same(weights(DQN.load(saved.with_suffix(""), device="cpu")), wanted)
    assert same(weights(DQN.load(io.BytesIO(saved.read_bytes()), device="cpu")), wanted)


class Halving:
    """A schedule of one's own."""

    def __call__(self, left):
        return 1e-3 * left / 2.0


def test_what_is_ones_own_loads_with_trust_or_in_custom_objects(tmp_path):
    agent = learner(DQN, learning_rate=Halving())
    agent.save(tmp_path / "agent")
    with pytest.raises(ValueError, match=r"for tests\.agents\.test_safe_load.Halving, .* give it in custom_objects"):
        DQN.load(tmp_path / "agent", device="cpu")
    assert DQN.load(tmp_path / "agent", device="cpu", trust=True).lr_schedule(1.0) == 5e-4
    given = {"learning_rate": 2e-3, "lr_schedule": FloatSchedule(2e-3)}
    assert DQN.load(tmp_path / "agent", device="cpu", custom_objects=given).lr_schedule(1.0) == 2e-3


# Damage


def test_damaged_files_are_named(saved, tmp_path):
    content = saved.read_bytes()
    broken = tmp_path / "broken.zip"
    for wrong in (b"", b"not a zip", content[: len(content) // 2], content[:-30]):
        broken.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"broken\.zip' is not an agent's file, or is damaged"):
            DQN.load(broken, device="cpu")
    for data in (None, "{", "[1]", "{}"):
        with zipfile.ZipFile(broken, "w") as archive:
            if data is not None:
                archive.writestr("data", data)
        with pytest.raises((ValueError, KeyError, AssertionError)):
            DQN.load(broken, device="cpu")
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*nowhere', nor '.*nowhere\.zip'"):
        DQN.load(tmp_path / "nowhere", device="cpu")


def test_no_flipped_byte_changes_an_agent(saved):
    wanted, content = weights(DQN.load(saved, device="cpu")), saved.read_bytes()
    refused = 0
    for place in np.random.default_rng(0).integers(len(content), size=60):
        flipped = bytearray(content)
        flipped[place] ^= 0x10
        try:
            loaded = DQN.load(io.BytesIO(bytes(flipped)), device="cpu")
        except ValueError as error:
            refused += "damaged" in str(error)
        else:  # in what the zip says twice, or not at all
            assert same(weights(loaded), wanted)
    assert refused > 40


# The other files


def array_of(call):
    held = np.empty(1, object)
    held[0] = call
    return held


@pytest.mark.parametrize(
    "load",
    [
        History.load,
        Simulator.load,
        DigitalTwin.load,
        StudentPolicy.load,
        SlicePolicy,
        checkpoint.read,
        lambda path: DQN.load(path, device="cpu"),
    ],
    ids=["history", "simulator", "twin", "student", "exported", "checkpoint", "agent"],
)
@pytest.mark.parametrize("form", ["pickle", "array", "torch"])
def test_no_other_file_of_ours_runs_code(load, form, tmp_path, mark):
    path = tmp_path / "file"
    call = Calls(write_mark, str(mark))
    if form == "pickle":
        path.write_bytes(pickle.dumps(call))
    elif form == "array":
        with path.open("wb") as file:
            np.savez(file, header=array_of(call), run=array_of(call), format=array_of(call))
    else:
        torch.save(call, path)
    with pytest.raises(ValueError, match="file"):
        load(path)
    assert not mark.exists()
    if form == "pickle":
        pickle.loads(path.read_bytes())
    elif form == "array":
        with np.load(path, allow_pickle=True) as archive:
            _ = archive["run"]
    else:
        torch.load(path, weights_only=False)
    assert mark.exists()
