"""Students' files: what is loaded is what was saved, and damage is noticed."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save as to_bytes

from agents import StudentPolicy, distill
from agents import student as student_module
from slicing_gym import get_scenario
from slicing_gym.files import digest
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import each_head, same
from twin import DigitalTwin

TWIN = Path(__file__).resolve().parents[2] / "twin" / "shipped" / "paper.safetensors"
"""A file of the same kind that holds something else."""


@each_head
def test_a_loaded_student_is_the_saved_one(head, small, tmp_path):
    kwargs = None if head == "dense" else {"embedding_size": 8}
    student = StudentPolicy(small.replace(reward={"kind": "utility"}), 4, head, kwargs, seed=0)
    seen = np.random.default_rng(0).random((60, 2), dtype=np.float32)
    distill(student, seen[:, 0].round().astype(np.int64), seen, np.random.default_rng(0), updates=10)
    student.save(tmp_path / "one.safetensors")
    student.save(str(tmp_path / "deep" / "other.safetensors"))
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "deep" / "other.safetensors").read_bytes()
    before = torch.get_rng_state()
    loaded = StudentPolicy.load(tmp_path / "one.safetensors")
    assert torch.equal(torch.get_rng_state(), before)
    assert same(loaded.state_dict(), student.state_dict())
    assert loaded.scenario == student.scenario
    assert (loaded.hidden, loaded.head_name, loaded.head_kwargs) == (4, head, kwargs or {})
    np.testing.assert_array_equal(loaded.predict(seen)[0], student.predict(seen)[0])
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "one.safetensors").read_bytes()


def leave_mark(path):
    Path(path).touch()


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return leave_mark, (str(self.path),)


def test_files_that_hold_no_student_are_refused_by_name_and_run_nothing(tmp_path):
    mark = tmp_path / "mark"
    torch.save(Attack(mark), tmp_path / "torch")
    contents = {
        "empty": b"",
        "text": b"a student, honestly",
        "pickle": pickle.dumps(Attack(mark)),
        "torch": (tmp_path / "torch").read_bytes(),
        "twin": TWIN.read_bytes(),
    }
    for name, content in contents.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=rf"student: '.*{name}\.safetensors' is not a student's file, or is damaged"
        ):
            StudentPolicy.load(path)
    assert not mark.exists()
    pickle.loads(contents["pickle"])
    assert mark.exists()  # the attack is one
    for missing in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match="student: there is no file '"):
            StudentPolicy.load(missing)
    StudentPolicy("paper-1mhz", 4, seed=0).save(tmp_path / "student.safetensors")
    with pytest.raises(ValueError, match=r"twin: .* is not a twin's file"):
        DigitalTwin.load(tmp_path / "student.safetensors")


@pytest.mark.parametrize(
    ("hidden", "head_kwargs"), [(20_000, {}), (4, {"hidden_size": 2**20, "embedding_size": 2**10})]
)
def test_no_networks_are_made_that_the_file_does_not_hold(hidden, head_kwargs, tmp_path):
    """Its checksum is right; the networks that it names would be of 400 million numbers and more."""
    head = "geometry" if head_kwargs else "dense"
    header = {"format": 1, "scenario": get_scenario("paper").to_dict(), "head": head, "head_kwargs": head_kwargs}
    tensors = {"layers.0.bias": np.zeros(hidden, np.float32)}
    whole = json.dumps({"sha256": digest(header, tensors), **header})
    path = tmp_path / "student.safetensors"
    path.write_bytes(to_bytes(tensors, {"student": whole}))
    with pytest.raises(ValueError, match=r"student\.safetensors' .* networks of more than .* numbers, and holds far"):
        StudentPolicy.load(path)


def test_damage_is_noticed_wherever_it_is(small, tmp_path, monkeypatch):
    path = tmp_path / "student.safetensors"
    StudentPolicy(small, 2, seed=0).save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        with pytest.raises(
            ValueError, match=r"student: '.*student\.safetensors' is not a student's file, or is damaged"
        ):
            StudentPolicy.load(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="or is damaged"):
        StudentPolicy.load(path)
    with monkeypatch.context() as patch:
        patch.setattr(student_module, "FORMAT_VERSION", 2)
        StudentPolicy(small, 2, seed=0).save(path)
    with pytest.raises(ValueError, match="it has format 2, allowed is 1"):
        StudentPolicy.load(path)
