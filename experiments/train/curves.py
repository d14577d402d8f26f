"""What a run shows in TensorBoard in addition to what its agents record: layout, evaluation, settings and figures."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import HParam, Logger, TensorBoardOutputFormat

from experiments.evaluate.rollout import Evaluation
from experiments.runs.lifecycle import CURVES
from slicing_gym import Scenario
from slicing_gym.files import named

_SETTINGS = ("decisions", "reward", "seed", "agent", "algorithm", "twin")
"""Keys of a run's configuration that are hyperparameters, with all that is below; of the scenario its name."""
_NOT_SETTINGS = ("shapes",)


def curves_into(folder: Path) -> Logger:
    """A logger whose curves go to a folder, whose name is what TensorBoard calls them.

    Raises:
        OSError: they cannot be written, now or later; the message names the file.
    """
    return Logger(str(folder), [_Curves(folder)])


class _Curves(TensorBoardOutputFormat):
    """TensorBoard's file, which is named where it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        _keep_threads_quiet()
        folder.mkdir(parents=True, exist_ok=True)
        with self._named():
            super().__init__(str(folder))

    def arrange(self, charts: Mapping[str, Any]) -> None:
        """See `write_layout`."""
        with self._named():
            self.writer.add_custom_scalars(charts)

    def write(self, *arguments: Any, **more: Any) -> None:
        with self._named():
            super().write(*arguments, **more)

    def close(self) -> None:
        with self._named():
            super().close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            files = sorted(self._folder.glob(f"{CURVES}*"), key=lambda path: path.stat().st_mtime)
            with named(files[-1] if files else self._folder / f"{CURVES}*"):
                raise error


@cache
def _keep_threads_quiet() -> None:
    """Let TensorBoard's threads print no error of the system: whoever writes next meets it, too."""
    show = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if not (isinstance(args.exc_value, OSError) and type(args.thread).__module__.startswith("tensorboard.")):
            show(args)

    threading.excepthook = hook


def write_layout(logger: Logger) -> None:
    """Arrange the curves of Agent 1 in TensorBoard's CUSTOM SCALARS: all slices in one chart, what belongs to it."""
    charts = {
        "cell": {
            "SSR by slice": ["Multiline", ["^ssr/"]],
            "utility U": ["Multiline", ["^utility$", "^eval/utility$"]],
            "spectral efficiency [bit/s/Hz]": ["Multiline", ["^spectral_efficiency$"]],
            "share at c_max": ["Multiline", ["^reward_at_c_max$"]],
            "threshold c": ["Multiline", ["^threshold$"]],
        },
        "learning": {
            "reward of an episode": ["Multiline", ["^rollout/ep_rew_mean$"]],
            "loss": ["Multiline", ["^train/loss$"]],
            "exploration rate": ["Multiline", ["^rollout/exploration_rate$"]],
        },
    }
    for each in logger.output_formats:
        if isinstance(each, _Curves):
            each.arrange(charts)


def write_end(
    logger: Logger,
    scenario: Scenario,
    evaluation: Evaluation | None,
    configuration: Mapping[str, Any],
    figures: Mapping[str, Any],
    step: int,
) -> None:
    """Write what a run ended with: `eval/...`, and its settings with these and other figures as HPARAMS; then close.

    Args:
        logger: of Agent 1.
        scenario: of the run.
        evaluation: on unseen cells; None: there was none.
        configuration: of the run, as builtin types.
        figures: others by name, for instance the regret; those that are no numbers are left out.
        step: decisions, or epochs of offline learning.
    """
    metrics = {} if evaluation is None else _evaluated(evaluation, scenario)
    metrics |= {f"eval/{key}": float(value) for key, value in figures.items() if isinstance(value, int | float)}
    own = {key: configuration[key] for key in _SETTINGS if key in configuration}
    settings = {"scenario": scenario.name, **_flat(own)}
    if metrics:
        written = {**metrics, "hparams": HParam(settings, metrics)}
        for each in logger.output_formats:  # without what was recorded since the last point of the curves
            each.write(written, dict.fromkeys(written, ()), step)
    logger.close()


def _evaluated(evaluation: Evaluation, scenario: Scenario) -> dict[str, float]:
    """Means over unseen cells."""
    found = {
        "utility": evaluation.utility.mean(),
        "reward_at_c_max": evaluation.reward.mean(),
        "spectral_efficiency": evaluation.spectral_efficiency.mean(),
    }
    found |= {f"ssr_{name}": evaluation.ssr[:, n].mean() for n, name in enumerate(scenario.slice_names)}
    return {f"eval/{key}": float(value) for key, value in found.items()}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    """Nested settings by dotted key; what TensorBoard takes no values of are texts."""
    found: dict[str, bool | int | float | str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.") if key not in _NOT_SETTINGS else {}
        else:
            found[f"{prefix}{key}"] = value if isinstance(value, bool | int | float | str) else str(value)
    return found
