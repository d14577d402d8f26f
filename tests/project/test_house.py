"""What holds the house together: which package may import which, and what an installed wheel contains."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from runpy import run_path

import numpy
import pytest

from experiments.tools.package import build
from slicing_gym import draws, traffic
from slicing_gym.distributions import DISTRIBUTIONS
from tests.helpers.exported import content as content

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = {
    "slicing_gym": {"slicing_gym"},
    "agents": {"agents", "slicing_gym"},
    "twin": {"twin", "slicing_gym"},
    "experiments": {"experiments", "agents", "twin", "slicing_gym", "conf"},
}


def imported(path: Path) -> set[str]:
    """Top-level names that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_arrows_go_down_only(package):
    packages = {"slicing_gym", "agents", "twin", "experiments", "conf", "tests"}
    for path in (ROOT / package).rglob("*.py"):
        assert imported(path) & packages <= ALLOWED[package], path
        if package == "slicing_gym":
            assert not imported(path) & {"torch", "stable_baselines3", "hydra", "omegaconf", "matplotlib"}, path


def test_experiments_leave_the_inside_of_agents_alone():
    """But for benchmark and fuzzers, nothing names a private attribute of another object, or a class of agents.dqn."""
    public = {"_fields", "_asdict", "_replace", "_target_", "_Hash", "_exit"}  # by the documentation of their owners
    of_dqn = {"DQN", "DDQN", "DuelingGANDDQN", "SlicingPolicy", "GANPolicy", "DenseHead", "GeometryHead"}
    for path in (ROOT / "experiments").rglob("*.py"):
        if path.parent.name in ("benchmark", "fuzz"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                assert own or node.attr in public, f"{path}:{node.lineno}: {ast.unparse(node)}"
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("agents.") for alias in node.names), path
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "agents":
                assert node.attr not in of_dqn, f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "vars"):
                assert "'_" not in ast.unparse(node), f"{path}:{node.lineno}: {ast.unparse(node)}"
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("agents"):
                assert not node.module.startswith(("agents.dqn", "agents.gan_ddqn", "agents.ddqn")), path
                assert not of_dqn & {alias.name for alias in node.names}, path


def test_numba_is_made_to_recompile():
    """Numba's cache looks at draws.py alone. When this fails, what it calls has changed: renew COMPILED_WITH there."""
    parts = [(ROOT / "slicing_gym" / name).read_text() for name in ("counter_rng.py", "_jit.py", "_intrinsics.py")]
    known = [*DISTRIBUTIONS.items(), *traffic.PROFILES.items()]
    codes = {name: kind.code for name, kind in known if kind.__module__.startswith("slicing_gym.")}
    digest = hashlib.sha256("".join([*parts, repr(codes)]).encode()).hexdigest()[:12]
    assert digest == draws.COMPILED_WITH


def _compiled_modules(path: Path) -> set[Path]:
    """The modules with compiled functions that a module imports, directly or by way of others."""
    found, look_at = set(), [path]
    while look_at:
        for node in ast.walk(ast.parse(look_at.pop().read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                file = ROOT / f"{name.replace('.', '/')}.py"
                if file.exists() and file not in found and (file.stem == "_jit" or "_jit import" in file.read_text()):
                    found.add(file)
                    look_at.append(file)
    return found - {path}


LEFT_OUT = [
    ROOT / "slicing_gym" / name for name in ("draws.py", "counter_rng.py", "own_distributions.py", "_intrinsics.py")
]
COMPILED = [
    path
    for package in ("slicing_gym", "twin")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "_jit import" in path.read_text() and path not in LEFT_OUT
]


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_numba_compiles_modules_again_when_what_they_call_changes(path):
    """As above, for every other module with compiled functions; those that others call are renewed first."""
    texts = [file.read_text() for file in sorted(_compiled_modules(path))]
    digest = hashlib.sha256("".join(texts).encode()).hexdigest()[:12]
    assert f'COMPILED_WITH = "{digest}"' in path.read_text()


@pytest.fixture(scope="module")
def site():
    """A wheel of this checkout, installed into a folder that everybody may read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (wheel,) = build(folder, "--wheel")
        options = ["--quiet", "--no-deps", "--no-compile", "--target", str(folder / "site")]
        install = [sys.executable, "-m", "pip", "install", *options, str(wheel)]
        subprocess.run(install, check=True, capture_output=True)
        yield folder / "site"


def test_an_installed_wheel_has_its_configuration(site, tmp_path):
    """By a command that simulates nothing: each install compiles for itself."""
    command = [sys.executable, "-m", "experiments.inspect", f"log={ROOT / 'docs' / 'data' / 'synthetic_log.csv'}"]
    ran = subprocess.run(
        [*command, "mapping=colosseum"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert "792 decisions" in ran.stdout
    assert (site / "slicing_gym" / "py.typed").exists()
    assert list((tmp_path / "runs").glob("*/mapping.yaml"))


def test_links_of_the_description_lead_somewhere_on_a_package_index(site):
    """The README's own are relative: setup.py makes them absolute, or plain text while there is no address."""
    (metadata,) = site.glob("*.dist-info/METADATA")
    assert "Description-Content-Type: text/markdown" in metadata.read_text()
    head, _, shown = metadata.read_text().partition("\n\n")
    assert shown.startswith("# slicing-gym")
    assert re.findall(r"\]\((?!https://|#)[^)]*\)", shown) == []
    describe = run_path(str(ROOT / "setup.py"), run_name="setup")["description"]
    text = "![a](b.png) [c](d.md#e) [f](https://g) [h](#i)"
    assert describe(text, "https://r", "1.0") == (
        "![a](https://r/raw/v1.0/b.png) [c](https://r/blob/v1.0/d.md#e) [f](https://g) [h](#i)"
    )
    assert describe(text, "", "1.0") == " c [f](https://g) [h](#i)"
    tried = set(re.findall(r"Python :: (3\.\d+)", head))
    assert tried == {"3.10", "3.11", "3.12", "3.13"}  # docs/compatibility.md says what of


AS_NOBODY = """
import sys, warnings
warnings.simplefilter("error")
import slicing_gym
from agents.deploy import SlicePolicy
decided = SlicePolicy(sys.argv[1]).decide([115, 1752, 9])
assert not decided.fallback, decided
assert "numba" not in sys.modules
import gymnasium as gym
gym.make("SliceRAN-v0", scenario="paper-1mhz")  # has all of the kernel, and compiles nothing before `reset`
assert slicing_gym.allocation_index(decided.units) == decided.action
"""


def interpreter_for_everybody():
    """A Python of this version that any user may run; None if there is none, or nobody to run it as."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        return None
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (os.path.realpath(sys.executable), f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        ran = Path(found).exists() and subprocess.run([*NOBODY, found, "-c", ""], capture_output=True).returncode == 0
        if ran:
            return found
    return None


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def test_a_read_only_install_serves_a_user_without_a_home(site, content):
    python = interpreter_for_everybody()
    if python is None:
        pytest.skip("needs root, setpriv and an interpreter that everybody may run")
    (site.parent / "policy.onnx").write_bytes(content)
    packages = os.pathsep.join([str(site), str(Path(numpy.__file__).parents[1])])
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        ran = subprocess.run(
            [*NOBODY, python, "-c", AS_NOBODY, str(site.parent / "policy.onnx")],
            cwd="/",
            env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "PYTHONPATH": packages, "TMPDIR": folder},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        assert list(Path(folder).glob("slicing-gym-65534/*/rank*.nbi"))
