"""Random scenarios and allocations for hypothesis."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from slicing_gym import (
    Choice,
    Constant,
    Daily,
    Drift,
    Empirical,
    Exponential,
    Jumps,
    Lomax,
    Radio,
    Scenario,
    Slice,
    Steady,
    Trace,
    Traffic,
    Uniform,
)

gaps = st.one_of(
    st.floats(3e-4, 0.02).map(Constant),
    st.floats(3e-4, 0.02).map(Exponential),
    st.floats(3e-4, 0.02).map(lambda scale: Exponential(scale, maximum=2 * scale)),
    st.floats(3e-4, 0.02).map(lambda high: Uniform(0.0, high)),
    st.floats(3e-4, 0.02).map(lambda scale: Lomax(1.2, scale, maximum=3 * scale)),
    st.floats(3e-4, 0.02).map(lambda high: Empirical((0.0, 0.2 * high, high), (0.0, 0.7, 1.0))),
)
sizes = st.one_of(
    st.floats(10.0, 1e5).map(Constant),
    st.floats(10.0, 1e5).map(Exponential),
    st.floats(10.0, 1e5).map(lambda scale: Lomax(1.2, scale)),
    st.just(Choice((100.0, 2e3, 4e4))),
    st.just(Uniform(50.0, 3e4)),
    st.just(Empirical((40.0, 40.0, 1500.0, 9e4), (0.0, 0.4, 0.9, 1.0))),
)
profiles = st.one_of(
    st.just(Steady()),
    st.just(Steady(0.6)),
    st.just(Daily(0.1, 1.0, period_decisions=7.0)),
    st.just(Jumps(0.1, 1.0, mean_decisions=2.0)),
    st.just(Drift(0.1, 1.0, knot_decisions=3.0)),
    st.just(Trace((0.3, 1.0, 0.05, 0.6, 0.7), window_decisions=3)),
)


@st.composite
def scenarios(draw: st.DrawFn, steady: bool = False) -> Scenario:
    """Two to four slices of 1 to 129 users (over two words of the kernel's bit set), 8 to 24 units.

    With units of 100 kHz a slice may hold less than a resource block of 180 kHz, and so serve nobody.
    """
    load = st.just(Steady()) if steady else profiles
    slices = tuple(
        Slice(
            name,
            draw(st.one_of(st.integers(1, 70), st.sampled_from([64, 65, 127, 128, 129]))),
            Traffic(draw(gaps), draw(sizes), draw(load), draw(load)),
            rate_sla_bps=draw(st.sampled_from([0.0, 1e6, 5e7])),
            latency_sla_s=draw(st.sampled_from([5e-4, 1e-3, 1e-2])),
        )
        for name in ("a", "b", "c", "d")[: draw(st.integers(2, 4))]
    )
    radio = Radio(
        bandwidth_hz=draw(st.integers(8, 24)) * (resolution_hz := draw(st.sampled_from([2e5, 1e5, 1e6]))),
        resolution_hz=resolution_hz,
        slots_per_interval=draw(st.integers(1, 60)),
        queue_capacity=draw(st.integers(1, 6)),
        # Some 85 or 20 dB of mean SNR: the highest efficiency binds for all users, for some, for none.
        noise_density_dbm_per_hz=draw(st.sampled_from([-174.0, -110.0])),
        max_spectral_efficiency=draw(st.sampled_from([None, 0.5, 7.4063, 20.0])),
        shannon_attenuation=draw(st.sampled_from([1.0, 0.6])),
        uniform_power_density=draw(st.booleans()),
    )
    return Scenario("drawn", slices, radio)


@st.composite
def allocations(draw: st.DrawFn, scenario: Scenario) -> list[int]:
    """Any allocation of a scenario."""
    n, units = scenario.num_slices, scenario.num_units
    cuts = sorted(draw(st.lists(st.integers(1, units - 1), min_size=n - 1, max_size=n - 1, unique=True)))
    edges = [0, *cuts, units]
    return [after - before for before, after in itertools.pairwise(edges)]
