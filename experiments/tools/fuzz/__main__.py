"""`python -m experiments.tools.fuzz files --cases 1000 --seed 0`: random cases, and those that are faults."""

from __future__ import annotations

import argparse

from experiments.reporting.output import steady_output
from experiments.tools.fuzz.cases import fuzz
from experiments.tools.fuzz.fuzzers import FUZZERS, make_fuzzer
from experiments.tools.fuzz.worker import fuzz_apart, serve


@steady_output()
def main() -> int:
    """Parse arguments, fuzz, print; the exit status is 1 where there is a fault."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.fuzz", description=__doc__)
    parser.add_argument("fuzzer", choices=list(FUZZERS), help="what the cases are of")
    parser.add_argument("--cases", type=int, default=1000, help="number of cases (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed that the cases are drawn from (default: %(default)s)")
    parser.add_argument(
        "--case", type=int, help="number of the one case that is run, in this process, with its traceback"
    )
    parser.add_argument("--worker", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        first, end = given.worker
        serve(given.fuzzer, first, end, given.seed)
        return 0
    if given.case is not None:
        report = fuzz(given.fuzzer, make_fuzzer(given.fuzzer), [given.case], given.seed, verbose=True)
    else:
        report = fuzz_apart(given.fuzzer, given.cases, given.seed, progress=True)
    print(report)
    return int(bool(report.faults))


if __name__ == "__main__":
    raise SystemExit(main())
