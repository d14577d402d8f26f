"""`config`: command lines of every command, right and wrong, composed and checked as the command does it."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import typing
import weakref
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from experiments.commands.command import typed_overrides
from experiments.commands.resuming import with_resumed_run
from experiments.config.agents import maker
from experiments.config.files import CONFIG_FOLDER, choices_of, groups_of, with_files
from experiments.config.hydra import Command, composed, composed_folder, register, settings_of, without_hydra
from experiments.config.quoting import quoted
from experiments.config.schemas import AgentSettings, EvaluationSettings
from experiments.runs.folder import HISTORY, TWIN
from experiments.tools.fuzz.cases import Fault
from experiments.tools.fuzz.logs import made_log
from experiments.tools.fuzz.mutate import Random, damaged, some
from experiments.train import Settings, train
from twin import DigitalTwin, History, PerformanceSettings

_SMALL = {
    "train": ("scenario=paper-1mhz", "agent.net_arch=[8]", "decisions=20", "evaluation.policies=[random]"),
    "evaluate": ("scenario=paper-1mhz", "policy=random,hard", "seeds=[1]", "decisions=5"),
    "offline": ("scenario=paper-1mhz", "agent.net_arch=[8]", "decisions=20", "evaluation.policies=[random]"),
    "search": ("scenario=paper-1mhz", "agent.net_arch=[8]", "twin=lstm", "evaluation.policies=[random]"),
    "fidelity": ("scenario=paper-1mhz",),
    "what_if": ("twin={folder}/twin.safetensors", "history={folder}/run", "interval=0"),
    "calibration": ("scenario=paper-1mhz",),
    "describe": ("scenario=paper-1mhz", "seeds=[0]", "decisions=3"),
    "inspect": ("log={folder}/log.csv",),
    "traffic": ("log={folder}/log.csv", "mapping=colosseum"),
    "distill": ("teacher={folder}/run", "evaluation.policies=[random]"),
    "landscape": ("agent={folder}/run",),
    "export": ("policy={folder}/run",),
}
"""Of each command, what makes its checks quick."""

_TEXTS = (
    *("???", "${nope}", "${seed}", "${scenario}", "${scenario.name}", "${agent.gamma}", "${oc.env:NOPE}", "${now:%Y}"),
    *(
        "${hydra:job.name}",
        "${",
        "${}",
        "${x:y}",
        "${oc.decode:[}",
        "${.}",
        "${..seed}",
        "'",
        '"',
        "[",
        "{",
        "(",
        "a=b",
    ),
    *(
        "a,b",
        "1,2",
        "range(3)",
        "choice(1,2)",
        "interval(0,1)",
        "glob(*)",
        "sort(3,1)",
        "int('x')",
        "os.system",
        "exec",
    ),
    *(
        "{a:1}",
        "{a:{b:[1]}}",
        "[1,[2]]",
        "[null]",
        "{_target_: os.system}",
        "[{_target_: os.system, command: id}]",
        "~",
    ),
    *("1e400", "-0", "0x10", "1_000", "True", "null", "'null'", "''", "\\", "a b", "'a, b'", "é", "\x00", "{" * 90),
    *(
        "[" * 300 + "]" * 300,
        "runs/none/agent.zip",
        "my_package.MyPolicy",
        "builtins.exit",
        "33-33-34",
        "/dev/null",
        ".",
    ),
)
"""Values as they might be typed."""


class ConfigurationFuzzer:
    """A case types a command line, and does all that the command does before it works."""

    errors = (ValueError, TypeError, OSError, ImportError)

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._path = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, self._path)
        made_log().to_csv(self._path / "log.csv", index=False)
        make = maker(AgentSettings(name="ddqn", _target_="agents.DDQN", net_arch=[8]), 0, {"real": {}})
        short = EvaluationSettings(policies=[], seeds=[100], decisions=5)
        train(make, "paper-1mhz", None, Settings(decisions=20, progress=False, evaluation=short), self._path / "run")
        twin = DigitalTwin("autoregressive", PerformanceSettings(structure="per_slice"))
        twin.fit(History.load(self._path / "run" / HISTORY)).save(self._path / TWIN)
        self._topics = [_topic(name) for name in _SMALL]
        self._keys = {topic.name: self._keys_of(topic) for topic in self._topics}

    def _keys_of(self, topic: Command[Any]) -> dict[str, Any]:
        """The usual values of all keys of a command, dotted, and its groups."""
        agent = ["agent=ddqn"] if "agent" in groups_of(topic.name) else []
        twin = ["twin=lstm"] if "twin" in groups_of(topic.name) else []
        config = OmegaConf.to_container(without_hydra(composed(topic.name, [*agent, *twin])), resolve=False)
        groups = dict.fromkeys((*groups_of(topic.name), "hydra/launcher"), "none")
        return {**_dotted(config, ""), **groups, "hydra.run.dir": "out", "resume": None}

    def try_case(self, random: Random) -> bool:
        """See `Fuzzer`."""
        topic = self._topics[int(random.integers(len(self._topics)))]
        small = [each.replace("{folder}", str(self._path)) for each in _SMALL[topic.name]]
        typed = [self._argument(topic, random) for _ in range(int(random.integers(1, 4)))]
        before = set(os.listdir(self._path))
        try:
            self._answer(topic, [*small, *typed])
        except self.errors as error:
            self._check_named(topic, str(error), typed)
            raise
        finally:
            if set(os.listdir(self._path)) != before:
                raise Fault(f"checking made files, for {typed}")
        return True

    def _answer(self, topic: Command[Any], typed: list[str]) -> None:
        """What a command does before it works."""
        arguments = topic.rewrite(with_files(topic.name, topic.as_meant(typed)))
        config = composed(topic.name, arguments)
        composed_folder(config)
        typed_overrides(config.hydra)
        topic.prepare(settings_of(without_hydra(config), topic.schema), self._path / "out")

    def _check_named(self, topic: Command[Any], message: str, typed: list[str]) -> None:
        """A message begins with a key of the command, or with what was typed."""
        known = {each.name for each in fields(topic.schema)} | {"hydra", *groups_of(topic.name), *topic.renamed}
        own = {re.split(r"[.=/@:]", each.lstrip("+~"))[0] for each in typed}
        key = re.split(r"[.=/@:\[]", message)[0]
        if key not in known | own and "given, allowed is <key>=<value>" not in message:
            raise Fault(f"no key of {topic.name} in {message[:300]!r}, for {typed}")

    def _argument(self, topic: Command[Any], random: Random) -> str:
        """An argument, mostly with a key that there is, and often with a value that could be."""
        keys = list(self._keys[topic.name])
        key, kind = keys[int(random.integers(len(keys)))], int(random.integers(24))
        value = _usual(self._keys[topic.name][key], random) if random.random() < 0.4 else _value(key, random)
        if kind == 0:
            key = _misspelt(key, random)
        elif kind == 1:
            key = f"{key}.{random.choice(['a', 'kind', 'name', '0'])}"
        elif kind == 2:
            return f"~{key}" if random.random() < 0.7 else f"~{key}={value}"
        elif kind == 3:
            key = f"{random.choice(['+', '++'])}{key}"
        elif kind == 4:
            return damaged(f"{key}={value}".encode()[:200], random).decode(errors="replace").lstrip("-") or "x"
        return f"{key}={value}"


def _topic(name: str) -> Command[Any]:
    """A command as its module gives it to the command line."""
    main = import_module(f"experiments.{name}.__main__")
    schema = typing.get_type_hints(main.prepare)["config"]
    register(name, schema)
    more: dict[str, Any] = {"lists": getattr(main, "LISTS", ("imports",)), "renamed": getattr(main, "RENAMED", {})}
    if name == "train":
        more["rewrite"] = with_resumed_run
    return Command(name, schema, main.prepare, **more)


def _dotted(values: Any, key: str) -> dict[str, Any]:
    """The keys below one, and it, with their values."""
    found = {key: values} if key else {}
    for name, value in values.items() if isinstance(values, dict) else ():
        found |= _dotted(value, f"{key}.{name}" if key else str(name))
    return found


def _usual(value: Any, random: Random) -> str:
    """A value like that which a key has."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value * random.choice([1, 2, 0.5, 1.1]) if isinstance(value, float) else value + random.integers(3))
    return json.dumps(value) if isinstance(value, list | bool | None) else str(value)


def _value(key: str, random: Random) -> str:
    """A value as it is typed: one of a group, any text, any number, or what has to be quoted."""
    group = key if (Path(CONFIG_FOLDER) / key).is_dir() else ""
    if group and random.random() < 0.6:
        names = choices_of(group) or ["none"]
        return names[int(random.integers(len(names)))]
    kind = int(random.integers(3))
    if kind == 0:
        return _TEXTS[int(random.integers(len(_TEXTS)))]
    found = some(random)
    if isinstance(found, str) and kind == 1:
        return quoted(found)
    try:
        return json.dumps(found) if isinstance(found, list | dict | bool | None) else str(found)
    except ValueError:  # Python writes no whole number of so many digits
        return "9" * 4000


def _misspelt(key: str, random: Random) -> str:
    place = int(random.integers(len(key)))
    return key[:place] + str(random.choice(["", "x", key[place] * 2, "."])) + key[place + 1 :]
