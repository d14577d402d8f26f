"""`export`: a policy as one ONNX file, verified to choose as it does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.base_class import BaseAlgorithm

from agents import BestFixedPolicy, FixedPolicy, HardPolicy, SlicePolicy
from agents.deploy.export import check_exportable, to_onnx
from agents.student import StudentPolicy
from experiments.config.bounds import check_bounds
from experiments.config.threads import torch_threads
from experiments.evaluate.estimates import NO
from experiments.evaluate.held import compare_with_held, warning_lines
from experiments.export.agreement import MET, Agreement, FloatArray, agreement_of, states_by_origin, trained_range
from experiments.export.settings import Settings
from experiments.export.source import Source, find_source, source_of
from experiments.runs.folder import AGENT
from slicing_gym import Scenario
from slicing_gym.allocation import share_out
from slicing_gym.errors import check_instance, unknown_name
from slicing_gym.files import atomic_write
from twin import History


class DisagreementError(ValueError):
    """The file does not choose as the policy does."""


@dataclass(frozen=True)
class ExportResult:
    """A policy as a file that chooses as it does.

    Args:
        source: the policy.
        content: of the file.
        deployed: the policy in it.
        states: arrivals (n, n_slices) on which both were compared, by their origin.
        agreement: of both.
        held: what it chooses in its history's states against what was held there, see `compare_with_held`; None where
            there is no history.
    """

    source: Source
    content: bytes
    deployed: SlicePolicy
    states: Mapping[str, FloatArray]
    agreement: Agreement
    held: Mapping[str, Any] | None = None

    def report(self) -> str:
        """What was verified and when the file falls back, as text."""
        deployed, source, found = self.deployed, self.source, self.agreement
        total = found.equal + found.ties
        origins = ", ".join(f"{len(rows):,} {origin}" for origin, rows in self.states.items())
        units = "-".join(map(str, deployed.fallback))
        lines = [
            f"{deployed.name}: {deployed.made_from}; scenario {deployed.scenario.name}",
            f"verified on {total:,} states ({origins}):",
            f"  {found.equal:,} the same allocation as the policy, {found.ties:,} of equal value (float ties), "
            f"{found.wrong} others",
            f"safe allocation {units} ({', '.join(source.scenario.slice_names)}), taken where arrivals are beyond",
        ]
        seen = MET if source.history is None else "trained on"
        for index, name in enumerate(source.scenario.slice_names):
            low, high = (bound[index] for bound in deployed.allowed)
            least, most = (bound[index] for bound in deployed.trained_on)
            lines.append(f"  {name}: {low:,.0f} to {high:,.0f} ({seen}: {least:,.0f} to {most:,.0f})")
        if source.history is not None and source.simulated:
            met = self.states[MET]
            fallbacks = sum(deployed.decide(row).fallback for row in met)
            lines.append(f"  that is {fallbacks} of the {len(met):,} states {MET}")
        if source.against:
            lines.append(f"{NO}: {source.against}. Written because of force=true")
        if source.passed_over:
            lines.append(f"note: its run kept another agent, {AGENT}, and estimated that one: of this it says nothing")
        if self.held is not None:
            lines += warning_lines(self.held)
        return "\n".join(lines)

    def write(self, output: str | Path) -> Path:
        """Write the file, atomically."""
        with atomic_write(Path(output)) as file:
            file.write(self.content)
        return Path(output)


def export(
    policy: str | Path | BaseAlgorithm | StudentPolicy,
    settings: Settings | None = None,
    output: str | Path | None = None,
    *,
    scenario: str | Scenario | None = None,
    history: History | None = None,
    trust: bool = False,
) -> ExportResult:
    """Make one ONNX file of a policy, and verify that it chooses as the policy does.

    Args:
        policy: a finished run's folder, an agent.zip or a student's file; or an agent or a student.
        settings: of the export.
        output: where the file goes, a name that ends in .onnx; None: nowhere.
        scenario: that the policy was trained on, if neither its folder nor the student says so.
        history: the real decisions that an agent given as an object learned from, if they are known.
        trust: let an agent's file run code.

    Raises:
        ValueError, TypeError, FileNotFoundError: something is not allowed; the message names it. Nothing was written.
        DisagreementError: the file would not choose as the policy does. Nothing was written.
    """
    result = PolicyExport(policy, settings, output, scenario=scenario, history=history, trust=trust).run()
    if output is not None:
        result.write(output)
    return result


class PolicyExport:
    """A policy to be exported, checked.

    Args:
        policy, settings, output, scenario, history, trust: see `export`.

    Attributes:
        settings: of the export.
        source: what is exported.
    """

    def __init__(
        self,
        policy: str | Path | BaseAlgorithm | StudentPolicy,
        settings: Settings | None = None,
        output: str | Path | None = None,
        *,
        scenario: str | Scenario | None = None,
        history: History | None = None,
        trust: bool = False,
    ) -> None:
        self.settings = Settings() if settings is None else settings
        check_instance("settings", self.settings, (Settings,))
        check_bounds(self.settings)
        if output is not None and (Path(output).suffix != ".onnx" or Path(output).is_dir()):
            raise ValueError(f"output: {str(output)!r} given, allowed is a file's name that ends in .onnx")
        if not isinstance(policy, str | Path):
            self.source = source_of(policy, scenario, history)
        elif history is None:
            self.source = find_source(policy, scenario, trust=trust)
        else:
            raise ValueError(f"history: given, but {str(policy)!r} is a file, which has its own; allowed is None")
        if self.source.against and not self.settings.force:
            raise ValueError(
                f"policy: {str(policy)!r} is not exported: its run ended with {NO!r}, {self.source.against}; allowed "
                "are another agent, or this one with force=true, to try it all the same"
            )
        check_exportable(self.source.policy, self.source.scenario)
        if self.settings.fallback != "best_fixed":  # which takes a search
            fallback_units(self.settings.fallback, self.source.scenario)

    def run(self) -> ExportResult:
        """Make the file, and verify it.

        Raises:
            DisagreementError: it does not choose as the policy does.
        """
        with torch_threads(self.settings.torch_threads):
            return self._run()

    def _run(self) -> ExportResult:
        settings, source = self.settings, self.source
        states = states_by_origin(source, settings.states, settings.seed)
        content = to_onnx(
            source.policy,
            source.scenario,
            trained_on=trained_range(source, states.get(MET)),
            fallback=fallback_units(settings.fallback, source.scenario),
            name=settings.name or source.name,
            made_from=source.made_from,
        )
        deployed = SlicePolicy(content)
        found = agreement_of(source, deployed, np.concatenate(list(states.values())), settings.progress)
        if found.wrong:
            raise DisagreementError(
                f"in {found.wrong} of {settings.states} states the file does not choose as the policy does, "
                f"for arrivals {found.example} among them; nothing was written"
            )
        held = None if source.history is None else compare_with_held(source.policy, source.history)
        return ExportResult(source, content, deployed, states, found, held)


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
