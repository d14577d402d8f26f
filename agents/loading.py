"""Agents of Stable-Baselines3 and of this package out of their files, whatever their class."""

from __future__ import annotations

import inspect
import io
import os
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from agents.registry import algorithm_class
from agents.safe_load import OPEN, UntrustedError, read_checked, read_entries
from agents.tensor_files import bounded
from slicing_gym.reading import one_line, parsing

_BY_POLICY = {
    "agents.dqn.policies": "agents.DQN",
    "agents.gan_ddqn.policies": "agents.DuelingGANDDQN",
    "stable_baselines3.dqn.policies": "stable_baselines3.DQN",
    "sb3_contrib.qrdqn.policies": "sb3_contrib.QRDQN",
    "sb3_contrib.ars.policies": "sb3_contrib.ARS",
    "sb3_contrib.common.maskable.policies": "sb3_contrib.MaskablePPO",
    "sb3_contrib.common.recurrent.policies": "sb3_contrib.RecurrentPPO",
}
"""Classes by the module of the policy that an agent's file names; the file does not name the class itself."""

_ACTOR_CRITICS = (("clip_range", "stable_baselines3.PPO"), ("cg_max_steps", "sb3_contrib.TRPO"))
"""Those that share a policy, by an entry that only they have; A2C has none of these."""


_AGAIN = {"sb3_contrib.ARS": ("weights",)}
"""Entries of a class's file that hold a tensor which its policy has, too; they are left out."""


def load_agent(
    path: str | os.PathLike[str],
    target: str | type[BaseAlgorithm] | None = None,
    *,
    trust: bool = False,
    key: str = "policy",
) -> BaseAlgorithm:
    """The agent in a zip that an algorithm of Stable-Baselines3, sb3-contrib or this package saved.

    Args:
        path: of the file.
        target: its class, or that class's dotted name; None: taken from the file's policy.
        trust: let the file run code; otherwise one that would is refused.
        key: what the file is called where it was given.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no such agent, or would run code.
    """
    name = os.fspath(path)
    if not Path(name).is_file():
        raise FileNotFoundError(f"{key}: there is no file {name!r}")
    kind: Any = target
    if isinstance(target, type):
        wanted = f"{target.__module__}.{target.__qualname__}"
    else:
        wanted = guess_class(name, key) if target is None else target
        kind = algorithm_class(wanted, key)
    try:
        more = {"trust": True} if trust and "trust" in inspect.signature(kind.load).parameters else {}
        given = dict.fromkeys(_AGAIN.get(wanted, ()))
        if trust:
            loaded: BaseAlgorithm = kind.load(name, device="cpu", custom_objects=given, **more)
        else:
            content = read_checked(name, given)
            with bounded(name, content, key):
                loaded = kind.load(content, device="cpu", custom_objects=given, **more)
    except Exception as error:  # a foreign or damaged file fails in many ways
        reason = one_line(error, 1000).replace(
            "load with trust=True", "load with trust=True (on a command line trust=true)"
        )
        if isinstance(error, UntrustedError):  # of the right class, perhaps: nobody has looked
            raise ValueError(f"{key}: {reason.removeprefix('agent: ')}") from error
        raise ValueError(f"{key}: {name!r} does not hold an agent of class {wanted} ({reason})") from error
    return loaded


def refuse_another(content: Any, kind: type[BaseAlgorithm], path: Any) -> None:
    """Refuse a file whose policy is that of another class, before anything is made.

    Args:
        content: the open file, or its path.
        kind: that is to load it.
        path: of the file, for the message, or the open file.

    Raises:
        ValueError: the message says which class loads it, and how its weights are taken over.
    """
    try:
        saved = guess_class(content)
    except (OSError, ValueError):  # a policy of the user's own, or a damaged file, of which loading itself tells
        return
    own = {_BY_POLICY.get(policy.__module__) for policy in kind.policy_aliases.values()}
    if saved not in own:
        name = OPEN if isinstance(path, io.IOBase) else os.fspath(path)
        raise ValueError(
            f"path: {name!r} holds an agent of class {saved}, allowed are those of {kind.__module__}.{kind.__name__}; "
            f"{saved}.load(path) loads it, and agent.policy.load_state_dict(loaded.policy.state_dict()) takes its "
            "weights over where the layers are the same"
        )


def guess_class(path: str | os.PathLike[str] | io.BufferedIOBase, key: str = "policy") -> str:
    """Dotted name of the class of the agent in a file.

    Args:
        path: of the file, or the open file.
        key: what the file is called where it was given.

    Raises:
        ValueError: the file does not tell.
    """
    entries = read_entries(path, key)
    with parsing(key, path, "is not an agent's file, or is damaged"):
        module = str(entries["policy_class"]["__module__"])
    if module == "stable_baselines3.common.policies":
        return next((name for entry, name in _ACTOR_CRITICS if entry in entries), "stable_baselines3.A2C")
    if module not in _BY_POLICY:
        raise ValueError(
            f"{key}: {path!r} has a policy of {module!r}, which does not tell its class; name it, as in "
            f"policy=my_package.MyAgent@{path}"
        )
    return _BY_POLICY[module]
