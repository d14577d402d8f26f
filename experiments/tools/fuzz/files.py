"""`files`: every kind of file that is read, damaged, or changed in a way that looks whole."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import yaml

import conf
import twin
from agents import Planner, StudentPolicy
from agents.deploy import SlicePolicy
from agents.deploy.export import to_onnx
from agents.registry import algorithm_class
from experiments.config.files import with_files
from experiments.config.planner import load_planner
from experiments.evaluate.policies import load_run_agent
from experiments.runs import checkpoint
from experiments.tools.fuzz.cases import Fault
from experiments.tools.fuzz.folders import read_folder, write_run
from experiments.tools.fuzz.mutate import Random, changed, changed_json, changed_zip, damaged
from slicing_gym import Scenario, Simulator, get_scenario
from slicing_gym.files import digest
from twin import DigitalTwin, History, LogMapping, PlanningTwin, RecordHistory

_USUAL = np.ones(3, np.float32)
_DQN: Any = algorithm_class("agents.DQN", "agent")


class FileFuzzer:
    """A case damages one file, and reads it; what is read has to serve."""

    errors = (ValueError, TypeError, OSError)

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._path = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, self._path)
        made = _whole_files(self._path)
        self._kinds = list(made)
        self._whole = {name: (made[name].read_bytes(), made[name].name) for name in made}

    def try_case(self, random: Random) -> bool:
        """See `Fuzzer`."""
        kind = self._kinds[int(random.integers(len(self._kinds)))]
        whole, name = self._whole[kind]
        path = self._path / "damaged" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_mutated(whole, path.suffix, random))
        before = set(os.listdir(self._path))
        try:
            _READERS[kind](path)
        except (ValueError, TypeError, OSError) as error:
            if path.name not in str(error) and str(path.parent) not in str(error) and kind not in _UNNAMED:
                raise Fault(f"refused without the name of the file ({kind}): {error}") from error
            raise
        if set(os.listdir(self._path)) != before:
            raise Fault("reading wrote a file")
        return True


_UNNAMED = ("mapping", "scenario")
"""Of these, what is in the file is answered by its key."""


def _mutated(whole: bytes, suffix: str, random: Random) -> bytes:
    """Damaged bytes, or for kinds whose inside is known what looks whole."""
    if random.random() < 0.4:
        return damaged(whole, random)
    if suffix in (".zip", ".npz"):
        return changed_zip(whole, random)
    if suffix == ".json":
        return changed_json(whole.decode(), random).encode()
    if suffix == ".yaml":
        return yaml.safe_dump(json.loads(changed_json(json.dumps(yaml.safe_load(whole)), random))).encode() if (
            random.random() < 0.7
        ) else damaged(whole, random)  # fmt: skip
    if suffix == ".safetensors":
        return _changed_safetensors(whole, random)
    return damaged(whole, random)


def _changed_safetensors(whole: bytes, random: Random) -> bytes:
    """A file of safetensors with another header or other numbers, and the checksum that then belongs to it."""
    from safetensors.numpy import load, save

    tensors = {name: array.copy() for name, array in load(whole).items()}
    size = int.from_bytes(whole[:8], "little")
    (key, text), *_ = json.loads(whole[8 : 8 + size])["__metadata__"].items()
    header = json.loads(text)
    header.pop("sha256", None)
    if random.random() < 0.6:
        header = changed(header, random)
        header = json.loads(json.dumps(header, default=str))
    else:
        name = list(tensors)[int(random.integers(len(tensors)))]
        kind, flat = int(random.integers(4)), tensors[name].reshape(-1)
        if kind == 0:
            del tensors[name]
        elif kind == 1:
            tensors[name] = tensors[name][: len(tensors[name]) // 2].copy() if tensors[name].ndim else tensors[name]
        elif len(flat):
            flat[int(random.integers(len(flat)))] = random.choice([0, 127, -1] if flat.dtype.kind in "iu" else [
                np.nan, np.inf, -1e300, 0.0]).astype(flat.dtype)  # fmt: skip
    whole_header = {"sha256": digest(header, tensors), **header} if isinstance(header, dict) else header
    return save(tensors, {key: json.dumps(whole_header)})


def _whole_files(folder: Path) -> dict[str, Path]:
    """One small file of each kind."""
    scenario = get_scenario("paper-1mhz")
    env = RecordHistory(gym.make("SliceRAN-v0", scenario=scenario, reward="utility", decisions=10))
    env.reset(seed=0)
    for _ in range(10):
        env.step(env.action_space.sample())
    env.recorder.history().save(folder / "history.npz")
    cells = Simulator(scenario, [0, 1])
    cells.advance([5, 10, 5])
    cells.save(folder / "simulator.npz")
    agent = _DQN("MlpPolicy", env, buffer_size=50, policy_kwargs={"net_arch": [8]}, device="cpu", seed=0)
    agent.save(folder / "agent.zip")
    student = StudentPolicy(scenario, hidden=4, seed=0)
    student.save(folder / "student.safetensors")
    planner = Planner(gym.make("SliceRAN-v0", scenario=scenario, reward="utility"), PlanningTwin(scenario), seed=0)
    planner.learn(3)
    with (folder / "planner.safetensors").open("wb") as file:
        planner.save(file)
    shipped = Path(twin.__file__).parent / "shipped" / "paper.safetensors"
    (folder / "twin.safetensors").write_bytes(shipped.read_bytes())
    checkpoint.write(folder / "checkpoint.npz", {"decisions": 3, "log": [1, 2]}, {"a": np.arange(5.0)})
    known: dict[str, Any] = {"trained_on": ([90.0, 1600.0, 2.0], [150.0, 1900.0, 19.0]), "fallback": [4, 12, 4]}
    (folder / "policy.onnx").write_bytes(to_onnx(student, scenario, name="small", made_from="a fuzzer", **known))
    mapping = Path(conf.__file__).resolve().parent / "mapping" / "colosseum.yaml"
    (folder / "mapping.yaml").write_bytes(mapping.read_bytes())
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario.to_dict(), sort_keys=False))
    write_run(folder)
    return {path.stem: path for path in sorted(folder.iterdir())}


def _history(path: Path) -> None:
    history = History.load(path)
    if len(history.arrivals) != len(history) or not len(history.layout.columns) + 1:
        raise Fault("a history whose columns have different lengths")


def _simulator(path: Path) -> None:
    outcome = Simulator.load(path).advance([5, 10, 5])
    if not np.isfinite(outcome.utility).all():
        raise Fault("a simulator that brings no number")


def _agent(path: Path) -> None:
    load_run_agent(str(path))
    agent: Any = _DQN.load(path, device="cpu")
    try:
        action, _ = agent.predict(_USUAL, deterministic=True)
    except (ValueError, RuntimeError):
        return  # of another space, which whoever evaluates it looks at
    if not agent.action_space.contains(np.int64(action)):
        raise Fault(f"an agent that chooses {action}")


def _student(path: Path) -> None:
    action, _ = StudentPolicy.load(path, "cpu").predict(_USUAL)
    if int(action) < 0:
        raise Fault(f"a student that chooses {action}")


def _planner(path: Path) -> None:
    load_planner(path)


def _twin(path: Path) -> None:
    model = DigitalTwin.load(path)
    try:
        env = gym.make("SliceTwin-v0", twin=model)
    except ValueError as error:  # of what it holds, as nobody can reward by it; it was given without its file
        raise ValueError(f"{path}: {error}") from error
    env.reset(seed=0)
    observation, reward, *_ = env.step(env.action_space.sample())
    if not np.isfinite(observation).all() or not np.isfinite(float(reward)):
        raise Fault("a twin that brings no number")


def _policy(path: Path) -> None:
    SlicePolicy(path).decide([115, 1752, 9])


_READERS: dict[str, Callable[[Path], object]] = {
    "history": _history,
    "simulator": _simulator,
    "agent": _agent,
    "student": _student,
    "planner": _planner,
    "twin": _twin,
    "checkpoint": checkpoint.read,
    "policy": _policy,
    "mapping": LogMapping.from_yaml,
    "scenario": lambda path: Scenario.from_dict(_stored(path)),
    **dict.fromkeys(("config", "overrides", "summary", "status", "episodes"), read_folder),
}


def _stored(path: Path) -> Any:
    """What a command takes a scenario's file for."""
    from hydra.core.config_store import ConfigStore

    with_files("evaluate", [f"scenario={path}"])
    repository: Any = ConfigStore.instance().repo
    return json.loads(json.dumps(_builtin(repository["scenario"][f"{path.stem}.yaml"].node)))


def _builtin(node: Any) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.to_container(node, resolve=False)
