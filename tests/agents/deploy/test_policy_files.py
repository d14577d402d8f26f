"""Files of the runtime: foreign, damaged and changed ones are refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from agents import SlicePolicy
from agents.deploy.slice_policy import CHECKSUM_MARK, KEY
from tests.helpers.exported import USUAL, remade, setting
from tests.helpers.exported import content as content
from tests.helpers.learners import _one_thread as _one_thread


def foreign_file():
    """An ONNX file with the same input and output, of somebody else."""
    node = helper.make_node("ArgMax", ["arrivals"], ["action"], axis=1, keepdims=0)
    given = helper.make_tensor_value_info("arrivals", TensorProto.DOUBLE, ["batch", 3])
    made = helper.make_tensor_value_info("action", TensorProto.INT64, ["batch"])
    graph = helper.make_graph([node], "foreign", [given], [made])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


@pytest.mark.parametrize("wrong", [b"", b"text", b"PK\x03\x04", foreign_file(), bytes(1000)])
def test_foreign_files_are_refused_by_name(wrong, tmp_path):
    path = tmp_path / "foreign.onnx"
    path.write_bytes(wrong)
    message = (
        r"foreign\.onnx' is not a policy's file, or is damaged; wanted is a file that `python -m experiments.export`"
    )
    with pytest.raises(ValueError, match=message):
        SlicePolicy(path)


def test_files_that_are_not_there_are_named(tmp_path):
    for path in (tmp_path / "nowhere.onnx", tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no file"):
            SlicePolicy(path)


def test_every_damage_is_seen(content, tmp_path):
    path = tmp_path / "policy.onnx"
    places = np.random.default_rng(0).integers(len(content), size=200)
    mark = content.index(CHECKSUM_MARK)
    for place in [*places, *range(mark - 3, mark + len(CHECKSUM_MARK) + 66, 5), len(content) - 1]:
        flipped = bytearray(content)
        flipped[min(place, len(content) - 1)] ^= 0x01
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"policy\.onnx' .*damaged"):
            SlicePolicy(path)
    for wrong in (content[:-1], content[:1000], content + b"\0", content + content):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"policy\.onnx' .*damaged"):
            SlicePolicy(path)


def removing(key):
    def change(_, said):
        del said[KEY + key]

    return change


def with_external_weights(model, _):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def with_custom_operator(model, _):
    model.graph.node[0].domain = "somebody"
    model.opset_import.add(domain="somebody", version=1)


def with_another_output(model, _):
    """One number per decision, as files of format 1."""
    node = helper.make_node("ReduceSum", [model.graph.output[0].name, ""], ["action"], keepdims=0)
    model.graph.node.append(node)
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("action", TensorProto.INT64, []))


def with_another_input(model, _):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "any"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting("format", 1), r"has format 1, allowed is 2; export the policy again \(python -m experiments.export"),
        (setting("format", 3), "has format 3, allowed is 2"),
        (removing("format"), "cannot be loaded"),
        (removing("scenario"), "does not hold a policy .*scenario"),
        (setting("scenario", {"slices": {}}), "does not hold a policy"),
        (setting("trained_on", [[1, 1], [2, 2]]), "does not hold a policy .*trained_on"),
        (setting("trained_on", [[3, 3, 3], [2, 2, 2]]), "does not hold a policy .*trained_on"),
        (setting("trained_on", [[1, 1, None], [2, 2, 2]]), "does not hold a policy .*trained_on"),
        (setting("fallback", [20, 0, 0]), "does not hold a policy .*units"),
        (setting("fallback", [20.5, -0.5, 0.0]), r"does not hold a policy \(units: float64 given"),
        (with_another_output, "does not hold a policy .*its output"),
        (with_external_weights, "cannot be loaded .*does not exist"),
        (with_custom_operator, "cannot be loaded .*somebody"),
        (with_another_input, "does not hold a policy .*its input is"),
    ],
)
def test_files_that_say_or_do_something_else_are_refused(change, message, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would look for what a file does not hold itself
    (tmp_path / "weights.bin").write_bytes(bytes(10_000))
    (tmp_path / "other.onnx").write_bytes(remade(content, change))
    with pytest.raises(ValueError, match=r"other\.onnx' " + message):
        SlicePolicy(tmp_path / "other.onnx")


def test_a_file_that_is_only_written_again_is_taken(content):
    """So that what the test above refuses is refused for what was changed."""
    policy = SlicePolicy(remade(content, lambda *_: None))
    assert policy.decide(USUAL) == SlicePolicy(content).decide(USUAL)
