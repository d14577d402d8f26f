"""Where compiled code is kept, and that nothing depends on its being kept."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import slicing_gym

COMPILE = """
import resource, sys, warnings
warnings.simplefilter("always")
from slicing_gym.allocation import allocation_index
if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
assert allocation_index([1, 2, 3]) == 1
from slicing_gym.ranking_kernel import rank
print(sum(rank.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package that has no folder to write compiled code to."""
    folder = tmp_path / "site"
    shutil.copytree(Path(slicing_gym.__file__).parent, folder / "slicing_gym", ignore=shutil.ignore_patterns("__py*"))
    (folder / "slicing_gym" / "__pycache__").touch()  # a file where a folder would have to be, even for root
    return folder


def run(package, temporary, *arguments):
    """What a process that compiles says on both outputs."""
    environment = {"PYTHONPATH": str(package), "HOME": "/dev/null", "TMPDIR": str(temporary), "PATH": ""}
    command = [sys.executable, "-c", COMPILE, *arguments]
    ran = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout), ran.stderr


def own(temporary):
    return temporary / f"slicing-gym-{os.getuid()}"


def test_compiled_code_goes_to_a_folder_of_the_users_own_where_nothing_else_can_be_written(package, tmp_path):
    assert run(package, tmp_path) == (0, "")
    found = own(tmp_path).stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o700, os.getuid())
    assert run(package, tmp_path) == (1, "")


@pytest.mark.parametrize("kind", ["others can write it", "a link", "a file"])
def test_a_folder_that_others_can_write_is_not_used(package, tmp_path, kind):
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    if kind == "a link":
        own(tmp_path).symlink_to(other)
    elif kind == "a file":
        own(tmp_path).touch()
    else:
        own(tmp_path).mkdir()
        own(tmp_path).chmod(0o777)
    hits, said = run(package, tmp_path)
    assert (hits, said.count("RuntimeWarning: compiled code is not kept on disk")) == (0, 1)
    assert "is not a folder of this user's alone" in said
    assert not list(other.iterdir())


def test_a_full_disk_and_damaged_files_cost_a_compilation_and_no_more(package, tmp_path):
    hits, said = run(package, tmp_path, "0")
    assert (hits, said.count("RuntimeWarning: compiled code is not kept on disk")) == (0, 1)
    run(package, tmp_path)
    for path in own(tmp_path).rglob("rank*.nb[ic]"):
        path.write_bytes(path.read_bytes()[:100] if path.suffix == ".nbi" else b"\x80\x05damaged")
    assert run(package, tmp_path) == (0, "")
    assert run(package, tmp_path) == (1, "")
