"""What a command does with its command line: one run in a folder of its own, or with `-m` a sweep of many."""

from experiments.commands.command import command

__all__ = ["command"]
