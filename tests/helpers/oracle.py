"""The reference implementation: one cell, packet by packet and slot by slot, as the specification reads; slow, clear.

It shares with the simulator the uniform and exponential numbers of a key and a counter, and nothing else: what is made
of them (gaps, sizes, profiles, positions, rates) is written here a second time.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from slicing_gym import (
    Choice,
    Constant,
    Daily,
    Distribution,
    Drift,
    Empirical,
    Exponential,
    Jumps,
    Lomax,
    Scenario,
    Trace,
    Uniform,
)
from slicing_gym.counter_rng import cell_key, exponential, uniform

INTERARRIVAL, PACKET_SIZE, FADING, ACTIVITY = range(4)


class RandomSource:
    """The random numbers of one cell, one by one."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.key = cell_key(seed)
        radio = scenario.radio
        num_users = sum(part.num_users for part in scenario.slices)
        positions = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
        square_m = positions.uniform(radio.min_distance_m**2, radio.cell_radius_m**2, num_users)
        loss_db = radio.path_loss_intercept_db + radio.path_loss_slope_db * np.log10(np.sqrt(square_m) / 1000)
        power_dbm = radio.transmit_power_dbm + radio.receive_gain_db - loss_db
        self.snr_hz = 10 ** ((power_dbm - radio.noise_density_dbm_per_hz) / 10)

    def _count(self, stream: int, user: int, index: int) -> int:
        return index * 2**16 + user * 4 + stream

    def _draw(self, distribution, stream: int, user: int, index: int) -> float:
        count = self._count(stream, user, index)
        match distribution:
            case Constant(value):
                return value
            case Uniform(low, high):
                return low + (high - low) * uniform(self.key, count)
            case Exponential(scale, maximum):
                return min(scale * exponential(self.key, count), maximum)
            case Lomax(shape, scale, maximum):
                return min(scale * (math.exp(exponential(self.key, count) / shape) - 1), maximum)
            case Choice(values):
                return values[int(uniform(self.key, count) * len(values))]
            case Empirical(values, shares):
                return float(np.interp(uniform(self.key, count), shares, values))
            case Distribution():
                return distribution.quantile(uniform(self.key, count), distribution.parameters(1.0))
        raise TypeError(distribution)

    def gap_slots(self, n: int, user: int, packet: int) -> float:
        gap_s = self._draw(self.scenario.slices[n].traffic.interarrival_s, INTERARRIVAL, user, packet)
        return gap_s / self.scenario.radio.slot_s

    def size_bits(self, n: int, user: int, packet: int) -> float:
        return 8 * self._draw(self.scenario.slices[n].traffic.packet_size_byte, PACKET_SIZE, user, packet)

    def fading(self, user: int, slot: int) -> float:
        return exponential(self.key, self._count(FADING, user, slot))

    def level(self, profile, number: int, decision: int, last: float) -> float:
        def number_of(index: int) -> float:
            return uniform(self.key, self._count(ACTIVITY, number, index))

        def log_uniform(index: int) -> float:
            return profile.low * (profile.high / profile.low) ** number_of(index)

        match profile:
            case Daily(low, high, period, peak):
                return low + (high - low) * (1 + math.cos(2 * math.pi * (decision / period - peak))) / 2
            case Jumps(_, _, mean):
                jumps = decision == 0 or number_of(2 * decision) < 1 / mean
                return log_uniform(2 * decision + 1) if jumps else last
            case Drift(_, _, knot):
                whole, part = divmod(decision / knot, 1)
                return (1 - part) * log_uniform(int(whole)) + part * log_uniform(int(whole) + 1)
            case Trace(levels, window):
                number, since = divmod(decision, window)
                begins = int(uniform(self.key, self._count(ACTIVITY, 2**14 - 1, number)) * len(levels))
                return levels[(begins + since) % len(levels)]
        return profile.level


@dataclass
class Packet:
    """A packet in a queue."""

    joined_slot: int
    bits_left: float


@dataclass
class User:
    """A user of the cell."""

    number: int
    slice_number: int
    position: int  # within the slice
    next_arrival: float = 0.0  # in slots
    packets_seen: int = 0
    queue: deque[Packet] = field(default_factory=deque)
    active: bool = True


@dataclass
class Result:
    """What an interval brought, lists by slice."""

    arrivals: list[int]
    successes: list[int]
    delivered: list[int]
    queued: list[int]
    blocked: list[int]
    spectral_efficiency: float
    most_blocks: list[int]  # most that were scheduled in a slot, by slice


class OracleCell:
    """One cell of a scenario."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.random = RandomSource(scenario, seed)
        self.users: list[User] = []
        for n, part in enumerate(scenario.slices):
            self.users += [User(len(self.users) + p, n, p) for p in range(part.num_users)]
        self.slot = 0
        self.decision = 0
        self.round_robin = [0] * scenario.num_slices
        self.level = [[0.0, 0.0] for _ in scenario.slices]

    def _gap(self, user: User, packet: int) -> float:
        return self.random.gap_slots(user.slice_number, user.number, packet) / self.level[user.slice_number][1]

    def _set_load(self) -> None:
        radio = self.scenario.radio
        for n, part in enumerate(self.scenario.slices):
            for which, profile in enumerate((part.traffic.active_users, part.traffic.intensity)):
                self.level[n][which] = self.random.level(profile, 2 * n + which, self.decision, self.level[n][which])
        for user in self.users:
            part = self.scenario.slices[user.slice_number]
            if self.slot == 0:
                user.next_arrival = self._gap(user, 0)
            user.active = user.position < int(self.level[user.slice_number][0] * part.num_users + 0.5)
            if not user.active:
                # The clock stands still; one whose packet waits for room goes on waiting.
                user.next_arrival = max(user.next_arrival, self.slot - 1.0) + radio.slots_per_interval

    def advance(self, units: list[int]) -> Result:
        radio = self.scenario.radio
        num = self.scenario.num_slices
        result = Result([0] * num, [0] * num, [0] * num, [0] * num, [0] * num, 0.0, [0] * num)
        self._set_load()
        rate_sum = 0.0
        for slot in range(self.slot, self.slot + radio.slots_per_interval):
            self._arrive(slot, result)
            for n in range(num):
                rate_sum += self._serve(slot, n, units[n], result)
        self.slot += radio.slots_per_interval
        self.decision += 1
        result.spectral_efficiency = rate_sum / radio.bandwidth_hz / radio.slots_per_interval
        for user in self.users:
            result.queued[user.slice_number] += len(user.queue)
            waits = len(user.queue) == radio.queue_capacity and user.next_arrival <= self.slot - 1
            result.blocked[user.slice_number] += waits
        return result

    def _arrive(self, slot: int, result: Result) -> None:
        for user in self.users:
            if not user.active:
                continue
            while user.next_arrival <= slot and len(user.queue) < self.scenario.radio.queue_capacity:
                bits = self.random.size_bits(user.slice_number, user.number, user.packets_seen)
                user.queue.append(Packet(slot, bits))
                user.packets_seen += 1
                result.arrivals[user.slice_number] += 1
                waited = user.next_arrival <= slot - 1  # it was due in an earlier slot, but the queue was full
                got_in = float(slot) if waited else user.next_arrival
                user.next_arrival = got_in + self._gap(user, user.packets_seen)

    def _serve(self, slot: int, n: int, units: int, result: Result) -> float:
        radio, part = self.scenario.radio, self.scenario.slices[n]
        members = [user for user in self.users if user.slice_number == n]
        waiting = [user for user in members if user.queue]
        if not waiting:
            return 0.0
        blocks = math.floor(units * radio.resolution_hz / radio.resource_block_hz + 1e-9)
        share, remainder = divmod(blocks, len(waiting))
        # From the round-robin pointer on, in order of number and past the end.
        waiting.sort(key=lambda user: (user.position - self.round_robin[n]) % part.num_users)
        rate_sum, scheduled = 0.0, 0
        for order, user in enumerate(waiting):
            mine = share + (order < remainder)
            if mine == 0:
                continue
            hertz = mine * radio.resource_block_hz
            scheduled += mine
            spread_hz = radio.bandwidth_hz if radio.uniform_power_density else hertz
            snr = self.random.fading(user.number, slot) * self.random.snr_hz[user.number] / spread_hz
            of_a_layer = radio.shannon_attenuation * np.log2(1.0 + snr)
            if radio.max_spectral_efficiency is not None:
                of_a_layer = min(of_a_layer, radio.max_spectral_efficiency)
            rate = radio.multiplexing_gain * hertz * of_a_layer
            rate_sum += rate
            self._transmit(slot, n, user, rate, result)
        result.most_blocks[n] = max(result.most_blocks[n], scheduled)
        if remainder > 0:
            self.round_robin[n] = (waiting[remainder - 1].position + 1) % part.num_users
        return rate_sum

    def _transmit(self, slot: int, n: int, user: User, rate: float, result: Result) -> None:
        radio, part = self.scenario.radio, self.scenario.slices[n]
        bits = rate * radio.slot_s
        while user.queue:
            head = user.queue[0]
            if bits < head.bits_left:
                head.bits_left -= bits
                return
            bits -= head.bits_left
            user.queue.popleft()
            latency_s = (slot - head.joined_slot + 1) * radio.slot_s
            in_time = latency_s <= part.latency_sla_s * (1 + 1e-9)
            result.delivered[n] += 1
            result.successes[n] += in_time and rate >= part.rate_sla_bps
