"""`python -m experiments.tools.interruption`: runs killed and resumed end with the bytes of one that was not."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.reporting.output import steady_output
from experiments.tools.digests import digests

COMMON = [
    "scenario=paper-1mhz",
    "progress=false",
    "resume=auto",
    "checkpoint_s=0.2",
    "evaluation.policies=[random]",
    "evaluation.seeds=[100]",
    "evaluation.decisions=5",
]
_WITH_TWIN = [
    "twin=lstm",
    "decisions=600",
    "twin.training.max_epochs=8",
    "algorithm.twin_decisions=10240",
    "algorithm.later_twin_decisions=5120",
    "algorithm.selection_cells=8",
]
METHODS = {
    "ddqn with a twin": [*_WITH_TWIN, "algorithm.collect_by=random"],
    "a planner": ["agent=planner", "decisions=1000"],
    "ddqn after a planner": _WITH_TWIN,
    "ddqn without": ["twin=none", "decisions=2500", "agent.learning_starts=100"],
    "sb3_dqn with a twin": [*_WITH_TWIN, "agent=sb3_dqn"],
    "sb3_qrdqn with a twin": [*_WITH_TWIN, "agent=sb3_qrdqn"],
    "a user's class with a twin": ["--config-dir", "{folder}", *_WITH_TWIN, "agent=own", "imports=[own_agent]"],
    "sb3_qrdqn without": ["twin=none", "decisions=800", "agent=sb3_qrdqn", "agent.learning_starts=100"],
}
"""Short runs of each method; what is compared does not depend on their length."""

OWN_AGENT = '''
from stable_baselines3 import DQN

class Own(DQN):
    """Counts its updates and moves its target network a little after each."""

    def __init__(self, *args, share=0.01, **arguments):
        super().__init__(*args, **arguments)
        self.share, self.updates = share, 0

    def train(self, gradient_steps, batch_size=100):
        super().train(gradient_steps, batch_size)
        self.updates += gradient_steps
        for own, other in zip(self.q_net.parameters(), self.q_net_target.parameters(), strict=True):
            other.data.lerp_(own.data, self.share)
'''
OWN_CONFIG = "defaults: [custom]\nname: own\n_target_: own_agent.Own\nnet_arch: [64, 64]\nkwargs: {share: 0.02}\n"
"""A class of a user, and the file in a folder `agent` that names it."""


def arguments(method: str, folder: Path) -> list[str]:
    """What is typed for a method; the user's class goes into a folder."""
    (folder / "agent").mkdir(exist_ok=True)
    (folder / "agent" / "own.yaml").write_text(OWN_CONFIG)
    (folder / "own_agent.py").write_text(OWN_AGENT)
    return [*(each.format(folder=folder) for each in METHODS[method]), *COMMON]


def start(method: str, folder: Path) -> subprocess.Popen[bytes]:
    """A run in its own process; the user's class is in the folder above its own."""
    parent = folder.parent
    command = [sys.executable, "-m", "experiments.train", *arguments(method, parent), f"hydra.run.dir={folder}"]
    paths = os.pathsep.join([str(parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)


def wait_for(process: subprocess.Popen[bytes]) -> None:
    """Wait for a run.

    Raises:
        RuntimeError: it failed.
    """
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the run failed:\n{errors.decode()[-2000:]}")


def interrupt(method: str, folder: Path, moments: list[float]) -> int:
    """A run that is killed after each of these times [s] since its last start, and then finished; how often it was.

    One that finished before it could be killed starts from the beginning, and is killed in half the time.
    """
    killed = 0
    for moment in moments:
        process = start(method, folder)
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
    if killed == 0:
        shutil.rmtree(folder)
        return interrupt(method, folder, [moment / 2.0 for moment in moments])
    wait_for(start(method, folder))
    return killed


def _folder_name(method: str) -> str:
    return method.replace(" ", "-").replace("'", "")


@steady_output()
def main(typed: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.interruption", description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="runs that are killed, one method after the other")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args(typed)
    moments = random.Random(options.seed)
    different = 0
    with tempfile.TemporaryDirectory() as parent:
        expected, duration = {}, {}
        for method in list(METHODS)[: options.times]:
            begun = time.perf_counter()
            wait_for(start(method, Path(parent, _folder_name(method))))
            duration[method] = time.perf_counter() - begun
            expected[method] = digests(Path(parent, _folder_name(method)))
            print(f"{method}: uninterrupted in {duration[method]:.0f} s", flush=True)
        for number in range(options.times):
            method = list(METHODS)[number % len(METHODS)]
            folder = Path(parent, str(number))
            killed = interrupt(method, folder, [moments.uniform(0.2, 0.9) * duration[method] for _ in range(2)])
            found = digests(folder)
            wrong = [name for name, digest in expected[method].items() if found.get(name) != digest]
            different += bool(wrong)
            verdict = f"DIFFERENT: {', '.join(wrong)}" if wrong else f"the same {', '.join(expected[method])}"
            print(f"{number + 1:>2}. {method}, killed {killed} times and resumed: {verdict}", flush=True)
    if different:
        raise SystemExit(f"{different} of {options.times} runs differ")
    print(f"all {options.times} runs end with the same bytes")


if __name__ == "__main__":
    main()
