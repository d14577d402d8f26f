"""Names of folders: short, safe, unique, and the same whatever else is swept over."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from experiments.sweeps.names import folder_names


def test_folders_are_called_by_what_was_swept():
    combinations = [{"agent": "ddqn", "agent.learning_rate": "0.001", "seed": str(seed)} for seed in (0, 1)]
    assert folder_names(combinations) == [
        "agent-ddqn_learning_rate-0.001_seed-0",
        "agent-ddqn_learning_rate-0.001_seed-1",
    ]
    assert folder_names([{"+experiment": "quick"}]) == ["experiment-quick"]
    assert folder_names([{}]) == ["run"]
    assert folder_names([]) == []


def test_keys_with_one_ending_are_told_apart():
    (name,) = folder_names([{"twin.seed": "1", "seed": "2"}])
    assert name == "twin.seed-1_seed-2"


def test_what_is_not_safe_or_long_is_shortened_to_a_checksum():
    values = ["[64,64]", "[64, 64]", "{a: 1}", "my traffic/a.yaml", "x" * 200, "x" * 201, "..", "é"]
    names = folder_names([{"agent.net_arch": value} for value in values])
    assert len(set(names)) == len(values)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_.+-]+", name)
        assert len(name) <= 48
    many = {f"agent.{letter * 12}": "y" * 30 for letter in "abcdefg"}
    (long,) = folder_names([many])
    assert len(long) == 120


@given(st.lists(st.text(max_size=60), min_size=1, max_size=8, unique=True))
def test_names_of_different_values_differ_and_do_not_depend_on_each_other(values):
    combinations = [{"key": value} for value in values if value.strip("'\"") == value]
    names = folder_names(combinations)
    assert len(set(names)) == len(combinations)
    assert names == [folder_names([each])[0] for each in combinations]
    assert all(re.fullmatch(r"[A-Za-z0-9_.+-]+", name) and name not in (".", "..") for name in names)
