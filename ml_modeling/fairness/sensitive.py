"""A sensitive column is no feature unless ``model.yaml`` says so: neither by its name nor by what is in it."""

from collections.abc import Iterator, Sequence

import numpy as np

from feature_store.definitions import FeatureGroup, FeatureService
from ml_modeling.frames.examples import Examples
from ml_modeling.frames.leakage import LeakageError
from ml_modeling.specification import Fairness

TELLS = 0.95
"""A feature that puts so large a share of each group, on average, into the right one is the column by another name."""
LEAVES_A_GROUP = 2
MOST_ROWS = 20_000


def reading_features(service: FeatureService, columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Which of ``columns`` are read by which feature or input: aggregated, filtered by, multiplied or asked with."""
    named = {column.lower(): column for column in columns}
    for group in service.groups:
        for feature in service.read_of(group):
            for name in _read(group, feature.column):
                if name.lower() in named:
                    yield named[name.lower()], f"feature {feature.name}"
    for asked in service.inputs:
        if asked.name.lower() in named:
            yield named[asked.name.lower()], f"input {asked.name}"


def _read(group: FeatureGroup, column: str | None) -> set[str]:
    filtered = {one.column for one in group.filters}
    read = {group.entity_column, group.entity.key} | filtered | ({column} if column else set())
    parts = {part for one in group.source.computed if one.name in read for part in (one.left, one.right)}
    return read | parts


def check_told(examples: Examples, features: Sequence[str], fairness: Fairness) -> None:
    """No single feature tells which group a row belongs to, whatever the feature is called.

    Raises:
        LeakageError: one does, and its column is not among ``as_features``.
    """
    for column in fairness.columns:
        if column in fairness.as_features:
            continue
        groups = examples.groups[column]
        names, counts = np.unique(groups, return_counts=True)
        large = names[counts >= fairness.min_examples]
        rows = np.flatnonzero(np.isin(groups, large))
        if len(large) < 2:
            continue
        if len(rows) > MOST_ROWS:
            rows = np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False)
        for name, values in zip(features, examples.x[rows].T, strict=True):
            told = _told(values, groups[rows], len(large))
            if told > TELLS:
                raise LeakageError(
                    f"feature {name} alone tells {column} of {told:.1%} of the rows of a group: take it out of "
                    f"features.py, or name {column} in fairness.as_features"
                )


def _told(values: np.ndarray, groups: np.ndarray, count: int) -> float:
    """How often a few cuts of one feature put a row of a group into it, on average over the groups."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.tree import DecisionTreeClassifier

    column = values[:, np.newaxis]
    tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES_A_GROUP * count, class_weight="balanced", random_state=0)
    return float(balanced_accuracy_score(groups, tree.fit(column, groups).predict(column)))
