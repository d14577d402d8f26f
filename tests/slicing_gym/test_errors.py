"""Numbers that no double holds are refused like others, and shown in a line."""

from __future__ import annotations

import pytest
import yaml

from slicing_gym.errors import check_integer, check_number, nearest, shown


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**5000], ids=["long", "negative", "longer"])
@pytest.mark.parametrize("bounds", [{}, {"finite": False}, {"at_most": 3.0, "at_least": -3.0}])
def test_whole_numbers_of_hundreds_of_digits(value, bounds):
    with pytest.raises(ValueError, match=r"^key: .* given, allowed is .*what a double holds$") as raised:
        check_number("key", value, **bounds)
    assert len(str(raised.value)) < 300
    with pytest.raises(ValueError, match=r"^key: .* given, allowed is 1 to 3$"):
        check_integer("key", value, at_least=1, at_most=3)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("figurs", "figures"),
        ("lr", "learning_rate"),
        ("n8", "nr-8slices"),
        ("learn", "learning_rate"),
        ("LEARNING_RATE", "learning_rate"),
        ("rate", "learning_rate"),
        ("8", None),
        ("bogus", None),
        ("l", None),
        ("", None),
    ],
)
def test_what_was_meant_is_spelt_alike_or_short_for_it(text, meant):
    assert nearest(text, ["learning_rate", "figures", "gamma", "nr-8slices"]) == meant


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ("20e6", "20.0e+6 or 20000000"),
        ("2.5e6", "2.5e+6 or 2500000"),
        ("-1e-3", "-1.0e-3"),
        ("1e300", "1.0e+300"),
        ("0e5", "0.0e+5 or 0"),
        (".5e6", "0.5e+6 or 500000"),
        ("-.5e-3", "-0.5e-3"),
    ],
)
def test_a_number_that_yaml_reads_as_text_is_said_to_be_one(text, write):
    assert isinstance(yaml.safe_load(text), str)
    assert isinstance(yaml.safe_load(write.partition(" or ")[0]), float)
    with pytest.raises(TypeError) as said:
        check_number("key", text)
    assert str(said.value) == f"key: {text!r} is not a number; if this is YAML, write {write}"


@pytest.mark.parametrize(
    "text", [".e6", "1e-400", "0.001e-330", "1e400", "-1e400", "\u0662\u0660e6", "20e\u0666", "2.\u0660e6"]
)
@pytest.mark.parametrize(("check", "bounds"), [(check_number, {}), (check_integer, {"at_least": 1})])
def test_no_form_is_said_of_what_no_double_holds_or_other_digits(text, check, bounds):
    with pytest.raises(TypeError, match=r"number$"):
        check("key", text, **bounds)


def test_of_a_whole_number_the_whole_form_is_said():
    with pytest.raises(TypeError, match=r"^key: '1e6' is not a whole number; if this is YAML, write 1000000$"):
        check_integer("key", "1e6", at_least=1)
    with pytest.raises(TypeError, match=r"^key: '1e-6' is not a whole number$"):
        check_integer("key", "1e-6", at_least=1)
    with pytest.raises(TypeError, match=r"^key: 'many' is not a number$"):
        check_number("key", "many")


def test_what_python_does_not_write_is_shown_by_its_size():
    assert shown(10**5000) == "a whole number of 16610 bits"
    assert shown("x" * 200) == f"'{'x' * 99}... (202 characters)"
