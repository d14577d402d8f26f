"""Runs every framework in a virtual environment of its own, and prints the table of docs/compatibility.md."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from experiments.tools.package import build
from tests.compat.frameworks import ENVIRONMENT_IDS, Framework, named

VERSIONS = "from importlib.metadata import version; import sys; print(*[version(name) for name in sys.argv[1:]])"
HEAD = "| framework | version of | Gymnasium | NumPy | SliceRAN-v0 | SliceTwin-v0 | an environment is given by |"


def install(framework: Framework, wheel: Path, folder: Path) -> str:
    """Make the virtual environment, if it is not there; what pip said where that failed, else nothing."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-compile"]
    first, *others = framework.packages
    steps = [[*others, str(wheel)], ["--no-deps", "--no-build-isolation", first]]
    if not framework.alone:
        steps = [[first, *others, str(wheel)]]
    steps.append(["--no-deps", "--force-reinstall", str(wheel)])  # one that was there may be of an older state
    for step in steps:
        done = subprocess.run([*pip, *step], capture_output=True, text=True)
        if done.returncode:
            return next((line for line in done.stderr.splitlines() if "ror" in line), "pip failed").strip()
    return ""


def run(framework: Framework, folder: Path, seconds: float) -> dict[str, str]:
    """What became of each environment: "trained", or the last line of the error."""
    python = str(folder / "bin" / "python")
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1", "SDL_VIDEODRIVER": "dummy"}
    output = folder / "output.txt"
    with output.open("w") as file:  # what a program has said is there whatever becomes of it
        try:
            where = {"env": os.environ | quiet, "cwd": folder, "stdout": file, "stderr": file}
            runs = (subprocess.run([python, *each], timeout=seconds, **where).returncode for each in framework.commands)
            status = next(filter(None, runs), 0)  # no more is run after what fails
        except subprocess.TimeoutExpired:
            status = None
    said = output.read_text(errors="replace")
    why = "trained" if status == 0 else (said.strip().splitlines() or ["no output"])[-1]
    if status is None:
        why = f"not done after {seconds:.0f} s"
    trained = [name for name in ENVIRONMENT_IDS if f"trained: {name}" in said]
    if status != 0 and len(trained) == len(ENVIRONMENT_IDS):  # the program is done, the example is not
        trained = []
    return {name: "trained" if name in trained else why for name in ENVIRONMENT_IDS}


def versions(framework: Framework, folder: Path) -> list[str]:
    """Of the framework, Gymnasium and NumPy, as installed."""
    command = [str(folder / "bin" / "python"), "-c", VERSIONS, framework.distribution, "gymnasium", "numpy"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def row(framework: Framework, cells: list[str]) -> str:
    """A line of the table."""
    how = "trained from recorded decisions" if framework.recorded else "trained"
    version, *others = (how if each == "trained" else each for each in cells)
    return f"| {framework.name} | {framework.distribution} {version} | {' | '.join(others)} | `{framework.line}` |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__)
    parser.add_argument("names", nargs="*", help="modules of the frameworks; all by default")
    parser.add_argument("--folder", type=Path, help="of the virtual environments, which are kept there; else they go")
    parser.add_argument("--seconds", type=float, default=900.0, help="that a program may take")
    given = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        (wheel,) = build(Path(temporary), "--wheel")
        print(HEAD, "|---" * HEAD.count("|", 1) + "|", sep="\n")
        for framework in named(given.names):
            folder = (given.folder or Path(temporary)).absolute() / framework.module
            why = install(framework, wheel, folder)
            if why:
                cells = [framework.version, "", "", f"not installed: {why}", ""]
            else:
                cells = [*versions(framework, folder), *run(framework, folder, given.seconds).values()]
            failed += cells[-2:] != ["trained", "trained"]
            print(row(framework, cells), flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
