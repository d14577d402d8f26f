"""Why Hydra refuses what was typed: one line that names the key and the value, and says what is allowed or to type."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf._utils import is_structured_config
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from experiments.config.files import choices_of
from experiments.config.hints import BY_BENCHMARK, ELSEWHERE, ON_POLICY, OWN_FILES, RENAMED
from experiments.config.quoting import as_typed, is_plain, quoted
from slicing_gym.errors import nearest, shown, unknown_name
from slicing_gym.reading import parsing

_MOST_PLACES = 3
"""Most keys that a message names in which an unknown one is to be found."""

_MOST_NUMBERS = 10
"""Most whole numbers that a message lists."""

_KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false", "String": "a text"}
"""What OmegaConf calls the types of settings."""


def why_refused(compose: Callable[[Sequence[str]], DictConfig], arguments: Sequence[str], error: Exception) -> str:
    """Which argument is refused, and why.

    Args:
        compose: composes some of the arguments.
        arguments: that do not compose.
        error: that was raised by all of them.
    """
    typed: list[tuple[str, Override]] = []
    for each in arguments:
        try:
            typed.append((each, OverridesParser.create().parse_override(each)))
            if not typed[-1][1].key_or_group:
                return unread(each)
        except Exception as refused:  # the grammar's own, or Python's for what is too deep
            return unread(each, refused)
    typed.sort(key=lambda pair: _place(pair[1].get_key_element()))
    config, passes, fails = compose([]), 0, len(typed)
    while fails - passes > 1:
        middle = (passes + fails) // 2
        try:
            config, passes = compose([each for each, _ in typed[:middle]]), middle
        except Exception as refused:  # Hydra's, OmegaConf's, and Python's of what neither expects
            error, fails = refused, middle
    override = typed[passes][1]
    if isinstance(error, MissingConfigException) and error.options is None:
        override, error = _one_of_list(compose, [each for each, _ in typed[:passes]], override, error)
    return _why(config, override, error)


def _one_of_list(
    compose: Callable[[Sequence[str]], DictConfig], before: Sequence[str], override: Override, error: Exception
) -> tuple[Override, Exception]:
    """Of a list of choices, the first that there is not, and its error: it knows which there are."""
    names = override.value()
    for name in map(str, names if isinstance(names, list) else ()):
        one = f"{override.get_key_element()}={name if is_plain(name) else quoted(name)}"
        try:
            compose([*before, one])
        except MissingConfigException as refused:
            return OverridesParser.create().parse_override(one), refused
    return override, error


def _place(key: str) -> int:
    """Order in which arguments are composed: where choices are found, then these, then the keys that they bring."""
    return 0 if key.lstrip("+") == "hydra.searchpath" else 2 if "." in key else 1


def reason(error: BaseException) -> str:
    """The first line of an error, and of what it was raised from."""
    first = _first_line(error)
    return first if error.__cause__ is None else f"{first}: {reason(error.__cause__)}"


@contextmanager
def named_by_omegaconf() -> Iterator[None]:
    """What OmegaConf refuses inside, such as an interpolation of nothing, is a ValueError that names the key.

    Raises:
        ValueError: see above.
    """
    try:
        yield
    except OmegaConfBaseException as error:
        raise ValueError(f"{_key_of(error) or 'configuration'}: {_first_line(error)}") from None
    except RecursionError:
        raise ValueError("configuration: too many levels within each other") from None


@contextmanager
def named_by_file(key: str, path: str | os.PathLike[str]) -> Iterator[None]:
    """As `named_by_omegaconf`, of what was read from a file: the message begins with the file.

    Raises:
        ValueError: OmegaConf refuses it, or something else is wrong with it.
    """
    with parsing(key, os.fspath(path)), named_by_omegaconf():
        yield


def check_interpolations(config: DictConfig) -> None:
    """Refuse a value of a command's own part that refers to nothing; others that refer to it fail with it.

    Raises:
        ValueError: the message names its key.
    """

    def check(node: Any, key: str) -> None:
        names = list(node) if isinstance(node, DictConfig) else range(len(node)) if isinstance(node, ListConfig) else ()
        for name in names:
            inner = f"{key}.{name}" if key else str(name)
            if inner == "hydra" or OmegaConf.is_missing(node, name):
                continue
            with named_by_omegaconf():
                value = node[name]
            if not OmegaConf.is_interpolation(node, name):
                check(value, inner)

    check(config, "")


def not_a_value(key: str, value: str, error: OmegaConfBaseException) -> str:
    """The message for a value that OmegaConf does not put at a key."""
    first, span, inner = _first_line(error), _span(value), _key_of(error)
    kind = re.search(r"could not be converted to (\w+)$", first)
    why = f", allowed is {_KINDS[kind[1]]}" if kind and kind[1] in _KINDS else f": {first}"
    if "is not a ListConfig" in first:
        many = _numbers(0, int(value) - 1) if key.endswith("seeds") and re.fullmatch("[1-9][0-9]?", value) else ""
        whole = _short(value) if span is None else _numbers(*span)
        why = f", allowed is a list, typed {key}=[{whole}]" if whole else ", allowed is a list of all the numbers"
        why += f", or for {value} of them {key}=[{many}]" if many else ""
    elif kind and kind[1] == "Integer" and span and inner in ("", key):
        listed = f"-m {key}={_numbers(*span)}, or " if _numbers(*span) else ""
        why += f"; a sweep is typed {listed}-m '{key}=range({span[0]},{span[1] + 1})'"
    return f"{inner if inner.startswith(key) else key}: {_short(value)} given{why}"


def _span(value: str) -> tuple[int, int] | None:
    """The first and the last number of a value like 0-2, which Hydra takes for a text; None of anything else."""
    found = re.fullmatch("([0-9]{1,9})-([0-9]{1,9})", value)
    return (int(found[1]), int(found[2])) if found and int(found[1]) <= int(found[2]) else None


def _numbers(first: int, last: int) -> str:
    """Whole numbers with commas between them; "" if they are many, as part of them is nothing to type."""
    return ",".join(map(str, range(first, last + 1))) if last - first < _MOST_NUMBERS else ""


def check_key(config: Any, key: str, value: str) -> None:
    """Refuse a dotted key that is not in a composed configuration.

    Raises:
        ValueError: the message has the nearest key, or what to type.
    """
    node, above, walked = config, [("", config)], ""
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            raise ValueError(_none_chosen(config, key) or _no_keys(node, walked, key, value))
        if part not in node.keys():  # noqa: SIM118  # a key that has to be given is not "in" it
            raise ValueError(_none_chosen(config, key) or _unknown(node, above, key, part, value))
        walked = f"{walked}.{part}" if walked else part
        node = None if OmegaConf.is_missing(node, part) or OmegaConf.is_interpolation(node, part) else node[part]
        above.append((f"{walked}.", node))


def _none_chosen(config: Any, key: str) -> str:
    """The message for a key of a group of which the choice without settings is chosen; "" of others."""
    group = key.partition(".")[0]
    if OmegaConf.select(config, "hydra.runtime.choices", default={}).get(group) != "none":
        return ""
    others = [f"{group}={name}" for name in choices_of(group) if name != "none" and name[0] != "_"]
    return f"{key}: not there with {group}=none; settings are allowed with {', '.join(others)}"


def _no_keys(node: Any, walked: str, key: str, value: str) -> str:
    """The message for a key in what has no keys: null, a number, a list."""
    if node is not None:
        return f"{key}: not there, as {walked} is {_short(str(node))}, which has no keys"
    nested = "".join(f"{{{part}: " for part in key.removeprefix(f"{walked}.").split("."))
    whole = f"{walked}={nested}{value}{'}' * nested.count('{')}"
    return f"{key}: not there, as {walked} is null; type +{key}={value}, or {shlex.quote(whole)}"


def _unknown(node: DictConfig, above: Sequence[tuple[str, Any]], key: str, part: str, value: str) -> str:
    """The message for a key that a mapping does not have: the nearest, or how a new one is typed."""
    names = [str(name) for name in node]
    takes = _arguments(above[1][1]) if above[-1][0] == "agent.kwargs." else []
    if (meant := nearest(part, takes)) not in (None, part):
        typed = f"agent.{meant}" if meant in above[1][1] else f"+agent.kwargs.{meant}"
        return f"{key}: unknown name {part!r}; did you mean {meant!r}? type {typed}={value}"
    known = f"; it is called {RENAMED[part]} now" if part in RENAMED else _elsewhere(part, above[0][1])
    places = [f"{place}{part}" for place, each in above if isinstance(each, DictConfig) and part in each.keys()]  # noqa: SIM118
    places = list(dict.fromkeys([*places, *_places_of(part, above[0][1])]))[:_MOST_PLACES]
    allowed = names if part in takes else takes or names
    near = nearest(part, names)
    if known or allowed is takes or _is_closed(node, key) or near:
        there = f"; there is {', '.join(places)}" if places else ""
        both = f"; did you mean {near!r}? {there[2:]}, too" if near == part.removesuffix("s") and places else there
        return unknown_name(key, part, allowed, known or both)
    ways = [f"{each}={value}" for each in places if each != key] + [f"+{key}={value} for a new key"]
    there = f"in addition to {', '.join(names)}" if names else "as there are none yet"
    return f"{key}: not there; type {', or '.join(ways)} ({there})"


def _arguments(agent: DictConfig) -> list[str]:
    """What `agent.kwargs` may give; nothing where there is no such class, which whoever makes it says."""
    from agents.registry import arguments_of, off_policy_class  # which import PyTorch
    from experiments.config.agents import RESERVED

    try:
        return [*arguments_of(off_policy_class(str(OmegaConf.select(agent, "_target_")))).keys() - {*RESERVED}]
    except (ValueError, TypeError, ImportError):
        return []


def _elsewhere(part: str, config: DictConfig) -> str:
    """Why a command does not have a key that another has; "" where the keys to type instead are not there either."""
    text = ELSEWHERE.get(part, "")
    there = (OmegaConf.select(config, key) is not None for key in re.findall(r"([\w.]+)=<number>", text))
    return text if all(there) else ""


def _places_of(part: str, config: DictConfig) -> list[str]:
    """The dotted keys of a composed configuration that end with this part, the shortest first."""

    def inside(node: Any, place: str) -> Iterator[str]:
        for name, value in node.items() if isinstance(node, dict) else ():
            if name == part:
                yield f"{place}{name}"
            if f"{place}{name}" != "hydra":
                yield from inside(value, f"{place}{name}.")

    return sorted(inside(OmegaConf.to_container(config), ""), key=lambda key: (key.count("."), key))


def _unknown_inside(config: DictConfig, key: str, value: str, inner: str) -> str:
    """The message for a mapping as a value, one of whose keys is not there."""
    place, _, part = inner.rpartition(".")
    node = OmegaConf.select(config, place) if place else config
    if isinstance(node, DictConfig) and not _is_closed(node, inner):
        return f"{inner}: not there, in {key}={_short(value)}; type {shlex.quote(f'+{key}={value}')} for new keys"
    return unknown_name(inner, part, map(str, node) if isinstance(node, DictConfig) else ())


def _is_closed(node: DictConfig, key: str) -> bool:
    """Whether a mapping takes no new keys: a class has its fields, and scenarios, twins and mappings know theirs."""
    return is_structured_config(OmegaConf.get_type(node)) or key.partition(".")[0] in ("scenario", "twin", "mapping")


def unread(argument: str, error: Exception | None = None) -> str:
    """The message for an argument that is none in Hydra's grammar."""
    key, equals, value = argument.partition("=")
    if not re.fullmatch(r"[+~]{0,2}[\w./@:$-]+", key) or not (equals or argument.startswith("~")):
        return f"{shown(argument)} given, allowed is <key>=<value>, or ~<key>"
    how = f"a text with other characters than letters, digits and ._/- stands in quotes: {as_typed(key, 'a, b')}"
    why = f" ({type(error).__name__})" if isinstance(error, RecursionError) else ""
    return f"{key.lstrip('+~')}: {_short(value)} given, which cannot be read{why}; {how}"


def _why(config: DictConfig, override: Override, error: Exception) -> str:
    """The message for one override that does not compose with those before it."""
    key, text, cause = override.get_key_element().lstrip("+~"), str(error), error.__cause__ or error
    value = (override.input_line or "").partition("=")[2]
    if override.is_delete():
        return f"{key}: it cannot be left out (~): {reason(error)}"
    if isinstance(error, MissingConfigException) and error.options is not None:
        options = [each for each in error.options if each[0] != "_"]
        if key == "agent" and ON_POLICY.search(value):
            return f"{key}: {value} given, allowed are off-policy algorithms ({', '.join(options)}); {BY_BENCHMARK}"
        return unknown_name(key, value, options) + OWN_FILES.get(key, "")
    for begin, what in (
        ("Sweep parameters", f"{_short(value)} given, allowed is one; a sweep is typed with -m"),
        ("Ambiguous value", f"{value} given, allowed is one; a list is typed [{value}], a sweep with -m"),
        ("Config group override must be", f"{_short(value)} given, allowed is the name of a choice"),
        ("Could not append", f"it is there already; type {key}={value}"),
        ("Multiple values for", f"it is chosen already; type {key}={value}"),
    ):
        if text.startswith(begin):
            several = begin in ("Sweep parameters", "Ambiguous value") and not override.is_add()
            return (several and _not_there(config, key, value)) or f"{key}: {what}"
    if "To append to your default list use" in text:
        return f"{key}: none is chosen by default; type +{key}={value}"
    if not override.is_add() and (unknown := _not_there(config, key, value)):
        return unknown
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and OmegaConf.select(config, key) is not None:
        inner = _key_of(cause)
        return _none_chosen(config, inner) or _unknown_inside(config, key, value, inner)
    if isinstance(cause, OmegaConfBaseException):
        return not_a_value(key, value, cause)
    return f"{key}: {_short(value)} given: {reason(error)}"


def _not_there(config: DictConfig, key: str, value: str) -> str:
    """The message for a key that the command does not have; empty if it has it."""
    try:
        check_key(config, key, value)
    except ValueError as unknown:
        return str(unknown)
    return ""


def _first_line(error: BaseException) -> str:
    return _short(str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__, 300)


def _short(text: str, most: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."


def _key_of(error: OmegaConfBaseException) -> str:
    return str(error.full_key or "")
