"""Experiments: loops, studies and reports as a library, each topic with a thin command over it.

`from experiments.train import Settings, train` in Python, `python -m experiments.train` in a shell. No topic needs
Hydra but its command.
"""

import os
import signal
import sys
from types import FrameType


def _end_quietly(number: int, frame: FrameType | None) -> None:
    """Ctrl-C in a command that has not begun to handle signals itself."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":  # where exceptions get lost, or become others
            os._exit(128 + number)
        frame = frame.f_back
    raise SystemExit(128 + number)


# So it is while `-m` looks for what it runs; another program that imports this has its own ways.
_COMMAND = sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)].removeprefix("-m").split(".")[0] == __name__
_SCRIPT = os.path.basename("".join(sys.argv[:1])).removesuffix(".exe") == "slicing-gym"

if (_COMMAND or _SCRIPT) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end_quietly)  # before anything that takes long to import

import slicing_gym  # noqa: E402, F401  # explains what is missing
from slicing_gym.extras import check_command  # noqa: E402

if _COMMAND:
    check_command()


def main() -> None:
    """The console script `slicing-gym`: to import this package before others makes Ctrl-C a quiet end."""
    from slicing_gym.cli import main as run

    run()
