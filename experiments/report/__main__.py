"""`python -m experiments.report runs/<sweep>`: write one report over many runs, grouped by what was swept."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.config.hydra import readable_errors
from experiments.report.groups import relative
from experiments.report.run import NAME, report
from experiments.reporting.output import steady_output


@steady_output()
def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report", description=__doc__)
    parser.add_argument("folder", nargs="+", help="a run or a folder of runs; by=<key>,<key> groups them by these keys")
    parser.add_argument("--oracle", action="store_true", help="compute the regret against the one-step oracle, too")
    parser.add_argument("--output", type=Path, help=f"folder to write to; by default <first folder>/{NAME}")
    options = parser.parse_args(arguments)
    keys = [each.removeprefix("by=") for each in options.folder if each.startswith("by=")]
    folders = [each for each in options.folder if not each.startswith("by=")]
    with readable_errors():
        by = [key.strip() for key in keys[-1].split(",") if key.strip()] if keys else None
        found = report(folders, by, oracle=options.oracle)
        try:
            written = found.write(options.output or Path(folders[0]) / NAME)
        finally:  # what cannot be written is shown all the same
            print(found.text())
    print(f"written: {', '.join(map(relative, written))}")


if __name__ == "__main__":
    main()
