"""What a command does with its command line: one run in a folder of its own, or with `-m` a sweep of many."""

from experiments.commands.command import command
from experiments.commands.results import write_and_show

__all__ = ["command", "write_and_show"]
