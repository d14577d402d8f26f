"""`python -m experiments.search.worker FOLDER imports= TASK`: one process of several that work on a search."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from agents.registry import import_modules
from experiments.search.run import read_search


def work(arguments: Sequence[str]) -> None:
    """Perform a task of the search in a folder; modules of the user's own are imported before."""
    folder, imports, task = arguments
    import_modules([name for name in imports.removeprefix("imports=").split(",") if name])
    read_search(folder).perform(task)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    work(sys.argv[1:])
