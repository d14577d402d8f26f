"""The commands of docs/traffic.md, in small: from a passive log to the file of an agent."""

from __future__ import annotations

import re
import shlex
import typing
from importlib import import_module
from pathlib import Path

from agents import SlicePolicy
from experiments.config.files import with_files
from experiments.config.hydra import check_overrides, register, with_lists
from experiments.tools.package import ROOT
from experiments.tools.page_commands import text_of
from slicing_gym import Trace
from tests.helpers.commands import configured
from tests.helpers.learners import _one_thread as _one_thread

PAGE = ROOT / "docs" / "traffic.md"
TOPICS = ["inspect", "traffic", "train", "evaluate", "export"]
SMALL = {
    "train": [
        *(
            "decisions=204",
            "progress=false",
            "agent.learning_starts=50",
            "agent.net_arch=[16]",
            "evaluation.policies=[]",
        ),
        *(
            "evaluation.seeds=[100]",
            "evaluation.decisions=2",
            "twin.transition.members=1",
            "twin.performance.members=1",
        ),
        *("twin.training.max_epochs=1", "algorithm.twin_decisions=512", "algorithm.later_twin_decisions=256"),
        *("algorithm.num_envs=64", "algorithm.warm_replay=100", "algorithm.selection_cells=4"),
        *("algorithm.agent_2.learning_starts=128", "algorithm.selection_decisions=2"),
    ],
    "evaluate": ["seeds=[0]", "decisions=2", "progress=false"],
    "export": ["states=300", "progress=false"],
}


def run(command: str, folder: Path) -> str:
    """Run a command line as its module does; its topic."""
    _, _, module, *arguments = shlex.split(command)
    topic, main = module.removeprefix("experiments."), import_module(f"{module}.__main__")
    given = with_lists(arguments, getattr(main, "LISTS", ("imports",)))
    out = next((argument for argument in given if argument.startswith("hydra.run.dir=")), None)
    given = [argument for argument in given if argument != out]
    given = with_files(topic, given)
    schema = typing.get_type_hints(main.prepare)["config"]
    register(topic, schema)
    check_overrides(topic, given)
    place = folder / topic if out is None else Path(out.partition("=")[2])
    place.mkdir(parents=True, exist_ok=True)
    main.prepare(configured(topic, schema, *given, *SMALL.get(topic, [])), place)()
    return topic


def test_a_passive_log_becomes_an_exported_agent(tmp_path):
    commands = re.findall(r"^python -m experiments\..*", text_of(PAGE), re.MULTILINE)[: len(TOPICS)]
    short = [
        command.replace("runs/", f"{tmp_path}/").replace(",best_fixed,one_step_oracle", "") for command in commands
    ]
    assert [run(command, tmp_path) for command in short] == TOPICS
    deployed = SlicePolicy(tmp_path / "export" / "policy.onnx")
    assert deployed.scenario.slice_names == ("embb", "mtc", "urllc")
    assert all(isinstance(part.traffic.active_users, Trace) for part in deployed.scenario.slices)
    assert sum(deployed.decide([600, 250, 300]).units) == deployed.scenario.num_units
