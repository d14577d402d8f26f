"""`python -m experiments.export policy=<run or student>`: a policy as one ONNX file, verified to choose as it does."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from omegaconf import DictConfig
from stable_baselines3.common.base_class import BaseAlgorithm
from tqdm.auto import tqdm

from agents import BestFixedPolicy, FixedPolicy, HardPolicy, SlicePolicy
from agents.deploy.export import check_exportable, to_onnx
from agents.hooks import action_values
from agents.registry import import_modules
from agents.student import StudentPolicy
from experiments.config.hydra import readable_errors, register_configs
from experiments.config.parts import scenario_of
from experiments.environments.environments import Environments
from experiments.evaluate.policies import env_config, load_run_agent, policy_file
from experiments.evaluate.rollout import make_cells, states_met
from experiments.runs.folder import AGENT, HISTORY, SUMMARY, read_run
from slicing_gym import Scenario
from slicing_gym.allocation import share_out
from slicing_gym.errors import check_integer, unknown_name
from slicing_gym.files import atomic_write
from slicing_gym.space_spec import SpaceSpec
from twin import History

register_configs()

OUTPUT = "policy.onnx"

CELLS = 20
"""In which states are met under the policy."""

TIE = 1e-5
"""Values that differ by less, relative to the best where that is above 1, are equal but for the rounding of sums."""

_CHUNK = 500

_POLICIES = f"allowed are a finished run's folder, its {AGENT}, or a student.safetensors"

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """What is exported.

    Args:
        policy: an agent or a student.
        scenario: that it was trained on.
        history: the real decisions that it learned from, if they are known.
        name: what it is called.
        made_from: its class and file.
    """

    policy: BaseAlgorithm | StudentPolicy
    scenario: Scenario
    history: History | None
    name: str
    made_from: str


@dataclass(frozen=True)
class Agreement:
    """How a file's choices compare with the policy's, in numbers of states.

    Args:
        equal: the same allocation.
        ties: another one that the policy values the same, but for rounding.
        wrong: another one.
        example: the arrivals of a wrong choice, if there is one.
    """

    equal: int
    ties: int
    wrong: int
    example: tuple[float, ...] | None = None


def check_config(config: DictConfig) -> Source:
    """The policy of a config, after a look at everything that could fail later.

    Raises:
        ValueError, TypeError, FileNotFoundError: the message names the key, the value and what is allowed.
    """
    import_modules(config.imports)
    check_integer("states", config.states, at_least=100)
    check_integer("seed", config.seed, at_least=0)
    check_integer("torch_threads", config.torch_threads, at_least=1)
    if config.output is not None and (not config.output.endswith(".onnx") or Path(config.output).is_dir()):
        raise ValueError(f"output: {config.output!r} given, allowed is a file's name that ends in .onnx")
    if config.policy is None:
        raise ValueError(f"policy: not given, {_POLICIES}")
    scenario = None if config.scenario is None else scenario_of(config.scenario)
    source = find_source(config.policy, scenario, trust=config.trust)
    check_exportable(source.policy, source.scenario)
    if config.fallback != "best_fixed":  # which takes a search
        fallback_units(config.fallback, source.scenario)
    return source


def find_source(policy: str, scenario: Scenario | None, *, trust: bool = False) -> Source:
    """The policy in a file or a run's folder.

    Args:
        policy: a finished run's folder, an agent.zip, or a student's file.
        scenario: of an agent whose folder does not tell it.
        trust: let an agent's file run code.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no policy; or its scenario is not known, or given twice.
    """
    path = Path(policy_file(policy))
    path = path / AGENT if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"policy: there is no file {str(path)!r}; {_POLICIES}")
    within = 3 if path.resolve().parent.name == "plain" else 2  # a run's folder tells which it was
    place = "/".join(path.resolve().parts[-within:])
    if path.suffix == ".safetensors":
        if scenario is not None:
            raise ValueError(f"scenario: {scenario.name!r} given, but the student in {policy!r} names its own")
        student = StudentPolicy.load(path, device="cpu")
        name = f"student-2x{student.hidden}"
        return Source(student, student.scenario, None, name, f"{type(student).__name__} of {place}")
    agent = load_run_agent(str(path), trust=trust)
    name = type(agent).__name__.lower()
    folder = path.parent.parent if path.parent.name == "plain" else path.parent
    if (folder / SUMMARY).is_file():
        if scenario is not None:
            raise ValueError(f"scenario: {scenario.name!r} given, but the run of {policy!r} names its own")
        run = read_run(folder)
        scenario, name = run.scenario, name if path.parent.name == "plain" else run.method
    history = History.load(path.parent / HISTORY) if (path.parent / HISTORY).is_file() else None
    if scenario is None and history is not None:  # an agent that learned offline
        scenario = history.scenario
    if scenario is None:
        raise ValueError(f"scenario: not given, and {policy!r} is not in the folder of a finished run that names it")
    environments = Environments.of(scenario, env_config(str(path)), typed=False)
    if not environments.keep_observations:
        raise ValueError(
            f"policy: {policy!r} was trained under {environments.names}, and the file would see arrivals as they are; "
            "allowed are runs whose wrappers change the reward alone"
        )
    return Source(agent, scenario, history, name, f"{type(agent).__name__} of {place}")


def fallback_units(name: str, scenario: Scenario) -> npt.NDArray[np.int64]:
    """The safe allocation of that name in units (n_slices,).

    Raises:
        ValueError: there is none of that name, or the units are no allocation.
    """
    if re.fullmatch(r"\d+(-\d+)+", name):
        try:
            return FixedPolicy(scenario, [int(units) for units in name.split("-")]).units
        except ValueError as error:
            raise ValueError(f"fallback: {error}") from None
    if name == "proportional":
        return share_out(scenario.nominal_arrivals, scenario.num_units)
    kinds: dict[str, type[HardPolicy] | type[BestFixedPolicy]] = {"hard": HardPolicy, "best_fixed": BestFixedPolicy}
    if name not in kinds:
        raise ValueError(unknown_name("fallback", name, ("proportional", *kinds)) + ", or units like 1-94-5")
    return kinds[name](scenario).units


def choose(policy: BaseAlgorithm | StudentPolicy, scenario: Scenario, arrivals: FloatArray) -> FloatArray:
    """The policy's own actions (n,) for arrivals (n, n_slices)."""
    actions, _ = policy.predict(SpaceSpec(scenario).observe(arrivals), deterministic=True)
    return actions


def met_states(source: Source, number: int, seed: int) -> FloatArray:
    """Arrivals (number, n_slices) that the policy meets in the simulator, in `CELLS` cells.

    Args:
        source: policy and scenario.
        number: of states.
        seed: of the first cell.
    """
    seeds = list(range(seed, seed + CELLS))
    met = states_met(source.policy, make_cells(source.scenario, CELLS), seeds, number)[:number]
    return np.rint(met.astype(np.float64) * source.scenario.nominal_arrivals)  # counts, as they were observed


def random_states(scenario: Scenario, number: int, generator: np.random.Generator) -> FloatArray:
    """Arrivals (number, n_slices) from none to as many as there can be, all orders of magnitude alike."""
    exponents = generator.random((number, scenario.num_slices)) * np.log(scenario.largest_arrivals + 1.0)
    return np.floor(np.exp(exponents)) - 1.0


def states_by_origin(source: Source, number: int, seed: int) -> dict[str, FloatArray]:
    """Arrivals (n, n_slices) to compare on: a third of the history, a third met in the simulator, the rest random."""
    generator = np.random.default_rng(seed)
    states = {}
    if source.history is not None:
        seen = np.unique(np.concatenate([source.history.arrivals, source.history.next_arrivals]), axis=0)
        states["of the history"] = generator.permutation(seen)[: number // 3].astype(np.float64)
    states["met in the simulator"] = met_states(source, number // 3, seed)
    left = number - sum(map(len, states.values()))
    return states | {"random": random_states(source.scenario, left, generator)}


def trained_range(source: Source, met: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest arrivals (n_slices,) of the history, or where there is none of what the policy `met`."""
    seen = met
    if source.history is not None:
        seen = np.concatenate([source.history.arrivals, source.history.next_arrivals]).astype(np.float64)
    return seen.min(axis=0), seen.max(axis=0)


def compare(source: Source, deployed: SlicePolicy, states: FloatArray, progress: bool = False) -> Agreement:
    """Let file and policy choose for arrivals (n, n_slices); where they differ, ask the policy what both are worth."""
    counts, example = np.zeros(3, np.int64), None
    network = source.policy if isinstance(source.policy, StudentPolicy) else action_values(source.policy)
    for part in tqdm(np.array_split(states, -(-len(states) // _CHUNK)), desc="comparing", disable=not progress):
        own, other = choose(source.policy, source.scenario, part), deployed.actions(part)
        rows = np.flatnonzero(own != other)
        with torch.no_grad():
            values = network(torch.as_tensor(SpaceSpec(source.scenario).observe(part[rows]))).double().numpy()
        best = values.max(axis=1, initial=-np.inf)
        tied = best - values[np.arange(len(rows)), other[rows]] <= TIE * np.maximum(1.0, np.abs(best))
        counts += len(part) - len(rows), tied.sum(), (~tied).sum()
        if example is None and not tied.all():
            example = tuple(part[rows[~tied][0]].tolist())
    equal, ties, wrong = counts.tolist()
    return Agreement(equal, ties, wrong, example)


def report(source: Source, deployed: SlicePolicy, states: Mapping[str, FloatArray], found: Agreement) -> str:
    """What was verified and when the file falls back, as text."""
    total = found.equal + found.ties
    origins = ", ".join(f"{len(rows):,} {origin}" for origin, rows in states.items())
    units = "-".join(map(str, deployed.fallback))
    lines = [
        f"{deployed.name}: {deployed.made_from}; scenario {deployed.scenario.name}",
        f"verified on {total:,} states ({origins}):",
        f"  {found.equal:,} the same allocation as the policy, {found.ties:,} of equal value (float ties), 0 others",
        f"safe allocation {units} ({', '.join(source.scenario.slice_names)}), taken where arrivals are beyond",
    ]
    seen = "met in the simulator" if source.history is None else "trained on"
    for place, name in enumerate(source.scenario.slice_names):
        low, high = (bound[place] for bound in deployed.allowed)
        least, most = (bound[place] for bound in deployed.trained_on)
        lines.append(f"  {name}: {low:,.0f} to {high:,.0f} ({seen}: {least:,.0f} to {most:,.0f})")
    if source.history is not None:
        met = states["met in the simulator"]
        doubted = sum(deployed.decide(row).fallback for row in met)
        lines.append(f"  that is {doubted} of the {len(met):,} states met in the simulator")
    return "\n".join(lines)


def export(config: DictConfig, folder: Path) -> None:
    """Write the policy of a config to one file if it chooses as the policy does; print what was verified."""
    with readable_errors():
        source = check_config(config)
    torch.set_num_threads(config.torch_threads)
    states = states_by_origin(source, config.states, config.seed)
    content = to_onnx(
        source.policy,
        source.scenario,
        trained_on=trained_range(source, states["met in the simulator"]),
        fallback=fallback_units(config.fallback, source.scenario),
        name=config.name or source.name,
        made_from=source.made_from,
    )
    deployed = SlicePolicy(content)
    found = compare(source, deployed, np.concatenate(list(states.values())), config.progress)
    if found.wrong:
        raise SystemExit(
            f"error: in {found.wrong} of {config.states} states the file does not choose as the policy does, "
            f"for arrivals {found.example} among them; nothing was written"
        )
    print(report(source, deployed, states, found))
    path = folder / OUTPUT if config.output is None else Path(config.output)
    with atomic_write(path) as file:
        file.write(content)
    print(f"written: {os.path.relpath(path)} ({len(content):,} bytes)")
