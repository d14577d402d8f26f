"""Objects as builtin types and arrays: all comes back, in place, through JSON and npz without pickle."""

from __future__ import annotations

import math
import random
from collections import OrderedDict, defaultdict, deque

import numpy as np
import pytest
import torch
from gymnasium.wrappers.utils import RunningMeanStd as GymnasiumStatistics
from stable_baselines3.common.running_mean_std import RunningMeanStd

from agents.packing import UnstorableError, pack, unpack
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import written


def stored(part):
    """Packed, written and read again."""
    arrays = {}
    return written(pack(part, "it", arrays), arrays)


def back(part, old=None):
    return unpack(*stored(part), old)


PARTS = {
    "none": None,
    "numbers": [True, False, 3, -(2**200), 0.1, -0.0, 1e-310, math.inf],
    "text": ["", "päck", "a.b"],
    "containers": {"a": [1, (2, {"b": []}), {3}], 4: {5: {}, None: (), 1.5: 0, True: "yes"}},
    "the order of keys": {3: 0, "b": 1, "a": 2, 1: 3},
    "deque": deque([1, (2,)], maxlen=7),
}


@pytest.mark.parametrize("what", PARTS)
def test_builtin_types_come_back(what):
    part = PARTS[what]
    made = back(part)
    assert type(made) is type(part)
    assert repr(made) == repr(part)  # types and order of all within, too


ARRAYS = {
    "floats": np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32),
    "no rows": np.zeros((0, 3), np.int16),
    "one number": np.array(2.5),
    "bools": np.array([True, False]),
    "columns": np.asfortranarray(np.arange(12.0).reshape(3, 4))[:, ::2],
    "texts": np.array(["a", "bcd"]),
    "complex": np.array([1j, np.nan]),
    "big-endian": np.arange(3, dtype=">i4"),
    "named": np.array([(1, 2.0)], [("a", np.int8), ("b", np.float64)]),
}


@pytest.mark.parametrize("what", ARRAYS)
def test_arrays_come_back(what):
    array = ARRAYS[what]
    made = back({"x": [array]})["x"][0]
    assert made.dtype == array.dtype
    np.testing.assert_array_equal(made, array)
    old = np.zeros_like(array)  # is not written to: two that are one array here may have been two there
    np.testing.assert_array_equal(back(array, old), array)
    np.testing.assert_array_equal(old, np.zeros_like(array))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.int64, torch.bool, torch.uint8])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_tensors_come_back(dtype, shape):
    tensor = (3 * torch.rand(shape)).to(dtype)
    for old in (None, torch.zeros(shape, dtype=dtype), torch.zeros(5)):
        made = back([tensor], [old])[0]
        assert (made.dtype, made.shape) == (dtype, tensor.shape)
        assert torch.equal(made, tensor)
        assert (made is old) == (old is not None and (old.shape, old.dtype) == (tensor.shape, dtype))


def test_what_is_packed_is_a_copy():
    array, tensor, arrays = np.zeros(3), torch.zeros(3), {}
    pack([array, tensor], "it", arrays)
    array += 1.0
    tensor += 1.0
    assert not any(each.any() for each in arrays.values())
    given = {"it": np.zeros(3)}
    made = unpack({"tensor": "it"}, given), unpack({"array": "it"}, given)
    for each in made:
        each += 1.0
    assert not given["it"].any()


@pytest.mark.parametrize("part", [np.float64(0.1), np.float32(0.1), np.int64(3), np.uint8(250), np.bool_(True)])
def test_numpy_s_scalars_keep_their_kind(part):
    """Or sums with them go on in another precision."""
    made = back({"x": part})["x"]
    assert made == part
    assert (made + np.ones(2, np.float16)).dtype == (part + np.ones(2, np.float16)).dtype


@pytest.mark.parametrize("part", [{1: np.zeros(2), "1": np.ones(2)}, {"a.b": np.zeros(2), "a": {"b": np.ones(2)}}])
def test_like_names_do_not_mix(part):
    np.testing.assert_equal(back(part), part)


@pytest.mark.parametrize("kind", ["PCG64", "MT19937", "Philox", "SFC64", "PCG64DXSM"])
def test_numpy_s_generators_go_on(kind):
    generator = np.random.Generator(getattr(np.random, kind)(3))
    generator.integers(5, size=3, dtype=np.uint32)  # half a word is left
    old = np.random.Generator(getattr(np.random, kind)(4))
    packed = stored(generator)
    drawn = generator.random(5), generator.integers(9, size=7, dtype=np.uint32)
    assert unpack(*packed, old) is old
    for own in (old, unpack(*packed)):
        np.testing.assert_array_equal(own.random(5), drawn[0])
        np.testing.assert_array_equal(own.integers(9, size=7, dtype=np.uint32), drawn[1])


def test_other_generators_go_on():
    python, torchs = random.Random(3), torch.Generator().manual_seed(3)
    python.gauss(0.0, 1.0)  # another one is kept for the next call
    packed = stored({"python": python, "torch": torchs})
    drawn = [python.gauss(0.0, 1.0) for _ in range(3)], torch.rand(4, generator=torchs)
    old = {"python": random.Random(4), "torch": torch.Generator()}
    held = dict(old)
    made = unpack(*packed, old)
    assert made["python"] is held["python"]
    assert made["torch"] is held["torch"]
    assert [made["python"].gauss(0.0, 1.0) for _ in range(3)] == drawn[0]
    assert torch.equal(torch.rand(4, generator=made["torch"]), drawn[1])


@pytest.mark.parametrize("kind", [RunningMeanStd, GymnasiumStatistics])
def test_statistics_go_on(kind):
    one, other = kind(shape=(2,)), kind(shape=(2,))
    rng = np.random.default_rng(0)
    one.update(rng.random((5, 2)))
    assert back({"x": one}, {"x": other})["x"] is other
    more = rng.random((5, 2))
    for each in (one, other):
        each.update(more)
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.var, other.var)
    assert one.count == other.count


def made_to_learn(seed, **options):
    torch.manual_seed(seed)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    return module, torch.optim.Adam(module.parameters(), lr=0.01 * (1 + seed), **options)


def step(module, optimizer, seed):
    optimizer.zero_grad()
    module(torch.randn(5, 3, generator=torch.Generator().manual_seed(seed))).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("options", [{}, {"fused": True}, {"amsgrad": True}])
@pytest.mark.parametrize("disturbed", [False, True])
def test_modules_and_optimizers_learn_on(options, disturbed):
    one, other = made_to_learn(0, **options), made_to_learn(1, **options)
    parameters = list(other[0].parameters())
    for number in range(3):
        step(*one, number)
    if disturbed:
        step(*other, 9)
    packed = stored(one)
    made = unpack(*packed, other)
    assert all(own is before for own, before in zip(made, other, strict=True))
    assert all(own is before for own, before in zip(other[0].parameters(), parameters, strict=True))
    for number in range(3, 6):
        step(*one, number)
        step(*other, number)
    assert all(torch.equal(own, its) for own, its in zip(one[0].parameters(), parameters, strict=True))
    with pytest.raises(ValueError, match="state of a state_dict that this agent has not"):
        unpack(*packed)


@pytest.mark.parametrize("part", [random.Random(0), torch.Generator(), RunningMeanStd()])
def test_what_the_agent_has_not_is_refused(part):
    with pytest.raises(ValueError, match=r"resume: the checkpoint has the state of a .* that this agent has not"):
        back({"x": part})


def test_a_tensor_of_two_owners_stays_one():
    shared, weight = torch.zeros(3), torch.nn.Parameter(torch.zeros(2))
    old = {"a": shared, "b": [{"c": shared}], "weight": weight}
    made = back({"a": torch.ones(3), "b": [{"c": torch.ones(3)}], "weight": torch.ones(2)}, old)
    assert made is old
    assert made["a"] is made["b"][0]["c"] is shared
    assert made["weight"] is weight
    assert weight.requires_grad
    assert shared.tolist() == [1.0] * 3
    assert weight.tolist() == [1.0] * 2


CONTAINERS = {
    "dict": ({"x": 1, "gone": 2}, {"x": 3, "new": [4]}),
    "empty dict": ({"gone": {}}, {}),
    "list": ([1, 2, 3], [4]),
    "longer list": ([], [1, [2]]),
    "ordered": (OrderedDict(a=1, b=2), OrderedDict(b=3, a=4)),
    "with default": (defaultdict(list, a=[1]), defaultdict(list, b=[2])),
    "deque": (deque([1], maxlen=3), deque([2, 3], maxlen=3)),
    "set": ({1, 2}, {3}),
}


@pytest.mark.parametrize("what", CONTAINERS)
def test_what_is_shared_stays_so(what):
    before, after = CONTAINERS[what]
    old = {"one": before, "other": (before,)}
    made = back({"one": after, "other": (after,)}, old)
    np.testing.assert_equal(made["one"], after)
    assert made["one"] is made["other"][0] is before
    assert type(before) is type(after)


def test_what_was_two_arrays_does_not_become_one():
    """As the frames of a stack that was just filled with the first of them."""
    frame = np.zeros(2)
    old = {"frames": deque([frame, frame], maxlen=2), "now": frame, "before": frame}
    new = {"frames": deque([np.ones(2), np.full(2, 2.0)], maxlen=2), "now": np.full(2, 3.0), "before": np.full(2, 4.0)}
    made = back(new, old)
    assert [row.tolist() for row in made["frames"]] == [[1.0, 1.0], [2.0, 2.0]]
    assert (made["now"].tolist(), made["before"].tolist()) == ([3.0, 3.0], [4.0, 4.0])


class Thing:
    pass


UNSTORABLE = {
    "object": (Thing(), "it: a Thing"),
    "deep": ({"a": [1, {2: (Thing(),)}]}, r"it\.a\.1\.2\.0: a Thing"),
    "array of objects": ({"a": np.array([Thing()])}, r"it\.a: a ndarray"),
    "array with objects": ({"a": np.zeros(2, [("x", object)])}, r"it\.a: a ndarray"),
    "key": ({"a": {(1, 2): 3}}, r"it\.a\[\(1, 2\)\]: a tuple"),
    "bytes": ([b"x"], r"it\.0: a bytes"),
    "complex": ([1j], r"it\.0: a complex"),
    "named tuple": ({"a": torch.return_types.max((torch.zeros(1), torch.zeros(1)))}, r"it\.a: a max"),
    "function": ({"a": print}, r"it\.a: a builtin_function_or_method"),
    "old generator": ({"a": np.random.RandomState(0)}, r"it\.a: a RandomState"),
    "bfloat16": ({"a": torch.zeros(2, dtype=torch.bfloat16)}, r"it\.a: a Tensor"),
    "sparse": ({"a": torch.zeros(2, 2).to_sparse()}, r"it\.a: a Tensor"),
}


@pytest.mark.parametrize("what", UNSTORABLE)
def test_what_cannot_be_stored_is_refused_by_its_path(what):
    part, message = UNSTORABLE[what]
    with pytest.raises(UnstorableError, match=f"^{message} is neither"):
        pack(part, "it", {})
