"""Experiments: loops, studies and reports as a library, each topic with a thin command over it.

`from experiments.train import Settings, train` in Python, `python -m experiments.train` in a shell. No topic needs
Hydra but its command.
"""

import os
import signal
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from types import FrameType


def _end_quietly(number: int, frame: FrameType | None) -> None:
    """Ctrl-C in a command that has not begun to handle signals itself."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":  # where exceptions get lost, or become others
            os._exit(128 + number)
        frame = frame.f_back
    raise SystemExit(128 + number)


def check_origins(path: Sequence[str]) -> None:
    """End where a file or folder of the user's own, such as `conf/` in the current one, hides a package of ours.

    Args:
        path: where Python looks for modules, as `sys.path`.

    Raises:
        SystemExit: the message names what is in the way.
    """
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    for name in (__name__, "slicing_gym", "twin", "agents", "conf"):
        found = PathFinder.find_spec(name, path)
        if found is None:  # an editable installation finds it by other means
            continue
        place = next(iter(found.submodule_search_locations or ()), found.origin or "")
        if os.path.dirname(os.path.realpath(place)) != home:
            raise SystemExit(
                f"error: {place} hides the package {name} of slicing-gym; type the command in another folder, or with "
                "PYTHONSAFEPATH=1 before it (Python 3.11 or later)"
            )


# So it is while `-m` looks for what it runs; another program that imports this has its own ways.
_MODULE = sys.orig_argv[-len(sys.argv)].removeprefix("-m") if sys.argv[:1] == ["-m"] else ""
_COMMAND = _MODULE.split(".")[0] == __name__
_SCRIPT = os.path.basename("".join(sys.argv[:1])).removesuffix(".exe") == "slicing-gym"

if (_COMMAND or _SCRIPT) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end_quietly)  # before anything that takes long to import

if _COMMAND:
    check_origins(sys.path)

import slicing_gym  # noqa: E402, F401  # explains what is missing
from slicing_gym.extras import check_command  # noqa: E402

if _COMMAND and __name__ != _MODULE:  # without a topic it lists them, which needs no extra
    check_command()


def main() -> None:
    """The console script `slicing-gym`: to import this package before others makes Ctrl-C a quiet end."""
    from slicing_gym.cli import main as run

    if "".join(sys.argv[1:2]).strip("-") not in ("", "h", "help", "version"):  # what follows is `python -m`
        check_origins(sys.path if getattr(sys.flags, "safe_path", False) else ["", *sys.path])
    run()
