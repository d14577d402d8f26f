"""`python -m experiments.tools.sweep_faults`: sweeps whose runs are killed, typed again, end with the same bytes."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.reporting.output import steady_output
from experiments.reporting.tables import aligned
from experiments.runs.lock import read_writer
from experiments.runs.status import read_status, state_of
from experiments.sweeps.plan import read_sweep
from experiments.tools import fake_slurm
from experiments.tools.digests import digests

_LAUNCHERS = {
    "basic": ["hydra/launcher=basic"],
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit, local": ["hydra/launcher=submitit_local", "hydra.launcher.n_jobs=2"],
    "submitit, fake Slurm": ["hydra/launcher=submitit_slurm"],
    "Ray": ["hydra/launcher=ray"],
}
_SEEDS = (0, 1, 2, 3, 4, 5, 13, -1)
_RAISES, _REFUSED = 13, -1
_KILLED = {0: signal.SIGKILL, 1: signal.SIGKILL, 2: signal.SIGKILL, 3: signal.SIGTERM}
"""Seeds whose runs get a signal, once they have written a checkpoint."""

_SWEEP = [
    "--config-dir={folder}",
    "-m",
    "+experiment=debug",
    "scenario=paper-1mhz",
    "agent=unlucky",
    "imports=[unlucky]",
    f"seed={','.join(map(str, _SEEDS))}",
    "decisions=600",
    "checkpoint_s=0.2",
    "resume=auto",
    "evaluation.policies=[random]",
    "evaluation.seeds=[100]",
]
_AGENT = f'''
from agents import DDQN

class Unlucky(DDQN):
    """Double DQN that cannot learn with one seed."""

    def train(self, gradient_steps, batch_size=100):
        if self.seed == {_RAISES}:
            raise RuntimeError("seed {_RAISES} does not learn")
        super().train(gradient_steps, batch_size)
'''
_AGENT_CONFIG = "defaults: [ddqn]\nname: unlucky\n_target_: unlucky.Unlucky\n"


class TrialSweep:
    """A sweep of training in a folder of its own.

    Args:
        folder: of the sweep, in the one with the user's class.
        launcher: arguments that choose it.
    """

    def __init__(self, folder: Path, launcher: list[str]) -> None:
        self.folder = folder
        own = [each.format(folder=folder.parent) for each in _SWEEP]
        self.command = [sys.executable, "-m", "experiments.train", *own, *launcher, f"hydra.sweep.dir={folder}"]
        paths = os.pathsep.join([str(folder.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.environment = {**os.environ, "PYTHONPATH": paths}
        self.environment |= fake_slurm.install(folder.with_name(f"{folder.name}-slurm"))

    def start(self) -> subprocess.Popen[str]:
        """Type the command."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self.command, env=self.environment, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def folders(self) -> dict[int, Path]:
        """Of the runs, by seed; none before the sweep is planned."""
        try:
            jobs = read_sweep(self.folder).jobs
        except FileNotFoundError:
            return {}
        seeds = [next(int(each.partition("=")[2]) for each in job.overrides if each[:5] == "seed=") for job in jobs]
        return {seed: self.folder / job.folder for seed, job in zip(seeds, jobs, strict=True)}

    def states(self) -> dict[int, str]:
        """Of the runs, by seed."""
        return {seed: state_of(folder) for seed, folder in self.folders().items()}

    def send_signals(self, sweep: subprocess.Popen[str]) -> None:
        """Send the signals of `_KILLED` to its runs, each as soon as it has a checkpoint.

        Raises:
            RuntimeError: the sweep has ended before.
        """
        left = dict(_KILLED)
        while left:
            if sweep.poll() is not None:
                raise RuntimeError(f"the runs with seeds {list(left)} ended before they could be killed")
            for seed, folder in self.folders().items():
                writer = read_writer(folder)
                if seed in left and writer is not None and writer.is_alive and (folder / "checkpoint.npz").exists():
                    os.kill(writer.process, left.pop(seed))
            time.sleep(0.02)


def write_unlucky(folder: Path) -> None:
    """Write the user's class, and its file for Hydra, into a folder."""
    (folder / "agent").mkdir()
    (folder / "agent" / "unlucky.yaml").write_text(_AGENT_CONFIG)
    (folder / "unlucky.py").write_text(_AGENT)


def undisturbed(folder: Path) -> dict[int, dict[str, str]]:
    """Checksums of the runs of the sweep, by seed, one after the other and with no signal sent."""
    sweep = TrialSweep(folder, _LAUNCHERS["basic"])
    output, _ = sweep.start().communicate()
    states = sweep.states()
    expected = {**dict.fromkeys(_SEEDS, "done"), _RAISES: "failed", _REFUSED: "refused"}
    if states != expected:
        raise RuntimeError(f"the sweep ended with {states}:\n{output}")
    return {seed: digests(path) for seed, path in sweep.folders().items() if states[seed] == "done"}


def faulty_sweep(folder: Path, launcher: list[str], expected: dict[int, dict[str, str]]) -> tuple[list[str], list[str]]:
    """Kill runs of a sweep, and type it again.

    Returns:
        A row of the table, and what is wrong.
    """
    sweep = TrialSweep(folder, launcher)
    process = sweep.start()
    try:
        sweep.send_signals(process)
    finally:
        if sys.exc_info()[0] is not None:
            process.terminate()  # it ends its runs
        first_output, _ = process.communicate()
    first, begun = sweep.states(), _begun(sweep)
    again = sweep.start()
    output, _ = again.communicate()
    last, begun_again = sweep.states(), _begun(sweep)
    done = [seed for seed, state in first.items() if state == "done"]
    same = [seed for seed, want in expected.items() if last[seed] == "done" and digests(sweep.folders()[seed]) == want]
    repeated = [seed for seed in done if begun[seed] != begun_again[seed]]
    statuses = exit_statuses(process.returncode, again.returncode)
    named = [sweep.folders()[seed].name in output.partition("not done:")[2] for seed in (_RAISES, _REFUSED)]
    wrong = [
        f"seeds {sorted(expected.keys() - set(same))} differ or are not done" if len(same) < len(expected) else "",
        f"seeds {repeated} were done and ran again" if repeated else "",
        "" if all(named) else "the refused or the raising run is not named",
        "" if statuses == "1" else f"exit status {statuses}, where it is 1 of both",
    ]
    wrong = [each for each in wrong if each]
    if wrong:
        print(first_output, output, sep="\n", file=sys.stderr)
    compared = f"{len(same)} of {len(expected)}"
    return [_counts(first), _counts(last), str(len(repeated)), compared, statuses], wrong


def exit_statuses(first: int | None, again: int | None) -> str:
    """Those of the first sweep and of the one that was typed again, once if they are the same."""
    return str(first) if first == again else f"{first}, then {again}"


def _begun(sweep: TrialSweep) -> dict[int, str | None]:
    """When each run has begun last."""
    found = {seed: read_status(folder) for seed, folder in sweep.folders().items()}
    return {seed: None if status is None else status.started for seed, status in found.items()}


def _counts(states: dict[int, str]) -> str:
    order = ("done", "dead", "stopped", "failed", "refused")
    found = list(states.values())
    assert set(found) <= set(order), states
    return ", ".join(f"{found.count(state)} {state}" for state in order if state in found)


@steady_output()
def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.sweep_faults", description=__doc__)
    parser.add_argument(
        "--launchers",
        nargs="+",
        choices=_LAUNCHERS,
        default=list(_LAUNCHERS),
        help="launchers that are tried; by default all",
    )
    options = parser.parse_args(arguments)
    rows, problems = [], []
    with tempfile.TemporaryDirectory() as parent:
        write_unlucky(Path(parent))
        expected = undisturbed(Path(parent, "undisturbed"))
        print(f"undisturbed: {len(expected)} runs; compared: {', '.join(next(iter(expected.values())))}", flush=True)
        for number, name in enumerate(options.launchers):
            begun = time.perf_counter()
            row, wrong = faulty_sweep(Path(parent, str(number)), _LAUNCHERS[name], expected)
            rows.append([name, *row])
            problems += [f"{name}: {each}" for each in wrong]
            print(f"{name}: {time.perf_counter() - begun:.0f} s, {'; '.join(wrong) or 'as it should be'}", flush=True)
    head = ["launcher", "after the signals", "typed again", "done runs repeated", "same bytes", "exit status"]
    print(aligned(head, rows))
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()
