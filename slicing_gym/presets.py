"""The scenarios that have a name; `get_scenario` finds them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from slicing_gym.errors import unknown_name
from slicing_gym.radio import Radio
from slicing_gym.scenario import Reward, Scenario, Slice
from slicing_gym.standard_distributions import Choice, Constant, Exponential, Lomax, Uniform
from slicing_gym.traffic import Daily, Drift, Jumps, Traffic

_VOLTE = Slice("volte", 46, Traffic(Uniform(0.0, 0.160), Constant(40.0)), rate_sla_bps=51e3, latency_sla_s=10e-3)
_VIDEO = Slice(
    "video",
    46,
    Traffic(Exponential(6e-3, maximum=12.5e-3), Lomax(1.2, 100.0, maximum=250.0)),
    rate_sla_bps=100e6,
    latency_sla_s=10e-3,
)
_URLLC = Slice(
    "urllc",
    8,
    Traffic(Exponential(0.180), Choice((6.4e3, 12.8e3, 19.2e3, 25.6e3, 32e3))),
    rate_sla_bps=10e6,
    latency_sla_s=1e-3,
)


def _paper() -> Scenario:
    """The paper's cell: 100 units of 200 kHz, 4851 allocations."""
    return Scenario("paper", (_VOLTE, _VIDEO, _URLLC))


def _paper_1mhz() -> Scenario:
    """The paper's coarser resolution: 20 units of 1 MHz, 171 allocations."""
    return _paper().replace(name="paper-1mhz", radio={"resolution_hz": 1e6})


def _gan_ddqn() -> Scenario:
    """Reference [4] (GAN-DDQN, Table II): video gaps truncated Pareto, one decision a second, 1 MHz units."""
    gaps = Lomax(1.2, 6e-3, maximum=12.5e-3)
    return _paper().replace(
        name="gan-ddqn",
        radio=Radio(resolution_hz=1e6, slots_per_interval=2000),
        slices={"video": {"traffic": {"interarrival_s": gaps}}},
    )


def _large_urllc() -> Scenario:
    """URLLC packets of 0.3 to 0.7 Mbyte: the URLLC slice needs many units, and the load shows."""
    sizes = Choice((0.3e6, 0.4e6, 0.5e6, 0.6e6, 0.7e6))
    return _paper().replace(
        name="large-urllc",
        slices={"urllc": {"traffic": {"packet_size_byte": sizes}}},
        reward={"threshold_end": 7.0},
    )


def _busy_control() -> dict[str, object]:
    """URLLC as factory control: 80 devices, a command every 20 ms each; the band pays off in either of two slices."""
    return {"num_users": 80, "traffic": {"interarrival_s": Exponential(0.020)}}


def _low_thresholds() -> dict[str, float]:
    """Thresholds for scenarios in which at times nobody has much to send, so that SE and with it U are low."""
    return {"threshold_start": 4.0, "threshold_end": 5.5}


def _diurnal() -> Scenario:
    """Each slice has its own daily curve, a day being an episode: video is busy when URLLC is quiet and the reverse."""
    return (
        _paper()
        .replace(name="diurnal", slices={"urllc": _busy_control()}, reward={"threshold_end": 7.0})
        .replace(
            slices={
                "volte": {"traffic": {"active_users": Daily(0.1, 1.0, peak=0.25)}},
                "video": {"traffic": {"active_users": Daily(0.02, 1.0, peak=0.5)}},
                "urllc": {"traffic": {"active_users": Daily(0.02, 1.0, peak=0.0)}},
            }
        )
    )


def _flash_crowd() -> Scenario:
    """The numbers of active video and URLLC users jump at random, every 20 decisions on average."""
    return (
        _paper()
        .replace(name="flash-crowd", slices={"urllc": _busy_control()}, reward=_low_thresholds())
        .replace(
            slices={
                "video": {"traffic": {"active_users": Jumps(0.02, 1.0)}},
                "urllc": {"traffic": {"active_users": Jumps(0.1, 1.0)}},
            }
        )
    )


def _drift() -> Scenario:
    """User mix and traffic wander, each slice on its own, over thousands of decisions."""
    return (
        _paper()
        .replace(name="drift", slices={"urllc": _busy_control()}, reward=_low_thresholds())
        .replace(
            slices={
                "volte": {"traffic": {"active_users": Drift(0.1, 1.0)}},
                "video": {"traffic": {"active_users": Drift(0.02, 1.0), "intensity": Drift(0.7, 1.4)}},
                "urllc": {"traffic": {"active_users": Drift(0.1, 1.0), "intensity": Drift(0.7, 1.4)}},
            }
        )
    )


def _frames(rate_bps: float, per_s: float) -> tuple[Uniform, Uniform]:
    """Gaps and sizes of video frames, with the mean, jitter (4 ms) and deviation (10.5 %) of TR 38.838."""
    mean_byte = rate_bps / per_s / 8.0
    return Uniform(1.0 / per_s - 4e-3, 1.0 / per_s + 4e-3), Uniform(0.82 * mean_byte, 1.18 * mean_byte)


def _nr_carrier() -> Radio:
    """A macro cell's 100 MHz carrier in band n78; docs/nr-8slices.md has the link budget."""
    return Radio(
        bandwidth_hz=273 * 360e3,  # TS 38.101-1 table 5.3.2-1: 273 resource blocks of 12 subcarriers of 30 kHz
        resolution_hz=360e3,
        resource_block_hz=360e3,
        slot_s=0.5e-3,
        slots_per_interval=400,
        cell_radius_m=289.0,  # the corner of a hexagon of 500 m inter-site distance; TR 38.901, UMa
        min_distance_m=35.0,
        transmit_power_dbm=51.0,  # 44 dBm in 20 MHz, as ITU-R M.2412
        receive_gain_db=8.0,
        noise_density_dbm_per_hz=-136.5,  # two neighbours as strong as the cell at its corner, and all others
        path_loss_intercept_db=13.54 + 20.0 * math.log10(3.5) + 3.0 * 39.08,  # TR 38.901 table 7.4.1-1, UMa NLOS
        path_loss_slope_db=39.08,
        multiplexing_gain=4.0,  # layers
        max_spectral_efficiency=7.4063,  # 256QAM, TS 38.214 table 5.1.3.1-2
        shannon_attenuation=0.6,  # TR 36.942 annex A.2
        uniform_power_density=True,
    )


def _nr_8slices() -> Scenario:
    """A 100 MHz NR carrier (273 PRB) for eight services of 5QI 1, 3, 80, 7, 6, 3, 85 and 9: 2.0e13 allocations.

    A packet is a PDU set: a video frame, an object of a web page, a message. The latency SLA is the radio's part of the
    delay budget of TS 23.501 table 5.7.4-1, the rate SLA the rate at which a user of the service sends. Frames are
    those of TR 38.838. Numbers of users, rates of the broadband services and profiles are chosen such that the carrier
    is scarce when gaming or video is busy; docs/nr-8slices.md has every number with its source.
    """
    slices = (
        ("voice", 40, 29e3, 80e-3, Uniform(10e-3, 30e-3), Constant(72.0), Daily(0.3, 1.0, peak=0.3)),
        ("gaming", 16, 5e6, 30e-3, *_frames(5e6, 60.0), Daily(0.05, 1.0, peak=0.85)),
        ("ar", 8, 4e6, 8e-3, *_frames(4e6, 60.0), Jumps(0.12, 1.0, mean_decisions=25.0)),
        ("video", 24, 3.5e6, 80e-3, *_frames(3.5e6, 30.0), Daily(0.05, 1.0, peak=0.4)),
        ("web", 30, 1e6, 280e-3, Exponential(0.1), Choice((5e3, 10e3, 25e3)), Jumps(0.2, 1.0, mean_decisions=40.0)),
        ("telemetry", 60, 24e3, 30e-3, Exponential(50e-3), Uniform(40.0, 255.0), Drift(0.3, 1.0, knot_decisions=50.0)),
        ("urllc", 20, 200e3, 3e-3, Exponential(10e-3), Constant(255.0), Jumps(0.2, 1.0)),
        ("background", 10, 3e6, 280e-3, Exponential(1.0 / 30.0), Constant(12.5e3), Daily(0.05, 1.0, peak=0.1)),
    )
    return Scenario(
        "nr-8slices",
        tuple(
            Slice(name, users, Traffic(gaps, sizes, active), rate_sla_bps=rate, latency_sla_s=latency)
            for name, users, rate, latency, gaps, sizes, active in slices
        ),
        _nr_carrier(),
        Reward("utility", se_weight=0.5, threshold_start=7.0, threshold_end=8.3, clip_high=8.3, clip_low=7.0),
    )


_PRESETS: dict[str, Callable[[], Scenario]] = {
    "paper": _paper,
    "paper-1mhz": _paper_1mhz,
    "gan-ddqn": _gan_ddqn,
    "large-urllc": _large_urllc,
    "diurnal": _diurnal,
    "flash-crowd": _flash_crowd,
    "drift": _drift,
    "nr-8slices": _nr_8slices,
}

SCENARIOS: tuple[str, ...] = tuple(_PRESETS)
"""Names of the presets."""


_BEST_FIXED = {
    "paper": (1, 96, 3),
    "paper-1mhz": (1, 18, 1),
    "gan-ddqn": (1, 18, 1),
    "large-urllc": (1, 98, 1),
    "diurnal": (1, 90, 9),
    "flash-crowd": (1, 81, 18),
    "drift": (1, 72, 27),
    "nr-8slices": (3, 58, 49, 73, 38, 3, 12, 37),
}
"""Units by slice that `agents.search.search(get_scenario(name))` finds for each preset, within minutes."""


def best_fixed_units(scenario: Scenario) -> tuple[int, ...] | None:
    """The allocation of highest mean utility when held for ever [units], if the scenario is a preset.

    The kind of the reward and its thresholds make no difference. `agents.search.best_fixed_allocation` searches any
    scenario's.
    """
    if scenario.name not in _PRESETS:
        return None
    preset = get_scenario(scenario.name)
    weighed_alike = scenario.reward.se_weight == preset.reward.se_weight
    return _BEST_FIXED[preset.name] if weighed_alike and replace(scenario, reward=preset.reward) == preset else None


def get_scenario(scenario: str | Scenario | Mapping[str, Any]) -> Scenario:
    """The preset of that name, the scenario itself, or the one that builtin types (as of `Scenario.to_dict`) describe.

    Args:
        scenario: name of a preset (`SCENARIOS`), a scenario, or the builtin types of one.

    Raises:
        ValueError: no preset has the name, or a value in the data is not allowed.
        TypeError: `scenario` is none of these.
    """
    if isinstance(scenario, Mapping):
        return Scenario.from_dict(scenario)
    if isinstance(scenario, Scenario):
        return scenario
    if not isinstance(scenario, str):
        raise TypeError(f"scenario: {scenario!r} is neither a name nor a Scenario")
    if scenario not in _PRESETS:
        raise ValueError(unknown_name("scenario", scenario, _PRESETS))
    return _PRESETS[scenario]()
