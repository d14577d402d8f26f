"""How far a twin can be trusted: predictions of held-out runs against persistence, climatology and the noise floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from slicing_gym.errors import check_integer
from slicing_gym.reward import utility
from twin.data.history import History
from twin.fidelity.rollout import Rollout
from twin.fidelity.scores import FloatArray, crps, density_nll
from twin.models.mixture import Mixture, mean_of_mixtures
from twin.runtime.cells import TwinCells
from twin.runtime.encoding import encode, from_scale, one_hot, standardised, target_bounds, to_scale
from twin.runtime.model import InitialWindows, Prediction, TwinModel

BoolArray = npt.NDArray[np.bool_]

SAMPLES = 100
"""Samples that stand for a distribution where scores need samples."""


@dataclass(frozen=True)
class NoiseFloor:
    """The same network with resampled noise: L copies under the decisions of a held-out history.

    No prediction from what can be seen can be much better than they are.

    Args:
        measured: what each interval brought to each (n, L, V), in the order of the history's rows.
    """

    measured: FloatArray


@dataclass(frozen=True)
class Scores:
    """Scores of several predictors for one variable, one value per decision (n,).

    Args:
        variable: its name.
        error: squared error of the expected value, on the scale that the variable is modelled on.
        nll: negative log likelihood.
        crps: in the variable's unit.
        inside: 1 where the value lies in the central 90 % of what was predicted, else 0; only the twin's.
    """

    variable: str
    error: Mapping[str, FloatArray]
    nll: Mapping[str, FloatArray] = field(default_factory=dict)
    crps: Mapping[str, FloatArray] = field(default_factory=dict)
    inside: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True)
class OneStepEvaluation:
    """A twin on a held-out history.

    Args:
        scores: by variable, arrivals first.
        utility: what it was (n,); None where there is no utility.
        expected_utility: each predictor's estimate for each decision (n,): the twin, persistence, climatology, and the
            mean of the noise floor's copies.
        run: run of each decision (n,).
    """

    scores: Sequence[Scores]
    run: npt.NDArray[np.int64]
    utility: FloatArray | None
    expected_utility: Mapping[str, FloatArray]


class Evaluator:
    """Evaluates a twin on held-out runs.

    The references: *climatology* predicts the distribution over the history whatever happens (its mean, where one
    number is asked for); *persistence* the last value, plus the steps from interval to interval that the history
    shows; the *noise floor* is what copies of the network with resampled noise do.

    Args:
        model: the twin's.
        history: what it was fitted to; references are taken from it.
        held_out: runs that it was not fitted to.
        noise_floor: of the held-out runs, if the network can be run again.
        seed: of the samples.

    Raises:
        ValueError: the held-out history is of another network, or the noise floor of another size.
    """

    def __init__(
        self,
        model: TwinModel,
        history: History,
        held_out: History,
        noise_floor: NoiseFloor | None = None,
        seed: int = 0,
    ) -> None:
        model.layout.check_same("held_out", held_out.layout)
        model.layout.check_same("history", history.layout)
        self.model, self.held_out, self.noise_floor = model, held_out, noise_floor
        self.seed = check_integer("seed", seed, at_least=0)
        self.encoded = encode(model.layout, model.scaler, held_out)
        shape = self.encoded.measured.shape
        if noise_floor is not None and noise_floor.measured.shape[::2] != shape:
            raise ValueError(f"noise_floor: shape {noise_floor.measured.shape} given for {shape} values")
        self._known: BoolArray = np.isfinite(self.encoded.before)  # (n, V): persistence needs a last value
        past = encode(model.layout, model.scaler, history)
        self._past = past.measured
        scaler = model.scaler
        steps = to_scale(scaler, past.measured) - to_scale(scaler, past.before)
        self._steps = steps[~np.isnan(steps).any(axis=1)]
        if len(self._steps) == 0:
            raise ValueError("history: no two decisions of it follow one another; there is nothing to evaluate by")
        self.generator = np.random.default_rng(seed)

    def samples(self, prediction: Prediction, number: int = SAMPLES) -> FloatArray:
        """Draws (n, number, V) from one-step predictions."""
        return np.stack([self.model.draw(prediction, self.generator) for _ in range(number)], axis=1)

    def _references(self) -> dict[str, FloatArray]:
        """Samples (n, L, V) of climatology, persistence and noise floor, in the variables' units."""
        n, scaler = len(self.held_out), self.model.scaler
        picked = self.generator.integers(len(self._past), size=(n, SAMPLES))
        stepped = self.generator.integers(len(self._steps), size=(n, SAMPLES))
        last = to_scale(scaler, np.where(self._known, self.encoded.before, self._past.mean(axis=0)))
        moved = from_scale(scaler, last[:, None, :] + self._steps[stepped])
        moved = np.where(scaler.whole == 1, np.round(moved), moved)
        found = {"persistence": np.clip(moved, scaler.lower, scaler.upper), "climatology": self._past[picked]}
        return found | ({"noise_floor": self.noise_floor.measured} if self.noise_floor else {})

    def one_step(self) -> OneStepEvaluation:
        """Score the predictions of every held-out decision, each made from all that went before in its run."""
        model, scaler = self.model, self.model.scaler
        prediction = model.predict(self.encoded)
        truth = self.encoded.measured
        below, above = target_bounds(scaler, truth)
        sampled = {"twin": self.samples(prediction), **self._references()}
        points = self._points(prediction)
        nll, inside = self._likelihoods(prediction, below, above)
        scaled = to_scale(scaler, truth)
        scores = []
        for v, (name, _) in enumerate(model.layout.variables):
            densities = {
                who: density_nll(self._standard(values, v), below[:, v], above[:, v])
                for who, values in sampled.items()
                if who != "twin"
            }
            scores.append(
                Scores(
                    variable=name,
                    error={who: (values[:, v] - scaled[:, v]) ** 2 for who, values in points.items()},
                    nll={"twin": nll[:, v], **densities},
                    crps={who: crps(values[:, :, v], truth[:, v]) for who, values in sampled.items()},
                    inside={"twin": inside[:, v]},
                )
            )
        return self._with_utility(scores, prediction)

    def _standard(self, samples: FloatArray, v: int) -> FloatArray:
        """Samples (n, L) of variable v in standard deviations of the history."""
        scaler = self.model.scaler
        standard: FloatArray = standardised(scaler, samples)[..., v]
        return standard

    def _points(self, prediction: Prediction) -> dict[str, FloatArray]:
        """Expected values (n, V) by predictor, on the scales that the variables are modelled on."""
        model, scaler, slices = self.model, self.model.scaler, self.model.scenario.num_slices
        mixture = Mixture.of(torch.from_numpy(prediction.transition).double(), model.transition.components)
        low, high = torch.from_numpy(scaler.low[:slices]), torch.from_numpy(scaler.high[:slices])
        arrivals = mixture.mean(low, high).mean(dim=1).numpy() * scaler.spread[:slices] + scaler.center[:slices]
        climatology = to_scale(scaler, self._past).mean(axis=0)
        last = np.where(self._known, to_scale(scaler, np.nan_to_num(self.encoded.before)), climatology)
        points = {
            "twin": np.concatenate([arrivals, prediction.expected.mean(axis=1)], axis=1),
            "persistence": last,
            "climatology": np.repeat(climatology[None], len(last), axis=0),
        }
        if self.noise_floor:
            points["noise_floor"] = to_scale(scaler, self.noise_floor.measured).mean(axis=1)
        return points

    def _likelihoods(
        self, prediction: Prediction, below: FloatArray, above: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The twin's negative log likelihoods, and whether values lie in the central 90 %, (n, V) each.

        Where values are coarse, the place of a value in its distribution is drawn evenly within its bin.
        """
        model, slices = self.model, self.model.scenario.num_slices
        low, high = torch.from_numpy(below), torch.from_numpy(above)
        first = Mixture.of(torch.from_numpy(prediction.transition).double(), model.transition.components)
        second = Mixture.of(torch.from_numpy(prediction.performance).double(), model.performance_stepper.components)
        l_f, h_f = low[:, None, :slices], high[:, None, :slices]
        l_p, h_p = low[:, None, slices:], high[:, None, slices:]
        log_probability = [
            mean_of_mixtures(first.marginal_log_likelihood(l_f, h_f), dim=1),
            mean_of_mixtures(second.marginal_log_likelihood(l_p, h_p), dim=1),
        ]
        under = torch.cat([first.cdf(l_f).mean(dim=1), second.cdf(l_p).mean(dim=1)], dim=-1).numpy()
        probability = torch.cat(log_probability, dim=-1)
        place = under + self.generator.random(under.shape) * probability.exp().numpy()
        return -probability.numpy(), ((place > 0.05) & (place < 0.95)).astype(np.float64)

    def _with_utility(self, scores: list[Scores], prediction: Prediction) -> OneStepEvaluation:
        model, held_out = self.model, self.held_out
        if not model.has_reward:
            return OneStepEvaluation(scores, held_out.run, None, {})
        true = utility(model.scenario, held_out.spectral_efficiency, held_out.ssr)
        mean = float(self._utility_of(self._past).mean())
        expected = {
            "twin": model.expected_utility(prediction.expected).mean(axis=1),
            "persistence": np.nan_to_num(self._utility_of(self.encoded.before), nan=mean),
            "climatology": np.full(len(true), mean),
        }
        if self.noise_floor:
            measured = self.noise_floor.measured
            each = self._utility_of(measured.reshape(-1, measured.shape[2]))
            expected["noise_floor"] = each.reshape(measured.shape[:2]).mean(axis=1)
        return OneStepEvaluation(scores, held_out.run, true, expected)

    def _utility_of(self, measured: FloatArray) -> FloatArray:
        """Utilities (n,) of measured variables (n, V), nan where they are not known."""
        parts = self.model.split(measured)
        return utility(self.model.scenario, parts["spectral_efficiency"], parts["ssr"])

    def roll_out(self, horizon: int, copies: int = 32, window: int = 16, spacing: int = 20) -> Rollout:
        """Let the twin run freely under the decisions of the held-out runs.

        Args:
            horizon: intervals, at most what the runs allow.
            copies: cells that start from each starting point.
            window: intervals that a cell sees before it runs freely.
            spacing: intervals between starting points.

        Raises:
            ValueError: no run is that long.
        """
        windows, ends = self._windows_before(horizon, window, spacing)
        model, held_out = self.model, self.held_out
        number = len(ends)
        cells = TwinCells(model, range(self.seed, self.seed + number * copies))
        cells.begin_at(InitialWindows(*(np.repeat(part, copies, axis=0) for part in vars(windows).values())))
        controls = one_hot(model.layout, held_out.controls, len(held_out))
        free = np.zeros((horizon, number, copies, model.layout.num_variables))
        for step in range(horizon):
            rows = np.repeat(ends + 1 + step, copies)
            cells.advance(held_out.allocation[rows], controls=controls[rows])
            free[step] = cells.measured.reshape(number, copies, -1)
        rows = ends + 1 + np.arange(horizon)[:, None]
        return Rollout(
            twin=free,
            truth=self.encoded.measured[rows],
            last=self.encoded.measured[ends],
            noise_floor=self.noise_floor.measured[rows] if self.noise_floor else None,
            past=self._past,
        )

    def cells_at(self, row: int, number: int, threads: int = 1) -> TwinCells:
        """Cells (number) that have seen the held-out run until its decision `row`, that one included."""
        (block,) = [each for each in self.encoded.sequences if each.start <= row < each.stop]
        rows = np.arange(max(block.start, row - 63), row + 1)
        window = InitialWindows(
            self.encoded.features[rows][None], self.encoded.measured[row][None], self.held_out.allocation[row][None]
        )
        cells = TwinCells(self.model, range(self.seed, self.seed + number), threads)
        cells.begin_at(InitialWindows(*(np.repeat(part, number, axis=0) for part in vars(window).values())))
        return cells

    def _windows_before(self, horizon: int, window: int, spacing: int) -> tuple[InitialWindows, npt.NDArray[np.int64]]:
        """Windows after which `horizon` intervals are left in their run, and the rows at which they end."""
        ends = np.concatenate(
            [
                np.arange(block.start + window - 1, block.stop - horizon, spacing)
                for block in self.encoded.sequences
                if block.stop - block.start >= window + horizon
            ]
            or [np.zeros(0, np.int64)]
        )
        if len(ends) == 0:
            raise ValueError(f"horizon: {horizon} given, no held-out run has {window} + {horizon} intervals")
        rows = ends[:, None] + np.arange(1 - window, 1)
        encoded = self.encoded
        return InitialWindows(encoded.features[rows], encoded.measured[ends], self.held_out.allocation[ends]), ends
