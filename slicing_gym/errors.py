"""Checks that name the key, the value and what is allowed."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from numbers import Integral, Real


def nearest(value: str, names: Sequence[str]) -> str | None:
    """The name that a text was probably meant to be, or None.

    It is spelt alike, has these initials, begins so, or has a word that does; capitals do not matter.
    """
    value, spelt = value[:100].lower(), {name.lower(): name for name in reversed(names)}
    found = difflib.get_close_matches(value, list(spelt), n=1, cutoff=0.65)
    if not found and len(value) > 1:
        words = {name: re.split("[_.-]", name) for name in map(str.lower, names)}
        found = [name for name in words if "".join(word[:1] for word in words[name]) == value]
        found += [name for name in words if name.startswith(value)]
        found += [name for name in words if any(word.startswith(value) for word in words[name])]
    return spelt[found[0]] if found else None


def unknown_name(key: str, value: object, allowed: Iterable[str], hint: str = "") -> str:
    """The message for a name that does not exist: a hint, or the nearest of those that do; and all, sorted."""
    names = sorted(allowed)
    likely = None if hint else nearest(str(value), names)
    hint = hint if likely is None else f"; did you mean {likely!r}?"
    return f"{key}: unknown name {shown(value)}{hint} (allowed: {', '.join(names) or 'none'})"


def shown(value: object, most: int = 100) -> str:
    """A value as messages show it: of a long text, such as the levels of a trace, the beginning."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        text = f"a whole number of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def check_number(
    key: str,
    value: object,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    finite: bool = True,
) -> float:
    """`value` if it is a real number within the bounds.

    Raises:
        TypeError: it is not a number.
        ValueError: it is NaN, infinite where `finite`, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{key}: {value!r} is not a number{as_yaml(value)}")
    try:
        number, held = float(value), True
    except OverflowError:  # a whole number of more than 308 digits
        number, held = math.inf if value > 0 else -math.inf, False  # type: ignore[operator]
    bounds = [
        (f"above {above}", above is None or number > above),
        (f"at least {at_least}", at_least is None or number >= at_least),
        (f"at most {at_most}", at_most is None or number <= at_most),
        ("finite", not finite or math.isfinite(number)),
        ("not NaN", not math.isnan(number)),
        ("what a double holds", held),
    ]
    broken = [text for text, holds in bounds if not holds]
    if broken:
        raise ValueError(f"{key}: {shown(value)} given, allowed is {' and '.join(broken)}")
    return number


def as_yaml(value: object, *, whole: bool = False) -> str:
    """What to write for a text such as 20e6, which YAML 1.1 takes for a number only with a point and a sign."""
    form = r"([+-]?)(?=\.?[0-9])([0-9]{0,20})(\.[0-9]*)?[eE]([+-]?)([0-9]{1,3})"
    found = re.fullmatch(form, value) if isinstance(value, str) else None
    if found is None:
        return ""
    minus, digits, point, sign, power = found.groups()
    number = float(found[0])
    if not math.isfinite(number) or (number == 0.0 and re.search("[1-9]", digits + (point or ""))):
        return ""  # no double holds it, however it is written
    forms = [] if whole else [f"{minus}{digits or '0'}{point or '.0'}e{sign or '+'}{power}"]
    forms += [str(int(number))] if number.is_integer() and abs(number) < 2**53 else []
    return f"; if this is YAML, write {' or '.join(forms)}" if forms else ""


def check_instance(key: str, value: object, kinds: tuple[type, ...]) -> None:
    """Raise a TypeError unless `value` is of one of the `kinds`."""
    if not isinstance(value, kinds):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{key}: {value!r} given, allowed is {'one of ' if len(kinds) > 1 else ''}{names}")


def check_integer(key: str, value: object, *, at_least: int, at_most: int | None = None) -> int:
    """`value` as an int if it is a whole number within the bounds.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{key}: {value!r} is not a whole number{as_yaml(value, whole=True)}")
    number = int(value)
    if number < at_least or (at_most is not None and number > at_most):
        bound = f"{at_least} or more" if at_most is None else f"{at_least} to {at_most}"
        if at_most is not None and at_most < at_least:
            bound = f"none here: {at_least} or more, and {at_most} at most"
        raise ValueError(f"{key}: {shown(value)} given, allowed is {bound}")
    return number
