"""The fuzzers by their names."""

from __future__ import annotations

from importlib import import_module

from experiments.tools.fuzz.cases import Fuzzer
from slicing_gym.errors import unknown_name

FUZZERS = {
    "config": "experiments.tools.fuzz.configurations:ConfigurationFuzzer",
    "env": "experiments.tools.fuzz.environments:EnvironmentFuzzer",
    "files": "experiments.tools.fuzz.files:FileFuzzer",
    "logs": "experiments.tools.fuzz.logs:LogFuzzer",
    "policy": "experiments.tools.fuzz.policy:PolicyFuzzer",
    "process": "experiments.tools.fuzz.process:ProcessFuzzer",
}


def make_fuzzer(name: str) -> Fuzzer:
    """The fuzzer of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in FUZZERS:
        raise ValueError(unknown_name("fuzzer", name, FUZZERS))
    module, _, kind = FUZZERS[name].partition(":")
    made: Fuzzer = getattr(import_module(module), kind)()
    return made
