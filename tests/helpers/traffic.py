"""Traffic as a log would have it: made up, with a slow slice, a sparse one, and one of bursts."""

from __future__ import annotations

import numpy as np

from twin.traffic import TrafficLog


def traffic_log(number=160, period_s=0.25, seed=0, volumes=True, packets=True) -> TrafficLog:
    """Two runs of as many intervals each."""
    generator = np.random.default_rng(seed)
    time = np.arange(2 * number)
    means = np.stack([40 + 25 * np.sin(time / 9.0), np.full(2 * number, 0.4), 10 * (1 + (time // 7 % 3))], axis=1)
    sent = generator.poisson(means).astype(float)
    sizes = generator.uniform([500, 60, 200], [1500, 80, 400], sent.shape)
    return TrafficLog(
        slices=("embb", "mtc", "urllc"),
        period_s=period_s,
        run=np.repeat([0, 1], number),
        interval=np.tile(np.arange(number), 2),
        packets=sent if packets else None,
        volume_byte=sent * sizes if volumes else None,
    )
