"""Checks that the examples do not hold their own answer: training stops when one fails."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from ml_modeling.frames.cutoffs import CutoffSplit
from ml_modeling.frames.examples import MATURED, TIME, Examples, Floats, Integers, TrainingFrame
from ml_modeling.frames.splits import Part, Split
from ml_modeling.specification import Leakage, NumberLeakage
from tidemill.config.errors import TerminalError


class LeakageError(TerminalError):
    """Training data that knows what it should predict; the message names the cutoff or the feature."""


def check_windows(split: CutoffSplit, horizon: timedelta, end: date) -> None:
    """Label windows of one part end before the next part begins, and those of the test before ``end``.

    Raises:
        LeakageError: a label window overlaps the next part, or reaches past the data.
    """
    _ends_before("train", split.train, horizon, split.validation[0], "first validation cutoff")
    _ends_before("validation", split.validation, horizon, split.test[0], "first test cutoff")
    _ends_before("final fit", split.before_test, horizon, split.test[0], "first test cutoff")
    _ends_before("test", split.test, horizon, end, "end of the data")


def _ends_before(part: str, cutoffs: tuple[date, ...], horizon: timedelta, limit: date, what: str) -> None:
    last = max(cutoffs)
    if last + horizon > limit:
        raise LeakageError(
            f"the label window of {part} cutoff {last} reaches to {last + horizon}, past the {what} {limit}: "
            f"leave a gap of the horizon ({horizon.days} days)"
        )


def check_maturity(frame: TrainingFrame, split: Split) -> None:
    """No row is used in a part whose label was not known before the next part, or before the row was asked about.

    Raises:
        LeakageError: one is.
    """
    for part in Part:
        rows = frame.rows_of(split, part)
        early = rows[rows[MATURED] <= rows[TIME]]
        late = rows[rows[MATURED] > pd.Timestamp(split.known_by(part))]
        if len(early) or len(late):
            row = (early if len(early) else late).iloc[0]
            limit = "it is asked about" if len(early) else f"the next part begins ({split.known_by(part)})"
            raise LeakageError(
                f"{len(early) + len(late)} rows of the {part} part, such as that of {row[TIME]}: the label is known at "
                f"{row[MATURED]}, {'not after' if len(early) else 'after'} {limit}"
            )


def check_features(examples: Examples, features: tuple[str, ...], rule: Leakage) -> None:
    """No single feature gives the label away.

    Two signs of a value from after the cutoff: the feature alone ranks the labels almost perfectly, or a large share
    of the rows at one end of it (ties whole) all have the same label, as "bought in the next week" would. Each is
    tried with missing values at either end.

    Raises:
        LeakageError: a feature shows one of the signs.
    """
    for name, column in zip(features, examples.x.T, strict=True):
        for filled in _fillings(column):
            auc = single_feature_auc(filled, examples.y)
            if auc > rule.max_single_feature_auc:
                raise LeakageError(
                    f"feature {name} alone separates the labels (ROC AUC {auc:.3f}, allowed "
                    f"{rule.max_single_feature_auc}): does it know what happens after the cutoff?"
                )
            share = max(_pure_share(filled, examples.y), _pure_share(-filled, examples.y))
            if share > rule.max_pure_share:
                raise LeakageError(
                    f"feature {name} decides the label of {share:.1%} of the rows by itself (allowed "
                    f"{rule.max_pure_share:.1%}): does it know what happens after the cutoff?"
                )


def check_rank_correlation(examples: Examples, features: tuple[str, ...], rule: NumberLeakage) -> None:
    """No single feature ranks the numbers that are to be predicted as they are (Spearman's rank correlation).

    Raises:
        LeakageError: one does, with missing values at either end.
    """
    y = pd.Series(examples.y)
    for name, column in zip(features, examples.x.T, strict=True):
        for filled in _fillings(column):
            if len(np.unique(filled)) < 2:
                continue
            found = abs(float(pd.Series(filled).corr(y, method="spearman")))
            if found > rule.max_rank_correlation:
                raise LeakageError(
                    f"feature {name} alone ranks the labels (rank correlation {found:.3f}, allowed "
                    f"{rule.max_rank_correlation}): does it know what happens after the cutoff?"
                )


def _fillings(column: Floats) -> list[Floats]:
    missing = np.isnan(column)
    if not missing.any():
        return [column]
    low, high = np.nanmin(column) - 1, np.nanmax(column) + 1
    return [np.where(missing, low, column), np.where(missing, high, column)]


def single_feature_auc(values: Floats, y: Integers) -> float:
    """ROC AUC of ``values`` as a score, in whichever direction is better (Mann-Whitney U with mid-ranks)."""
    positives, n = int(y.sum()), len(y)
    if positives in (0, n):
        return 0.5
    u = pd.Series(values).rank().to_numpy()[y == 1].sum() - positives * (positives + 1) / 2
    auc = float(u / (positives * (n - positives)))
    return max(auc, 1 - auc)


def _pure_share(values: Floats, y: Integers) -> float:
    """The share of rows in the longest run of whole ties, from the low end, that have one label."""
    order = np.argsort(values, kind="stable")
    ordered, labels = values[order], y[order]
    changes = np.flatnonzero(labels != labels[0])
    if not len(changes):
        return 0.0  # one label only: nothing to give away
    return float(np.searchsorted(ordered, ordered[changes[0]], side="left") / len(y))
