"""What is hard to believe of a scenario: each warning where it belongs, and none for a believable cell."""

from __future__ import annotations

import pytest

from experiments.describe import implausible
from slicing_gym import Choice, get_scenario

BELIEVABLE = get_scenario("nr-8slices")


def test_nothing_is_said_of_a_believable_cell():
    assert implausible(BELIEVABLE) == implausible(BELIEVABLE, carrier_hz=3.5e9) == []


@pytest.mark.parametrize(
    ("radio", "said"),
    [
        (
            {"max_spectral_efficiency": None, "transmit_power_dbm": 81.0},
            "max_spectral_efficiency: no cap, and an SNR of up to 60.8 dB",
        ),
        ({"min_distance_m": 2.0}, "min_distance_m: users as near as 2 m, where path loss is 36.2 dB"),
        ({"transmit_power_dbm": 71.0}, "multiplexing_gain: 16.2 bit/s/Hz on average over the users, with 4 layers"),
        ({"multiplexing_gain": 9.0}, "multiplexing_gain: 9.00 layers"),
        ({"uniform_power_density": False}, "uniform_power_density: off, so each user's signal has 51 dBm in full"),
        ({"noise_density_dbm_per_hz": -174.0}, "noise_density_dbm_per_hz: -174 dBm/Hz is thermal"),
        ({"cell_radius_m": 80.0}, "transmit_power_dbm: 51 dBm is a macro cell's, in one of 80 m"),
        ({"transmit_power_dbm": 70.0}, "transmit_power_dbm: 70 dBm is 10 kW; a macro cell has some 40 W"),
        ({"transmit_power_dbm": 63.0, "cell_radius_m": 80.0}, "transmit_power_dbm: 63 dBm is 2 kW"),
        ({"slot_s": 1e-3}, "slot_s: 1 ms, but blocks of 360 kHz are 12 subcarriers of 30 kHz, whose slot is 0.5 ms"),
        ({"resource_block_hz": 400e3}, "resolution_hz: a unit of 360 kHz holds no resource block of 400 kHz"),
    ],
)
def test_a_radio_that_nobody_believes_is_named_by_its_key(radio, said):
    lines = implausible(BELIEVABLE.replace(radio=radio))
    assert sum(line.startswith(f"radio.{said}") for line in lines) == 1, lines
    assert all("\n" not in line for line in lines)
    assert sum("transmit_power_dbm:" in line for line in lines) <= 1  # too much for any cell is said once


def test_path_loss_below_free_space_is_named_where_a_carrier_is():
    paper = get_scenario("paper")
    (line,) = [each for each in implausible(paper, carrier_hz=2e9) if "free space" in each]
    assert line == (
        "radio.path_loss_intercept_db: path loss at 1 m is 32.9 dB, below the 38.5 dB of free space at 2 GHz"
    )
    assert not any("free space" in each for each in implausible(paper))
    assert not any("free space" in each for each in implausible(paper, carrier_hz=900e6))  # 31.5 dB


@pytest.mark.parametrize(
    ("part", "said"),
    [
        # 4 layers of 267 blocks at the corner: some 83 Mbit/s, so 12.5 Mbyte take a second.
        (
            {"traffic": {"packet_size_byte": Choice((12.5e6,))}},
            "latency_sla_s: 80 ms, but a packet of 1.25e+07 byte takes 1.21e+03 ms at the edge",
        ),
        ({"rate_sla_bps": 100e6}, "rate_sla_bps: 100 Mbit/s, but a user at the edge has 82.9 Mbit/s alone"),
        ({"latency_sla_s": 280.0}, "latency_sla_s: 280 s, the longest packet delay budget of a 5QI is 1.1 s"),
        ({"rate_sla_bps": 0.1}, "rate_sla_bps: 0.1 bit/s, a telephone's slowest codec has 4750"),
        ({"latency_sla_s": 5e-3}, "traffic.packet_size_byte: packets of up to 17208.3 byte within 5 ms"),
    ],
)
def test_traffic_that_no_cell_carries_is_named_by_its_slice(part, said):
    lines = implausible(BELIEVABLE.replace(slices={"video": part}))
    assert sum(line.startswith(f"slices.video.{said}") for line in lines) == 1, lines
