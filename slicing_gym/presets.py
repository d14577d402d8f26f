"""The scenarios that have a name; `get_scenario` finds them."""

from __future__ import annotations

from collections.abc import Callable

from slicing_gym.errors import unknown_name
from slicing_gym.radio import Radio
from slicing_gym.scenario import Scenario, Slice
from slicing_gym.traffic import Choice, Constant, Daily, Drift, Exponential, Jumps, Lomax, Traffic, Uniform

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


_PRESETS: dict[str, Callable[[], Scenario]] = {
    "paper": _paper,
    "paper-1mhz": _paper_1mhz,
    "gan-ddqn": _gan_ddqn,
    "large-urllc": _large_urllc,
    "diurnal": _diurnal,
    "flash-crowd": _flash_crowd,
    "drift": _drift,
}

SCENARIOS: tuple[str, ...] = tuple(_PRESETS)
"""Names of the presets."""


def get_scenario(scenario: str | Scenario) -> Scenario:
    """The preset of that name, or the scenario itself.

    Raises:
        ValueError: no preset has the name.
        TypeError: `scenario` is neither a name nor a `Scenario`.
    """
    if isinstance(scenario, Scenario):
        return scenario
    if not isinstance(scenario, str):
        raise TypeError(f"scenario: {scenario!r} is neither a name nor a Scenario")
    if scenario not in _PRESETS:
        raise ValueError(unknown_name("scenario", scenario, _PRESETS))
    return _PRESETS[scenario]()
