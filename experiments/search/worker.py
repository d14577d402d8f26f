"""`python -m experiments.search.worker FOLDER imports= search= TASK NUMBER`: one process of several of a search."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.registry import import_modules
from experiments.runs.process import say_refused
from experiments.runs.stopping import Stopped, stopped_by_signals, stops_kept
from experiments.search.run import read_search
from experiments.search.workers import working_for


def work(arguments: Sequence[str]) -> int:
    """Perform a task of the search in a folder; modules of the user's own are imported before.

    Returns:
        The exit status.
    """
    folder, imports, search, task, number = arguments
    try:
        with stopped_by_signals(), working_for(search.removeprefix("search="), Path(folder), number):
            import_modules([name for name in imports.removeprefix("imports=").split(",") if name])
            with stops_kept():
                read_search(folder).perform(task)
    except Stopped as error:
        return error.exit_status
    except OSError as error:
        logging.exception("the task %s has failed", task)
        return say_refused(error)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    sys.exit(work(sys.argv[1:]))
