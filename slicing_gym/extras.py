"""What is missing is named with the extra that brings it, wherever a module of this project is imported without it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType, TracebackType

from slicing_gym._variables import check_numba_variables

EXTRAS = {
    **dict.fromkeys(("torch", "stable_baselines3", "hydra", "omegaconf", "tensorboard", "matplotlib"), "train"),
    **dict.fromkeys(("pandas", "scipy", "threadpoolctl", "tqdm", "rich", "yaml"), "train"),
    **dict.fromkeys(("sphinx", "myst_parser", "furo", "sphinx_copybutton"), "docs"),
    "pygame": "render",
    "moviepy": "render",
    "PIL": "render",  # of those that bring it the one with which pictures are drawn
    "sb3_contrib": "contrib",
    "duckdb": "logs",
    "optuna": "search",
    "filelock": "search",
    "submitit": "slurm",
    "ray": "ray",
    "sklearn": "compare",
    "onnxruntime": "deploy",
    "onnx": "export",
    "onnxscript": "export",
    "minari": "minari",
    "h5py": "minari",
}
"""By module, the extra of pyproject.toml that brings it."""

_PACKAGES = ("slicing_gym", "agents", "twin", "experiments")


@contextmanager
def explained() -> Iterator[None]:
    """Inside, a missing module is answered with the extra that brings it; in functions, which import late.

    Raises:
        ModuleNotFoundError: the message says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        top = (error.name or "").partition(".")[0]
        if top not in EXTRAS or "pip install" in str(error):
            raise
        raise ModuleNotFoundError(missing(top), name=error.name) from None


def missing(module: str) -> str:
    """What to do where a module of an extra is missing."""
    extra = EXTRAS[module]
    return f'{module} is missing, which the extra `{extra}` brings: pip install "slicing-gym[{extra}]"'


class _Loader(SourceFileLoader):
    """As Python's, but that a missing module is explained."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        with explained():
            super().exec_module(module)


class _Finder:
    """Finds this project's modules where Python does."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """What Python would find, with the loader above."""
        if name.partition(".")[0] not in _PACKAGES:
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is not None and type(found.loader) is SourceFileLoader:
            found.loader = _Loader(found.loader.name, found.loader.path)
        return found


def explain() -> None:
    """Explain what is missing from now on; calling it again changes nothing."""
    if not any(getattr(finder, "__qualname__", "") == _Finder.__qualname__ for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder)


def _say_missing(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends a program: in one line where an extra is missing, else as Python shows it."""
    if isinstance(error, ImportError) and "slicing-gym[" in str(error):
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
    else:
        sys.__excepthook__(kind, error, trace)


def check_command() -> None:
    """End with one line where a command begins without what all commands need, or it needs more itself.

    Raises:
        SystemExit: something is missing, or an environment variable is in the way.
    """
    sys.excepthook = _say_missing
    for module in ("torch", "stable_baselines3", "hydra", "omegaconf", "pandas", "matplotlib"):
        if sys.modules.get(module, "") is None or (module not in sys.modules and find_spec(module) is None):
            raise SystemExit(f"error: {missing(module)}")
    try:
        check_numba_variables()
    except ImportError as error:
        raise SystemExit(f"error: {error}") from None
