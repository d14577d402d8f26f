"""`python -m experiments.tools.package`: what is built is complete, and runs alone in fresh environments."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.reporting.output import steady_output

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
_LOG = ROOT / "docs" / "data" / "synthetic_log.csv"

SOURCES = ("slicing_gym", "agents", "twin", "conf", "experiments", "pyproject.toml", "setup.py", "README.md", "LICENSE")
"""What a build reads."""

ENVIRONMENTS = ("", "train", "train,render,contrib,logs,export")
"""Extras of the environments that are tried by default."""

SIZES = {
    "cleanrl_vector": 20,
    "log_to_onnx": 2,
    "own_scenario": 20,
    "planner_with_constraint": 20,
    "pytorch_loop": 40,
    "stock_agents": 100,
    "torchrl_loop": 100,
    "what_if": 3,
}
"""A small size of each example, as its first lines explain it."""

NEEDING = {
    "logs": ["inspect", f"log={_LOG}"],
    "contrib": ["train", "agent=sb3_qrdqn"],
    "search": ["search", "agent=ddqn", "twin=lstm"],
    "export": ["export", "policy=hard"],
    "slurm": ["train", "-m", "hydra/launcher=submitit_local"],
    "ray": ["train", "-m", "hydra/launcher=ray"],
}
"""By extra, a command that cannot do without it."""

_SECONDS = 600.0
"""That one program may take."""

_MODULES = """
import importlib, pkgutil
import slicing_gym
wrong = []
for top in ("slicing_gym", "agents", "twin", "experiments"):
    package = importlib.import_module(top)
    for found in pkgutil.walk_packages(package.__path__, top + ".", onerror=lambda name: None):
        if found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except ImportError as error:
            if "slicing-gym[" not in str(error):
                wrong.append(f"{found.name}: {error}")
raise SystemExit("; ".join(wrong) or None)
"""


@dataclass(frozen=True)
class Attempt:
    """What became of one check.

    Args:
        extras: of the environment, as pip takes them.
        what: was checked.
        fault: what was wrong; nothing if it went well.
    """

    extras: str
    what: str
    fault: str = ""


def check_checkout() -> None:
    """End a command that was run from an installed package, where it needs a checkout."""
    if not (ROOT / "pyproject.toml").is_file():
        raise SystemExit("error: this needs a checkout of the repository, and was run from an installed package")


def copy_source(folder: Path) -> Path:
    """What a build reads, copied into a folder, so that a build leaves nothing in the checkout."""
    check_checkout()
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    return source


def build(folder: Path, *kinds: str) -> list[Path]:
    """Build what is named, `--sdist` or `--wheel`; without names the wheel of what the source distribution holds.

    Returns:
        The files, in the folder `dist` there.
    """
    command = [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(folder / "dist")]
    subprocess.run([*command, str(copy_source(folder))], check=True, capture_output=True)
    return sorted((folder / "dist").iterdir())


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel and some extras, and nothing else of the project.

    Args:
        folder: of it, empty or not there.
        extras: as pip takes them.
    """

    folder: Path
    extras: str

    def install(self, wheel: Path, python: str, constraints: Sequence[Path]) -> None:
        """Make it.

        Args:
            wheel: of the package.
            python: which interpreter.
            constraints: files of versions.

        Raises:
            subprocess.CalledProcessError: pip could not.
        """
        subprocess.run([python, "-m", "venv", str(self.folder)], check=True)
        chosen = [text for path in constraints for text in ("--constraint", str(path.resolve()))]
        self.pip(*chosen, f"{wheel}[{self.extras}]" if self.extras else str(wheel))

    def pip(self, *wanted: str) -> None:
        """Install something."""
        command = [str(self.folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--no-compile", *wanted]
        subprocess.run(command, check=True)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A program of it, in a folder without the project's modules."""
        place = self.folder / "empty"
        place.mkdir(exist_ok=True)
        quiet = {"MPLBACKEND": "agg", "SDL_VIDEODRIVER": "dummy", "SLICING_GYM_SIZE": "0.01", "PYTHONPATH": ""}
        command, given = [str(self.folder / "bin" / program), *arguments], os.environ | quiet
        try:
            return subprocess.run(command, cwd=place, env=given, capture_output=True, text=True, timeout=_SECONDS)
        except subprocess.TimeoutExpired:  # the other programs are tried all the same
            return subprocess.CompletedProcess(command, 124, "", f"it took longer than {_SECONDS:g} s")

    def has(self, extras: set[str]) -> bool:
        """Whether it was made with these extras."""
        return extras <= set(filter(None, self.extras.split(",")))


def extras_of(example: str) -> set[str]:
    """What an example says that it needs; torch is what `train` brings."""
    named = re.search(r"(?:slicing-gym|\.)\[([\w,]+)\]", example)
    found = set(named[1].split(",")) if named else set()
    return found | ({"train"} if "needs torch" in example else set())


def check_modules(environment: Environment) -> Iterator[Attempt]:
    """Every module is imported, or says which extra it lacks."""
    done = environment.run("python", "-c", _MODULES)
    yield Attempt(environment.extras, "all modules", _last_line(done) if done.returncode else "")


def check_commands(environment: Environment) -> Iterator[Attempt]:
    """Every `slicing-gym <topic> --help`, and commands that lack an extra: these name it, in one line."""
    listed = environment.run("slicing-gym", "--help").stdout
    topics = re.findall(r"^  (\w+)  ", listed, re.MULTILINE)
    if not topics:
        yield Attempt(environment.extras, "slicing-gym --help", "names no command")
    for topic in topics:
        what = f"slicing-gym {topic} --help"
        done = environment.run("slicing-gym", topic, "--help")
        lacks = "train" if not environment.has({"train"}) else r"\w+"
        yield Attempt(environment.extras, what, _not_named(done, lacks) if done.returncode or lacks == "train" else "")
    for extra, arguments in NEEDING.items():
        if environment.has({"train"}) and not environment.has({extra}):
            done = environment.run("slicing-gym", *arguments)
            yield Attempt(environment.extras, f"slicing-gym {arguments[0]} without {extra}", _not_named(done, extra))


def check_examples(environment: Environment) -> Iterator[Attempt]:
    """The examples that its extras allow, at a small size."""
    for path in sorted(EXAMPLES.iterdir()):
        text = path.read_text() if path.suffix in (".py", ".ipynb") else ""
        if not text or "torchrl" in text or not environment.has(extras_of(text)):
            continue
        program = path
        arguments = [str(SIZES[path.stem])] if path.suffix == ".py" else []
        if path.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            program = environment.folder / f"{path.stem}.py"
            program.write_text("\n".join("".join(e["source"]) for e in cells if e["cell_type"] == "code"))
        done = environment.run("python", str(program), *arguments)
        yield Attempt(environment.extras, f"examples/{path.name}", _last_line(done) if done.returncode else "")


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a program that failed said last."""
    return (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]


def _not_named(done: subprocess.CompletedProcess[str], extra: str) -> str:
    """What is wrong with a command that lacks an extra, unless it ends with a line that names it."""
    named = re.search(rf"slicing-gym\[[\w,]*\b{extra}\b", done.stderr)
    return "" if done.returncode and named and "Traceback" not in done.stderr else _last_line(done)


def check_metadata(folder: Path, files: Sequence[Path]) -> Attempt:
    """What twine says of files, before a package index does; it is installed for that alone."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    environment = Environment(folder, "")
    environment.pip("twine")
    done = environment.run("twine", "--no-color", "check", "--strict", *map(str, files))
    return Attempt("", "twine check --strict", " ".join((done.stdout + done.stderr).split()) if done.returncode else "")


def check_package(
    folder: Path, extras: Sequence[str] = ENVIRONMENTS, python: str = sys.executable, constraints: Sequence[Path] = ()
) -> Iterator[Attempt]:
    """Build, check and try all of it.

    Args:
        folder: where it is built and installed.
        extras: of each environment.
        python: which interpreter runs it.
        constraints: files of versions.
    """
    files = build(folder)
    yield check_metadata(folder / "twine", files)
    (wheel,) = (path for path in files if path.suffix == ".whl")
    for number, each in enumerate(extras):
        environment = Environment(folder / f"environment_{number}", each)
        environment.install(wheel, python, constraints)
        for check in (check_modules, check_commands, check_examples):
            yield from check(environment)
        shutil.rmtree(environment.folder)


@steady_output()
def main() -> int:
    """The command; the exit status is 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.package", description=__doc__)
    parser.add_argument("--extras", nargs="*", default=ENVIRONMENTS, help="extras of each environment, as train,logs")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environments; by default this one")
    parser.add_argument("--constraint", type=Path, nargs="*", default=[], help="files of versions, as pip takes them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for outcome in check_package(Path(folder), given.extras, given.python, given.constraint):
            print(f"{outcome.extras or 'no extras'}: {outcome.what}: {outcome.fault or 'good'}", flush=True)
            found.append(outcome)
    faults = [outcome for outcome in found if outcome.fault]
    print(f"{len(found)} checks, {len(faults)} faults")
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())
