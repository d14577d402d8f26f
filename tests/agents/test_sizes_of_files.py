"""Agents' files that ask for more memory or time than agents have use for are refused before anything is made."""

from __future__ import annotations

import base64
import io
import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import stable_baselines3
import torch

from agents import DQN
from agents.pickles import Look, Part, stand_in
from agents.tensor_files import check_tensors
from experiments.evaluate.policies import load_run_agent as load_agent
from tests.agents.test_safe_load import Calls, pickled, text, with_entry
from tests.helpers.learners import Follow, learner
from tests.helpers.learners import _one_thread as _one_thread


@pytest.fixture
def saved(tmp_path):
    learner(DQN).save(tmp_path / "agent")
    return tmp_path / "agent.zip"


def with_part(path, name, content, compression=zipfile.ZIP_STORED):
    """The zip with another part."""
    with zipfile.ZipFile(path) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    parts[name] = content
    with zipfile.ZipFile(path, "w", compression) as archive:
        for each, part in parts.items():
            archive.writestr(each, part)


def call(module, name, *arguments, state=None):
    """A pickle that calls a function, and sets a state."""
    content = b"\x80\x04" + text(module) + text(name) + b"\x93("
    content += b"".join(arguments) + b"tR"
    return content + (state + b"b." if state else b".")


def number(value):
    return pickle.dumps(value, 2)[2:-1]


ASKS = {
    "bytearray": pickle.dumps(Calls(bytearray, 20_000_000_000)),
    "bytes of bytes": call("builtins", "bytearray", number(20_000_000_000)),
    "ndarray": pickle.dumps(Calls(np.ndarray, (10**10,))),
    "reconstruct": call(
        "numpy._core.multiarray", "_reconstruct", b"cnumpy\nndarray\n", number((10**10,)), number(b"d")
    ),
    "long text": call("numpy", "dtype", number("V2000000000")),
    "objects of numbers": call("numpy", "dtype", number("O8"), state=number((3, "|", None, None, None, -1, -1, 0))),
    "wide items": call("numpy", "dtype", number("V8"), state=number((3, "|", None, None, None, 2**30, 1, 0))),
    "Box": call("gymnasium.spaces.box", "Box", number(0.0), number(1.0), number((10**10,))),
    "shape of a Box": call("gymnasium.spaces.box", "Box", state=number({"_shape": (10**10,)})),
    "shape of an earlier Box": call("gymnasium.spaces.box", "Box", state=number({"_shape": (), "shape": (10**10,)})),
    "MultiBinary": call("gymnasium.spaces.multi_binary", "MultiBinary", number(10**10)),
    "bits": call("gymnasium.spaces.multi_binary", "MultiBinary", state=number({"n": 10**10, "_shape": (1,)})),
    "bits in a shape": call("gymnasium.spaces.multi_binary", "MultiBinary", state=number({"n": (10**5, 10**5)})),
    "MultiDiscrete": call("gymnasium.spaces.multi_discrete", "MultiDiscrete", number([2] * 9)),
    "shape of a Discrete": call("gymnasium.spaces.discrete", "Discrete", state=number({"n": 3, "_shape": (10**10,)})),
    "Dict": call("gymnasium.spaces.dict", "Dict", number({})),
    "SeedSequence": call("numpy.random.bit_generator", "SeedSequence", number(0)),
    "PCG64": call("numpy.random._pcg64", "PCG64", number(0)),
    "far apart": b"\x80\x02K\x01r\xff\xff\xff\x7f.",
    "many": b"\x80\x02" + b"K\x01" * 300_001 + b".",
    "long integers": b"\x80\x02" + b"\x8a\x10" + b"\x01" * 16 + (b"\x8a\x10" + b"\x01" * 16) * 70 + b".",
    "hash": b"\x80\x02K\x01" + b"2\x86" * 60 + b"\x94}h\x00K\x01s.",
    "keys that are made": b"\x80\x02}" + call("builtins", "complex", number(1.0))[2:-1] + b"K\x01s.",
}


@pytest.mark.parametrize("name", ASKS)
def test_a_pickle_that_asks_for_memory_or_time_is_refused(name, saved):
    with_entry(saved, "policy_kwargs", pickled(ASKS[name]))
    with pytest.raises(ValueError, match=r"agent\.zip' asks in 'policy_kwargs' for ") as raised:
        DQN.load(saved, device="cpu")
    assert "\n" not in str(raised.value)


def generator(*arguments):
    return Calls(np.random._pickle.__generator_ctor, *arguments)


@pytest.mark.parametrize(
    "made",
    [
        generator(20_000_000_000, bytearray),
        generator("x", stable_baselines3.common.policies.BasePolicy),
        generator(Calls(np.random._pickle.__bit_generator_ctor, torch.nn.Tanh)),
        generator("PCG64", np.random.PCG64),
        Calls(np.random._pickle.__bit_generator_ctor, torch.nn.Tanh),
        Calls(np.random._pickle.__randomstate_ctor, 10**9, bytearray),
    ],
)
def test_constructors_of_generators_make_generators_alone(made, saved):
    with_entry(saved, "policy_kwargs", pickled(pickle.dumps(made)))
    with pytest.raises(ValueError, match=r"asks in 'policy_kwargs' for a call of numpy\.random\._pickle\.__"):
        DQN.load(saved, device="cpu")


@pytest.mark.parametrize("kind", ["PCG64", "MT19937"])
def test_generators_of_every_age_are_let_in(kind):
    made = np.random.Generator(getattr(np.random, kind)(3))

    def find(module, name):
        return stand_in(Part, module, name)

    for protocol in (3, 4, 5):
        Look(pickle.dumps({"a": made, "b": np.random.RandomState(1)}, protocol), find).load()
    Look(pickle.dumps(generator("PCG64", np.random._pickle.__bit_generator_ctor)), find).load()


def test_a_part_of_blanks_is_refused_before_it_is_unpacked(saved):
    with_part(saved, "data", b" " * 300_000_000 + b"{}", zipfile.ZIP_DEFLATED)
    assert saved.stat().st_size < 1_000_000
    for load in (lambda: DQN.load(saved, device="cpu"), lambda: load_agent(str(saved))):
        with pytest.raises(ValueError, match=r"agent\.zip' is not an agent's file, or is damaged \(it unpacks from"):
            load()


def tensors(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read("policy.pth")


def tensor_file(data, **storages):
    """A file of tensors with any pickle."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
        for name, content in storages.items():
            archive.writestr(f"archive/data/{name.strip('_')}", content)
    return made.getvalue()


def a_tensor(numbers, shape, strides):
    """A pickle of a tensor of a storage, by the names of PyTorch's functions."""
    content = b"\x80\x02" + b"ctorch._utils\n_rebuild_tensor_v2\n(("
    content += text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(numbers) + b"tQ"
    content += number(0) + number(shape) + number(strides) + b"\x89ccollections\nOrderedDict\n)RtR."
    return content


EVIL = {
    "no zip": b"not a zip",
    "empty": b"",
    "code": tensor_file(pickle.dumps(Calls(print, "evil"))),
    "bytearray": tensor_file(pickle.dumps(Calls(bytearray, 20_000_000_000))),
    "a storage that is not there": tensor_file(a_tensor(10**10, (10**10,), (1,)), _0=b"\0" * 16),
    "a tensor that is larger": tensor_file(a_tensor(4, (10**10,), (0,)), _0=b"\0" * 16),
    "beyond its storage": tensor_file(a_tensor(4, (2, 2), (4, 1)), _0=b"\0" * 16),
    "no pickle": tensor_file(b"\x80\x02garbage"),
}


@pytest.mark.parametrize("name", EVIL)
def test_damaged_and_evil_tensors_are_one_line(name, saved, capsys):
    with_part(saved, "policy.pth", EVIL[name])
    for load in (lambda: DQN.load(saved, device="cpu"), lambda: load_agent(str(saved))):
        with pytest.raises(ValueError, match=r"agent\.zip' does not hold an agent: its part 'policy\.pth' is dam") as e:
            load()
        assert "\n" not in str(e.value)
    assert capsys.readouterr().out == ""


def test_ordinary_tensors_are_let_in(saved):
    check_tensors(tensors(saved))
    check_tensors(tensor_file(a_tensor(4, (2, 2), (2, 1)), _0=b"\0" * 16))
    made = io.BytesIO()
    kinds = (torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.int64, torch.bool, torch.uint8)
    torch.save({str(kind): torch.ones(3, 2).to(kind).T for kind in kinds} | {"none": torch.empty(0, 5)}, made)
    check_tensors(made.getvalue())


def test_tensors_of_other_networks_are_one_line(saved, tmp_path):
    other = stable_baselines3.DQN("MlpPolicy", Follow(), buffer_size=10, policy_kwargs={"net_arch": [3]}, device="cpu")
    other.save(tmp_path / "other.zip")
    with_part(saved, "policy.pth", tensors(tmp_path / "other.zip"))
    with pytest.raises(ValueError, match=r"agent\.zip' does not hold such an agent \(") as raised:
        DQN.load(saved, device="cpu")
    assert "\n" not in str(raised.value)


LOAD = """
import resource, sys
from agents import DQN
resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30,) * 2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    DQN.load(sys.argv[1], device="cpu")
except ValueError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


@pytest.mark.parametrize("widths", [[30_000, 30_000], [10**9]])
def test_networks_that_the_file_does_not_hold_are_not_made(widths, saved):
    with_entry(saved, "policy_kwargs", {"net_arch": widths})
    ran = subprocess.run([sys.executable, "-c", LOAD, str(saved)], capture_output=True, text=True)
    kilobytes, said = ran.stdout.split(maxsplit=1)
    assert "it describes networks of more than" in said
    assert int(kilobytes) < 500_000


def test_an_unknown_entry_of_json_is_harmless(saved):
    with zipfile.ZipFile(saved) as archive:
        data = json.loads(archive.read("data"))
    assert base64.b64decode(data["policy_class"][":serialized:"])
    with_part(saved, "data", "[" * 100_000)
    with pytest.raises(ValueError, match=r"is not an agent's file, or is damaged \(.*recursion"):
        DQN.load(saved, device="cpu")
