"""`python -m experiments.traffic log=my_log.csv mapping=mapping.yaml`: make a scenario of a log's traffic."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.registry import import_modules
from experiments.commands import command
from experiments.config.parts import make_mapping, make_scenario, make_twin
from experiments.config.quoting import as_typed
from experiments.traffic.run import check_resample, traced_scenario, traffic
from experiments.traffic.settings import TrafficConfig
from twin.traffic import traffic_of

LISTS = ("log", "imports")
"""Keys of which `key=a,b` is a list."""


def prepare(config: TrafficConfig, folder: Path) -> Callable[[], None]:
    """The scenario of a configuration; the log is read, and checked, before anything is written."""
    import_modules(config.imports)
    mapping = make_mapping(config.mapping, config.mapping_file)
    for key, given in (("log", config.log), ("mapping", mapping)):
        if given is None:
            raise ValueError(f"{key}: missing; experiments.inspect looks at a log, and proposes a mapping")
    log = traffic_of(config.log, mapping, period_s=config.period_s, volume_byte=config.volume_byte)
    base, twin = make_scenario(config.scenario), make_twin(config.twin)
    check_resample(config, twin)
    with _without_warnings():
        traced_scenario(log, log, base, config)

    def run() -> None:
        with _without_warnings():
            result = traffic(log, base, config, twin=twin)
        try:
            paths = [os.path.relpath(path) for path in result.write(folder)]
        finally:  # what cannot be written is shown all the same
            print(result.report())
        print(f"written: {', '.join(paths)}")
        print(f"next: python -m experiments.train {as_typed('scenario', paths[0])}")

    return run


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Without those of full queues, of which the report has a line."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "slices", UserWarning)
        yield


if __name__ == "__main__":
    command("traffic", TrafficConfig, prepare, lists=LISTS, main_key="log")
