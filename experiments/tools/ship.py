"""`python -m experiments.tools.ship`: what comes with the project, made again: twins, their cards, a synthetic log."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import conf
import twin
from experiments.fidelity.evaluation import rank_allocations
from experiments.reporting.cards import write_twin_card
from experiments.reporting.output import steady_output
from experiments.reporting.tables import write_rows
from slicing_gym import Simulator, allocation_table, allocation_units, get_scenario
from slicing_gym.yaml_reading import read_yaml
from twin import DigitalTwin, History, LstmSettings, PerformanceSettings
from twin.data.logs import LogMapping
from twin.env import SHIPPED_TWINS
from twin.fidelity.evaluator import Evaluator
from twin.fidelity.scores import r_squared, rank_correlation
from twin.fidelity.simulated import SimulatedCell
from twin.runtime import storage
from twin.runtime.model import InitialWindows

SHIPPED = Path(twin.__file__).resolve().parent / "shipped"
SYNTHETIC_LOG = Path("docs/data/synthetic_log.csv")
MAPPING = Path(conf.__file__).resolve().parent / "mapping" / "colosseum.yaml"
CLOSE = 0.95
"""R² of the utility and rank correlation, below either of which a card says what the twin is too rough for."""
_DECISIONS = 4000
_HELD_OUT_RUNS, _RUN_LENGTH, _RANKED = 5, 220, 200
_RUNS, _LENGTH = 8, 100
_COLUMNS = (
    *("experiment", "interval", "timestamp", "slice", "reports", "prb"),
    *("tx_packets", "tx_brate_mbps", "dl_buffer_bytes", "prb_grant_ratio", "action_prb", "action_scheduler"),
)


def ship_twin(scenario: str, output: Path) -> None:
    """A twin of the cell of seed 0 of a preset, fitted to 4000 random decisions."""
    torch.set_num_threads(1)
    history = SimulatedCell(get_scenario(scenario), seed=0).record(_DECISIONS)
    first = PerformanceSettings(
        structure="joint", members=5, hidden_size=64, prior_scale=0.0
    )  # of the twin that is there
    performance = first if scenario == "paper" else PerformanceSettings()
    wide = scenario == "nr-8slices"  # its 193 features would take it beyond 1 MB
    made = DigitalTwin(LstmSettings(members=1 if wide else 2), performance, seed=0)
    made.fit(history, progress=True)
    (_with_half_the_windows(made) if wide else made).save(output)
    print(f"written: {output}, {output.stat().st_size / 1e3:.0f} kB")
    ship_card(scenario, output)


def ship_card(scenario: str, path: Path) -> None:
    """The card of such a twin, with its fidelity measured on further decisions of the same cell."""
    torch.set_num_threads(1)
    made, cell = DigitalTwin.load(path), SimulatedCell(get_scenario(scenario), seed=0)
    explained, correlation = _fidelity(made, cell.record(_DECISIONS), cell)
    fidelity = (
        f"R² of the utility {explained:.3f}, rank correlation of {_RANKED} allocations {correlation:.3f}, on "
        f"{_HELD_OUT_RUNS} further runs of {_RUN_LENGTH} decisions of the same cell: "
        f"`python -m experiments.tools.ship card --scenario {scenario}`"
    )
    data = f"{_DECISIONS} random decisions on the simulated cell of seed 0 of {scenario}"
    limits = limits_of(explained, correlation)
    card = write_twin_card(path, made, data, fidelity, name=scenario, limits=limits, simulated=True)
    print(f"written: {card}: {fidelity}")


def limits_of(explained: float, correlation: float) -> str:
    """What a twin is not for.

    Args:
        explained: R² of the utility on further decisions.
        correlation: between the true and the estimated order of allocations that it never saw.
    """
    limits = "one cell with the traffic of its history: not for other cells, nor for allocations that random decisions "
    limits += "seldom hold"
    if min(explained, correlation) >= CLOSE:
        return limits
    return (
        f"{limits}. Not for figures of the utility (R² {explained:.3f}), nor for choosing between allocations of "
        f"nearly equal utility (rank correlation {correlation:.3f}): evaluate in the cell what was found in it"
    )


def _fidelity(made: DigitalTwin, history: History, cell: SimulatedCell) -> tuple[float, float]:
    """R² of the utility one interval ahead, and the rank correlation of allocations that the history never held."""
    held_out = cell.hold_out(_HELD_OUT_RUNS, _RUN_LENGTH, copies=2, every=_RUN_LENGTH // 10)
    one_step = Evaluator(made.model, history, held_out.history).one_step()
    assert one_step.utility is not None
    scenario, random = made.scenario, np.random.default_rng(0)
    drawn = random.choice(scenario.num_allocations, 10 * _RANKED, replace=False)
    held = {tuple(units) for units in history.allocation.tolist()}
    units = allocation_units(drawn, scenario.num_units, scenario.num_slices)
    chosen = np.array([each for each in units if tuple(each.tolist()) not in held][:_RANKED])
    in_cell, in_twin = rank_allocations(made, history, held_out, chosen, threads=1)
    return r_squared(one_step.expected_utility["twin"], one_step.utility), rank_correlation(in_cell, in_twin)


def _with_half_the_windows(made: DigitalTwin) -> DigitalTwin:
    """A twin that begins its episodes at every second of the windows that it kept."""
    kept = made.model.initial_windows
    fewer = InitialWindows(kept.features[::2].copy(), kept.measured[::2].copy(), kept.units[::2].copy())
    model = replace(made.model, initial_windows=fewer, rehearsal=fewer.features)
    asked = (made.transition, made.performance, made.training)
    return DigitalTwin.from_bytes(storage.dump(storage.Contents(model, *asked, made.seed)))


def ship_log(output: Path) -> None:
    """A log in the form of `conf/mapping/colosseum.yaml`, by the simulator: 8 runs of 100 intervals.

    The cell is the one that the mapping describes. What the simulator does not have (reports, scheduler, grants) is
    constant.
    """
    mapping = LogMapping.from_dict(read_yaml("mapping", MAPPING))
    scenario = mapping.network
    table = allocation_table(scenario.num_units, scenario.num_slices)
    table = table[(table % 3 == [0, 0, 2]).all(axis=1)]  # as on the emulator: groups of three blocks, the last of two
    users = np.array([each.num_users for each in scenario.slices])
    size_byte = np.array([each.traffic.packet_size_byte.mean for each in scenario.slices])
    random = np.random.default_rng(0)
    rows: list[list[object]] = []
    cell = Simulator(scenario, [0])
    for run in range(_RUNS):
        cell.begin_episode()
        held = table[random.integers(len(table))]
        for interval in range(_LENGTH):
            brought = cell.advance(held)
            decided = table[random.integers(len(table))]
            rate = brought.delivered[0] * size_byte * 8e-6 / users / scenario.radio.interval_s
            buffer = brought.queued[0] * size_byte / users
            clock = f"2026-01-01 {run:02d}:{interval * 3 // 60:02d}:{interval * 3 % 60:02d}"
            for n in range(scenario.num_slices):
                row = [f"synthetic-{run}", interval, clock, mapping.slices[n], 4, held[n], brought.arrivals[0, n]]
                rows.append([*row, f"{rate[n]:.3f}", f"{buffer[n]:.1f}", "1.0", decided[n], 0])
            held = decided
    write_rows(output, _COLUMNS, rows)
    print(f"written: {output}, {output.stat().st_size / 1e3:.0f} kB")


@steady_output()
def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.ship", description=__doc__)
    parser.add_argument("what", choices=["twin", "card", "log"], help="a twin and its card, the card alone, or the log")
    parser.add_argument("--scenario", choices=SHIPPED_TWINS, default="paper", help="preset that the twin is of")
    parser.add_argument(
        "--output", type=Path, help="file of the twin or the log; by default where the project keeps it"
    )
    options = parser.parse_args(arguments)
    path = options.output or SHIPPED / f"{options.scenario}.safetensors"
    if options.what == "twin":
        ship_twin(options.scenario, path)
    elif options.what == "card":
        ship_card(options.scenario, path)
    else:
        ship_log(options.output or SYNTHETIC_LOG)


if __name__ == "__main__":
    main()
