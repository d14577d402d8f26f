"""`slicing-gym <command> ...`: the commands of `experiments` by their names, without `python -m experiments.`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from slicing_gym.errors import unknown_name
from slicing_gym.version import __version__


def commands() -> dict[str, str]:
    """What each command does, in a line, by its name; nothing of them is imported."""
    package = find_spec("experiments")
    assert package is not None
    assert package.origin is not None
    found = {}
    for path in sorted(Path(package.origin).parent.glob("*/__main__.py")):
        first = path.read_text().splitlines()[0]
        found[path.parent.name] = first.strip('"').partition(": ")[2].removesuffix(".")
    return found


def command_line(arguments: Sequence[str]) -> list[str]:
    """The command line that a command stands for.

    Args:
        arguments: a command's name, and its own arguments.

    Raises:
        ValueError: there is no such command; the message lists those that there are.
    """
    name, *rest = arguments
    if name not in commands():
        raise ValueError(unknown_name("command", name, commands()))
    return [sys.executable, "-m", f"experiments.{name}", *rest]


def usage() -> str:
    """What `slicing-gym --help` prints."""
    about = commands()
    width = max(map(len, about)) + 2
    lines = [f"  {name:<{width}}{what}" for name, what in about.items()]
    head = ["slicing-gym <command> [key=value ...]   (the same as python -m experiments.<command>)", ""]
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
