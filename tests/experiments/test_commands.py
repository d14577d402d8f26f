"""The command lines: those of the docs, typing errors, and the commands themselves as a shell runs them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from agents import registry
from experiments.calibration.run import check_config as check_calibration
from experiments.config.hydra import (
    CONFIG_FOLDER,
    check_overrides,
    config_folders,
    register_configs,
    with_lists,
    without_config_folders,
)
from experiments.distill.__main__ import LISTS as DISTILL_LISTS
from experiments.distill.run import check_config as check_distill
from experiments.evaluate.__main__ import LISTS as EVALUATE_LISTS
from experiments.evaluate.run import check_config as check_evaluation
from experiments.fidelity.run import check_config as check_fidelity
from experiments.landscape.__main__ import with_runs
from experiments.landscape.run import check_config as check_landscape
from experiments.offline.run import check_config as check_offline
from experiments.train.check import check_config

ROOT = Path(__file__).resolve().parents[2]

register_configs()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["polcy=3"], "polcy: unknown name 'polcy'; did you mean 'policy'"),
        (["scenario=papper"], "scenario: unknown name 'papper'; did you mean 'paper'"),
        (["scenario=paper,papper", "-m"], "scenario: unknown name 'papper'"),
        (["scenario.slices.urlc.num_users=3"], "unknown name 'urlc'; did you mean 'urllc'"),
    ],
)
def test_a_typing_error_on_the_command_line_is_answered_with_the_nearest_name(arguments, message):
    with pytest.raises(SystemExit, match=message):
        check_overrides("evaluate", arguments)


def test_right_command_lines_pass():
    check_overrides(
        "evaluate", ["policy=[hard]", "-m", "scenario=paper,drift", "hydra.run.dir=x", "+new=1", "seeds=[1,2]"]
    )
    check_overrides("train", ["agent=dqn", "+experiment=quick", "agent.gamma=0.5", "scenario.slices.urllc.num_users=3"])
    check_overrides("export", ["policy=runs/a/agent.zip", "scenario=diurnal", "fallback=1-94-5", "output=policy.onnx"])


CHECKS = {
    "train": check_config,
    "evaluate": check_evaluation,
    "fidelity": check_fidelity,
    "calibration": check_calibration,
    "landscape": check_landscape,
    "distill": check_distill,
    "offline": check_offline,
}
COMMANDS = [
    pytest.param(command, id=f"{path.name}-{number}")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for number, command in enumerate(
        re.findall(
            r"^python -m experiments\.(?:train|evaluate|fidelity|calibration|landscape|distill|offline)\b.*",
            path.read_text(),
            re.MULTILINE,
        )
    )
    if "<" not in command
]


@pytest.fixture
def _own_package(tmp_path, monkeypatch):
    """What docs/bring-your-own.md asks a user to write, in the folder where the command is typed."""
    page = (ROOT / "docs" / "bring-your-own.md").read_text()
    (tmp_path / "my_package.py").write_text(
        "from tests.own_agents import Logarithms as Logs, Middle, SoftTargets as MyDQN, tenth\n"
    )
    (tmp_path / "mine" / "agent").mkdir(parents=True)
    (tmp_path / "mine" / "agent" / "my_agent.yaml").write_text(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_package", None)
    registry._imported.discard("my_package")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_docs_pass_their_checks(command, request):
    if "my_package" in command:
        request.getfixturevalue("_own_package")
    _, _, module, *arguments = shlex.split(command, comments=True)
    name = module.removeprefix("experiments.")
    if name == "landscape":
        arguments = with_runs(arguments)
    arguments = with_lists(arguments, {"distill": DISTILL_LISTS, "evaluate": EVALUATE_LISTS}.get(name, ("imports",)))
    check_overrides(name, arguments)
    folders, arguments = config_folders(arguments), without_config_folders(arguments)
    swept = [argument for argument in arguments if argument != "-m" and not argument.startswith("hydra")]
    single = [a if "[" in a else a.split(",")[0] for a in swept]
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        config = compose(name, [*single, *folders])
    CHECKS[name](config)


def test_commands_run_as_typed(tmp_path):
    """The command line itself, once: argument list, output folder, composed config."""
    command = [sys.executable, "-m", "experiments.evaluate", "policy=random,hard", "scenario=paper-1mhz"]
    folder = tmp_path / "out"
    options = ["seeds=[0,1]", "decisions=5", "progress=false", f"hydra.run.dir={folder}"]
    ran = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    assert "random" in ran.stdout
    assert (folder / ".hydra" / "config.yaml").exists()
    wrong = subprocess.run([*command, *options, "sedes=[1]"], capture_output=True, text=True)
    assert wrong.returncode != 0
    assert wrong.stderr.startswith("error: sedes: unknown name 'sedes'; did you mean 'seeds'")
    refused = subprocess.run([*command, *options, "threads=0"], capture_output=True, text=True)
    assert refused.stderr.strip() == "error: threads: 0 given, allowed is 1 or more"
    assert (folder / "evaluation.csv").exists()  # of the first one
    new = [*command, "threads=0", f"hydra.run.dir={tmp_path / 'new'}"]
    assert "threads: 0 given" in subprocess.run(new, capture_output=True, text=True).stderr
    assert not (tmp_path / "new").exists()  # what was refused leaves no folder


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("simulator", ["times as fast", "two threads / one"]),
        ("twin", ["/ simulator", "/ real network", "transformer"]),
        ("decision", ["p99.9 [us]", "times as fast as SB3", "student 2x4: SlicePolicy.decide", "after a pause"]),
    ],
)
def test_benchmark_prints_its_ratios(what, expected):
    command = [sys.executable, "-m", "experiments.benchmark", what, "--scenario", "paper-1mhz", "--seconds", "0.01"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for text in expected:
        assert text in printed
