"""Looking at a pickle with stand-ins for all that it names, calls and makes, so that looking runs nothing."""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

MOST_OPERATIONS = 300_000
"""Of a pickle; an agent's has some hundred."""

_LARGEST_TUPLE = 10_000
"""Values in a tuple and in the tuples in it, each as often as it stands there: that long takes its hash."""

_LONG_INTEGERS = 64
"""Of more than 64 bits, as a generator's state has them; many more could be made to share a hash."""

_DTYPE = re.compile(r"[<>=|]?[?a-zA-Z]\d{0,4}")
_OBJECTS, _LARGEST_ITEM = 63, 4096  # flags of NumPy's type for objects; bytes of a number or short text

_SPACES = ("AllocationSpace", "Box", "Dict", "Discrete", "MultiBinary", "MultiDiscrete")

_LARGEST_SPACE = 2**24
"""Numbers in an observation."""

_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
_CONSTRUCTOR = "__bit_generator_ctor"


class Part:
    """Stands for what a pickle makes of an allowed name: it remembers what it is given, and does nothing."""

    __hash__ = None  # type: ignore[assignment]  # nothing that is made is a key, whose hash might take for ever
    arguments: tuple[Any, ...]

    def __new__(cls, *arguments: Any, **others: Any) -> Any:  # noqa: D102
        check = CHECKS.get(cls.__name__)
        if others or (check is not None and not check(arguments)):
            raise pickle.UnpicklingError(f"a call of {cls.__module__}.{cls.__name__} that no agent needs")
        made = object.__new__(cls)
        made.arguments = arguments
        return made

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        check = _STATES.get(type(self).__name__)
        if check is not None and not check(self.arguments, state):
            raise pickle.UnpicklingError(f"a state of {type(self).__module__}.{type(self).__name__} that no agent has")

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, _: object) -> None:
        """As a list has it."""


class Name(Part):
    """Stands for a class that may be named, but not made."""

    def __new__(cls, *_: object, **__: object) -> Any:  # noqa: D102
        raise pickle.UnpicklingError(f"a call of {cls.__module__}.{cls.__name__}")


def stand_in(kind: type[Part], module: str, name: str) -> type[Part]:
    """A class that stands for another one."""
    return type(name, (kind,), {"__module__": module})


def _is_named(value: object, *names: str) -> bool:
    return isinstance(value, type) and value.__name__ in names


def _is_bit_generator(arguments: tuple[Any, ...]) -> bool:
    """Of NumPy's constructor of bit generators, which calls whatever class it is given."""
    return len(arguments) <= 1 and all(each in _BIT_GENERATORS if isinstance(each, str) else
                                       _is_named(each, *_BIT_GENERATORS) for each in arguments)  # fmt: skip


def _is_generator(arguments: tuple[Any, ...]) -> bool:
    """Of NumPy's constructor of generators, which calls its second argument on the first."""
    if len(arguments) > 2 or not all(_is_named(each, _CONSTRUCTOR) for each in arguments[1:]):
        return False
    first = arguments[:1]
    return _is_bit_generator(first) or (isinstance(first[0], Part) and type(first[0]).__name__ == _CONSTRUCTOR)


def _is_dtype(arguments: tuple[Any, ...]) -> bool:
    first, *others = arguments or (None,)
    return isinstance(first, str) and bool(_DTYPE.fullmatch(first)) and all(isinstance(o, bool | int) for o in others)


def _is_state_of_dtype(arguments: tuple[Any, ...], state: Any) -> bool:
    """No parts, no larger items than the code says, and objects only where they are ones."""
    if not isinstance(state, tuple) or len(state) not in (8, 9) or any(each is not None for each in state[2:5]):
        return False
    size, alignment, flags = state[5:8]
    numbers = all(isinstance(each, int) for each in (size, alignment, flags))
    objects = arguments[0].lstrip("<>=|").startswith("O")
    return (
        numbers
        and -1 <= size <= _LARGEST_ITEM
        and -1 <= alignment <= 64
        and (flags == _OBJECTS if objects else flags & 1 == 0)
    )


def _is_state_of_array(_: tuple[Any, ...], state: Any) -> bool:
    """A shape with no more numbers than there are in the state."""
    if not isinstance(state, tuple) or len(state) != 5 or not is_shape(state[1]):
        return False
    return isinstance(state[4], bytes | bytearray | list) and math.prod(state[1]) <= len(state[4])


def _is_state_of_space(_: tuple[Any, ...], state: Any) -> bool:
    """No more numbers than observations have, by any of the keys that Gymnasium takes a shape from."""
    if not isinstance(state, dict):
        return False
    number = state.get("n", 1)  # of bits, or their shape; a Discrete's is no length
    shapes = [state.get("_shape"), state.get("shape"), number if isinstance(number, tuple) else None]
    return all(each is None or (is_shape(each) and math.prod(each) <= _LARGEST_SPACE) for each in shapes)


def _is_state_of_bits(arguments: tuple[Any, ...], state: Any) -> bool:
    """As of a space, whose `n` is a length."""
    if not _is_state_of_space(arguments, state):
        return False
    number = state.get("n")
    return isinstance(number, tuple) or (isinstance(number, int) and 0 <= number <= _LARGEST_SPACE)


def is_shape(value: Any) -> bool:
    """Whether these are lengths."""
    return isinstance(value, tuple) and all(isinstance(each, int) and each >= 0 for each in value)


CHECKS: Mapping[str, Callable[[tuple[Any, ...]], bool]] = {
    "bytearray": lambda arguments: all(isinstance(each, bytes | bytearray | str) for each in arguments),
    **dict.fromkeys(_SPACES, lambda arguments: not arguments),
    "dtype": _is_dtype,
    "_reconstruct": lambda arguments: len(arguments) == 3 and arguments[1] == (0,),
    "scalar": lambda arguments: len(arguments) == 2 and isinstance(arguments[1], bytes),
    "__generator_ctor": _is_generator,
    "__randomstate_ctor": _is_generator,
    _CONSTRUCTOR: _is_bit_generator,
}
"""By name, whether arguments are those that an agent's file has; what is called makes nothing larger than the file."""

_STATES: Mapping[str, Callable[[tuple[Any, ...], Any], bool]] = {
    "dtype": _is_state_of_dtype,
    "_reconstruct": _is_state_of_array,
    **dict.fromkeys(_SPACES, _is_state_of_space),
    "MultiBinary": _is_state_of_bits,
}
"""The same of states, with the arguments that the object was made of."""


class Look(pickle._Unpickler):  # in Python, as C's makes room for whatever number of things a pickle names
    """Reads a pickle with stand-ins; `find` is what stands for a name, or raises.

    Args:
        content: the pickle.
        find: what stands for a module's name.
    """

    def __init__(self, content: bytes, find: Callable[[str, str], type[Part]]) -> None:
        _count(content)
        super().__init__(io.BytesIO(content))
        self.find_class = find  # type: ignore[assignment,method-assign]
        self._sizes: dict[int, tuple[tuple[Any, ...], int]] = {}

    def persistent_load(self, identity: Any) -> Any:
        """What stands for an object that lies outside of the pickle: none may."""
        raise pickle.UnpicklingError(f"a persistent object ({identity!r})")

    def _weigh(self) -> None:
        """Bound how long the hash of the tuple on the stack takes, which may stand in it many times over."""
        made = self.stack[-1]  # type: ignore[attr-defined]
        size = 1 + sum(self._sizes.get(id(each), (None, 1))[1] for each in made)
        if size > _LARGEST_TUPLE:
            raise pickle.UnpicklingError(f"a tuple of more than {_LARGEST_TUPLE} values")
        self._sizes[id(made)] = made, size  # kept, so that no other gets its identity

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)


def _weighed(load: Callable[[Any], None]) -> Callable[[Any], None]:
    def load_weighed(look: Look) -> None:
        load(look)
        look._weigh()

    return load_weighed


for _code in (pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3):
    Look.dispatch[_code[0]] = _weighed(Look.dispatch[_code[0]])


def _count(content: bytes) -> None:
    """Refuse a pickle of too many operations, or one that names places in memory far apart.

    Raises:
        UnpicklingError, ValueError: it is such, or is damaged.
    """
    long = 0
    for number, (operation, argument, _) in enumerate(pickletools.genops(content)):
        long += isinstance(argument, int) and argument.bit_length() > 64
        place = argument if "PUT" in operation.name or "GET" in operation.name else 0
        if number > MOST_OPERATIONS or (isinstance(place, int) and place > MOST_OPERATIONS) or long > _LONG_INTEGERS:
            raise pickle.UnpicklingError(f"more than {MOST_OPERATIONS:,} operations, or numbers of thousands of digits")
