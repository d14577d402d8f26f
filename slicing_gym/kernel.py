"""The one kernel: it advances a cell by one decision interval; every environment, batch and search calls it.

Work grows with the packets served, not with users x slots. A calendar (one bucket a slot) says which users have an
arrival due, a bit set says who has packets queued, and a number is drawn only when something depends on it: fading when
a user is scheduled, a packet's size when the slot might not drain the user's queue.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from slicing_gym._intrinsics import lowest_bit
from slicing_gym._jit import njit
from slicing_gym.counter_rng import STREAM_PACKET_SIZE, counter
from slicing_gym.draws import at, draw, fading, interarrival, profile_level
from slicing_gym.physics import Cells, FloatArray, IntArray, Outcome, Physics, Scratch

COMPILED_WITH = "869344c23da5"
"""Digest of the files whose compiled functions are called here, which numba's cache does not look at: a change of this
line makes numba recompile this file. `tests/project/test_house.py` says when to renew it."""

_LOG_PRODUCT_LIMIT = 1e200  # a running product of 1 + SNR is folded into the logarithm before it could overflow


class _Cell(NamedTuple):
    """One cell's rows of `Cells` and `Outcome`."""

    key: np.uint64
    start: int  # slot in which the interval begins
    decision: int
    snr_hz: FloatArray
    next_arrival: FloatArray
    joined: IntArray
    queued: IntArray
    joined_slot: IntArray
    head_bits: FloatArray
    round_robin: IntArray
    level: FloatArray
    arrivals: IntArray
    successes: IntArray
    delivered: IntArray
    efficiency: FloatArray


@njit
def _file(physics: Physics, cell: _Cell, scratch: Scratch, user: int) -> None:
    """File a user under the first slot that begins at or after its next arrival, if that is in this interval."""
    wait = np.ceil(cell.next_arrival[at(user)] - cell.start)
    if wait < physics.slots:  # a float still: a gap may be longer than any integer
        slot = max(int(wait), 0)
        scratch.chain[at(user)] = scratch.bucket[at(slot)]
        scratch.bucket[at(slot)] = user


@njit
def _mark(physics: Physics, scratch: Scratch, position: int, n: int) -> None:
    """Note that the user at a position in slice n has packets queued."""
    scratch.words[at(physics.word_start[at(n)] + (position >> 6))] |= np.uint64(1) << np.uint64(position & 63)
    scratch.waiting[at(n)] += 1


@njit
def _begin_interval(physics: Physics, cell: _Cell, scratch: Scratch) -> None:
    """Set the load of this interval, then file every user in the calendar and in the set of those with packets."""
    scratch.bucket[:] = -1
    scratch.words[:] = 0
    scratch.waiting[:] = 0
    for n in range(len(physics.rate_sla_bps)):
        for which in range(2):
            kind, parameters = physics.profile_kind[n, which], physics.profile[n, which]
            level = cell.level[n, which]
            cell.level[n, which] = profile_level(kind, parameters, cell.key, 2 * n + which, cell.decision, level)
        scratch.stretch[n] = 1.0 / cell.level[n, 1]
        first = physics.slice_start[n]
        num_users = physics.slice_start[n + 1] - first
        num_active = int(cell.level[n, 0] * num_users + 0.5)
        for position in range(num_users):
            user = first + position
            if cell.start == 0:
                cell.next_arrival[user] = interarrival(physics, scratch, cell.key, user, n, 0)
            if cell.queued[user] > 0:
                _mark(physics, scratch, position, n)
            if position < num_active:
                _file(physics, cell, scratch, user)
            else:  # an inactive user's clock stands still
                cell.next_arrival[user] = max(cell.next_arrival[user], cell.start - 1.0) + physics.slots


@njit
def _admit(physics: Physics, cell: _Cell, scratch: Scratch, user: int, n: int, slot: int) -> None:
    """Let a user's due packets join its queue while there is room."""
    ring = cell.joined_slot.shape[1] - 1
    queued = cell.queued[at(user)]
    joined = cell.joined[at(user)]
    due = cell.next_arrival[at(user)]
    room = physics.queue_capacity - queued
    if queued == 0:
        _mark(physics, scratch, user - physics.slice_start[at(n)], n)
    while due <= slot and room > 0:
        cell.joined_slot[at(user), at(joined & ring)] = slot
        joined += 1
        room -= 1
        # One that had to wait for room gets in now; its successor's gap counts from here.
        due = (due if slot - due < 1.0 else float(slot)) + interarrival(physics, scratch, cell.key, user, n, joined)
    cell.arrivals[at(n)] += physics.queue_capacity - room - queued
    cell.queued[at(user)] = physics.queue_capacity - room
    cell.joined[at(user)] = joined
    cell.next_arrival[at(user)] = due
    if due > slot:
        _file(physics, cell, scratch, user)


@njit
def _transmit(physics: Physics, cell: _Cell, user: int, n: int, blocks: int, sinr: float, slot: int) -> None:
    """Drain a scheduled user's queue for one slot, head first, as far as the slot's capacity goes."""
    ring = cell.joined_slot.shape[1] - 1
    oldest = slot + 1 - physics.latency_sla_slots[at(n)]  # a packet that joined here or later is in time
    queued = cell.queued[at(user)]
    packet = cell.joined[at(user)] - queued
    if sinr >= physics.certain_sinr[at(n), at(blocks)]:
        for k in range(packet, packet + queued):
            cell.successes[at(n)] += cell.joined_slot[at(user), at(k & ring)] >= oldest
        cell.delivered[at(n)] += queued
        cell.queued[at(user)] = 0
        cell.head_bits[at(user)] = 0.0
        return
    rate = physics.layer_gain * blocks * physics.block_hz * math.log2(sinr)
    budget = rate * physics.slot_s
    while queued > 0:
        left = cell.head_bits[at(user)]
        if left == 0.0:
            count = counter(STREAM_PACKET_SIZE, user, packet)
            left = draw(physics.packet_kind[at(n)], physics.packet[at(n)], cell.key, count)
        if budget < left:
            cell.head_bits[at(user)] = left - budget
            break
        budget -= left
        cell.head_bits[at(user)] = 0.0
        cell.successes[at(n)] += (
            rate >= physics.rate_sla_bps[at(n)] and cell.joined_slot[at(user), at(packet & ring)] >= oldest
        )
        cell.delivered[at(n)] += 1
        packet += 1
        queued -= 1
    cell.queued[at(user)] = queued


@njit
def _count_rate(scratch: Scratch, n: int, blocks: int, sinr: float) -> None:
    """Add log2(1 + SNR) to slice n's sum for so many blocks, as a product: one logarithm serves many users."""
    product = scratch.product[at(n), at(blocks)] * sinr
    if product > _LOG_PRODUCT_LIMIT:
        scratch.logarithm[at(n), at(blocks)] += math.log2(product)
        product = 1.0
    scratch.product[at(n), at(blocks)] = product


@njit
def _efficiency(physics: Physics, scratch: Scratch, n: int) -> float:
    """Slice n's share of the spectral efficiency, equation (2) [bit/s/Hz]."""
    rates = 0.0
    for blocks in range(scratch.product.shape[1]):
        product = scratch.product[n, blocks]
        if product > 1.0:
            rates += blocks * math.log2(product)
        rates += blocks * scratch.logarithm[n, blocks]
    return physics.layer_gain * physics.block_hz * rates / (physics.bandwidth_hz * physics.slots)


@njit
def _serve(physics: Physics, cell: _Cell, scratch: Scratch, n: int, blocks: int, slot: int) -> None:
    """Schedule a slice's blocks among its users with packets, round robin, and transmit.

    Everybody gets blocks // users; the remainder goes, one block each, to the users that follow the one who got the
    last remainder.
    """
    first = physics.slice_start[at(n)]
    num_users = physics.slice_start[at(n + 1)] - first
    word_start = physics.word_start[at(n)]
    num_words = physics.word_start[at(n + 1)] - word_start
    waiting = scratch.waiting[at(n)]
    share = int(np.uint32(blocks) // np.uint32(waiting))  # a short division of unsigned numbers is a quick one
    remainder = blocks - share * waiting
    scheduled = waiting if share > 0 else remainder
    position = cell.round_robin[at(n)]
    mine = share + 1
    for order in range(scheduled):
        if order == remainder:  # from here on everybody gets the share alone
            cell.round_robin[at(n)] = position
            mine = share
        word = position >> 6
        bits = scratch.words[at(word_start + word)] >> np.uint64(position & 63) << np.uint64(position & 63)
        while bits == 0:
            word = word + 1 if word + 1 < num_words else 0
            bits = scratch.words[at(word_start + word)]
        position = (word << 6) + lowest_bit(bits)
        user = first + position
        gain = fading(scratch, cell.key, user, slot, slot - cell.start)
        sinr = min(1.0 + gain * cell.snr_hz[at(user)] * physics.per_hz[at(mine)], physics.highest_sinr)
        _count_rate(scratch, n, mine, sinr)
        was_queued = cell.queued[at(user)]
        _transmit(physics, cell, user, n, mine, sinr, slot)
        if cell.queued[at(user)] == 0:
            scratch.words[at(word_start + (position >> 6))] ^= np.uint64(1) << np.uint64(position & 63)
            scratch.waiting[at(n)] -= 1
        following = slot + 1 - cell.start
        if cell.next_arrival[at(user)] <= slot and cell.queued[at(user)] < was_queued and following < physics.slots:
            scratch.chain[at(user)] = scratch.bucket[at(following)]  # its next packet was waiting for room
            scratch.bucket[at(following)] = user
        position = position + 1 if position + 1 < num_users else 0
    if scheduled == remainder:
        cell.round_robin[at(n)] = position


@njit
def _advance_cell(physics: Physics, cell: _Cell, scratch: Scratch, units: IntArray) -> None:
    """One decision interval: in every slot arrivals, then scheduling, then transmission."""
    _begin_interval(physics, cell, scratch)
    cell.arrivals[:] = 0
    cell.successes[:] = 0
    cell.delivered[:] = 0
    scratch.product[:] = 1.0
    scratch.logarithm[:] = 0.0
    for slot in range(cell.start, cell.start + physics.slots):
        user = scratch.bucket[at(slot - cell.start)]
        while user >= 0:
            following = scratch.chain[at(user)]
            _admit(physics, cell, scratch, user, physics.slice_of_user[at(user)], slot)
            user = following
        for n in range(len(units)):
            if scratch.waiting[at(n)] > 0:
                _serve(physics, cell, scratch, n, physics.blocks_of_units[at(units[at(n)])], slot)
    for n in range(len(units)):
        cell.efficiency[n] = _efficiency(physics, scratch, n)


@njit
def advance_one(
    physics: Physics, cells: Cells, index: int, units: IntArray, outcome: Outcome, row: int, scratch: Scratch
) -> None:
    """Advance cell `index` by one decision interval under an allocation (S,); write a row of `outcome`."""
    cell = _Cell(
        cells.key[index],
        cells.slot[index],
        cells.decision[index],
        cells.snr_hz[index],
        cells.next_arrival[index],
        cells.joined[index],
        cells.queued[index],
        cells.joined_slot[index],
        cells.head_bits[index],
        cells.round_robin[index],
        cells.level[index],
        outcome.arrivals[row],
        outcome.successes[row],
        outcome.delivered[row],
        outcome.efficiency[row],
    )
    _advance_cell(physics, cell, scratch, units)
    end = cell.start + physics.slots
    cells.slot[index] = end
    outcome.queued[row] = 0
    outcome.blocked[row] = 0
    for user in range(len(physics.slice_of_user)):
        n = physics.slice_of_user[user]
        outcome.queued[row, n] += cell.queued[user]
        full = cell.queued[user] == physics.queue_capacity
        outcome.blocked[row, n] += full and cell.next_arrival[user] <= end - 1


@njit
def advance(
    physics: Physics, cells: Cells, which: IntArray, units: IntArray, outcome: Outcome, scratch: Scratch
) -> None:
    """Advance the cells numbered `which` by one decision interval under allocations `units` (n, S); write `outcome`."""
    for index in which:
        advance_one(physics, cells, index, units[index], outcome, index, scratch)
