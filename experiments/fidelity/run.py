"""`python -m experiments.fidelity scenario=paper`: fit twins to histories, and tell how far they can be trusted."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from omegaconf import DictConfig
from tqdm.auto import tqdm

from agents.baselines import BASELINES, make_baseline
from experiments.config.hydra import readable_errors, register_configs
from experiments.config.parts import builtin_of, scenario_of, twin_of
from experiments.evaluate.rollout import Predictor, check_seeds, evaluate_policy, make_cells
from experiments.fidelity.measures import (
    AHEAD,
    Measure,
    ahead_measures,
    marginal_measures,
    number,
    one_step_measures,
    over_blocks,
    over_cells,
    performance_measures,
)
from experiments.fidelity.outcome import FloatArray, Outcome
from experiments.fidelity.report import as_table, plot, write_csv
from experiments.fidelity.trees import tree_errors
from experiments.reporting.statistics import Estimate
from slicing_gym import Scenario
from slicing_gym.errors import check_integer, unknown_name
from slicing_gym.reward import utility
from twin import DigitalTwin, History, SliceTwinVectorEnv
from twin.data.log import LogMapping, read_log
from twin.fidelity.evaluator import Evaluator
from twin.fidelity.scores import rank_correlation
from twin.fidelity.simulated import HeldOut, SimulatedCell
from twin.runtime.encoding import encode, to_scale
from twin.twin import MIN_DECISIONS

register_configs()

IntArray = npt.NDArray[np.int64]

PLACES = 8
"""Moments of the held-out runs from which allocations are held."""

WINDOW = 16
"""Intervals of a held-out run that a cell sees before it is left alone."""

HELD = 5
"""Intervals for which they are."""


def check_config(config: DictConfig) -> Scenario | tuple[LogMapping, History]:
    """The scenario, or the log, after a look at everything that could fail later.

    Raises:
        ValueError, TypeError, OSError: something is not allowed; the message names the key, the value and what is.
    """
    twin_of(config.twin)
    check_integer("decisions", config.decisions, at_least=MIN_DECISIONS)
    check_integer("run_length", config.run_length, at_least=WINDOW + 2)
    for key in ("held_out_runs", "horizon", "threads", "torch_threads"):
        check_integer(key, config[key], at_least=1)
    check_integer("copies", config.copies, at_least=2)
    check_integer("allocations", config.allocations, at_least=3)
    check_seeds("seeds", config.seeds)
    for name in config.policies:
        if name not in BASELINES or name == "one_step_oracle":
            raise ValueError(unknown_name("policies", name, [each for each in BASELINES if each != "one_step_oracle"]))
    if config.mapping:
        if config.log is None:
            raise ValueError("log: null given, allowed is the file that mapping=... describes")
        mapping = LogMapping.from_dict(builtin_of(config.mapping))
        history = read_log(config.log, mapping)
        runs = len(history.runs)
        if runs <= config.held_out_runs:
            raise ValueError(f"held_out_runs: {config.held_out_runs} given, the log has {runs} runs in all")
        past, held_out = history.split_by_run(last=config.held_out_runs)
        longest = max(block.stop - block.start for block in held_out.sequences())
        if len(past) < MIN_DECISIONS or longest < WINDOW + 2:
            raise ValueError(
                f"held_out_runs: {config.held_out_runs} given; that leaves {len(past)} decisions to fit to and at most "
                f"{longest} in a row to judge by, allowed are {MIN_DECISIONS} and {WINDOW + 2} or more"
            )
        return mapping, history
    if config.log is not None:
        raise ValueError(f"log: {config.log!r} given without a mapping of its columns (mapping=...)")
    return scenario_of(config.scenario)


def judge(config: DictConfig, twin: DigitalTwin, history: History, held_out: History, extra: HeldOut | None) -> Outcome:
    """All figures of a fitted twin."""
    model, slices = twin.model, twin.scenario.num_slices
    judging = Evaluator(model, history, held_out, extra.noise_floor if extra else None, seed=twin.seed)
    judged = judging.one_step()
    errors = tree_errors(model, history, held_out) if config.tree else None
    if errors:
        scores = [
            replace(score, error={**score.error, "tree": error})
            for score, error in zip(judged.scores, errors, strict=True)
        ]
        judged = replace(judged, scores=scores)
    truth = to_scale(model.scaler, encode(model.layout, model.scaler, held_out).measured)
    measures = one_step_measures(judged, slices) + performance_measures(judged, truth)
    names = [name for name, _ in model.layout.variables]
    longest = max(block.stop - block.start for block in held_out.sequences()) - WINDOW - 1
    near = judging.roll_out(min(AHEAD[-1], longest), window=WINDOW, spacing=7)
    measures += ahead_measures(near, names, slices)
    measures += marginal_measures(judging.roll_out(min(config.horizon, longest), window=WINDOW), names)
    assert twin.report is not None
    measures.append(number("fit [s]", "", "twin", twin.report.seconds))
    return Outcome(measures, near, None, twin)


def judge_log(config: DictConfig, history: History) -> tuple[Outcome, dict[tuple[str, str, str], Estimate]]:
    """A twin of a log: fitted to its first runs, judged on its last."""
    past, held_out = history.split_by_run(last=config.held_out_runs)
    twin = twin_of(config.twin).fit(past, progress=config.progress)
    outcome = judge(config, twin, past, held_out, None)
    return outcome, over_blocks(outcome.measures, held_out.run)


def judge_cell(config: DictConfig, scenario: Scenario, seed: int) -> Outcome:
    """A twin of one simulated cell."""
    network = SimulatedCell(scenario, seed, config.threads, reserved=config.allocations)
    history = network.record(config.decisions)
    every = max(1, config.held_out_runs * config.run_length // PLACES)
    held_out = network.hold_out(config.held_out_runs, config.run_length, config.copies, every)
    twin = twin_of(config.twin).fit(history, progress=config.progress)
    outcome = judge(config, twin, history, held_out.history, held_out)
    real, dreamt = rank_allocations(twin, history, held_out, network.reserved, config.threads)
    measures = [
        *outcome.measures,
        number("rank correlation", f"{len(real)} allocations", "twin", rank_correlation(real, dreamt)),
    ]
    usual = float(utility(scenario, history.spectral_efficiency, history.ssr).mean())
    measures += policy_gaps(twin, scenario, seed, list(config.policies), config.threads, usual)
    return replace(outcome, measures=measures, utilities=(real, dreamt))


def rank_allocations(
    twin: DigitalTwin, history: History, held_out: HeldOut, chosen: IntArray, threads: int
) -> tuple[FloatArray, FloatArray]:
    """Mean utility (n,) of allocations (n, n_slices) in the network and in the twin.

    Each is held for some intervals from the same moments of the held-out runs on; in the network on the same luck.
    """
    judging = Evaluator(twin.model, history, held_out.history)
    real, dreamt = np.zeros(len(chosen)), np.zeros(len(chosen))
    for row, cell in held_out.moments:
        real += np.mean([interval.utility for interval in cell.what_if(chosen, intervals=HELD)], axis=0)
        cells = judging.cells_at(row, len(chosen), threads)
        dreamt += np.mean([cells.advance(chosen).utility for _ in range(HELD)], axis=0)
    return real / len(held_out.moments), dreamt / len(held_out.moments)


def policy_gaps(
    twin: DigitalTwin, scenario: Scenario, seed: int, names: list[str], threads: int, usual: float
) -> list[Measure]:
    """|U in the twin - U in the network| of policies, over 20 rounds of the cell and 32 of the twin.

    Climatology says for every policy the `usual` utility: the mean of the history.
    """
    rounds, length = 20, scenario.decisions_per_episode
    real = make_cells(scenario, 1)
    envs = gym.make_vec("SliceTwin-v0", num_envs=32, twin=twin, autoreset_mode="SameStep", num_threads=threads)
    assert isinstance(envs, SliceTwinVectorEnv)
    found = []
    for name in names:
        policies: list[Predictor] = [make_baseline(name, scenario, real, seed=seed, num_threads=threads) for _ in "ab"]
        there = evaluate_policy(name, policies[0], real, [seed], rounds * length).utility.mean()
        here = evaluate_policy(name, policies[1], envs, range(32), length).utility.mean()
        found += [
            number("|U twin - U network|", name, "twin", float(abs(here - there))),
            number("|U twin - U network|", name, "climatology", float(abs(usual - there))),
            number("U in the network", name, "noise_floor", float(there)),
        ]
    return found


def run(config: DictConfig, folder: Path) -> None:
    """Evaluator; print the table, write `fidelity.csv`, `fidelity.png` and the twins into `folder`."""
    with readable_errors():
        found = check_config(config)
    torch.set_num_threads(config.torch_threads)
    started = time.perf_counter()
    if isinstance(found, Scenario):
        name, outcomes = found.name, []
        for seed in tqdm(config.seeds, desc="cells", disable=not config.progress):
            outcomes.append(judge_cell(config, found, seed))
            outcomes[-1].twin.save(folder / f"twin_{seed}.safetensors")
        figures = over_cells([outcome.measures for outcome in outcomes])
        print(f"scenario {name}: {config.decisions} random decisions a cell, seeds {list(config.seeds)}", end="; ")
        print(f"held out: {config.held_out_runs} runs of {config.run_length}; ± 95 % interval over cells")
    else:
        mapping, history = found
        name = mapping.scenario.name
        outcome, figures = judge_log(config, history)
        outcomes = [outcome]
        outcome.twin.save(folder / "twin.safetensors")
        print(f"log {os.path.basename(config.log)}: {len(history)} decisions in {len(history.runs)} runs", end="; ")
        print(f"held out: the last {config.held_out_runs}; ± 95 % interval by bootstrap over blocks of 25 decisions")
    report = outcomes[0].twin.report
    assert report is not None
    for note in report.notes:
        print(f"note: {note}")
    print(as_table(figures))
    folder = Path(os.path.relpath(folder))
    write_csv(folder / "fidelity.csv", name, figures)
    plot(folder / "fidelity.png", name, figures, outcomes[0], outcomes[0].twin)
    print(f"written in {(time.perf_counter() - started) / 60:.1f} min: {folder}/fidelity.csv, fidelity.png, the twins")
