"""Parts made of settings: scenario, mapping of a log, twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slicing_gym import Scenario
from slicing_gym.builtin_types import build, named
from slicing_gym.errors import check_integer, unknown_name
from slicing_gym.scenario import REWARD_KINDS
from twin import DigitalTwin, History, PerformanceSettings, TrainingSettings
from twin.data.logs import LogMapping, read_log
from twin.models.registry import transition_kind, transition_kinds


def make_scenario(given: Mapping[str, Any], reward: str | None = None) -> Scenario:
    """The scenario of builtin types, perhaps with another reward.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    if reward is not None and reward not in REWARD_KINDS:
        raise ValueError(unknown_name("reward", reward, REWARD_KINDS))
    with named("scenario"):
        scenario = Scenario.from_dict(given)
        return scenario if reward is None else scenario.replace(reward={"kind": reward})


def change_scenario(scenario: Scenario, change: Mapping[str, Any]) -> Scenario:
    """A scenario with the changes that `change` names.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    try:
        return scenario.replace(**change)
    except (ValueError, TypeError) as error:
        message = str(error)
        own = message.removeprefix("scenario") if message.startswith("scenario") else f".{message}"
        raise type(error)(f"change{own}") from error


def make_mapping(given: Mapping[str, Any], file: str | None) -> LogMapping | None:
    """The mapping of a log: a choice of Hydra's, or a file of the user's own. None if neither is given.

    Raises:
        ValueError, TypeError, OSError: both are given, or it is not right; the message names the key.
    """
    if file is None:
        return LogMapping.from_dict(given) if given else None
    if given:
        raise ValueError(f"mapping: {file!r} given in addition to a choice, allowed is one of the two")
    return LogMapping.from_yaml(file)


def read_mapped_log(log: Any, given: Mapping[str, Any], file: str | None) -> History | None:
    """The history in a log, if there is one.

    Args:
        log: files, see `read_log`.
        given: its mapping, see `make_mapping`.
        file: that holds it, in place of `given`.

    Raises:
        ValueError, OSError: a log without a mapping of its columns, or a mapping without a log; or it cannot be read.
    """
    mapping = make_mapping(given, file)
    if log is None:
        if mapping is not None:
            raise ValueError("log: null given, allowed is the file that mapping=... describes")
        return None
    if mapping is None:
        raise ValueError(
            f"log: {log!r} given without a mapping of its columns (mapping=..., a name or the path of a YAML file)"
        )
    return read_log(log, mapping)


def make_twin(given: Mapping[str, Any], device: str = "cpu") -> DigitalTwin | None:
    """A twin with these settings, checked; not fitted. None for `twin=none`.

    Args:
        given: the settings, as `conf/twin` has them.
        device: that its networks are fitted on.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    if given.get("transition") is None:
        return None
    if not isinstance(given["transition"], Mapping):
        raise TypeError(
            f"twin.transition: {given['transition']!r} given, allowed are keys and values; twin=lstm and "
            f"twin=transformer have them, and twin.transition.name is one of {', '.join(transition_kinds())}"
        )
    wanted = ("transition", "performance", "training", "seed")
    for key in given:
        if key not in wanted:
            raise ValueError(unknown_name("twin", key, wanted))
    for key in wanted:
        if key not in given:
            raise ValueError(f"twin.{key}: missing; twin=lstm or twin=transformer has it")
    transition = dict(given["transition"])
    kind = transition_kind("twin.transition.name", transition.pop("name", None))
    with named("twin"):
        parts = (
            build(kind, "twin.transition", transition),
            build(PerformanceSettings, "twin.performance", given["performance"]),
            build(TrainingSettings, "twin.training", given["training"]),
        )
        seed = check_integer("seed", given["seed"], at_least=0)
    return DigitalTwin(*parts, seed, device)
