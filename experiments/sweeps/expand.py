"""The command line of a sweep: what of it is for the sweep, and every combination of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from experiments.config.files import CONFIG_FOLDER
from experiments.config.quoting import unquoted
from experiments.config.refusals import unread

_OF_SWEEP = ("hydra.sweep", "hydra.sweeper", "hydra/sweeper", "hydra.launcher", "hydra/launcher", "hydra.mode")
_OF_FOLDERS = ("hydra.run.dir", "hydra.sweep.subdir")


@dataclass(frozen=True)
class Typed:
    """A command line with `-m`.

    Args:
        flags: of Hydra's, for every run too, such as `--config-dir`.
        overrides: of the runs.
        of_sweep: overrides of Hydra's that are for the sweep itself.
        resume: whether runs that are there already are gone on with, or passed over.
        retry: whether those that failed are tried again.
    """

    flags: tuple[str, ...]
    overrides: tuple[str, ...]
    of_sweep: tuple[str, ...]
    resume: bool
    retry: bool


@dataclass(frozen=True)
class Combination:
    """The arguments of a run.

    Args:
        overrides: all of them.
        swept: by each key that had several values, its own.
    """

    overrides: tuple[str, ...]
    swept: Mapping[str, str]


def parse(arguments: Sequence[str]) -> Typed:
    """Take a command line apart.

    Raises:
        ValueError: a word of the sweep has a value that is not allowed.
    """
    given: list[str] = get_args_parser().parse_intermixed_args(list(arguments)).overrides
    flags = [each for each in arguments if each not in given and each not in ("-m", "--multirun")]
    resume = _word(given, "resume", "auto")
    retry = _word(given, "retry", "failed")
    if retry and not resume:
        raise ValueError("retry: failed given, allowed with resume=auto only")
    of_sweep: list[str] = []
    overrides: list[str] = []
    for each in given:
        key = each.partition("=")[0].lstrip("+~")
        if key in _OF_FOLDERS:
            raise ValueError(f"{key}: given with -m, allowed is hydra.sweep.dir; runs are called by what is swept")
        if key not in ("resume", "retry"):
            is_of_sweep = any(key == own or key.startswith(f"{own}.") for own in _OF_SWEEP)
            (of_sweep if is_of_sweep else overrides).append(each)
    return Typed(tuple(flags), tuple(overrides), tuple(of_sweep), resume, retry)


def _word(given: Sequence[str], key: str, allowed: str) -> bool:
    values = [unquoted(value) for name, _, value in (each.partition("=") for each in given) if name == key]
    wrong = [value for value in values if value not in (allowed, "null")]
    if wrong:
        raise ValueError(f"{key}: {wrong[0]!r} given, allowed with -m is {allowed}")
    return allowed in values


def fixed(overrides: Sequence[str]) -> list[str]:
    """Those overrides that give a key one value alone."""
    return [text for text, each in zip(overrides, _parsed(overrides), strict=True) if not each.is_sweep_override()]


def expand(overrides: Sequence[str], more: Mapping[str, Any]) -> list[Combination]:
    """Every combination, as Hydra's own sweeps have them: the last key changes fastest.

    Args:
        overrides: with several values as `a=1,2`, `a=range(3)`, `a=choice(1,2)` or `a=glob(*)`.
        more: `hydra.sweeper.params` of the configuration: keys and values that are swept, too.

    Raises:
        ValueError: they cannot be parsed, or a key has no values, so that there is no combination.
    """
    parsed = _parsed([*(f"{key}={value}" for key, value in more.items()), *overrides])
    swept = {each.get_key_element(): each for each in parsed if each.is_sweep_override()}
    try:
        for key, each in swept.items():
            if each.is_discrete_sweep() and not list(each.sweep_string_iterator()):
                text = (each.input_line or "").partition("=")[2]
                raise ValueError(f"{key}: {text!r} given, which has no values, so that there are no runs")
        (combinations,) = BasicSweeper.split_arguments(parsed, None)
    except HydraException as error:
        raise ValueError(str(error)) from None
    return [
        Combination(tuple(each), {key: value for key, value in _pairs(each) if key in swept}) for each in combinations
    ]


def _pairs(overrides: Sequence[str]) -> list[tuple[str, str]]:
    return [(key, value) for key, _, value in (each.partition("=") for each in overrides)]


def _parsed(overrides: Sequence[str]) -> list[Override]:
    """Overrides by Hydra's grammar; a glob looks into the groups of `conf/`."""
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        return [_parsed_one(parser, each) for each in overrides]


def _parsed_one(parser: OverridesParser, override: str) -> Override:
    try:
        return parser.parse_overrides([override])[0]  # which knows where a glob looks
    except Exception as error:  # the grammar's own, or Python's for what is too deep
        raise ValueError(unread(override, error)) from None
