"""Bounds of settings: every kind is held, and the message names the key, the value and what is allowed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from experiments.config.bounds import MAX_THREADS, bounded, check_bounds


@dataclass
class Inner:
    number: int = bounded(3, at_least=1, at_most=5)


@dataclass
class Outer:
    rate: float = bounded(0.5, above=0.0, at_most=1.0)
    count: int = bounded(2, at_least=1)
    threads: int = bounded(2, at_least=1, at_most=MAX_THREADS)
    free: int = 0
    name: str = bounded("one", choices=("one", "two"))
    label: str = "any"
    flag: bool = True
    maybe: int | None = bounded(None, at_least=1)
    maybe_name: str | None = bounded(None, choices=("auto",))
    seeds: list[int] = bounded(factory=lambda: [1, 2], at_least=0, at_most=9, distinct=True, filled=True)
    layers: list[int] | None = bounded(factory=lambda: [8], at_least=1, filled=True)
    names: list[str] = bounded(factory=lambda: ["one"], choices=("one", "two"))
    anything: dict[str, int] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)


def test_the_defaults_and_what_is_at_the_bounds_pass():
    check_bounds(Outer())
    check_bounds(Outer(rate=1, count=1, free=-5, maybe=1, maybe_name="auto", seeds=[0, 9], layers=None, names=[]))
    check_bounds(Outer(seeds=range(3), names=("two", "two"), inner=Inner(5), anything={"a": "b"}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": 0.0}, "rate: 0.0 given, allowed is above 0.0"),
        ({"rate": 1.5}, "rate: 1.5 given, allowed is at most 1.0"),
        ({"rate": float("nan")}, "rate: nan given, allowed is"),
        ({"rate": "fast"}, "rate: 'fast' is not a number"),
        ({"rate": True}, "rate: True is not a number"),
        ({"rate": None}, "rate: None is not a number"),
        ({"threads": 0}, "threads: 0 given, allowed is 1"),
        ({"threads": 10**20}, f"threads: {10**20} given, allowed is 1 to {MAX_THREADS}"),
        ({"count": 0}, "count: 0 given, allowed is 1 or more"),
        ({"count": 1.5}, "count: 1.5 is not a whole number"),
        ({"count": True}, "count: True is not a whole number"),
        ({"count": None}, "count: None is not a whole number"),
        ({"free": "x"}, "free: 'x' is not a whole number"),
        ({"name": "tow"}, "name: unknown name 'tow'; did you mean 'two'"),
        ({"name": 3}, "name: 3 given, allowed is a text"),
        ({"label": None}, "label: None given, allowed is a text"),
        ({"flag": 1}, "flag: 1 given, allowed is true or false"),
        ({"maybe": 0}, "maybe: 0 given, allowed is 1 or more"),
        ({"maybe_name": "auot"}, "maybe_name: unknown name 'auot'; did you mean 'auto'"),
        ({"seeds": []}, "seeds: none given, allowed are one or more"),
        ({"seeds": [-1]}, "seeds: -1 given, allowed is 0 to 9"),
        ({"seeds": [10]}, "seeds: 10 given, allowed is 0 to 9"),
        ({"seeds": [3, 3]}, r"seeds: \[3, 3\] given, allowed are different ones"),
        ({"seeds": 3}, "seeds: 3 given, allowed is a list"),
        ({"seeds": None}, "seeds: None given, allowed is a list"),
        ({"layers": []}, "layers: none given, allowed are one or more"),
        ({"layers": [4, 0]}, "layers: 0 given, allowed is 1 or more"),
        ({"names": ["one", "tow"]}, "names: unknown name 'tow'; did you mean 'two'"),
        ({"anything": 3}, "anything: 3 given, allowed is Mapping"),
        ({"inner": Inner(9)}, r"inner\.number: 9 given, allowed is 1 to 5"),
        ({"inner": {"number": 3}}, "inner: .* given, allowed is Inner"),
        ({"inner": None}, "inner: None given, allowed is Inner"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(changes, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        check_bounds(Outer(**changes))
    with pytest.raises((ValueError, TypeError), match=f"^over\\.{message}"):
        check_bounds(Outer(**changes), "over.")
