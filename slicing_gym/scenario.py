"""What a scenario is: the radio cell, its slices and its reward, as frozen data that is checked when it is made."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym import traffic
from slicing_gym.builtin_types import build, merge, named
from slicing_gym.distributions import DISTRIBUTIONS
from slicing_gym.errors import check_instance, check_integer, check_number, shown, unknown_name
from slicing_gym.radio import Radio
from slicing_gym.ranking import MAX_ALLOCATIONS, MAX_UNITS
from slicing_gym.reading import parsing
from slicing_gym.traffic import Traffic
from slicing_gym.yaml_reading import read_yaml_mapping, write_yaml

REWARD_KINDS = ("shaped", "clip", "utility")

MAX_USERS = 2**14
"""Users in a cell: as many as the counter of its random numbers tells apart (`counter_rng.USER_BITS`)."""

MAX_DECISIONS = 2**62
"""Decisions in an episode: they are counted in 64 bits, and what is counted from there has to fit, too."""


@dataclass(frozen=True)
class Slice:
    """One slice: its users, what they send and what they were promised.

    Args:
        name: shown in tables and TensorBoard.
        num_users: users in the cell.
        traffic: how a user sends.
        rate_sla_bps: rate a user must have in the slot that completes a packet [bit/s].
        latency_sla_s: time within which a packet must complete [s].
        ssr_weight: beta_n of equation (4).
    """

    name: str
    num_users: int
    traffic: Traffic
    rate_sla_bps: float
    latency_sla_s: float
    ssr_weight: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"slice name: {self.name!r} given, allowed are letters, digits and underscores")
        check_integer(f"slices.{self.name}.num_users", self.num_users, at_least=1, at_most=MAX_USERS)
        check_instance(f"slices.{self.name}.traffic", self.traffic, (Traffic,))
        check_number(f"slices.{self.name}.rate_sla_bps", self.rate_sla_bps, at_least=0.0, at_most=1e15)
        check_number(f"slices.{self.name}.latency_sla_s", self.latency_sla_s, above=0.0, at_most=1e6)
        check_number(f"slices.{self.name}.ssr_weight", self.ssr_weight, at_least=0.0, at_most=1e6)


@dataclass(frozen=True)
class Reward:
    """How a decision is rewarded (equations 4 to 6).

    Args:
        kind: "shaped" (6): 1 where U reaches a threshold that grows with the decisions taken, else 0;
            "clip" (GAN-DDQN, equation 24): clip_value, 0 or -clip_value; "utility": U itself.
        se_weight: alpha of equation (4).
        threshold_start, threshold_end: c_0 and c_max of the shaped reward.
        threshold_decisions: decisions after which the threshold has grown from the one to the other.
        clip_high, clip_low, clip_value: c1, c2 and eta of the clipped reward.
    """

    kind: str = "shaped"
    se_weight: float = 0.01
    threshold_start: float = 5.0
    threshold_end: float = 7.5
    threshold_decisions: int = 20_000
    clip_high: float = 6.5
    clip_low: float = 4.5
    clip_value: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in REWARD_KINDS:
            raise ValueError(unknown_name("reward.kind", self.kind, REWARD_KINDS))
        check_number("reward.se_weight", self.se_weight, at_least=0.0, at_most=1e6)
        check_number("reward.threshold_start", self.threshold_start)
        check_number("reward.threshold_end", self.threshold_end, at_least=self.threshold_start)
        check_integer("reward.threshold_decisions", self.threshold_decisions, at_least=1, at_most=MAX_DECISIONS)
        check_number("reward.clip_low", self.clip_low)
        check_number("reward.clip_high", self.clip_high, at_least=self.clip_low)
        check_number("reward.clip_value", self.clip_value, above=0.0)


@dataclass(frozen=True)
class Scenario:
    """A slicing problem: one cell, its slices, its reward.

    Args:
        name: what the scenario is called in tables and files.
        slices: two or more, of different names.
        radio: the cell.
        reward: how a decision is rewarded.
        decisions_per_episode: length of an episode.
    """

    name: str
    slices: tuple[Slice, ...]
    radio: Radio = field(default_factory=Radio)
    reward: Reward = field(default_factory=Reward)
    decisions_per_episode: int = 200

    def __post_init__(self) -> None:
        check_instance("slices", self.slices, (tuple, list))
        object.__setattr__(self, "slices", tuple(self.slices))
        for part in self.slices:
            check_instance("slices", part, (Slice,))
        check_instance("radio", self.radio, (Radio,))
        check_instance("reward", self.reward, (Reward,))
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name: {self.name!r} given, allowed is a non-empty text")
        if len(self.slices) < 2:
            raise ValueError(f"slices: {len(self.slices)} given, allowed are 2 or more")
        names = [part.name for part in self.slices]
        if len(set(names)) < len(names):
            raise ValueError(f"slices: the names {names} are not all different")
        if self.num_units < len(self.slices):
            raise ValueError(
                f"slices: {len(self.slices)} slices do not fit in {self.num_units} units of "
                f"radio.resolution_hz = {self.radio.resolution_hz} (each gets at least one)"
            )
        if self.num_units > MAX_UNITS or self.num_allocations > MAX_ALLOCATIONS:
            raise ValueError(
                f"radio.resolution_hz: {self.num_units} units for {len(self.slices)} slices make "
                f"{self.num_allocations} allocations, allowed are {MAX_UNITS} units and 2**62 = {MAX_ALLOCATIONS} "
                "allocations; take a coarser resolution_hz"
            )
        if sum(part.num_users for part in self.slices) > MAX_USERS:
            raise ValueError(f"slices: {sum(part.num_users for part in self.slices)} users, allowed are {MAX_USERS}")
        for part in self.slices:
            if part.latency_sla_s < self.radio.slot_s * (1.0 - 1e-9):
                raise ValueError(
                    f"slices.{part.name}.latency_sla_s: {part.latency_sla_s} s is below a slot "
                    f"(radio.slot_s = {self.radio.slot_s} s): no packet could ever meet it"
                )
            if part.num_users * part.traffic.mean_arrivals_per_s * self.radio.interval_s < 1e-9:
                raise ValueError(f"slices.{part.name}.traffic: below 1e-9 packets in an interval; take the slice out")
        check_integer("decisions_per_episode", self.decisions_per_episode, at_least=1, at_most=MAX_DECISIONS)

    @property
    def num_slices(self) -> int:
        """Number of slices."""
        return len(self.slices)

    @cached_property
    def num_units(self) -> int:
        """Units of allocation in the bandwidth."""
        return self.radio.num_units

    @property
    def num_allocations(self) -> int:
        """Ways to give every slice at least one unit and all units away: C(units - 1, slices - 1)."""
        return math.comb(self.num_units - 1, self.num_slices - 1)

    @property
    def slice_names(self) -> tuple[str, ...]:
        """Names of the slices, in order."""
        return tuple(part.name for part in self.slices)

    @property
    def ssr_weights(self) -> npt.NDArray[np.float64]:
        """Beta (n_slices,)."""
        return self._ssr_weights.copy()

    @cached_property
    def _ssr_weights(self) -> npt.NDArray[np.float64]:
        return np.array([part.ssr_weight for part in self.slices])

    @property
    def nominal_arrivals(self) -> npt.NDArray[np.float64]:
        """Mean packets per interval and slice (n_slices,), were no queue ever full; observations are divided by it."""
        return self._nominal_arrivals.copy()

    @cached_property
    def _nominal_arrivals(self) -> npt.NDArray[np.float64]:
        interval_s = self.radio.interval_s
        return np.array([part.num_users * interval_s * part.traffic.mean_arrivals_per_s for part in self.slices])

    @property
    def largest_arrivals(self) -> npt.NDArray[np.float64]:
        """Bound on the packets per interval and slice (n_slices,): a full queue joins in every slot."""
        each = self.radio.queue_capacity * self.radio.slots_per_interval
        return np.array([float(part.num_users * each) for part in self.slices])

    def to_dict(self) -> dict[str, Any]:
        """The scenario as builtin types, for YAML and JSON; slices by name. `from_dict` reads it back."""
        slices = {}
        for part in self.slices:
            plain = asdict(part)
            del plain["name"]
            sent = {entry.name: getattr(part.traffic, entry.name) for entry in fields(Traffic)}
            plain["traffic"] = {name: traffic.to_dict(value) for name, value in sent.items()}
            slices[part.name] = plain
        return {
            "name": self.name,
            "decisions_per_episode": self.decisions_per_episode,
            "radio": asdict(self.radio),
            "slices": slices,
            "reward": asdict(self.reward),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scenario:
        """The scenario that builtin types describe, its slices by name or in a list.

        Raises:
            ValueError, TypeError: a key is unknown or missing, or a value is not allowed; the message names it.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"scenario: {data!r} is not a mapping")
        parts = dict(data)
        if "decisions_per_round" in parts and "decisions_per_episode" not in parts:  # as earlier files call it
            parts["decisions_per_episode"] = parts.pop("decisions_per_round")
        parts["slices"] = tuple(_slice_from_dict(name, value) for name, value in slices_by_name(parts).items())
        parts["radio"] = build(Radio, "radio", parts.get("radio", {}))
        parts["reward"] = build(Reward, "reward", parts.get("reward", {}))
        return build(cls, "scenario", parts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the scenario to a YAML file, atomically, the slices as a list: their order is that of actions."""
        plain = self.to_dict()
        plain["slices"] = [{"name": name, **part} for name, part in plain["slices"].items()]
        write_yaml(path, plain)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Scenario:
        """The scenario in a YAML file, as `save` writes it or by hand.

        Raises:
            FileNotFoundError, OSError: it cannot be read.
            ValueError: it is no scenario; the message names file and key.
        """
        content = read_yaml_mapping("scenario", path)
        with parsing("scenario", os.fspath(path)):
            return cls.from_dict(content)

    def replace(self, **changes: Any) -> Scenario:
        """A copy with changes, as values, objects or nested mappings.

        `scenario.replace(name="busy", slices={"urllc": {"num_users": 20}}, reward=Reward("utility"))`. A distribution
        or profile given with its `kind` takes the place of the one before; a slice given as None is taken out, and
        whatever else is given as None has its default value.

        Raises:
            ValueError, TypeError: as for `from_dict`.
        """
        if isinstance(changes.get("slices"), tuple | list):
            return Scenario.from_dict(merge(self.to_dict(), changes))
        slices = changes.get("slices") or {}
        if not isinstance(slices, Mapping):
            raise TypeError(f"slices: {slices!r} is not a mapping of name to slice")
        for name, part in slices.items():
            whole = isinstance(part, Slice) or (isinstance(part, Mapping) and "traffic" in part)
            if name not in self.slice_names and not whole:
                raise ValueError(unknown_name("slices", name, self.slice_names) + "; a new slice needs its traffic")
        return Scenario.from_dict(merge(self.to_dict(), changes))


def slices_by_name(data: Mapping[str, Any]) -> dict[str, Any]:
    """The slices of a scenario as builtin types, by name, in order, whether they are a list or a mapping.

    Raises:
        TypeError, ValueError: they are neither, a name is missing or there twice, or their order was lost.
    """
    given = data.get("slices")
    if isinstance(given, Mapping):
        if _is_sorted(data) and _is_sorted(given) and all(map(_is_sorted, given.values())):
            raise ValueError(
                f"scenario.slices: {', '.join(map(str, given))}: all keys are sorted, so what wrote this (such as "
                "yaml.dump without sort_keys=False) may have lost the order of the slices, which is that of actions "
                "and observations; allowed is a list of slices, each with its name, as Scenario.save writes it"
            )
        return dict(given)
    if not isinstance(given, list | tuple):
        raise TypeError(f"scenario.slices: {given!r} is not a mapping of name to slice, nor a list of slices")
    found: dict[str, Any] = {}
    for number, part in enumerate(given):
        name = part.get("name") if isinstance(part, Mapping) else getattr(part, "name", None)
        if not isinstance(name, str):
            raise TypeError(f"scenario.slices: entry {number}, {shown(part)}, has no name")
        if name in found:
            raise ValueError(f"scenario.slices: the name {name!r} is there twice")
        found[name] = part
    return found


def _is_sorted(data: object) -> bool:
    """Whether a mapping has several keys, in the order of the alphabet."""
    if not isinstance(data, Mapping) or len(data) < 2:
        return False
    keys = list(map(str, data))
    return keys == sorted(keys)


def _slice_from_dict(name: str, data: object) -> Slice:
    """One slice of the plain form."""
    if isinstance(data, Slice):
        return data
    key = f"slices.{name}"
    if not isinstance(data, Mapping):
        raise TypeError(f"{key}: {data!r} is not a mapping")
    parts = {**data, "name": name}
    sent = parts.get("traffic", {})
    if isinstance(sent, Mapping):
        kinds: dict[str, Mapping[str, type[Any]]] = dict.fromkeys(("interarrival_s", "packet_size_byte"), DISTRIBUTIONS)
        kinds |= dict.fromkeys(("active_users", "intensity"), traffic.PROFILES)
        built = {
            entry: traffic.from_dict(f"{key}.traffic.{entry}", value, kinds[entry]) if entry in kinds else value
            for entry, value in sent.items()
        }
        if "traffic" in parts:
            with named(f"{key}.traffic"):
                parts["traffic"] = build(Traffic, f"{key}.traffic", built)
    return build(Slice, key, parts)
