"""`python -m experiments.interruption`: runs killed at random and resumed end with the bytes of one that was not."""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import torch

COMMON = [
    "scenario=paper-1mhz",
    "progress=false",
    "resume=auto",
    "checkpoint_s=0.2",
    "evaluation.policies=[random]",
    "evaluation.seeds=[100]",
    "evaluation.decisions=5",
]
ARMS = {
    "with a twin": [
        "twin=lstm",
        "decisions=600",
        "twin.training.max_epochs=8",
        "algorithm.twin_decisions=10240",
        "algorithm.later_twin_decisions=5120",
        "algorithm.judged_cells=8",
    ],
    "without": ["twin=none", "decisions=2500", "agent.learning_starts=100"],
}
"""Short runs of each kind; what is compared does not depend on their length."""


def digests(folder: Path) -> dict[str, str]:
    """Checksums of what a finished run has to have in common with one that was not interrupted."""
    with zipfile.ZipFile(folder / "agent.zip") as archive:
        found = {}
        for name in ("policy.pth", "policy.optimizer.pth"):
            digest = hashlib.sha256()
            _digest(digest, torch.load(io.BytesIO(archive.read(name)), weights_only=True))
            found[name] = digest.hexdigest()
    found["rounds.csv"] = hashlib.sha256((folder / "rounds.csv").read_bytes()).hexdigest()
    if (folder / "history.npz").exists():
        digest = hashlib.sha256()
        with np.load(folder / "history.npz", allow_pickle=False) as archive:
            for name in sorted(archive.files):
                digest.update(name.encode() + archive[name].tobytes())
        found["history.npz"] = digest.hexdigest()
    return found


def _digest(digest: hashlib._Hash, part: object) -> None:
    """Feed nested tensors and numbers to a checksum."""
    if isinstance(part, torch.Tensor):
        digest.update(part.numpy().tobytes())
    elif isinstance(part, dict):
        for key, each in part.items():
            digest.update(str(key).encode())
            _digest(digest, each)
    elif isinstance(part, list | tuple):
        for each in part:
            _digest(digest, each)
    else:
        digest.update(repr(part).encode())


def start(arm: str, folder: Path) -> subprocess.Popen[bytes]:
    """A run in a process of its own."""
    command = [sys.executable, "-m", "experiments.train", *COMMON, *ARMS[arm], f"hydra.run.dir={folder}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a run.

    Raises:
        RuntimeError: it failed.
    """
    _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the run failed:\n{said.decode()[-2000:]}")


def interrupt(arm: str, folder: Path, moments: list[float]) -> int:
    """A run that is killed after each of these times [s] since its last start, and then finished; how often it was.

    One that was finished before it could be killed begins anew, and is killed in half the time.
    """
    killed = 0
    for moment in moments:
        process = start(arm, folder)
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
    if killed == 0:
        shutil.rmtree(folder)
        return interrupt(arm, folder, [moment / 2.0 for moment in moments])
    finish(start(arm, folder))
    return killed


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m experiments.interruption", description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="runs that are killed, of each kind in turn")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args(arguments)
    moments = random.Random(options.seed)
    different = 0
    with tempfile.TemporaryDirectory() as place:
        expected, duration = {}, {}
        for arm in list(ARMS)[: options.times]:
            begun = time.perf_counter()
            finish(start(arm, Path(place, arm.replace(" ", "-"))))
            duration[arm] = time.perf_counter() - begun
            expected[arm] = digests(Path(place, arm.replace(" ", "-")))
            print(f"{arm}: uninterrupted in {duration[arm]:.0f} s", flush=True)
        for number in range(options.times):
            arm = list(ARMS)[number % len(ARMS)]
            folder = Path(place, str(number))
            killed = interrupt(arm, folder, [moments.uniform(0.2, 0.9) * duration[arm] for _ in range(2)])
            found = digests(folder)
            wrong = [name for name, digest in expected[arm].items() if found.get(name) != digest]
            different += bool(wrong)
            verdict = f"DIFFERENT: {', '.join(wrong)}" if wrong else f"the same {', '.join(expected[arm])}"
            print(f"{number + 1:>2}. {arm}, killed {killed} times and resumed: {verdict}", flush=True)
    if different:
        raise SystemExit(f"{different} of {options.times} runs differ")
    print(f"all {options.times} runs end with the same bytes")


if __name__ == "__main__":
    main()
