"""The command lines: those of the docs, typing errors, and commands as a shell runs them."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
import typing
import warnings
from importlib import import_module

import pytest

from agents import registry
from experiments.commands.command import _single
from experiments.config.files import with_files
from experiments.config.hydra import (
    Command,
    check_overrides,
    first_composed,
    register,
    settings_of,
    with_lists,
)
from experiments.evaluate import __main__ as evaluate
from experiments.evaluate.settings import EvaluateConfig
from experiments.tools.page_commands import OWN_MODULES, STANDS_FOR, commands, write_own_modules
from experiments.train import __main__ as train
from experiments.train.settings import TrainConfig
from twin import inspect_log

TOPICS = (
    "train",
    "evaluate",
    "fidelity",
    "what_if",
    "calibration",
    "inspect",
    "describe",
    "traffic",
    "landscape",
    "distill",
    "offline",
    "search",
    "benchmark_suite",
    "export",
)
STUDIES_OF_RUNS = ("distill", "landscape", "export", "what_if")
"""What looks at finished runs, which are not there; a history of such a run is no more."""


def schema_of(name):
    """Types of a command's settings."""
    return typing.get_type_hints(import_module(f"experiments.{name}.__main__").prepare)["config"]


@pytest.fixture(autouse=True, scope="module")
def _registered():
    for name in TOPICS:
        register(name, schema_of(name))


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


def test_lists_may_be_typed_without_brackets():
    given = ["policy=random,hard", "seeds=1,2", "imports=[a]", "agents=null", "-m"]
    assert with_lists(given, ("policy", "imports", "agents")) == [
        *("policy=['random','hard']", "seeds=1,2", "imports=[a]", "agents=null", "-m")
    ]


COMMANDS = [
    pytest.param(each, id=f"{each.page}-{each.topic}-{number}")
    for number, each in enumerate(commands())
    if each.topic in TOPICS
    and each.arguments
    and "<" not in each.arguments
    and not each.page.endswith("traffic.md")  # whose commands go on from each other: tests/experiments/traffic
]


@pytest.fixture
def _own_modules(tmp_path, monkeypatch):
    """What pages ask a reader to write, in the folder where commands are typed."""
    write_own_modules(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in OWN_MODULES:
        sys.modules.pop(name, None)
        registry._imported.discard(name)


@pytest.mark.filterwarnings("ignore:ssr. never met:twin.LogWarning")  # what the synthetic log is like
@pytest.mark.parametrize("typed", COMMANDS)
def test_commands_of_the_docs_pass_their_checks(typed, request, tmp_path):
    name, command = typed.topic, typed.arguments
    if any(module in command for module in OWN_MODULES):
        request.getfixturevalue("_own_modules")
    for elsewhere, here in STANDS_FOR.items():
        command = command.replace(elsewhere, here)
    arguments = shlex.split(command, comments=True)
    main = import_module(f"experiments.{name}.__main__")
    renamed = getattr(main, "RENAMED", {})
    arguments = [re.sub(r"^\w+(?==)", lambda key: renamed.get(key[0], key[0]), each) for each in arguments]
    arguments = with_files(name, [re.sub(r"runs/look\w*", str(tmp_path), each) for each in arguments])
    if re.search(r"runs/look\w*/mapping.yaml", command):  # what the command before it on the page has written
        log = re.search(r"log=(\S+)", command)[1]
        (tmp_path / "mapping.yaml").write_text(inspect_log(log).mapping_yaml())
    arguments = with_lists(arguments, getattr(main, "LISTS", ("imports",)))
    settings = settings_of(first_composed(name, arguments), schema_of(name))
    folder = tmp_path / "out"
    if name in STUDIES_OF_RUNS or "history=runs/" in command:
        with pytest.raises((FileNotFoundError, ValueError), match=r"does not exist|there is no|neither"):
            main.prepare(settings, folder)
    else:
        main.prepare(settings, folder)


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
    assert (folder / "evaluation.csv").exists()  # of the first one


@pytest.mark.parametrize(
    ("typed", "added"),
    [
        (["seed=1"], []),
        (["scenario.reward.kind=shaped"], ["reward=null"]),
        (["scenario.reward.kind=shaped,clip", "-m"], ["reward=null"]),
        (["reward=clip", "++scenario.reward.kind='clip'"], ["reward=null"]),
        (["reward=clip"], []),
    ],
)
def test_a_typed_reward_of_the_scenario_counts(typed, added):
    topic = Command("train", TrainConfig, train.prepare)
    assert topic.as_meant(typed) == [*typed, *added]


def test_two_typed_rewards_are_refused():
    for name, options in (("train", []), ("train", ["-m"]), ("traffic", [])):
        command = [sys.executable, "-m", f"experiments.{name}", "scenario.reward.kind=shaped", "reward=clip", *options]
        ran = subprocess.run(command, capture_output=True, text=True)
        assert ran.returncode == 1
        assert ran.stderr == (
            "error: reward: 'clip' given in addition to scenario.reward.kind=shaped, allowed is one of the two\n"
        )


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("landscape", ["runs/x"], "'runs/x' given without its key, allowed is <key>=<value>, as agent=runs/x"),
        ("landscape", ["--config-dir", "runs/x"], None),
        ("distill", ["hidden"], None),
        ("distill", ["-m", "runs/x", "hidden=4,8"], "'runs/x' given without its key, .*, as teacher=runs/x"),
        ("distill", ["-m", "runs/a,runs/b"], "'runs/a,runs/b' given without its key, .*, as teacher=runs/a,runs/b$"),
        ("export", ["runs/x"], "'runs/x' given without its key, .*, as policy=runs/x"),
        ("evaluate", ["runs/a b"], "'runs/a b' given without its key, .*, as 'policy=\"runs/a b\"'"),
        ("inspect", ["tests"], "'tests' given without its key, .*, as log=tests"),
        ("what_if", ["runs/x"], "'runs/x' given without its key, .*, as twin=runs/x"),
        ("traffic", ["~x/y"], None),
    ],
)
def test_a_path_without_its_key_is_told_the_key(name, typed, told, monkeypatch, capsys):
    asked = typed if told else [*typed, "nope=1"]
    monkeypatch.setattr(sys, "argv", [name, *asked])
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(import_module(f"experiments.{name}.__main__").__file__, run_name="__main__")
    said = f"{ended.value}{capsys.readouterr().err}"
    assert re.search(told, said) if told else "without its key" not in said


def test_what_is_refused_leaves_a_folder_as_it_was(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["evaluate"])
    topic = Command("evaluate", EvaluateConfig, evaluate.prepare, lists=evaluate.LISTS)
    quiet = ("hydra/job_logging=none", "hydra/hydra_logging=none")
    typed = topic.as_meant(["policy=random,hard", "scenario=paper-1mhz", "threads=0", *quiet])
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "evaluation.csv").touch()
    for name in ("old", "new"):
        assert _single(topic, [*typed, f"hydra.run.dir={tmp_path / name}"]) == 1
        assert capsys.readouterr().err == "error: threads: 0 given, allowed is 1 to 1024\n"
    assert (tmp_path / "old" / "evaluation.csv").exists()
    assert not (tmp_path / "new").exists()
