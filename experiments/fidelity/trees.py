"""Gradient-boosted trees on the inputs of a twin: a strong predictor to compare it with."""

from __future__ import annotations

from experiments.fidelity.measures import FloatArray
from twin import History
from twin.runtime.encoding import encode, to_scale
from twin.runtime.model import TwinModel


def tree_errors(model: TwinModel, history: History, held_out: History) -> list[FloatArray] | None:
    """Squared errors (n,) of a tree for each variable, on its scale; None if scikit-learn is not installed.

    One `HistGradientBoostingRegressor` a variable, of 200 iterations at rate 0.05, fitted to all of the history.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor
    except ImportError:
        return None
    past, present = (encode(model.layout, model.scaler, each) for each in (history, held_out))
    targets, truth = (to_scale(model.scaler, each.measured) for each in (past, present))
    errors = []
    for v in range(targets.shape[1]):
        tree = HistGradientBoostingRegressor(max_iter=200, learning_rate=0.05, random_state=0)
        tree.fit(past.features, targets[:, v])
        errors.append((tree.predict(present.features) - truth[:, v]) ** 2)
    return errors
