"""The expected error of predicted numbers, from a model of the loss (DLE).

How far off a prediction is likely to be is learnt from the inputs and the prediction, on rows whose outcomes are known;
the mean over new rows is what their error is expected to be (direct loss estimation, as in NannyML's DLE). Two things
make it unsure, and both depend on where the new rows lie. The loss of a row is not its expectation: how far it lies
around it is learnt as well, from rows that the model of their fold has not seen. And the model is learnt from finitely
many rows: what it says of the new ones with each fold left out gives the jackknife's variance (Efron and Stein 1981;
Shao and Wu 1989 for groups).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from ml_modeling.evaluation.estimate import Estimate
from ml_modeling.frames.examples import Floats
from monitoring.estimates.result import CalibrationError, LabelFree

FOLDS = 6
LEAST_ROWS = 200
SEED = 0

MAE, RMSE = "mae", "rmse"


@dataclass(frozen=True)
class _Loss:
    """``without`` are models of all folds but one each; ``spread`` is one of how far a loss lies from them, squared."""

    without: tuple[HistGradientBoostingRegressor, ...]
    spread: HistGradientBoostingRegressor

    @classmethod
    def fit(cls, inputs: Floats, losses: Floats, random: np.random.Generator) -> "_Loss":
        fold = random.permutation(len(losses)) % FOLDS
        models = tuple(_regressor().fit(inputs[fold != left], losses[fold != left]) for left in range(FOLDS))
        apart = np.empty(len(losses))
        for left, model in enumerate(models):
            apart[fold == left] = losses[fold == left] - model.predict(inputs[fold == left])
        return cls(models, _regressor().fit(inputs, apart**2))

    def estimate(self, inputs: Floats, confidence: float) -> tuple[float, float, float]:
        """The mean loss of the rows, and its interval."""
        means = np.array([model.predict(inputs).mean() for model in self.without])
        of_model = (FOLDS - 1) / FOLDS * float(np.square(means - means.mean()).sum())
        of_rows = max(float(self.spread.predict(inputs).mean()), 0.0) / len(inputs)
        reach = float(t.isf((1 - confidence) / 2, FOLDS - 1)) * math.sqrt(of_model + of_rows)
        return float(means.mean()), float(means.mean()) - reach, float(means.mean()) + reach


@dataclass(frozen=True)
class LossModel:
    """What the absolute and the squared error are expected to be."""

    absolute: _Loss
    squared: _Loss

    @classmethod
    def fit(cls, x: Floats, predictions: Floats, y: Floats, seed: int = SEED) -> "LossModel":
        """From rows that the model was not fitted on: ``x`` (n, features), predictions and outcomes (n,).

        Raises:
            CalibrationError: there are fewer than ``LEAST_ROWS``.
        """
        if len(y) < LEAST_ROWS:
            raise CalibrationError(f"{len(y)} rows with outcomes; {LEAST_ROWS} are the least to learn an error from")
        random = np.random.default_rng(seed)
        inputs = np.column_stack((x, predictions))
        error = np.abs(predictions - y)
        with threadpool_limits(1):
            return cls(_Loss.fit(inputs, error, random), _Loss.fit(inputs, error**2, random))

    def estimate(self, x: Floats, predictions: Floats, confidence: float = 0.95) -> LabelFree:
        """The mean absolute error and the root of the mean squared one, of these very rows."""
        inputs = np.column_stack((x, predictions))
        with threadpool_limits(1):
            absolute = self.absolute.estimate(inputs, confidence)
            squared = self.squared.estimate(inputs, confidence)
        return {MAE: _positive(absolute, float), RMSE: _positive(squared, math.sqrt)}


def _positive(bounds: tuple[float, float, float], of: Callable[[float], float]) -> Estimate:
    value, low, high = (of(max(bound, 0.0)) for bound in bounds)
    return Estimate(value=value, low=low, high=high)


def _regressor() -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=8, min_samples_leaf=40, random_state=SEED)
