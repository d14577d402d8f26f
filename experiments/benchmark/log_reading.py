"""How long a log takes to read, and how much memory: a made-up one, read in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from experiments.benchmark.timing import machine
from twin.data.logs import LogMapping

ROWS = 3_000_000

_SLICES = {"embb": 60, "mtc": 40, "urllc": 30}
"""Packets of an interval, about."""

_UNITS = 50

_BLOCK = 100_000

_READ = """
import json, sys, time
from twin.data.logs import LogMapping, read_log
started = time.perf_counter()
history = read_log(sys.argv[1], LogMapping.from_yaml(sys.argv[2]))
seconds = time.perf_counter() - started
with open("/proc/self/status") as status:  # the peak that `resource` knows begins with that of the parent
    (peak,) = (int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
print(json.dumps({"decisions": len(history), "seconds": seconds, "bytes": peak}))
"""


def time_log_reading(rows: int) -> None:
    """Print seconds and peak memory (Linux) of reading a log of so many rows, of three slices each.

    Raises:
        ValueError: fewer rows than two intervals have.
    """
    if rows < 2 * len(_SLICES):
        raise ValueError(f"rows: {rows} given, allowed are {2 * len(_SLICES)} or more")
    with tempfile.TemporaryDirectory() as folder:
        log, mapping = Path(folder) / "log.csv", Path(folder) / "mapping.yaml"
        write_log(log, rows // len(_SLICES))
        mapping.write_text(made_mapping().to_yaml())
        command = [sys.executable, "-c", _READ, str(log), str(mapping)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        size = log.stat().st_size / 1e6
    print(machine())
    print(f"read {rows} rows ({size:.0f} MB of CSV, 5 columns) to a history of {found['decisions']} decisions")
    print(f"{found['seconds']:.1f} s, {found['bytes'] / 1e6:.0f} MB at most, the interpreter and its modules included")


def write_log(path: Path, intervals: int) -> None:
    """Write a log of random allocations, whose rates follow from units and packets."""
    random = np.random.default_rng(0)
    with path.open("w") as file:
        file.write("t,slice,pkts,rate_mbps,prb_next\n")
        for start in range(0, intervals, _BLOCK):
            number = min(_BLOCK, intervals - start)
            edges = np.sort(random.integers(0, _UNITS - len(_SLICES) + 1, size=(number, 2)), axis=1)
            whole = np.concatenate([np.zeros((number, 1)), edges, np.full((number, 1), _UNITS - len(_SLICES))], axis=1)
            units = np.diff(whole, axis=1).astype(np.int64) + 1
            packets = random.poisson(list(_SLICES.values()), size=units.shape)
            rates = np.minimum(0.09 * packets, 0.21 * units)
            file.writelines(
                f"{start + i},{name},{packets[i, n]},{rates[i, n]:.3f},{units[i, n]}\n"
                for i in range(number)
                for n, name in enumerate(_SLICES)
            )


def made_mapping() -> LogMapping:
    """What the columns of such a log mean."""
    slices = {
        name: {
            "num_users": 2,
            "traffic": {
                "interarrival_s": {"kind": "exponential", "scale": 2.0 / packets},
                "packet_size_byte": {"kind": "constant", "value": 1000},
            },
            "rate_sla_bps": 1e5,
            "latency_sla_s": 0.1,
        }
        for name, packets in _SLICES.items()
    }
    radio = {"bandwidth_hz": 10e6, "resolution_hz": 200e3, "slot_s": 0.001, "slots_per_interval": 1000}
    return LogMapping.from_dict(
        {
            "interval": "t",
            "slice": "slice",
            "arrivals": "pkts",
            "allocation": "prb_next",
            "performance": {"rate_mbps": {"name": "rate", "unit": "Mbit/s"}},
            "ssr": {"column": "rate", "at_least": [1.0, 1.0, 1.0]},
            "spectral_efficiency": {"column": "rate", "unit_bps": 1e6, "users": 1},
            "scenario": {"name": "made-up", "radio": radio, "slices": slices},
        }
    )
