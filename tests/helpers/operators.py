"""A log as an operator's management system exports it: German dates in local time, volumes in Mbit, delays, NIL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

VOLUME = "PDCP Volume DL [Mbit]"
USED = "PRB share DL [%]"


def export(first="2026-10-24 12:00", intervals=120, freq="15min", seed=0):
    """A cell of three slices in German local time, over the end of summer time."""
    rng = np.random.default_rng(seed)
    when = pd.date_range(first, periods=intervals, freq=freq, tz="Europe/Berlin")
    embb, urllc = rng.integers(35, 75, intervals), rng.integers(5, 20, intervals)
    held = np.stack([embb, 100 - embb - urllc, urllc], axis=1)
    offered = rng.lognormal(0.0, 0.5, held.shape) * [30000.0, 15000.0, 4000.0]
    carried = np.minimum(offered, held * [700.0, 750.0, 800.0])
    return pd.DataFrame(
        {
            "Cell": "NR_0417_3",
            "Begin Time": np.repeat(when.strftime("%d.%m.%Y %H:%M" + ":%S" * (freq == "1s")), 3),
            "S-NSSAI": np.tile(["1-000001", "1-0000A2", "2-000001"], intervals),
            "RRC Connected Users": rng.poisson(20.0, intervals * 3).astype(float),
            VOLUME: carried.ravel().round(2),
            "DL Delay [ms]": (5.0 + 20.0 * offered / carried).ravel().round(2),
            "RRM Dedicated Ratio [%]": held.ravel(),
        }
    )


def write_export(path: Path) -> Path:
    """Such a log as a file: semicolons, decimal commas, and NIL for the one volume that was not measured."""
    table = export()
    table.loc[30, VOLUME] = np.nan
    table.to_csv(path, sep=";", decimal=",", index=False, na_rep="NIL", float_format="%.2f")
    return path


def used_prb(noise=0.01, digits=1):
    """No policy: each slice's part of all PRB that were used, as PM reports have it, rounded; SE varies by `noise`."""
    table = export(intervals=60)
    volume = table[VOLUME].to_numpy().reshape(-1, 3)
    prb = volume / [700.0, 750.0, 800.0] * np.random.default_rng(0).normal(1.0, noise, volume.shape)
    table[USED] = (100.0 * prb / prb.sum(axis=1, keepdims=True)).round(digits).ravel()
    return table.drop(columns="RRM Dedicated Ratio [%]")
