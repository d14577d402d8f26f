"""`slicing-gym <command> ...`: the commands of `experiments` by their names, without `python -m experiments.`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from slicing_gym.errors import unknown_name
from slicing_gym.version import __version__

TOOLS = {"animate": "tools.animate"}
"""Modules of `experiments` that are no topic but are commands, too, by their names."""


def commands() -> dict[str, str]:
    """What each topic of `experiments` does, in a line, by its name; nothing of them is imported."""
    return {path.parent.name: _about(path) for path in sorted(_folder().glob("*/__main__.py"))}


def _every() -> dict[str, str]:
    """What each command does: topics and tools."""
    tools = {name: _about(_folder() / f"{module.replace('.', '/')}.py") for name, module in TOOLS.items()}
    return dict(sorted({**commands(), **tools}.items()))


def _folder() -> Path:
    package = find_spec("experiments")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent


def _about(path: Path) -> str:
    """The first line of a module, without the command line that it begins with."""
    return path.read_text().splitlines()[0].strip('"').partition(": ")[2].removesuffix(".")


def command_line(arguments: Sequence[str]) -> list[str]:
    """The command line that a command stands for.

    Args:
        arguments: a command's name, and its own arguments.

    Raises:
        ValueError: there is no such command; the message lists those that there are.
    """
    name, *rest = arguments
    if name not in _every():
        raise ValueError(unknown_name("command", name, _every()))
    return [sys.executable, "-m", f"experiments.{TOOLS.get(name, name)}", *rest]


def usage() -> str:
    """What `slicing-gym --help` prints."""
    about = _every()
    width = max(map(len, about)) + 2
    lines = [f"  {name:<{width}}{what}" for name, what in about.items()]
    head = ["slicing-gym <command> [key=value ...]   (the same as python -m experiments <command>)", ""]
    return "\n".join([*head, *lines, "", "slicing-gym <command> --help shows what a command takes."])


def main() -> None:
    """Run a command in place of this process."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        _say(usage())
        return
    if arguments[0] == "--version":
        _say(__version__)
        return
    try:
        line = command_line(arguments)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    os.execv(line[0], line)


def _say(text: str) -> None:
    """Print a text; one line where it cannot be written, none where nobody reads any more."""
    try:
        print(text, flush=True)  # noqa: T201  # unlike write, it lets the output be closed
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed once more at the end
        if not isinstance(error, BrokenPipeError):
            raise SystemExit(f"error: what was printed could not be written whole: {error}") from None


if __name__ == "__main__":
    main()
