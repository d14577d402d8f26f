"""`scenario_from_log`: the simulator's radio under the traffic of a log."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym import Constant, Distribution, Empirical, Radio, Scenario, Slice, Trace, Traffic, Uniform, get_scenario
from slicing_gym.errors import check_instance, check_integer, check_number, unknown_name
from slicing_gym.measured import MOST_LEVELS
from twin.data.logs.rules import PACKET_BYTE
from twin.traffic.log import TrafficLog
from twin.traffic.replay import replay

MOST_USERS = 100
"""Users of a slice whose number nobody has said."""

LATENCY_S = 10e-3
"""What a slice is promised if nothing is said: this latency, and no rate."""

KEPT_OUT = 0.05
"""Share of a slice's packets that full queues may keep out before a warning says so."""

FloatArray = npt.NDArray[np.float64]


def scenario_from_log(
    traffic: TrafficLog,
    base: str | Scenario = "paper",
    *,
    name: str = "my_traffic",
    scale: float | Mapping[str, float] = 1.0,
    users: Mapping[str, int] | None = None,
    interarrival_s: Mapping[str, Distribution] | None = None,
    packet_size_byte: Mapping[str, Distribution] | None = None,
    sla: Mapping[str, Mapping[str, float]] | None = None,
    reward: str | None = "utility",
) -> Scenario:
    """A scenario whose slices send what those of a log sent, on the radio of another scenario.

    An interval of the log becomes a decision interval of the radio, whatever the length of the two: a slice sends as
    many packets a second as it did in the log, times `scale`. (A radio whose `slots_per_interval` make the log's period
    keeps the packets of an interval as well.) The number of active users follows the log (`Trace`); each sends packets
    at gaps that are the same all the time. A log of counts does not know the gaps within an interval.

    Args:
        traffic: of the log, or paths of a `TrafficTwin`.
        base: where radio, numbers of the reward and length of an episode are taken from, and the SLA of slices of the
            same name.
        name: of the scenario.
        scale: the load, times this; of all slices or by slice.
        users: of a slice, by name; by default so many that an active user sends a packet an interval, but at most 100.
        interarrival_s: gaps between the packets of an active user, by slice; by default uniform, half to one and a
            half of the mean with which all users together send what the log has at its peak.
        packet_size_byte: sizes, by slice; by default the empirical distribution of the sizes in the log, where it has
            packets and volumes, else constant (1500 byte).
        sla: `rate_sla_bps`, `latency_sla_s` and `ssr_weight` by slice; by default those of the base's slice of that
            name, else no rate, 10 ms, and 1.
        reward: its kind: "utility"; "shaped" or "clip", whose thresholds have to suit what can be reached under this
            traffic; None: the base's.

    Returns:
        The scenario. Of a log of more than 10 000 intervals its traces hold windows, spread evenly over the log.

    Warns:
        UserWarning: where the bandwidth is split evenly, full queues keep packets of a slice out: the load that agents
            meet is then not the log's.

    Raises:
        ValueError, TypeError: a slice sent nothing, or an argument does not fit; the message names it.
    """
    check_instance("traffic", traffic, (TrafficLog,))
    of_base = get_scenario(base)
    given: dict[str, Mapping[str, Any]] = {
        "users": users or {},
        "interarrival_s": interarrival_s or {},
        "packet_size_byte": packet_size_byte or {},
        "sla": sla or {},
        "scale": scale if isinstance(scale, Mapping) else dict.fromkeys(traffic.slices, scale),
    }
    for key, values in given.items():
        check_instance(key, values, (Mapping,))
        for slice_name in values:
            if slice_name not in traffic.slices:
                raise ValueError(unknown_name(key, slice_name, traffic.slices))
    rows = _rows(traffic, of_base.decisions_per_episode)
    slices = tuple(
        _slice(traffic, rows, each, of_base, {key: values.get(each) for key, values in given.items()})
        for each in traffic.slices
    )
    rewarded = {} if reward is None else {"reward": {"kind": reward}}
    made = of_base.replace(name=name, slices=slices, **rewarded)
    _warn_of_full_queues(made)
    return made


def _rows(traffic: TrafficLog, window: int) -> npt.NDArray[np.int64]:
    """The intervals that a trace holds: all, or windows spread evenly over the log."""
    if len(traffic) <= MOST_LEVELS:
        return np.arange(len(traffic))
    length = min(window, MOST_LEVELS)
    starts = np.linspace(0, len(traffic) - length, MOST_LEVELS // length).astype(np.int64)
    return (starts[:, None] + np.arange(length)).ravel()


def _slice(
    traffic: TrafficLog, rows: npt.NDArray[np.int64], name: str, base: Scenario, given: Mapping[str, Any]
) -> Slice:
    """One slice of the scenario; `given` holds what was said of it, or None."""
    factor = 1.0 if given["scale"] is None else check_number(f"scale.{name}", given["scale"], above=0.0)
    size = given["packet_size_byte"] or _sizes(traffic, name)
    interval_s = base.radio.interval_s
    packets = traffic.packets_of(name, size.mean)[rows] * factor * interval_s / traffic.period_s
    if not packets.any():
        raise ValueError(f"slices.{name}: it sent nothing in the log; take it out")
    users, gaps = _users_and_gaps(name, packets, base.radio, given["users"], given["interarrival_s"])
    active = _active_users(packets * gaps.mean / interval_s, users)
    shares = np.round(active / users, 6)  # enough to tell the users of the largest slice apart, and short in files
    level = Trace(tuple(shares.tolist()), base.decisions_per_episode)
    own = next((part for part in base.slices if part.name == name), None)
    promised = {
        "rate_sla_bps": own.rate_sla_bps if own else 0.0,
        "latency_sla_s": own.latency_sla_s if own else max(LATENCY_S, base.radio.slot_s),
        "ssr_weight": own.ssr_weight if own else 1.0,
    }
    for key in given["sla"] or {}:
        if key not in promised:
            raise ValueError(unknown_name(f"sla.{name}", key, promised))
    return Slice(name, users, Traffic(gaps, size, active_users=level), **{**promised, **(given["sla"] or {})})


def _sizes(traffic: TrafficLog, name: str) -> Distribution:
    """Sizes of the packets of a slice [byte], as far as the log knows them."""
    sizes = traffic.packet_sizes(name)
    return Constant(PACKET_BYTE) if sizes is None else Empirical.of(sizes)


def _users_and_gaps(
    name: str, packets: FloatArray, radio: Radio, users: int | None, gaps: Distribution | None
) -> tuple[int, Distribution]:
    """Users of a slice, and the gaps between the packets of an active one, for its packets (n,) of each interval.

    Raises:
        ValueError: too few users; or an active one's packets would not get into its queue.
    """
    most = float(packets.max())
    if gaps is not None:
        check_instance(f"interarrival_s.{name}", gaps, (Distribution,))
    each = 1.0 if gaps is None else radio.interval_s / gaps.mean  # packets of an active user
    needed = math.ceil(round(most / each, 9))
    if users is None:
        users = needed if gaps is not None else min(needed, MOST_USERS)
    users = check_integer(f"users.{name}", users, at_least=1, at_most=2**14)
    if gaps is None:
        each = most / users
        gaps = Uniform(0.5 * radio.interval_s / each, 1.5 * radio.interval_s / each)
    elif users < needed:
        raise ValueError(
            f"users.{name}: {users} given, at its peak the slice sends {most:.4g} packets an interval, for which it "
            f"takes {needed} users of {each:.4g} packets each"
        )
    most_each = radio.queue_capacity * radio.slots_per_interval
    if each > most_each:
        raise ValueError(
            f"users.{name}: {users} given, each would send {each:.4g} packets an interval; radio.queue_capacity = "
            f"{radio.queue_capacity} lets {most_each} in, so it takes {math.ceil(most / most_each)} users or more"
        )
    return users, gaps


def _active_users(wanted: FloatArray, users: int) -> npt.NDArray[np.int64]:
    """Whole numbers of active users (n,) whose sum up to any interval is that of the wanted numbers, rounded."""
    found: npt.NDArray[np.int64] = np.diff(np.rint(np.cumsum(wanted)), prepend=0.0).astype(np.int64)
    return np.clip(found, 0, users)


def _warn_of_full_queues(scenario: Scenario) -> None:
    """Warn of slices whose packets full queues keep out under the even split."""
    found = replay(replace(scenario, decisions_per_episode=50))
    for part, kept_out in zip(scenario.slices, found.kept_out, strict=True):
        if kept_out > KEPT_OUT:
            warnings.warn(
                f"slices.{part.name}: full queues keep {kept_out:.0%} of its packets out under the even split, so that "
                "agents meet another load than the log's; a smaller scale or more bandwidth help",
                stacklevel=3,
            )
