"""A command line as it is typed: one run in its folder, or a sweep; either ends in an exit status of the process."""

from __future__ import annotations

import shutil
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments.commands.help import help_text
from experiments.config.files import CONFIG_FOLDER, with_files
from experiments.config.hydra import Command, check_overrides, readable_errors, register, settings_of
from experiments.runs.lock import LOCK_FILE, RunIsLocked, RunLock, wait_for_heartbeat
from experiments.runs.process import SWEEP, Process, say_refused
from experiments.sweeps.run import sweep
from twin.data.logs import LogWarning

_Settings = TypeVar("_Settings")


def command(
    name: str,
    schema: type[_Settings],
    prepare: Callable[[_Settings, Path], Callable[[], object]],
    **more: Any,
) -> None:
    """Run the command line of a topic, and end the process with its exit status.

    Args:
        name: of its file in `conf/`.
        schema: types of its settings.
        prepare: checks them, and returns the work.
        more: see `Command`.
    """
    topic = Command(name, schema, prepare, **more)
    register(name, schema)
    warnings.formatwarning = _formatted
    typed = topic.as_meant(sys.argv[1:])
    options = get_args_parser().parse_known_intermixed_args(typed)[0]
    if options.help:
        with readable_errors():
            print(help_text(name, with_files(name, typed)))
        return
    if _is_sweep(options):
        sys.exit(sweep(topic, typed))
    with readable_errors():
        sys.argv[1:] = topic.rewrite(with_files(name, typed))
    check_overrides(name, sys.argv[1:])
    statuses: list[int] = []
    with _locked(sys.argv[1:]):
        task = _task(topic, statuses)
        hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name=name)(task)()
    sys.exit(max(statuses, default=0))


def _is_sweep(options: Namespace) -> bool:
    """Whether runs are to be run, and several; else Hydra is to show something."""
    shows = options.cfg or options.help or options.hydra_help or options.info or options.shell_completion
    return not shows and (options.multirun or "hydra.mode=MULTIRUN" in options.overrides)


def _task(topic: Command[Any], statuses: list[int]) -> Callable[[DictConfig], None]:
    """What Hydra calls with a composed configuration; it raises nothing, but appends the exit status."""

    def task(config: DictConfig) -> None:
        folder = Path(HydraConfig.get().runtime.output_dir)
        made: list[Any] = []

        def checked() -> Callable[[], object]:
            made.append(settings_of(config, topic.schema))
            return topic.prepare(made[0], folder)

        def how_to_go_on() -> str:
            return topic.how_to_go_on(made[0], folder) if topic.how_to_go_on and made else "it begins again"

        overrides = list(HydraConfig.get().overrides.task)
        process = Process(folder, topic.name, overrides, checked, how_to_go_on, lambda: _remove_unused(folder))
        statuses.append(process.run())

    return task


def _formatted(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning as it is printed; what is unusual about a log is so wherever it was read."""
    if issubclass(category, LogWarning):
        return f"warning: {message}\n"
    return _WITH_PLACE(message, category, filename, lineno, line)


_WITH_PLACE = warnings.formatwarning


@contextmanager
def _locked(arguments: Sequence[str]) -> Iterator[None]:
    """Lock the folder that was typed, if one was: before a run begins Hydra writes there what it was composed of.

    A run of a sweep may have been started again by a cluster, since its machine was lost: it waits until that is clear.
    """
    typed = [value.strip("'\"") for key, _, value in (each.partition("=") for each in arguments) if key == _FOLDER]
    if not typed or "$" in typed[-1]:
        yield
        return
    if (Path(typed[-1]).parent / SWEEP).is_file():
        wait_for_heartbeat(typed[-1])
    lock = RunLock(typed[-1])
    try:
        lock.__enter__()
    except (RunIsLocked, OSError) as error:
        sys.exit(say_refused(error))
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


_FOLDER = "hydra.run.dir"


def _remove_unused(folder: Path) -> None:
    """Remove the folder that Hydra has made for a run, if nothing else has been put there."""
    entries = [path for path in folder.iterdir() if path.name not in (".hydra", LOCK_FILE)]
    if all(path.suffix == ".log" and not path.stat().st_size for path in entries):
        shutil.rmtree(folder, ignore_errors=True)
