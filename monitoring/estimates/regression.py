"""The expected error of predicted numbers, from a model of the loss (DLE).

How far off a prediction is likely to be is learnt from the inputs and the prediction, on rows whose outcomes are known;
the mean over new rows is what their error is expected to be (direct loss estimation, as in NannyML's DLE). How far the
loss itself lies from its model is measured on rows that the model of the fold has not seen, and gives the interval.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from ml_modeling.evaluation.estimate import Estimate
from ml_modeling.frames.examples import Floats
from monitoring.estimates.result import CalibrationError, LabelFree

FOLDS = 5
LEAST_ROWS = 200
SEED = 0

MAE, RMSE = "mae", "rmse"


@dataclass(frozen=True)
class _Loss:
    """A model of one loss; ``variance`` is of the loss around what models expect of rows they have not seen."""

    model: HistGradientBoostingRegressor
    variance: float
    rows: int

    @classmethod
    def fit(cls, inputs: Floats, losses: Floats, random: np.random.Generator) -> "_Loss":
        fold = random.permutation(len(losses)) % FOLDS
        apart = np.empty(len(losses))
        for held_out in range(FOLDS):
            unseen = fold == held_out
            apart[unseen] = losses[unseen] - _regressor().fit(inputs[~unseen], losses[~unseen]).predict(inputs[unseen])
        return cls(_regressor().fit(inputs, losses), float(np.square(apart).mean()), len(losses))

    def estimate(self, inputs: Floats, confidence: float) -> tuple[float, float, float]:
        value = float(self.model.predict(inputs).mean())
        reach = float(norm.isf((1 - confidence) / 2)) * math.sqrt(self.variance * (1 / len(inputs) + 1 / self.rows))
        return value, value - reach, value + reach


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
