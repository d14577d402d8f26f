"""A command line as it is typed: one run in its folder, or a sweep; either ends in an exit status of the process."""

from __future__ import annotations

import os
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
from hydra.errors import CompactHydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.commands.help import help_text
from experiments.config.files import CONFIG_FOLDER, with_files
from experiments.config.hydra import (
    Command,
    composed,
    composed_folder,
    config_folders,
    readable_errors,
    register,
    settings_of,
)
from experiments.reporting.output import steady_output
from experiments.runs.lock import LOCK_FILE, RunIsLocked, RunLock, wait_for_heartbeat
from experiments.runs.process import SWEEP, Process, say_refused
from experiments.runs.stopping import ended_by_signals, stops_kept
from experiments.sweeps.run import sweep
from twin.data.logs import LogWarning

_Settings = TypeVar("_Settings")


@steady_output()
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
    with ended_by_signals():
        topic = Command(name, schema, prepare, **more)
        register(name, schema)
        warnings.formatwarning = _formatted
        with readable_errors():
            typed = topic.as_meant(sys.argv[1:])
        options = get_args_parser().parse_known_intermixed_args(typed)[0]
        if options.help:
            with readable_errors(), stops_kept():
                print(help_text(name, with_files(name, typed), topic.renamed))
            return
        if not _is_sweep(options):
            sys.exit(_single(topic, typed))
    sys.exit(sweep(topic, typed))


def _single(topic: Command[Any], typed: Sequence[str]) -> int:
    """One run, or what Hydra is to show; the exit status."""
    with readable_errors(), stops_kept():
        sys.argv[1:] = topic.rewrite(with_files(topic.name, typed))
        folder = _folder_of(topic.name, sys.argv[1:])
    statuses: list[int] = []
    with _locked(folder), _errors_of_hydra(), stops_kept():
        task = _task(topic, statuses)
        hydra.main(version_base="1.3", config_path=CONFIG_FOLDER, config_name=topic.name)(task)()
    return max(statuses, default=0)


def _is_sweep(options: Namespace) -> bool:
    """Whether runs are to be run, and several; else Hydra is to show something."""
    shows = options.cfg or options.help or options.hydra_help or options.info or options.shell_completion
    return not shows and (options.multirun or "hydra.mode=MULTIRUN" in options.overrides)


def _folder_of(name: str, arguments: Sequence[str]) -> Path | None:
    """The folder of a run, if one was typed; all that was typed is composed, and refused where it cannot be.

    Raises:
        ValueError: the message names the key.
    """
    options = get_args_parser().parse_known_intermixed_args(arguments)[0]
    if options.config_name or options.config_path:  # another file of the user's own
        return None
    folder = composed_folder(composed(name, [*options.overrides, *config_folders(arguments)]))
    typed = [value for key, _, value in (each.partition("=") for each in options.overrides) if key == _FOLDER]
    return folder if typed and "${now" not in typed[-1] else None


def _task(topic: Command[Any], statuses: list[int]) -> Callable[[DictConfig], None]:
    """What Hydra calls with a composed configuration; it raises nothing, but appends the exit status."""

    def task(config: DictConfig) -> None:
        os.environ.pop(_FULL_ERROR, None)
        folder = Path(HydraConfig.get().runtime.output_dir)
        made: list[Any] = []

        def checked() -> Callable[[], object]:
            made.append(settings_of(config, topic.schema))
            return topic.prepare(made[0], folder)

        def how_to_go_on() -> str:
            return topic.how_to_go_on(made[0], folder) if topic.how_to_go_on and made else _FROM_THE_BEGINNING

        overrides = typed_overrides(HydraConfig.get())
        process = Process(folder, topic.name, overrides, checked, how_to_go_on, lambda: _remove_unused(folder))
        statuses.append(process.run())

    return task


def typed_overrides(hydra_part: Any) -> list[str]:
    """The arguments of a run as they were typed, of Hydra's own part: what in them refers to others is not looked up.

    Hydra would look it up among its own settings, while `${...}` is meant where the value stands.
    """
    typed = OmegaConf.to_container(hydra_part.overrides.task, resolve=False)
    assert isinstance(typed, list)
    return list(map(str, typed))


@contextmanager
def _errors_of_hydra() -> Iterator[None]:
    """Print what Hydra cannot compose as it does itself; what it cannot write, in a line and without its stack trace.

    It prints every error unless a variable of the environment is set; then it raises them.
    """
    if _FULL_ERROR in os.environ:
        yield
        return
    os.environ[_FULL_ERROR] = "1"
    try:
        yield
    except CompactHydraException as error:
        cause = [str(error.__cause__)] if isinstance(error.__cause__, OmegaConfBaseException) else []
        print(
            error,
            *cause,
            f"\nSet the environment variable {_FULL_ERROR}=1 for a complete stack trace.",
            sep="\n",
            file=sys.stderr,
        )
        sys.exit(1)
    except OSError as error:
        sys.exit(say_refused(error))
    finally:
        os.environ.pop(_FULL_ERROR, None)


_FULL_ERROR = "HYDRA_FULL_ERROR"


def _formatted(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning as it is printed; what is unusual about a log is so wherever it was read."""
    if issubclass(category, LogWarning):
        return f"warning: {message}\n"
    return _WITH_PLACE(message, category, filename, lineno, line)


_WITH_PLACE = warnings.formatwarning


@contextmanager
def _locked(folder: Path | None) -> Iterator[None]:
    """Lock the folder that was typed, if one was: before a run begins Hydra writes there what it was composed of.

    A run of a sweep may have been started again by a cluster, since its machine was lost: it waits until that is clear.
    """
    if folder is None:
        yield
        return
    if (folder.parent / SWEEP).is_file():
        wait_for_heartbeat(folder)
    lock = RunLock(folder)
    try:
        lock.__enter__()
    except (RunIsLocked, OSError) as error:
        sys.exit(say_refused(error))
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


_FOLDER = "hydra.run.dir"
_FROM_THE_BEGINNING = "start it again, from the beginning"


def _remove_unused(folder: Path) -> None:
    """Remove the folder that Hydra has made for a run, if nothing else has been put there."""
    entries = [path for path in folder.iterdir() if path.name not in (".hydra", LOCK_FILE)]
    if all(path.suffix == ".log" and not path.stat().st_size for path in entries):
        shutil.rmtree(folder, ignore_errors=True)
