"""Scores that say how likely the positive label is: three parameters, and how sure these are.

Source: Kull, Silva Filho and Flach, "Beta calibration", 2017: logit(p) = a log(s) - b log(1 - s) + c. An isotonic curve
follows the noise of small samples, which makes a model look better than it is. All bootstraps are fitted at once, by
Newton's method on weights that say how often a row was drawn.
"""

import numpy as np

from ml_modeling.frames.examples import Floats, Integers

CELLS = 4_000_000  # weights held at once: 32 MB
STEPS = 30
LONGEST_STEP = 2.0
PENALTY = 0.01
_EDGE = 1e-6


def features(scores: Floats) -> Floats:
    """log(s), -log(1 - s) and 1 of each score: shape (n, 3)."""
    within = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.column_stack((np.log(within), -np.log1p(-within), np.ones(len(scores))))


def probabilities(coefficients: Floats, scores: Floats) -> Floats:
    """Of the positive label, by coefficients (3,): shape (n,)."""
    return np.asarray(1 / (1 + np.exp(-features(scores) @ coefficients)))


def bootstrapped(scores: Floats, y: Integers, draws: int, random: np.random.Generator) -> Floats:
    """The coefficients of as many resamples of the rows: shape (draws, 3)."""
    x, rows = features(scores), len(y)
    block = max(1, CELLS // rows)
    fitted = []
    for start in range(0, draws, block):
        count = min(block, draws - start)
        drawn = random.integers(0, rows, size=(count, rows)) + np.arange(count)[:, None] * rows
        times = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)
        fitted.append(fit(x, y, times.astype(np.float64)))
    return np.concatenate(fitted)


def fit(x: Floats, y: Integers, weights: Floats) -> Floats:
    """Logistic regressions of y on x (n, 3), one for each row of ``weights`` (draws, n): shape (draws, 3).

    A weak penalty keeps the coefficients of separated labels finite.
    """
    coefficients = np.tile([1.0, 1.0, 0.0], (len(weights), 1))
    products = (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-coefficients @ x.T))
        gradient = (weights * (y - p)) @ x - PENALTY * coefficients
        curvature = ((weights * p * (1 - p)) @ products).reshape(-1, 3, 3) + PENALTY * np.eye(3)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        coefficients += step * np.minimum(1.0, LONGEST_STEP / np.maximum(length, 1e-12))
        if length.max() < 1e-6:
            break
    return coefficients
