"""The one-line rule a model has to beat: a single feature, taken as the score."""

import numpy as np

from ml_modeling.frames.examples import Floats
from ml_modeling.specification import Baseline


def baseline_scores(x: Floats, features: tuple[str, ...], rule: Baseline) -> Floats:
    """The score of each row (n,): higher is more likely positive; a missing value is the least likely."""
    column = x[:, features.index(rule.feature)]
    scores = column if rule.high_means_positive else -column
    lowest = np.nanmin(scores, initial=0.0)
    return np.where(np.isnan(scores), lowest - 1.0, scores)


def describe(rule: Baseline) -> str:
    return f"the {'higher' if rule.high_means_positive else 'lower'} {rule.feature}, the more likely"
