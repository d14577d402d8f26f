"""`policy`: measurements of any kind for a policy that runs on a controller; it always decides, and says why."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from agents import StudentPolicy
from agents.deploy import SlicePolicy
from agents.deploy.export import to_onnx
from experiments.tools.fuzz.cases import Fault
from experiments.tools.fuzz.mutate import Random, some
from slicing_gym import get_scenario

_LOW, _HIGH = (90.0, 1600.0, 2.0), (150.0, 1900.0, 19.0)


class _Agreeable(float):
    """A number that lies between whatever it is compared with."""

    def __le__(self, other: object) -> bool:
        return True

    __ge__ = __lt__ = __gt__ = __le__


class _Hostile:
    """Answers whatever is asked with an error, or with nonsense."""

    def __init__(self, kind: int) -> None:
        self._kind = kind

    def _answer(self, *_: object) -> Any:
        if self._kind == 0:
            raise RuntimeError("no answer")
        return (self, -3, None, "nonsense")[self._kind % 4]

    __len__ = __iter__ = __float__ = __array__ = __le__ = __ge__ = __index__ = __getitem__ = __repr__ = _answer


class PolicyFuzzer:
    """A case asks for one decision."""

    errors = ()

    def __init__(self) -> None:
        self._scenario = get_scenario("paper-1mhz")
        known: dict[str, Any] = {
            "trained_on": (_LOW, _HIGH),
            "fallback": [4, 12, 4],
            "name": "small",
            "made_from": "a fuzzer",
        }
        self._policy = SlicePolicy(to_onnx(StudentPolicy(self._scenario, hidden=4, seed=0), self._scenario, **known))

    def try_case(self, random: Random) -> bool:
        """See `Fuzzer`."""
        arrivals = _arrivals(random)
        age = 0.1 if random.random() < 0.6 else _value(random)
        decision = self._policy.decide(arrivals, age)
        if min(decision.units) < 1 or sum(decision.units) != self._scenario.num_units:
            raise Fault(f"an allocation of {decision.units}")
        if decision.fallback:
            if not decision.reason or "\n" in str(decision.reason):
                raise Fault(f"a fallback for no reason, or in many lines: {decision.reason!r}")
            return False
        seen = np.asarray(arrivals, np.float64)
        low, high = self._policy.allowed
        if not ((low <= seen) & (seen <= high)).all() or not 0.0 <= float(age) <= self._policy.max_age_s:
            raise Fault(f"a decision on {arrivals!r} of age {age!r}")
        if any(isinstance(each, bool) for each in (*np.ravel(np.asarray(arrivals, object)), age)):
            raise Fault("a decision on a truth value")
        return True


def _arrivals(random: Random) -> Any:
    """A measurement: mostly one that could be, with a value or two that could not."""
    usual: list[Any] = [float(random.uniform(low, high)) for low, high in zip(_LOW, _HIGH, strict=True)]
    kind = int(random.integers(8))
    if kind < 3:
        usual[int(random.integers(3))] = _value(random)
        return usual if kind else tuple(usual)
    if kind == 3:
        dtype = str(random.choice(["f2", "f4", "f8", "i8", "u2", "i1", "?", "O", "c16", "U9", "M8[s]"]))
        return np.array(usual).astype(dtype)
    if kind == 4:
        return np.array(usual * int(random.integers(3))).reshape(-1, int(random.choice([1, 3])))
    return usual if kind == 5 else _value(random) if kind == 6 else usual[: int(random.integers(4))]


def _value(random: Random) -> Any:
    """Anything."""
    kind = int(random.integers(5))
    if kind == 0:
        return _Hostile(int(random.integers(4)))
    if kind == 1:
        return _Agreeable(random.choice([1e9, -1.0, np.nan]))
    if kind == 2:
        numbers = [np.float32(0.1), np.int8(-1), np.bool_(True), np.array(0.1), np.array([0.1]), np.nan]
        return numbers[int(random.integers(len(numbers)))]
    if kind == 3:
        return [Decimal("NaN"), Decimal("0.1"), Fraction(1, 10), Decimal("sNaN"), {1, 2, 3}, range(3)][
            int(random.integers(6))
        ]
    return some(random)
