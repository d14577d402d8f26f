"""Cards next to saved agents and twins: what it is, of which data, how good, with which seed, under which licence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.config.quoting import as_typed
from slicing_gym import SCENARIOS, Scenario, __version__, get_scenario
from slicing_gym.files import atomic_write
from twin import DigitalTwin

UNMEASURED = "not measured in this run; python -m experiments.fidelity measures it for such twins"
"""Fidelity of a twin that nobody looked at."""

_LICENCES = {
    True: "MIT, as slicing-gym: its data are simulated",
    False: "what the owner of the log allows",
    None: "MIT, as slicing-gym, if its data are simulated; if they are a log, what the log's owner allows",
}
"""By whether the data are known to be simulated (True), known to be a log (False), or a file that may be either."""

_OWN = "scenario=<your scenario>.yaml"
"""How a scenario that is no preset is chosen."""

_SCRIPT = "__main__"
"""The module of what is defined in a script or notebook, which no command can import."""


def card_path(path: Path) -> Path:
    """Where the card of a file is: `agent.card.md` next to `agent.zip`."""
    return path.with_suffix(".card.md")


def write_card(path: Path, title: str, rows: Mapping[str, str], simulated: bool | None = None) -> Path:
    """Write the card of a file that is there.

    Args:
        path: of the file.
        title: what it is, in a line.
        rows: what is known of it, by name.
        simulated: whether its data are; None: they are of a file, which may hold a log.

    Returns:
        Where the card is.
    """
    own = {
        **rows,
        "Licence": _LICENCES[simulated],
        "Made by": f"slicing-gym {__version__}",
        "File": f"`{path.name}`, SHA-256 `{hashlib.sha256(path.read_bytes()).hexdigest()}`",
    }
    bar = r"\|"  # in a table a bar ends the cell, also in code
    lines = [f"# {title}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {' '.join(value.split()).replace('|', bar)} |" for name, value in own.items()]
    card = card_path(path)
    with atomic_write(card) as file:
        file.write(("\n".join(lines) + "\n").encode())
    return card


def write_agent_card(
    path: Path,
    scenario: Scenario,
    summary: Mapping[str, Any],
    data: str,
    evaluated_on: str,
    modules: Sequence[str] = (),
    simulated: bool | None = None,
    only_in: str | None = None,
    estimates: str = "",
) -> Path:
    """Write the card of a trained agent.

    Args:
        path: of the agent's file.
        scenario: that it was trained for.
        summary: the figures of its run.
        data: what it learned from.
        evaluated_on: what its utility was measured on; '' if it was not evaluated.
        modules: of the user's own that its classes and wrappers are of (`agents.registry.own_modules`).
        simulated: whether its data are; None: they are of a file, which may hold a log.
        only_in: the twin in which alone it acts, as it has other actions than the simulator; None: it acts anywhere.
        estimates: what it is worth by its history alone, and what to make of that; '' if nothing was estimated.
    """
    fidelity = f"mean utility {summary['utility']:.3f} on {evaluated_on}" if evaluated_on else "not evaluated"
    rows = {
        "What": f"agent `{summary['agent']}`, head {summary['head']}, twin {summary['twin'] or 'none'}",
        "For": _described(scenario),
        "Data": data,
        "Performance": fidelity,
        **({"Estimates": estimates} if estimates else {}),
        "Seed": str(summary["seed"]),
        "Use": _use_of_agent(path, scenario, modules, only_in),
    }
    return write_card(path, f"{summary['agent']}, an agent for {scenario.name}", rows, simulated)


def write_twin_card(
    path: Path,
    twin: DigitalTwin,
    data: str,
    fidelity: str,
    notes: Sequence[str] | None = None,
    name: str = "",
    limits: str = "",
    simulated: bool | None = None,
) -> Path:
    """Write the card of a saved twin.

    Args:
        path: of the twin's file.
        twin: that is in it.
        data: what it was fitted to.
        fidelity: how far it can be trusted, or where that is measured.
        notes: of its fit; None: those that it knows, which a loaded one does not.
        name: by which the environment knows it; '' if it is known by its file.
        limits: what it is not for; '' if that is not known beyond `fidelity`.
        simulated: whether its data are; None: they are of a file, which may hold a log.
    """
    if notes is None:
        notes = () if twin.report is None else twin.report.notes
    what = f"digital twin, transition {type(twin.transition).__name__.removesuffix('Settings').lower()}"
    scale = twin.model.performance.prior_scale
    rows = {
        "What": what if scale == twin.performance.prior_scale else f"{what}, networks with prior_scale={scale:g}",
        "Of": _described(twin.scenario),
        "Data": data,
        "Fidelity": fidelity,
        **({"Limits": limits} if limits else {}),
        **({"Notes": "; ".join(notes)} if notes else {}),
        "Seed": f"{twin.seed} (of the fit)",
        "Use": f'`gym.make("SliceTwin-v0", twin="{name or path.name}")`',
    }
    return write_card(path, f"A digital twin of {twin.scenario.name}", rows, simulated)


def _use_of_agent(path: Path, scenario: Scenario, modules: Sequence[str], only_in: str | None) -> str:
    """What evaluates an agent; of a log's network there is a twin, but no simulator."""
    typed = _as_typed(scenario)
    imported = [each for each in modules if each != _SCRIPT]
    imports = f" imports=[{','.join(imported)}]" if imported else ""
    use = f"`python -m experiments.evaluate {as_typed('policy', path.name)} {typed}{imports}`"
    if only_in is not None:
        policies = as_typed("policies", "logged", path.name)
        use = f"`python -m experiments.what_if twin={only_in} interval=0 {policies}{imports}`"
    if imported:
        use += ", where Python finds these modules"
    if _SCRIPT in modules:
        use += "; classes of a script or notebook are put into a module first"
    if only_in is not None:
        return f"{use}; its actions are its log's, so it acts in twins alone, and is not exported: docs/logs.md, step 4"
    return (
        use if typed != _OWN else f"{use}; one that learned from a log is evaluated in its twin: docs/logs.md, step 4"
    )


def _as_typed(scenario: Scenario) -> str:
    """How a scenario is chosen: a preset by its name, another by its file, which is the user's."""
    preset = get_scenario(scenario.name).to_dict() if scenario.name in SCENARIOS else {}
    is_preset = {**scenario.to_dict(), "reward": None} == {**preset, "reward": None}  # `reward=` may be another
    return as_typed("scenario", scenario.name) if is_preset else _OWN


def _described(scenario: Scenario) -> str:
    """A scenario in a line."""
    radio = scenario.radio
    return (
        f"scenario {scenario.name}: slices {', '.join(scenario.slice_names)} (in this order), "
        f"{scenario.num_units} units of {radio.resolution_hz / 1e3:g} kHz, a decision every {radio.interval_s:g} s"
    )
