"""Do columns that look right one by one still belong together? A classifier is asked which side a row is from.

If nothing has changed nobody can tell, and the ROC AUC on rows that it has not seen is a half. Source: Friedman, "On
multivariate goodness-of-fit and two-sample testing", 2004; Lopez-Paz and Oquab, "Revisiting classifier two-sample
tests", 2017.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import norm, rankdata
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits

from monitoring.drift.limits import EffectLimits, shift_of_auc
from monitoring.drift.verdict import Aspect, Finding, Statistic
from monitoring.profiles.definition import Kind, TableDefinition
from monitoring.profiles.moments import Floats
from monitoring.profiles.row_sample import UNIT, RowSample

Integers = npt.NDArray[np.int64]
LEAST_ROWS = 200
SEED = 0


@dataclass(frozen=True)
class Separation:
    """How well the sides are told apart: the AUC with its interval of 95 %, and the p-value that it is a half."""

    auc: float
    low: float
    high: float
    p_value: float


def together(
    definition: TableDefinition, reference: RowSample, current: RowSample, limits: EffectLimits, alpha: float
) -> Finding:
    """Whether rows of the two samples can be told apart.

    It matters from the AUC on that the best classifier has for a column that moved by the limit.
    """
    units = _units(current)
    rows = min(reference.rows.num_rows, round(effective(units)))
    if rows < LEAST_ROWS:
        return Finding(None, Aspect.TOGETHER, unknown=f"{rows} rows sampled; {LEAST_ROWS} tell something")
    separation = separate(_frame(definition, reference), _frame(definition, current), units)
    by_chance = 0.5 + float(norm.isf(alpha)) * math.sqrt(_chance_variance(rows // 2, rows // 2))
    statistic = Statistic(
        "domain_classifier_auc", separation.auc, max(limits.auc, by_chance), shift_of_auc(separation.auc)
    )
    return Finding(None, Aspect.TOGETHER, (statistic,), separation.p_value)


def separate(reference: pd.DataFrame, current: pd.DataFrame, units: Integers | None = None) -> Separation:
    """Two halves, each judged by a classifier that learnt from the other (cross-fitting).

    Rows of ``current`` with the same number in ``units`` (n,) are about the same one, whom a classifier that has seen
    one of them would know again: so they are in one half, and count as :func:`effective` says.

    Given the classifier, the scores of a half are exchangeable when nothing has changed, so that each AUC is a
    Mann-Whitney statistic (1947) with its known variance; the p-value is twice the lesser of the two, which holds
    whatever the halves have to do with each other. The interval is DeLong's (1988).
    """
    rows = pd.concat([reference, current], ignore_index=True)
    side = np.repeat([0, 1], [len(reference), len(current)])
    random = np.random.default_rng(SEED)
    units = np.arange(len(current)) if units is None else units
    half = np.concatenate([random.permutation(len(reference)) % 2, (random.permutation(units.max() + 1) % 2)[units]])
    aucs, variances, p_values = [], [], []
    for judged in (0, 1):
        # On so few rows threads wait for each other longer than one takes.
        with threadpool_limits(1):
            classifier = _classifier(rows).fit(rows[half != judged], side[half != judged])
            scores = classifier.predict_proba(rows[half == judged])[:, 1]
        is_current = side[half == judged] == 1
        auc, variance = auc_with_variance(scores[is_current], scores[~is_current])
        counted = effective(units[half[len(reference) :] == judged])
        chance = _chance_variance(counted, int((~is_current).sum()))
        aucs.append(auc)
        variances.append(variance * float(is_current.sum()) / counted)
        p_values.append(float(norm.sf((auc - 0.5) / math.sqrt(chance))))
    auc = float(np.mean(aucs))
    reach = float(norm.isf(0.025)) * math.sqrt(sum(variances)) / 2
    return Separation(auc, max(0.0, auc - reach), min(1.0, auc + reach), min(1.0, 2 * min(p_values)))


def effective(units: Integers) -> float:
    """As many independent rows tell at least as much: Kish (1965), for rows of one unit that are all alike."""
    sizes = np.bincount(units).astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(units) else 0.0


def _units(sample: RowSample) -> Integers:
    """Whom each row is about, numbered from 0; each row by itself where the sample does not say."""
    if UNIT not in sample.names:
        return np.arange(sample.rows.num_rows)
    units: Integers = sample.rows[UNIT].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return units


def auc_with_variance(positive: Floats, negative: Floats) -> tuple[float, float]:
    """The ROC AUC of scores, ties counting half, and its variance.

    Source: DeLong, DeLong and Clarke-Pearson 1988, by midranks (Sun and Xu 2014).
    """
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate((positive, negative)))
    of_positive = (ranks[:m] - rankdata(positive)) / n
    of_negative = 1 - (ranks[m:] - rankdata(negative)) / m
    variance = of_positive.var(ddof=1) / m + of_negative.var(ddof=1) / n
    return float(of_positive.mean()), float(variance)


def _chance_variance(positives: float, negatives: float) -> float:
    """Of the AUC when nobody can tell; ties only make it less."""
    return (positives + negatives + 1) / (12 * positives * negatives)


def _frame(definition: TableDefinition, sample: RowSample) -> pd.DataFrame:
    """Numbers as float64, categories as texts; nan and None where there is none."""
    columns = {}
    for column in definition.columns:
        values = sample.rows.column(column.name)
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        is_number = column.kind is Kind.NUMERIC
        wanted = pa.float64() if is_number else pa.string()
        plain = pc.cast(values, wanted, safe=False).to_pandas()
        columns[column.name] = plain.replace([np.inf, -np.inf], np.nan) if is_number else plain.astype(object)
    return pd.DataFrame(columns)


def _classifier(rows: pd.DataFrame) -> Pipeline:
    texts = [name for name in rows if rows[name].dtype == object]
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2, min_frequency=10
    )
    boosting = HistGradientBoostingClassifier(max_iter=50, max_leaf_nodes=15, early_stopping=False, random_state=SEED)
    return make_pipeline(make_column_transformer((encoder, texts), remainder="passthrough"), boosting)
