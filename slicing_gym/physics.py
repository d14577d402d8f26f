"""A scenario as the arrays the kernel reads, and the cells that a seed draws from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slicing_gym.counter_rng import cell_key
from slicing_gym.distributions import Distribution, code_of, parameter_row
from slicing_gym.radio import Radio
from slicing_gym.scenario import Scenario

_MOST_GAINS_KEPT = 1 << 17  # 1 MB a thread; what does not stay in the processor's cache is drawn as fast again
_GAPS_KEPT = 64  # of each user
_ROUNDING = 1e-9  # what powers and products of profiles and distances may be off

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]


class Physics(NamedTuple):
    """What a scenario fixes, as arrays (S slices, R resource blocks at most a slice)."""

    slots: int  # scheduling slots in a decision interval
    slot_s: float
    bandwidth_hz: float
    block_hz: float
    layer_gain: float  # multiplexing gain x attenuation of the Shannon bound
    highest_sinr: float  # 1 + SNR that gives the highest spectral efficiency; more is worth no more
    queue_capacity: int  # packets a user
    slice_start: IntArray  # (S + 1,) users of slice n are slice_start[n] .. slice_start[n + 1] - 1
    slice_of_user: IntArray  # (U,)
    word_start: IntArray  # (S + 1,) words of the bit set that belong to slice n
    blocks_of_units: IntArray  # (units + 1,) resource blocks that so many units hold
    per_hz: FloatArray  # (R + 2,) 1 / bandwidth that the power is spread over when a user has so many blocks
    rate_sla_bps: FloatArray  # (S,)
    latency_sla_slots: IntArray  # (S,)
    certain_sinr: FloatArray  # (S, R + 1) 1 + SNR from which a full queue surely drains at the SLA's rate
    interarrival_kind: IntArray  # (S,) see `code_of`: holds in this process only
    interarrival: FloatArray  # (S, parameters), in slots
    packet_kind: IntArray  # (S,)
    packet: FloatArray  # (S, parameters), in bits
    profile_kind: IntArray  # (S, 2): share of users that are active; intensity of an active user
    profile: FloatArray  # (S, 2, parameters)


class Cells(NamedTuple):
    """The state of n cells (U users, S slices, Q packets a queue), randomness included; copied arrays are clones."""

    key: npt.NDArray[np.uint64]  # (n,) names the cell's random streams
    slot: IntArray  # (n,) slots since the cell began
    decision: IntArray  # (n,) decisions taken: the clock of the load profiles
    snr_hz: FloatArray  # (n, U) mean received power over noise density: SNR x bandwidth [Hz]
    next_arrival: FloatArray  # (n, U) when the next packet arrives [slots since the cell began]
    joined: IntArray  # (n, U) packets that joined the queue so far; also the number of the next packet
    queued: IntArray  # (n, U) packets in the queue
    joined_slot: IntArray  # (n, U, Q) ring, Q a power of two: the slot in which packet k joined, at k % Q
    head_bits: FloatArray  # (n, U) bits left of a head packet that transmission has begun, else 0
    round_robin: IntArray  # (n, S) round-robin pointer: the user who gets the next block of a remainder
    level: FloatArray  # (n, S, 2) present values of the two profiles


class Outcome(NamedTuple):
    """What an interval brought, per cell and slice."""

    arrivals: IntArray  # (n, S) packets that joined a queue
    successes: IntArray  # (n, S) packets delivered within the SLA
    delivered: IntArray  # (n, S)
    queued: IntArray  # (n, S) packets in queues at the end
    blocked: IntArray  # (n, S) users whose next arrival waits for room at the end
    efficiency: FloatArray  # (n, S) the slice's share of the spectral efficiency [bit/s/Hz]


class Scratch(NamedTuple):
    """What the kernel writes on while it advances one cell; nothing in it is kept after the interval."""

    bucket: IntArray  # (slots,) first user filed under the slot, or -1
    chain: IntArray  # (U,) the user filed before this one, or -1
    words: WordArray  # (words,) bit set of the users with packets queued
    waiting: IntArray  # (S,) how many those are
    stretch: FloatArray  # (S,) 1 / intensity
    product: FloatArray  # (S, R + 2) running product of 1 + SNR of a slice's users that held so many blocks
    logarithm: FloatArray  # (S, R + 2) log2 of what was taken out of the product
    # What runs of the same cell have drawn so far; no rows where it is not kept (see `empty_scratch`).
    gain: FloatArray  # (slots, U) fading in the interval, or 0
    gap: FloatArray  # (U, a power of two) ring: the gap before packet k, at k modulo the length
    gap_before: IntArray  # (U, as many) which packet that is, or -1


def compile_physics(scenario: Scenario) -> Physics:
    """The constants of `scenario` in the kernel's units: slots, bits, Hz."""
    radio, slices = scenario.radio, scenario.slices
    users = np.array([part.num_users for part in slices])
    blocks = radio.resource_blocks(np.arange(scenario.num_units + 1))
    largest_bits = np.array([8.0 * part.traffic.packet_size_byte.largest for part in slices])
    rate_sla = np.array([float(part.rate_sla_bps) for part in slices])
    certain_rate = np.maximum(rate_sla, radio.queue_capacity * largest_bits / radio.slot_s)
    hertz = np.arange(blocks[-1] + 1) * radio.resource_block_hz
    layer_gain = float(radio.multiplexing_gain * radio.shannon_attenuation)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        # The margin leaves cases on the boundary to the exact comparison.
        certain_sinr = np.exp2(certain_rate[:, None] * (1.0 + 1e-9) / (layer_gain * hertz[None, :]))
    gaps = [part.traffic.interarrival_s for part in slices]
    sizes = [part.traffic.packet_size_byte for part in slices]
    profiles = [(part.traffic.active_users, part.traffic.intensity) for part in slices]
    return Physics(
        slots=radio.slots_per_interval,
        slot_s=float(radio.slot_s),
        bandwidth_hz=float(radio.bandwidth_hz),
        block_hz=float(radio.resource_block_hz),
        layer_gain=layer_gain,
        highest_sinr=_highest_sinr(radio),
        queue_capacity=radio.queue_capacity,
        slice_start=_starts(users),
        slice_of_user=np.repeat(np.arange(len(slices)), users),
        word_start=_starts(-(-users // 64)),
        blocks_of_units=blocks,
        per_hz=_per_hz(radio, int(blocks[-1])),
        rate_sla_bps=rate_sla,
        latency_sla_slots=np.array([int(part.latency_sla_s / radio.slot_s * (1.0 + 1e-9)) for part in slices]),
        certain_sinr=certain_sinr,
        interarrival_kind=np.array([code_of(type(part)) for part in gaps]),
        interarrival=_parameters(gaps, 1.0 / radio.slot_s),
        packet_kind=np.array([code_of(type(part)) for part in sizes]),
        packet=_parameters(sizes, 8.0),
        profile_kind=np.array([[profile.code for profile in pair] for pair in profiles]),
        profile=_table([each.parameters() for pair in profiles for each in pair]).reshape(len(slices), 2, -1),
    )


def draw_cells(scenario: Scenario, seeds: Sequence[int]) -> Cells:
    """Fresh cells, one per seed: users dropped uniformly in the ring, empty queues, the clock at zero."""
    num_cells, num_slices = len(seeds), scenario.num_slices
    num_users = sum(part.num_users for part in scenario.slices)
    per_user = (num_cells, num_users)
    snr_hz = np.stack([_mean_snr_hz(scenario, num_users, seed) for seed in seeds]) if num_cells else np.empty(per_user)
    return Cells(
        key=np.array([cell_key(seed) for seed in seeds], np.uint64),
        slot=np.zeros(num_cells, np.int64),
        decision=np.zeros(num_cells, np.int64),
        snr_hz=snr_hz,
        next_arrival=np.zeros(per_user),
        joined=np.zeros(per_user, np.int64),
        queued=np.zeros(per_user, np.int64),
        joined_slot=np.zeros((*per_user, 1 << (scenario.radio.queue_capacity - 1).bit_length()), np.int64),
        head_bits=np.zeros(per_user),
        round_robin=np.zeros((num_cells, num_slices), np.int64),
        level=np.zeros((num_cells, num_slices, 2)),
    )


def checked_cells(scenario: Scenario, arrays: Mapping[str, npt.NDArray[Any]]) -> Cells:
    """Copies of a state's arrays, by name, that a simulator of `scenario` could have; the kernel trusts them.

    Raises:
        ValueError: an array is missing, or has a form or values that no such cell has; the message names it.
    """
    if "turn" in arrays:  # as earlier states call it
        arrays = {"round_robin": arrays["turn"], **arrays}
    found = {}
    for name, model in draw_cells(scenario, [0])._asdict().items():
        if name not in arrays:
            raise ValueError(f"state: {name!r} is missing")
        array = np.asarray(arrays[name])
        if array.ndim != model.ndim or array.shape[1:] != model.shape[1:] or array.dtype != model.dtype:
            form = ", ".join(["n", *map(str, model.shape[1:])])
            raise ValueError(f"state[{name!r}]: {array.dtype} {array.shape} given, allowed is {model.dtype} ({form})")
        found[name] = array.copy()
    cells = Cells(**found)
    users = np.array([part.num_users for part in scenario.slices])
    capacity, slots = scenario.radio.queue_capacity, scenario.radio.slots_per_interval
    lengths = {len(array) for array in cells}
    weakest, strongest = _bounds_of_snr_hz(scenario.radio)
    highest = np.array([[part.traffic.active_users.high, part.traffic.intensity.high] for part in scenario.slices])
    sound = {
        "key": len(lengths) == 1 and len(cells.key) > 0,
        "slot": (cells.slot >= 0) & (cells.slot % slots == 0),
        "decision": cells.decision >= 0,
        "snr_hz": (cells.snr_hz >= weakest) & (cells.snr_hz <= strongest),
        "next_arrival": cells.next_arrival >= 0.0,
        "queued": (cells.queued >= 0) & (cells.queued <= capacity),
        "joined": cells.joined >= cells.queued if len(lengths) == 1 else True,
        "head_bits": np.isfinite(cells.head_bits) & (cells.head_bits >= 0.0),
        "round_robin": (cells.round_robin >= 0) & (cells.round_robin < users),
        "level": (cells.level >= 0.0) & (cells.level <= highest * (1.0 + _ROUNDING)),
    }
    for name, holds in sound.items():
        if not np.all(holds):
            raise ValueError(f"state[{name!r}]: has values that no cell of scenario {scenario.name!r} has")
    return cells


def empty_outcome(num_cells: int, num_slices: int) -> Outcome:
    """Room for what an interval brings."""
    counts = np.zeros((5, num_cells, num_slices), np.int64)
    return Outcome._make([*counts, np.zeros((num_cells, num_slices))])


def empty_scratch(physics: Physics, keep_draws: bool = False) -> Scratch:
    """Room for the kernel to work in; one a thread.

    Args:
        physics: of the cells.
        keep_draws: keep the random numbers that runs of the same cell share, so that each is drawn once: who asks for
            it calls `slicing_gym.draws.forget_draws` before another cell and `forget_gains` before another interval.
    """
    num_slices, num_users = len(physics.rate_sla_bps), len(physics.slice_of_user)
    kept = keep_draws and physics.slots * num_users <= _MOST_GAINS_KEPT
    return Scratch(
        bucket=_room(np.int64, physics.slots),
        chain=_room(np.int64, num_users),
        words=_room(np.uint64, int(physics.word_start[-1])),
        waiting=_room(np.int64, num_slices),
        stretch=_room(np.float64, num_slices),
        product=_room(np.float64, num_slices, len(physics.per_hz)),
        logarithm=_room(np.float64, num_slices, len(physics.per_hz)),
        gain=_room(np.float64, physics.slots if kept else 0, num_users),
        gap=_room(np.float64, num_users if kept else 0, _GAPS_KEPT),
        gap_before=_room(np.int64, num_users if kept else 0, _GAPS_KEPT),
    )


def empty_copies(cells: Cells, number: int) -> Cells:
    """Room for so many copies of cells such as these; one a thread."""
    return map_cells(lambda array: _room(array.dtype, number, *array.shape[1:]), cells)


def map_cells(change: Callable[[npt.NDArray[np.generic]], npt.NDArray[np.generic]], cells: Cells) -> Cells:
    """The cells with `change` applied to every array."""
    return Cells._make(change(array) for array in cells)


def _room(kind: npt.DTypeLike, *shape: int) -> npt.NDArray[Any]:
    """An array of zeros with a cache line or two to either side: threads must not write on each other's lines."""
    size = math.prod(shape)
    return np.zeros(size + 32, kind)[16 : 16 + size].reshape(shape)


def _mean_snr_hz(scenario: Scenario, num_users: int, seed: int) -> npt.NDArray[np.float64]:
    """Mean received power over noise density [Hz] of users (num_users,) dropped in the ring."""
    radio = scenario.radio
    positions = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    area = positions.uniform(radio.min_distance_m**2, radio.cell_radius_m**2, num_users)
    snr_db_hz = np.array([radio.mean_snr_db_hz(distance_m) for distance_m in np.sqrt(area)])
    return np.power(10.0, snr_db_hz / 10.0)


def _bounds_of_snr_hz(radio: Radio) -> tuple[float, float]:
    """What `_mean_snr_hz` may be."""
    ends = [10.0 ** (radio.mean_snr_db_hz(each) / 10.0) for each in (radio.min_distance_m, radio.cell_radius_m)]
    return min(ends) * (1.0 - _ROUNDING), max(ends) * (1.0 + _ROUNDING)


def _highest_sinr(radio: Radio) -> float:
    """1 + SNR at which a layer reaches the highest spectral efficiency (inf where there is none, or beyond floats)."""
    if radio.max_spectral_efficiency is None:
        return math.inf
    exponent = radio.max_spectral_efficiency / radio.shannon_attenuation
    return 2.0**exponent if exponent < 1024.0 else math.inf


def _per_hz(radio: Radio, most_blocks: int) -> npt.NDArray[np.float64]:
    """1 / bandwidth that the power is spread over when a user has 0 .. most_blocks + 1 blocks (most_blocks + 2,)."""
    if radio.uniform_power_density:
        return np.full(most_blocks + 2, 1.0 / radio.bandwidth_hz)
    hertz = np.maximum(np.arange(most_blocks + 2, dtype=np.float64) * radio.resource_block_hz, 1.0)
    return np.divide(1.0, hertz, dtype=np.float64)


def _starts(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each run begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts)])


def _parameters(parts: Sequence[Distribution], factor: float) -> npt.NDArray[np.float64]:
    """The kernel's parameters of some distributions, a row each."""
    return _table([parameter_row(part.kind, part, factor) for part in parts])


def _table(rows: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    """Rows of different lengths one below the other, padded with zeros."""
    arrays = [np.asarray(row, np.float64) for row in rows]
    table = np.zeros((len(arrays), max(map(len, arrays))))
    for place, array in zip(table, arrays, strict=True):
        place[: len(array)] = array
    return table
