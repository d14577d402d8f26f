"""The checks of every combination of a sweep before its first run, and what is to be done about each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from experiments.config.hydra import Command, read_config, resolved
from experiments.runs.compare import check_same_configuration
from experiments.runs.process import REFUSALS
from experiments.runs.status import MISSING, state_of
from experiments.runs.stopping import stops_kept
from experiments.sweeps.compose import Composer
from experiments.sweeps.expand import Combination
from experiments.sweeps.names import folder_names


@dataclass(frozen=True)
class Planned:
    """A combination, its folder, and what the checks say.

    Args:
        combination: arguments of the run.
        folder: of the run.
        state: of what is in the folder.
        error: why the run is refused; "" if it is not.
    """

    combination: Combination
    folder: Path
    state: str
    error: str

    def is_to_run(self, retry: bool) -> bool:
        """Whether it is to be begun, or gone on with."""
        kept = ("done", "running") if retry else ("done", "running", "failed")
        return not self.error and self.state not in kept


def plan(
    topic: Command[Any], composer: Composer, combinations: Sequence[Combination], sweep: DictConfig, resume: bool
) -> list[Planned]:
    """Check every combination.

    Args:
        topic: the command.
        composer: of its configurations.
        combinations: arguments of each run.
        sweep: Hydra's own part of the configuration.
        resume: whether runs that are in the folder are gone on with.

    Raises:
        ValueError: the folder has runs already, and they are not to be gone on with.
    """
    checks, folder = _Checks(topic, composer), Path(sweep.sweep.dir)
    names = folder_names([each.swept for each in combinations])
    planned = []
    for name, each in zip(names, combinations, strict=True):
        try:
            config = composer.config(each.overrides)
            place = _folder_of(folder, name, each, sweep.job.config.override_dirname)
            state, error = state_of(place), checks.refusal(each, config, place)
        except REFUSALS as refused:
            place, state, error = folder / name, MISSING, str(refused)
        planned.append(Planned(each, place, state, error))
    _check_new(folder, planned, resume)
    return planned


def once_each(combinations: Sequence[Combination]) -> tuple[list[Combination], list[str]]:
    """Combinations without those whose folder is an earlier one's, and the names of such: `seed=1,1`."""
    found: dict[str, Combination] = {}
    names = folder_names([each.swept for each in combinations])
    twice = [name for number, name in enumerate(names) if name in names[:number]]
    for name, each in zip(names, combinations, strict=True):
        found.setdefault(name, each)
    return list(found.values()), list(dict.fromkeys(twice))


def looked_at_again(planned: Sequence[Planned], folder: Path, resume: bool) -> list[Planned]:
    """Plans with what is in their folders now: others may have run there during the checks.

    Args:
        planned: every combination.
        folder: of the sweep, which is locked by now.
        resume: see `plan`.

    Raises:
        ValueError: see `plan`.
    """
    again = []
    for each in planned:
        try:
            again.append(replace(each, state=state_of(each.folder)))
        except ValueError as error:  # it stays as it is, until its user has looked at it
            again.append(replace(each, state="failed", error=each.error or str(error)))
    _check_new(folder, again, resume)
    return again


def _check_new(folder: Path, planned: Sequence[Planned], resume: bool) -> None:
    there = [each.folder.name for each in planned if each.state not in (MISSING, "refused")]
    if there and not resume:
        raise ValueError(
            f"hydra.sweep.dir: {str(folder)!r} has {len(there)} of these runs already (the first is {there[0]}); "
            "resume=auto goes on with them, another folder begins again"
        )


class _Checks:
    """Checks of combinations, those that differ in the seed alone once where the command says how."""

    def __init__(self, topic: Command[Any], composer: Composer) -> None:
        self._topic, self._composer = topic, composer
        self._found: dict[tuple[str, ...], str] = {}

    def refusal(self, each: Combination, config: DictConfig, folder: Path) -> str:
        """Why a run is refused; "" if it is not. One that is in its folder already was checked before it began."""
        try:
            with stops_kept():
                settings = self._composer.settings(config)
            _check_same(folder, config)
            if state_of(folder) in ("done", "running"):
                return ""
            if self._topic.check_seed is None:
                return self._refusal_of(settings, folder)
            self._topic.check_seed(settings)
        except REFUSALS as error:
            return str(error)
        key = tuple(text for text in each.overrides if not text.startswith("seed="))
        if key not in self._found:
            self._found[key] = self._refusal_of(settings, folder)
        return self._found[key]

    def _refusal_of(self, settings: Any, folder: Path) -> str:
        try:
            with stops_kept():
                self._topic.prepare(settings, folder)
        except REFUSALS as error:
            return str(error)
        return ""


def _check_same(folder: Path, config: DictConfig) -> None:
    """Refuse to go on with a run that has another configuration."""
    stored = folder / ".hydra" / "config.yaml"
    if stored.is_file():
        check_same_configuration(folder, read_config("folder", stored), resolved(config))


def _folder_of(folder: Path, name: str, each: Combination, rule: DictConfig) -> Path:
    """The folder of a run; that by which versions before would have called it, if they have."""
    if not folder.is_dir() or (folder / name).exists():
        return folder / name
    parsed = OverridesParser.create().parse_overrides(list(each.overrides))
    earlier = get_overrides_dirname(parsed, list(rule.exclude_keys), rule.item_sep, rule.kv_sep)
    there = earlier and os.path.isdir(folder / earlier)  # Path.is_dir raises for a name that is too long
    return folder / (earlier if there else name)
