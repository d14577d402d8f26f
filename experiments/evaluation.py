"""Policies compared on the same cells and the same luck: table, CSV and picture."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from omegaconf import OmegaConf
from stable_baselines3.common.base_class import BaseAlgorithm
from tqdm.auto import tqdm

import slicing_gym
from agents import DQN, FixedPolicy, make_baseline
from agents.baselines import BASELINES
from agents.safe_load import read_checked
from agents.search import cache_path
from agents.student import StudentPolicy
from experiments.learners import stored_class
from experiments.runs import AGENT, STUDENT
from experiments.statistics import Estimate, estimate
from experiments.tables import aligned, write_rows
from slicing_gym import Scenario, SliceRANVectorEnv
from slicing_gym.errors import check_integer, unknown_name
from slicing_gym.round_vector_env import SlicingVectorEnv

_FILES = (".zip", ".safetensors")
"""Endings of files that hold agents and students."""


class Predictor(Protocol):
    """Anything with SB3's `predict`."""

    def predict(self, observation: Any, *, deterministic: bool = ...) -> tuple[Any, Any]:
        """Actions for observations."""


@dataclass(frozen=True)
class Evaluation:
    """One policy on some cells; arrays have a value a cell.

    Args:
        policy: its name.
        seeds: of the cells (n,).
        utility, reward, spectral_efficiency: means over the decisions (n,); the reward is the share of decisions whose
            U reaches the final threshold c_max.
        ssr: (n, n_slices).
    """

    policy: str
    seeds: tuple[int, ...]
    utility: npt.NDArray[np.float64]
    reward: npt.NDArray[np.float64]
    spectral_efficiency: npt.NDArray[np.float64]
    ssr: npt.NDArray[np.float64]

    def estimates(self, slice_names: Sequence[str]) -> dict[str, Estimate]:
        """Every column of the table."""
        columns = {"utility": estimate(self.utility), "reward": estimate(self.reward)}
        columns |= {f"ssr_{name}": estimate(self.ssr[:, n]) for n, name in enumerate(slice_names)}
        return columns | {"spectral_efficiency": estimate(self.spectral_efficiency)}


def evaluate_policy(
    name: str,
    policy: Predictor,
    envs: SlicingVectorEnv,
    seeds: Sequence[int],
    decisions: int,
    progress: bool = False,
) -> Evaluation:
    """Run a policy on one cell a seed.

    Args:
        name: what it is called.
        policy: chooses the actions, deterministically.
        envs: as many cells as seeds.
        seeds: of the cells.
        decisions: a cell.
        progress: show a bar.
    """
    observations, _ = envs.reset(seed=list(seeds))
    n = envs.scenario.num_slices
    utility, efficiency, ssr = (
        np.zeros((decisions, len(seeds))),
        np.zeros((decisions, len(seeds))),
        np.zeros((decisions, len(seeds), n)),
    )
    for step in tqdm(range(decisions), desc=name, disable=not progress, leave=False):
        actions, _ = policy.predict(observations, deterministic=True)
        observations, _, _, _, info = envs.step(actions)
        final = info.get("final_info", {})
        mask = info.get("_final_info", np.zeros(len(seeds), np.bool_))
        for store, key in ((utility, "utility"), (efficiency, "spectral_efficiency"), (ssr, "ssr")):
            store[step] = info[key]
            if mask.any():
                store[step][mask] = final[key][mask]
    return Evaluation(
        policy=name,
        seeds=tuple(seeds),
        utility=utility.mean(axis=0),
        reward=(utility >= envs.scenario.reward.threshold_end).mean(axis=0),
        spectral_efficiency=efficiency.mean(axis=0),
        ssr=ssr.mean(axis=0),
    )


def states_met(policy: Predictor, envs: SlicingVectorEnv, seeds: list[int], number: int) -> npt.NDArray[np.float32]:
    """Observations (number or a few more, n_slices) that a policy decides on in cells of these seeds."""
    observations, _ = envs.reset(seed=seeds)
    met = [observations.copy()]
    while len(met) * len(seeds) < number:
        observations, *_ = envs.step(policy.predict(observations, deterministic=True)[0])
        met.append(observations.copy())
    return np.concatenate(met)


def make_cells(scenario: Scenario, num_cells: int, num_threads: int = 1) -> SliceRANVectorEnv:
    """The cells on which policies are compared; a round follows the last within a step: every step is a decision."""
    envs = gym.make_vec(
        "SliceRAN-v0", num_envs=num_cells, scenario=scenario, autoreset_mode="SameStep", num_threads=num_threads
    )
    assert isinstance(envs, slicing_gym.SliceRANVectorEnv)
    return envs


def _fixed_policy(name: str, scenario: Scenario) -> FixedPolicy | None:
    """The policy that a name like 33-33-34 means, or None if the name is of another form."""
    if not re.fullmatch(r"\d+(-\d+)+", name):
        return None
    return FixedPolicy(scenario, [int(units) for units in name.split("-")])


def check_policies(names: Sequence[str], scenario: Scenario) -> None:
    """Refuse names that are neither a baseline, nor an allocation like 33-33-34, nor the file of an agent or student.

    Raises:
        ValueError: such a name, none at all, or one twice.
    """
    if not names:
        raise ValueError(
            f"policy: none given, allowed are {', '.join(BASELINES)}, units like 33-33-34, files of agents, students"
        )
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"policy: {name!r} is given more than once")
        if _fixed_policy(name, scenario):
            continue
        file = policy_file(name)
        if name not in BASELINES and not file.endswith(_FILES):
            raise ValueError(
                unknown_name("policy", name, BASELINES)
                + ", units like 33-33-34, an agent.zip or a student.safetensors, or the folder that has it"
            )
        if file.endswith(_FILES) and not Path(file).is_file():
            raise ValueError(f"policy: the file {name!r} does not exist")


def check_seeds(key: str, seeds: Sequence[int]) -> None:
    """Refuse seeds that are none, negative, or given twice (an interval over cells needs different ones).

    Raises:
        ValueError, TypeError: such seeds; `key` says in the message where they stand.
    """
    if not seeds:
        raise ValueError(f"{key}: none given, allowed are one or more")
    for seed in seeds:
        check_integer(key, seed, at_least=0)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{key}: {list(seeds)} given, allowed are different ones")


def policy_file(name: str) -> str:
    """The file of a policy: that in a folder, an agent's before a student's; what is no folder is as it was."""
    if name in BASELINES or not Path(name).is_dir():
        return name
    found = [Path(name) / file for file in (AGENT, STUDENT) if (Path(name) / file).is_file()]
    return str(found[0]) if found else name


def label_policies(names: Sequence[str]) -> dict[str, str]:
    """What policies are called in tables: an agent by the folder of its run, where that tells it from the others."""
    files = {name: Path(policy_file(name)).resolve() for name in names if policy_file(name).endswith(_FILES)}
    labels = {name: file.parent.name for name, file in files.items()}
    for depth in range(2, 5):  # students of several teachers: by the teacher's folder, too
        twice = [name for name, label in labels.items() if list(labels.values()).count(label) > 1]
        labels |= {name: "/".join(files[name].parts[-depth - 1 : -1]) for name in twice}
    shown = {name: labels.get(name, name) for name in names}
    given = list(shown.values())
    return {name: label if given.count(label) == 1 else name for name, label in shown.items()}


def load_policy(name: str, scenario: Scenario, envs: SliceRANVectorEnv, num_threads: int) -> Predictor:
    """A baseline, a fixed allocation, or the agent or student in a file; `name` has passed `check_policies`.

    Raises:
        ValueError: the agent was trained on other spaces than the scenario's.
    """
    fixed = _fixed_policy(name, scenario)
    if fixed:
        return fixed
    if name == "best_fixed" and not cache_path(scenario).exists():
        print("searching the best fixed allocation of this scenario, once (about 15 s for 4851) ...", flush=True)
    file = policy_file(name)
    if not file.endswith(_FILES):
        return make_baseline(name, scenario, envs, num_threads=num_threads)
    agent = load_agent(file) if file.endswith(".zip") else StudentPolicy.load(file, device="cpu")
    if (
        agent.action_space != envs.single_action_space
        or agent.observation_space.shape != envs.single_observation_space.shape
    ):
        raise ValueError(
            f"policy: {name!r} chooses among {getattr(agent.action_space, 'n', '?')} actions, "
            f"scenario {scenario.name!r} has {scenario.num_allocations}"
        )
    return agent


def load_policies(names: Sequence[str], scenario: Scenario, envs: SliceRANVectorEnv) -> dict[str, Predictor]:
    """`load_policy` of each name, on one thread."""
    return {name: load_policy(name, scenario, envs, num_threads=1) for name in names}


def load_agent(path: str) -> BaseAlgorithm:
    """The agent in a file, of the class that its run's configuration names, else a DQN; loading it runs no code.

    Raises:
        ValueError: the file does not hold such an agent, or would run code.
    """
    folder = Path(path).parent
    config = (folder.parent if folder.name == "plain" else folder) / ".hydra" / "config.yaml"
    target = str(OmegaConf.load(config).agent._target_) if config.is_file() else "stable_baselines3.DQN"
    try:
        kind = stored_class(target)
        if issubclass(kind, DQN):
            return kind.load(path, device="cpu")
        return kind.load(read_checked(path), device="cpu")
    except Exception as error:
        raise ValueError(f"policy: {path!r} does not hold a {target} ({error})") from error


def compare(
    scenario: Scenario,
    policies: Mapping[str, Predictor],
    envs: SliceRANVectorEnv,
    seeds: Sequence[int],
    decisions: int | None = None,
    progress: bool = False,
) -> list[Evaluation]:
    """Evaluate policies by name on the same cells; `decisions` a cell, by default a round."""
    number = scenario.decisions_per_round if decisions is None else decisions
    return [evaluate_policy(name, policy, envs, seeds, number, progress) for name, policy in policies.items()]


def as_table(scenario: Scenario, evaluations: Sequence[Evaluation]) -> str:
    """The comparison as text; ± is half of a 95 % interval over the cells."""
    ssr_names = [f"SSR {name}" for name in scenario.slice_names]
    rows = []
    for evaluation in evaluations:
        values = evaluation.estimates(scenario.slice_names)
        rows.append([evaluation.policy, *(str(value) for value in values.values())])
        rows[-1][-1] = values["spectral_efficiency"].show(1)
    return aligned(["policy", "utility", "reward at c_max", *ssr_names, "SE [bit/s/Hz]"], rows)


def headroom(evaluations: Sequence[Evaluation]) -> Estimate | None:
    """Utility of the clairvoyant minus that of the best fixed allocation, cell by cell; None if either is missing."""
    found = {evaluation.policy: evaluation for evaluation in evaluations}
    if "clairvoyant" not in found or "best_fixed" not in found:
        return None
    return estimate(found["clairvoyant"].utility - found["best_fixed"].utility)


def write_csv(path: Path, scenario: Scenario, evaluations: Sequence[Evaluation]) -> None:
    """One row a policy and cell, atomically."""
    ssr_names = [f"ssr_{name}" for name in scenario.slice_names]
    rows = []
    for e in evaluations:
        for i, seed in enumerate(e.seeds):
            values = [e.utility[i], e.reward[i], *e.ssr[i], e.spectral_efficiency[i]]
            rows.append([scenario.name, e.policy, seed, *(f"{value:.6f}" for value in values)])
    header = ["scenario", "policy", "seed", "utility", "reward", *ssr_names, "spectral_efficiency"]
    write_rows(path, header, rows)
