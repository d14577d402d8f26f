"""Classes by their dotted names: which modules may be imported for them, and which arguments they take."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import islice
from pathlib import PurePath
from types import ModuleType
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy

from agents.state import PAGE
from slicing_gym.errors import unknown_name
from slicing_gym.extras import EXTRAS, missing

_PACKAGES = ("agents", "gymnasium", "sb3_contrib", "slicing_gym", "stable_baselines3", "torch", "twin")
"""Packages of which anything may be imported because a configuration or a file names it."""

_imported: set[str] = set()
"""Modules that the user has asked for; what is below them may be imported, too."""


def import_modules(names: Sequence[str]) -> None:
    """Import modules of the user's own, so that configurations and files may name what is in them.

    Args:
        names: dotted; typed by the user, never read from a file of a run: files name no code to import.

    Raises:
        ValueError: there is no such module, or it cannot be imported.
    """
    for name in names:
        try:
            import_module(name)
        except Exception as error:
            meant = _module_of_file(name)
            raise ValueError(
                f"imports: {name!r} cannot be imported ({type(error).__name__}: {error}); "
                + (f"did you mean {meant!r}? " if meant else "")
                + "allowed are modules that python finds from here"
            ) from error
        _imported.add(name)


def _module_of_file(name: str) -> str:
    """The dotted name of a module whose file is named: my.bandits of my/bandits.py; "" of what is no such file."""
    path = PurePath(name)
    parts = path.with_suffix("").parts
    return ".".join(parts) if path.suffix == ".py" and all(map(str.isidentifier, parts)) else ""


def allow_module_of(part: object) -> None:
    """Let files name the module of what a user has given as an object: it is imported already, and asked for.

    Not that of builtin types, which an object given by mistake has: `exec` is there, too.
    """
    module = str(getattr(part, "__module__", type(part).__module__))
    if module != "builtins":
        _imported.add(module)


def own_modules(*parts: Any) -> list[str]:
    """Modules of the user's own that parts are of: what `imports=` has to name before a file with them is loaded.

    Args:
        parts: classes and functions; dotted names, as configurations have them; mappings and sequences of these. What
            is Python's own, or of a package that files may always name, counts for nothing.
    """
    found = {module for part in parts for module in _modules_in(part)}
    known = {*_PACKAGES, "numpy", *sys.stdlib_module_names} - {"__main__"}
    return sorted(each for each in found if each.partition(".")[0] not in known)


def _modules_in(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        names = part.split(".")
        above = (".".join(names[:length]) for length in range(len(names) - 1, 0, -1))
        yield from islice((each for each in above if each in sys.modules), 1)  # a text that is no name has none
    elif isinstance(part, Mapping):
        yield from _modules_in(list(part.values()))
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _modules_in(each)
    elif callable(part):
        yield str(getattr(part, "__module__", "builtins"))


def is_imported(module: str) -> bool:
    """Whether the user has asked for a module, or for one above it."""
    return any(module == name or module.startswith(f"{name}.") for name in _imported)


def named(key: str, target: str, packages: Sequence[str] = _PACKAGES) -> Any:
    """What a dotted name means.

    Args:
        key: where the name stands.
        target: the name, as in "my_package.agents.MyDQN".
        packages: that may be imported in addition to what the user has asked for.

    Raises:
        ValueError: nothing is called so, or it is of a module that may not be imported unasked.
    """
    parts = target.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError(f"{key}: {target!r} given, allowed are dotted names, as in my_package.MyClass")
    found: Any = None
    for length in range(len(parts) - 1, 0, -1):
        found = _module(key, target, ".".join(parts[:length]), packages)
        if found is not None:
            break
    if found is None:
        if _may_import(parts[0], packages):
            why = missing(parts[0]) if parts[0] in EXTRAS else f"there is no module {parts[0]!r}"
            raise ValueError(f"{key}: {target!r} cannot be imported: {why}")
        raise ValueError(_not_asked_for(key, target, parts[0]))
    for place in range(length, len(parts)):
        if not hasattr(found, parts[place]):
            raise ValueError(unknown_name(f"{key} ({'.'.join(parts[:place])})", parts[place], _public(found)))
        found = getattr(found, parts[place])
    return found


def _not_asked_for(key: str, target: str, package: str) -> str:
    return f"{key}: {target!r} is of a module that was not asked for; type imports=[{package}] as well"


def _may_import(module: str, packages: Sequence[str]) -> bool:
    return is_imported(module) or any(module == each or module.startswith(f"{each}.") for each in packages)


def _module(key: str, target: str, name: str, packages: Sequence[str]) -> ModuleType | None:
    """The module of that name; None if there is none, or it may not be imported.

    Raises:
        ValueError: it cannot be imported.
    """
    if not _may_import(name, packages):
        return None
    try:
        return import_module(name)
    except Exception as error:
        lacking = error.name if isinstance(error, ModuleNotFoundError) else None
        if lacking and (name == lacking or name.startswith(f"{lacking}.")):
            return None
        raise ValueError(f"{key}: {target!r} cannot be imported ({type(error).__name__}: {error})") from None


def _public(owner: Any) -> list[str]:
    """What a module or a class offers: of a module the classes and functions that are of its own package."""
    names = [*getattr(owner, "__all__", dir(owner))]
    package = getattr(owner, "__name__", "").partition(".")[0]
    of_others = [
        name
        for name in vars(owner)
        if isinstance(owner, ModuleType)
        and not str(getattr(vars(owner)[name], "__module__", "")).startswith(package or "-")
    ]
    hidden = set() if hasattr(owner, "__all__") else set(of_others)
    return [name for name in names if not name.startswith("_") and name not in hidden]


def algorithm_class(target: str, key: str = "agent._target_") -> type[BaseAlgorithm]:
    """An algorithm of Stable-Baselines3, or made in its manner, by its dotted name.

    Raises:
        ValueError: there is no such class, or it is no algorithm.
    """
    kind = named(key, target)
    if not isinstance(kind, type) or not issubclass(kind, BaseAlgorithm):
        raise ValueError(f"{key}: {target!r} is no algorithm of Stable-Baselines3, nor a subclass of one")
    return kind


def off_policy_class(target: str, key: str = "agent._target_") -> type[OffPolicyAlgorithm]:
    """The same, of an algorithm that learns from a replay buffer, as both loops need it.

    Raises:
        ValueError: there is no such class, or it does not learn so.
    """
    kind = algorithm_class(target, key)
    if not issubclass(kind, OffPolicyAlgorithm):
        raise ValueError(f"{key}: {target!r} is not off-policy; allowed are subclasses of OffPolicyAlgorithm ({PAGE})")
    return kind


def policy_class(kind: type[BaseAlgorithm], policy: str, key: str = "agent.policy") -> type[BasePolicy]:
    """The policy that an algorithm knows by a name, or that of a dotted name.

    Raises:
        ValueError: there is no such policy.
    """
    if policy in kind.policy_aliases:
        return kind.policy_aliases[policy]
    if "." not in policy:
        raise ValueError(unknown_name(key, policy, kind.policy_aliases) + ", or a dotted name of one of your own")
    found = named(key, policy)
    if not isinstance(found, type) or not issubclass(found, BasePolicy):
        raise ValueError(f"{key}: {policy!r} is no policy of Stable-Baselines3, nor a subclass of one")
    return found


def arguments_of(kind: type) -> dict[str, Any]:
    """Arguments of a class's constructor with their defaults, those that it hands on to the class above included."""
    found: dict[str, Any] = {}
    for each in kind.__mro__:
        if "__init__" not in vars(each):
            continue
        parameters = list(inspect.signature(each.__init__).parameters.values())[1:]  # type: ignore[misc]
        for parameter in parameters:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(parameter.name, parameter.default)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def with_classes(key: str, arguments: dict[str, Any], packages: Sequence[str] = _PACKAGES) -> dict[str, Any]:
    """Arguments in which dotted names stand for classes and functions, as YAML cannot hold them otherwise.

    Those are meant that are called `func`, or something that ends in `_class` or `_fn`, at any depth.

    Raises:
        ValueError: there is no such class.
    """
    made = {}
    for name, value in arguments.items():
        if isinstance(value, dict):
            value = with_classes(f"{key}.{name}", value, packages)
        elif isinstance(value, str) and isinstance(name, str) and (name == "func" or name.endswith(("_class", "_fn"))):
            value = named(f"{key}.{name}", value, packages)
        made[name] = value
    return made
