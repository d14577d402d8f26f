"""The twin that `experiments.fidelity` left next to a history: its verdict is of the settings it was fitted with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.config.files import choices_of
from experiments.config.quoting import as_typed
from experiments.reporting.cards import UNMEASURED, card_path
from experiments.runs.folder import FIDELITY, HISTORY, TWIN
from experiments.runs.naming import describe_twin
from slicing_gym.builtin_types import differences
from twin import DigitalTwin, transition_kinds

_MOST_DIGITS = 1e6
"""Below it a whole float is written with all its digits."""


@dataclass(frozen=True)
class EarlierTwin:
    """A twin with a verdict, fitted to the same history without the decisions that were held out.

    Args:
        path: of its file.
        twin: the twin.
    """

    path: Path
    twin: DigitalTwin

    @classmethod
    def next_to(cls, history: str) -> EarlierTwin | None:
        """That of a history's file or folder; None where there is none, or it cannot be read."""
        path = Path(history) / HISTORY if Path(history).is_dir() else Path(history)
        folder = path.parent
        if path.name != HISTORY or not path.is_file() or not (folder / FIDELITY).is_file():
            return None  # of another history in the folder there is no verdict
        try:
            return cls(folder / TWIN, DigitalTwin.load(folder / TWIN))
        except (OSError, ValueError):  # of another version, or a kind that is not imported: nothing to compare with
            return None

    def to_type(self, asked: DigitalTwin) -> list[str]:
        """What gives a twin the settings of the earlier one, each as it is typed; of a kind that `conf/twin` has."""
        theirs, ours = describe_twin(self.twin), describe_twin(asked)
        typed = []
        kind = theirs["transition"]["name"]
        if kind != ours["transition"]["name"]:
            typed.append(as_typed("twin", kind))
            ours["transition"] = {"name": kind, **asdict(transition_kinds()[kind]())}
        taken = _in_force(self.twin)
        if taken.items() <= ours["performance"].items() and self.twin.model.transition == self.twin.transition:
            theirs["performance"] |= taken  # whoever asks for what was taken before gets it
        return typed + [_typed(f"twin.{key}", own) for key, own, _ in differences(theirs, ours)]

    def before(self, asked: DigitalTwin) -> list[str]:
        """A warning where a twin with other settings is to be fitted: the verdict is not of it."""
        typed, kind = self.to_type(asked), self.twin.transition.name
        if not typed:
            return []
        if kind in choices_of("twin"):
            how = f"for the same ones type {' '.join(typed)}"
        else:
            how = f"its kind is {kind!r}, and such a twin is fitted in Python (twin.DigitalTwin)"
        return [f"warning: a twin is fitted with other settings than {self.path}, which the verdict is of; {how}"]

    def after(self, fitted: DigitalTwin) -> list[str]:
        """A warning where a fitted twin took another structure or another prior: the verdict is not of it.

        With `structure=auto` both are taken by the decisions of the fit.
        """
        theirs, ours = _in_force(self.twin), _in_force(fitted)
        if theirs == ours:
            return []
        asked = asdict(fitted.performance) | {"structure": None}
        typed = [_typed(f"twin.performance.{key}", own) for key, own in theirs.items() if own != asked[key]]
        return [
            f"warning: this twin's structure is {_shown(ours)}, that of {self.path}, which the verdict is of, "
            f"{_shown(theirs)}; {' '.join(typed)} fits such a one"
        ]

    def on_card(self, fitted: DigitalTwin) -> str:
        """Where the card of a twin says how far it can be trusted."""
        if self.to_type(fitted) or self.after(fitted):
            return UNMEASURED
        return (
            "This fit was not measured. One with the same settings, without the held-out decisions, was: "
            f"{card_path(self.path)}"
        )


def _in_force(twin: DigitalTwin) -> dict[str, Any]:
    """The settings of the performance that a fit takes, of those that were asked for or of others: see `structure`."""
    model = twin.model
    prior = {"prior_scale": model.performance.prior_scale} if model.structure == "joint" else {}
    return {"structure": model.structure, **prior}


def _shown(in_force: dict[str, Any]) -> str:
    """These in a message."""
    own = f" with prior_scale={in_force['prior_scale']:g}" if "prior_scale" in in_force else ""
    return f"{in_force['structure']}{own}"


def _typed(key: str, value: Any) -> str:
    """A setting as it is typed; a whole float without its point, as pages write it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _MOST_DIGITS:
        value = int(value)
    return as_typed(key, value) if isinstance(value, str) else f"{key}={json.dumps(value, separators=(',', ':'))}"
