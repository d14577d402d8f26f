"""`python -m experiments.export policy=<run or student>`: write a policy as one ONNX file, and verify it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from agents.registry import import_modules
from experiments.commands import command
from experiments.config.parts import make_scenario
from experiments.export.run import DisagreementError, PolicyExport
from experiments.export.settings import ExportConfig
from experiments.export.source import ALLOWED

OUTPUT = "policy.onnx"


def prepare(config: ExportConfig, folder: Path) -> Callable[[], None]:
    """The export of a configuration, checked; an error names the key, the value and what is allowed."""
    import_modules(config.imports)
    if config.policy is None:
        raise ValueError(f"policy: not given, {ALLOWED}")
    scenario = None if config.scenario is None else make_scenario(config.scenario)
    wanted = PolicyExport(config.policy, config, config.output, scenario=scenario, trust=config.trust)

    def run() -> None:
        try:
            result = wanted.run()
        except DisagreementError as error:
            raise SystemExit(f"error: {error}") from None
        try:
            path = result.write(folder / OUTPUT if config.output is None else config.output)
        finally:  # what cannot be written is shown all the same
            print(result.report())
        print(f"written: {os.path.relpath(path)} ({len(result.content):,} bytes)")

    return run


if __name__ == "__main__":
    command("export", ExportConfig, prepare, lists=("imports",), main_key="policy")
