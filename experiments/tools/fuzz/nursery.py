"""A process that has imported and compiled everything, and forks the commands that are to be interrupted."""

from __future__ import annotations

import gc
import json
import mmap
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

_COUNTED = ("open", "os.chmod", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree", "tempfile.mkstemp")
"""Events of Python's audit that are counted: what a command does to files."""
_POLL_S = 0.003
_SUSPENDED_S = 0.2


@dataclass(frozen=True)
class Interruption:
    """A signal to a command.

    Args:
        name: of the signal, without SIG; after STOP the command is continued.
        moment: seconds after its start, or before which of the operations on its files (1, 2, ...) it comes.
        by_time: which of these.
    """

    name: str
    moment: float
    by_time: bool


@dataclass(frozen=True)
class Life:
    """One start of a command.

    Args:
        module: of the command.
        arguments: as typed.
        folder: of the run, whose files are watched.
        output: file that what is printed goes to.
        interruptions: signals that it is sent.
        limit_s: after which it counts as hanging, and is killed.
    """

    module: str
    arguments: Sequence[str]
    folder: str
    output: str
    interruptions: Sequence[Interruption] = field(default_factory=list)
    limit_s: float = 150.0


@dataclass(frozen=True)
class End:
    """How one start of a command ended.

    Args:
        status: of the process, as `subprocess` has it; -15 is SIGTERM.
        seconds: from its start.
        operations: on its files.
        hung: whether it had to be killed.
    """

    status: int
    seconds: float
    operations: int
    hung: bool


class Nursery:
    """The process, as others see it; it ends with this object.

    Args:
        warm_up: "module:function" that is called there with a folder, before the first command.
        folder: for what that leaves.
        environment: variables that it has in addition.
    """

    def __init__(self, warm_up: str, folder: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "experiments.tools.fuzz.nursery", warm_up, str(folder)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True}
        self._process = subprocess.Popen(command, text=True, env=os.environ | environment, **pipes)

    def run(self, life: Life) -> End:
        """Start a command, and wait for its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asdict(life)), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process that forks commands has ended ({self._process.wait()})")
        return End(**json.loads(line))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def _serve(warm_up: str, folder: str) -> Callable[[], object] | None:
    """Fork a command for each line of the input, and print how it ended; in the child, return the command."""
    import torch
    from tqdm import tqdm

    torch.set_num_threads(1)
    tqdm.monitor_interval = 0  # its thread would be missed in a child
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, _, name = warm_up.partition(":")
    getattr(import_module(module), name)(folder)
    gc.freeze()  # else the first collection of each child would copy all of this process's memory
    for line in sys.stdin:
        given = json.loads(line)
        life = Life(**{**given, "interruptions": [Interruption(**each) for each in given["interruptions"]]})
        operations = mmap.mmap(-1, 8)
        begun = time.monotonic()
        child = os.fork()
        if not child:
            return lambda: _begin(life, operations)
        status, hung = _accompany(child, life, begun)
        end = End(status, time.monotonic() - begun, int.from_bytes(operations[:8], "little"), hung)
        with suppress(BrokenPipeError):  # who asked has ended; so does the input
            print(json.dumps(asdict(end)), file=answers, flush=True)
    return None


def _accompany(child: int, life: Life, begun: float) -> tuple[int, bool]:
    """Send a child the signals whose time has come, until it ends; its exit status, and whether it hung."""
    due = sorted((each for each in life.interruptions if each.by_time), key=lambda each: each.moment)
    while True:
        found, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if found and os.WIFSTOPPED(status):
            time.sleep(_SUSPENDED_S)
            os.kill(child, signal.SIGCONT)
        elif found:
            return os.waitstatus_to_exitcode(status), False
        elapsed = time.monotonic() - begun
        if due and elapsed >= due[0].moment:
            os.kill(child, signal.Signals[f"SIG{due.pop(0).name}"])
        elif elapsed > life.limit_s:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGKILL, True
        time.sleep(_POLL_S)


def _begin(life: Life, operations: mmap.mmap) -> None:
    """Become the command of a life."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        signal.signal(number, handler)
    output = os.open(life.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = [life.module, *life.arguments]
    sys.modules.pop(f"{life.module}.__main__", None)
    _watch(life, operations)
    runpy.run_module(life.module, run_name="__main__", alter_sys=True)


def _watch(life: Life, operations: mmap.mmap) -> None:
    """Count what is done to the run's files, and send the signals that come at some of it."""
    due = {int(each.moment): each.name for each in life.interruptions if not each.by_time}
    main, own, count = threading.get_ident(), os.getpid(), 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event not in _COUNTED or not arguments or life.folder not in str(arguments[0]):
            return
        if threading.get_ident() == main and os.getpid() == own:
            count += 1
            operations[:8] = count.to_bytes(8, "little")
            if count in due:
                os.kill(own, signal.Signals[f"SIG{due[count]}"])

    sys.addaudithook(hook)


if __name__ == "__main__":
    become = _serve(*sys.argv[1:3])
    if become is not None:
        become()
