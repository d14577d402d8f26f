"""`python -m experiments.fidelity scenario=paper`: fit twins to histories, and tell how far they can be trusted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from agents.registry import import_modules
from experiments.commands import command
from experiments.config.parts import make_scenario, make_twin, read_mapped_log
from experiments.fidelity.run import Fidelity
from experiments.fidelity.settings import FidelityConfig
from slicing_gym.reading import read_text
from twin import transition_kinds
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
    history = read_mapped_log(config.log, config.mapping, config.mapping_file)
    shown = os.path.relpath(folder)
    scenario = make_scenario(config.scenario) if history is None else history.scenario
    open_questions = [] if config.mapping_file is None else to_check(read_text("mapping", config.mapping_file))
    marked = [f"still marked CHECK in {config.mapping_file}:"] if open_questions else []
    remarks = [*marked, *(f"  {each}" for each in open_questions)]
    evaluation = Fidelity(twin, scenario, config, shown, history, remarks)

    def run() -> None:
        if ahead := evaluation.ahead():
            print(ahead, flush=True)
        result = evaluation.run()
        print(result.report())
        print(f"written to {shown}: {', '.join(result.files)}")

    return run


if __name__ == "__main__":
    command("fidelity", FidelityConfig, prepare, lists=LISTS, main_key="log")
