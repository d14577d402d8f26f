"""The study of a search in Optuna: a journal in the study's folder that several processes may write at once."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from experiments.runs.stopping import stops_kept
from experiments.search.journal import Journal
from experiments.search.space import Space, suggest
from slicing_gym.extras import explained
from slicing_gym.reading import parsing

STUDY, JOURNAL = "study.json", "study.log"
"""What a study is of (one in the same folder goes on only if it is the same), and Optuna's journal."""
_LOCK, _NAME = "study.lock", "search"
_log = logging.getLogger(__name__)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""What the system says where nothing can be written."""

ERROR = "error"
"""A trial's attribute: the message with which its training failed; one that failed without was stopped."""


def optuna() -> Any:
    """The package.

    Raises:
        ModuleNotFoundError: it is not installed; the message says how to install it.
    """
    with explained():
        import optuna as package
    return package


def _storage(folder: Path) -> Any:
    package, path = optuna().storages.journal, folder / JOURNAL
    with parsing("folder", path, "is no journal of a study, or is damaged"):
        return package.JournalStorage(Journal(path, package))


def check_journal(folder: Path) -> None:
    """Refuse a folder whose journal, if there is one, cannot be read.

    Raises:
        ValueError: the message names the file.
    """
    if (folder / JOURNAL).is_file():
        _storage(folder)


def _counted(study: Any) -> list[Any]:
    """Trials of a study but for those that wait, and those that were stopped."""
    trials = study.get_trials(deepcopy=False)
    stopped = {each.number for each in trials if each.state.name == "FAIL" and ERROR not in each.user_attrs}
    return [each for each in trials if each.state.name != "WAITING" and each.number not in stopped]


def read_study(folder: Path) -> tuple[Any, list[Any]]:
    """Optuna's study of a folder, and its trials that count."""
    study = optuna().load_study(study_name=_NAME, storage=_storage(folder))
    return study, _counted(study)


class Study:
    """A study in a folder, which goes on where it was.

    The sampler's random stream is made for every trial from its number, so that a study that was stopped goes on
    as if nothing had been (with one process at a time; several see each other's trials as they come).

    Args:
        folder: of the study.
        space: what may change.
        seed: of the sampler.
        prune: whether trials may be ended early.
        warm_up: evaluations of a trial before it may be.
    """

    def __init__(self, folder: Path, space: Space, seed: int, prune: bool, warm_up: int) -> None:
        self._package, self._space, self._seed = optuna(), space, seed
        self._package.logging.set_verbosity(self._package.logging.WARNING)  # what it says of each trial is said here
        pruners = self._package.pruners
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / _LOCK)
        with self._lock:  # else two processes would create it
            self.study = self._package.create_study(
                storage=_storage(folder),
                study_name=_NAME,
                direction="maximize",
                load_if_exists=True,
                pruner=pruners.MedianPruner(n_warmup_steps=warm_up + 1) if prune else pruners.NopPruner(),
            )

    @property
    def trials(self) -> list[Any]:
        """Optuna's trials that count: not those that were stopped, which are drawn again, nor those that wait."""
        return _counted(self.study)

    @property
    def completed(self) -> list[Any]:
        """Trials with a value, the best first."""
        complete = self._package.trial.TrialState.COMPLETE
        return sorted((each for each in self.trials if each.state == complete), key=lambda each: -each.value)

    def begin(self, defaults: Mapping[str, Any] | None) -> None:
        """Before any trial: the defaults are tried first, and what was under way in a process that ended again.

        Args:
            defaults: as the study holds them; None: they are not in the space.
        """
        states = self._package.trial.TrialState
        if not self.study.get_trials(deepcopy=False):
            if defaults is not None:
                self.study.enqueue_trial(dict(defaults))
            return
        for each in self.study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._put_back(each)

    def _put_back(self, trial: Any) -> None:
        """Of a trial that was stopped nothing counts; its values are tried again."""
        params = dict(trial.params)
        self.study.tell(trial.number, state=self._package.trial.TrialState.FAIL)
        if params.keys() == self._space.keys():
            self.study.enqueue_trial(params)

    def run(self, number: int, objective: Callable[[dict[str, Any], Callable[[int, float], None]], float]) -> None:
        """Run trials until there are so many, those of other processes among them.

        Args:
            number: of trials in all.
            objective: what the values of a trial are worth; it is given a function to call after each of its
                evaluations with its number and value, which raises `optuna.TrialPruned`.
        """
        states = self._package.trial.TrialState
        while (found := self._next(number)) is not None:
            trial, values = found

            def evaluated(step: int, value: float, trial: Any = trial) -> None:
                trial.report(value, step)
                if trial.should_prune():
                    raise self._package.TrialPruned

            try:
                with stops_kept():
                    value = objective(values, evaluated)
                self.study.tell(trial, value)
                said = f"{value:.3f}"
            except self._package.TrialPruned:
                self.study.tell(trial, state=states.PRUNED)
                said = "pruned"
            except Exception as error:  # settings may be such that nothing can be learned; the next may be better
                if isinstance(error, OSError) and error.errno in _NO_ROOM:
                    raise  # that is not the trial's fault: it stays under way until the search goes on
                said = f"{type(error).__name__}: {error}"
                trial.set_user_attr(ERROR, said)
                self.study.tell(trial, state=states.FAIL)
            except KeyboardInterrupt:  # a signal; another worker may take it on, or this one when it is started again
                self._put_back(trial)
                raise
            _log.info("trial %d of %d: %s with %s", trial.number + 1, number, said, values)

    def _next(self, number: int) -> tuple[Any, dict[str, Any]] | None:
        """The next trial, its values drawn; None if there are enough."""
        with self._lock:
            drawn = len(self.trials)
            if drawn >= number:
                return None
            self.study.sampler = self._package.samplers.TPESampler(seed=(self._seed + 7919 * drawn) % 2**32)
            trial = self.study.ask()
            return trial, suggest(self._space, trial)
