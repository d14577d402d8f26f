"""`python -m experiments.fidelity scenario=paper`: fit twins to histories, and tell how far they can be trusted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from agents.registry import import_modules
from experiments.commands import command
from experiments.config.parts import make_mapping, make_scenario, make_twin
from experiments.fidelity.run import Fidelity
from experiments.fidelity.settings import FidelityConfig
from slicing_gym.reading import read_text
from twin import History, transition_kinds
from twin.data.logs import read_log
from twin.fitting.devices import check_device
from twin.inspection import to_check

LISTS = ("log", "imports")
"""Keys of which `key=a,b` is a list."""


def prepare(config: FidelityConfig, folder: Path) -> Callable[[], None]:
    """The evaluation of a configuration, checked; an error names the key, the value and what is allowed."""
    import_modules(config.imports)
    check_device("device", config.device)
    twin = make_twin(config.twin, config.device)
    if twin is None:
        raise ValueError(f"twin: none given, allowed are {', '.join(transition_kinds())}")
    history, shown = read_history(config), os.path.relpath(folder)
    scenario = make_scenario(config.scenario) if history is None else history.scenario
    evaluation = Fidelity(twin, scenario, config, shown, history)

    open_questions = [] if config.mapping_file is None else to_check(read_text("mapping", config.mapping_file))

    def run() -> None:
        result = evaluation.run()
        print(result.report())
        if open_questions:
            print(
                "\n".join([f"still marked CHECK in {config.mapping_file}:", *(f"  {each}" for each in open_questions)])
            )
        print(f"written to {shown}: {', '.join(result.files)}")

    return run


def read_history(config: FidelityConfig) -> History | None:
    """The history in a log, if there is one.

    Raises:
        ValueError, OSError: a log without a mapping of its columns, or a mapping without a log; or it cannot be read.
    """
    mapping = make_mapping(config.mapping, config.mapping_file)
    if config.log is None:
        if mapping is not None:
            raise ValueError("log: null given, allowed is the file that mapping=... describes")
        return None
    if mapping is None:
        raise ValueError(
            f"log: {config.log!r} given without a mapping of its columns "
            "(mapping=..., a name or the path of a YAML file)"
        )
    return read_log(config.log, mapping)


if __name__ == "__main__":
    command("fidelity", FidelityConfig, prepare, lists=LISTS)
