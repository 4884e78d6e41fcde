"""A candidate whose groups lie closer: the same estimator, fitted on examples that count and mean something else.

The reduction of Agarwal et al. (2018, "A Reductions Approach to Fair Classification"): a constraint on groups becomes
costs of each example, and what is cheaper to be decided otherwise is given the other label. Their algorithm goes many
such steps and ends with a lottery between the models on the way; here is one step, as long as ``strength`` says, which
ends with one model that needs no sensitive value to answer. Which strength is long enough, the search finds out.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_modeling.frames.examples import Examples, Floats, Integers
from ml_modeling.specification import Fairness, Mitigation

if TYPE_CHECKING:
    from fairlearn.reductions import UtilityParity

STRENGTH = "strength"


def reweighted(
    examples: Examples, scores: Floats, threshold: float, strength: float, fairness: Fairness
) -> tuple[Integers, Floats]:
    """Labels (n,) and weights (n,), 1 in the mean, to fit anew with.

    ``scores`` are those of the estimator fitted as usual, of rows that it was not fitted on, decided at ``threshold``;
    a mistake costs what makes this threshold the best one.
    """
    from fairlearn.reductions import ErrorRate

    mitigation = fairness.mitigation
    if mitigation is None:
        raise TypeError("there is no mitigation")
    groups = examples.groups[mitigation.column]
    constraint, error = _constraint(mitigation), ErrorRate(costs={"fp": threshold, "fn": 1 - threshold})
    for moment in (constraint, error):
        moment.load_data(examples.x, examples.y, sensitive_features=groups)
    decided = (scores >= threshold).astype(np.int64)
    apart = _judged(constraint.gamma(lambda _: decided), groups, fairness.min_examples).clip(lower=0)
    direction = apart / apart.sum() if apart.sum() > 0 else apart
    signed = error.signed_weights() + constraint.signed_weights(direction * strength)
    weights = signed.abs().to_numpy(dtype=np.float64)
    return (signed > 0).to_numpy(dtype=np.int64), weights / weights.mean()


def _constraint(mitigation: Mitigation) -> "UtilityParity":
    from fairlearn import reductions

    kinds: Mapping[str, Callable[[], Any]] = {
        "demographic_parity": reductions.DemographicParity,
        "true_positive_rate_parity": reductions.TruePositiveRateParity,
        "false_positive_rate_parity": reductions.FalsePositiveRateParity,
        "equalized_odds": reductions.EqualizedOdds,
    }
    return kinds[mitigation.constraint]()


def _judged(apart: "pd.Series[float]", groups: np.ndarray, min_examples: int) -> "pd.Series[float]":
    """How far each group is from all, but for groups too small to be told from luck."""
    names, counts = np.unique(groups, return_counts=True)
    large = names[counts >= min_examples]
    return apart.where(apart.index.get_level_values("group_id").isin(large), 0.0)
