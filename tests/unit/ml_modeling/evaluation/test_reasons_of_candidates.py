"""Every built-in candidate of every task has reasons, whatever its columns are: they add up to what it answers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from feature_store.definitions import Task
from ml_modeling.candidates.pipelines import Recipe, build, fit_arguments
from ml_modeling.evaluation.reasons import Reasoner
from ml_modeling.registry.served import Serving
from ml_modeling.specification import Columns
from tests.unit.ml_modeling.evaluation.test_reasons import (
    BINARY,
    CLASSES,
    FEATURES,
    MULTICLASS,
    REGRESSION,
    rows,
    signal,
)

SMALL: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": 10, "max_depth": 4},
    "xgboost": {"n_estimators": 10},
    "lightgbm": {"n_estimators": 10},
    "mlp": {"hidden_layer_sizes": (6,), "max_iter": 300},
}
SERVINGS: dict[Task, Serving] = {Task.BINARY: BINARY, Task.MULTICLASS: MULTICLASS, Task.REGRESSION: REGRESSION}
COLUMNS = {
    "numbers": Columns(),
    "roles": Columns(categorical=("orders",), boolean=("unused",)),
    "selected": Columns(select=2),
}


def candidates() -> Iterator[Any]:
    for task in Task:
        for name in Recipe(task).candidates:
            for columns in COLUMNS:
                yield pytest.param(task, name, columns, id=f"{task}-{name}-{columns}")


def examples(columns: Columns) -> np.ndarray:
    x = rows()
    if columns.categorical:
        x[:, 1] = np.round(np.nan_to_num(x[:, 1])).clip(-1, 1) + 1
        x[:, 3] = x[:, 3] > 0
    return x


@pytest.mark.parametrize(("task", "candidate", "columns"), candidates())
def test_reasons_add_up_to_the_answer(task: Task, candidate: str, columns: str) -> None:
    x = examples(COLUMNS[columns])
    wanted = signal(x)
    y = {Task.BINARY: (wanted > 0.5).astype(int), Task.MULTICLASS: np.digitize(wanted, [-0.5, 0.8])}.get(task, wanted)
    recipe = Recipe(task, FEATURES, COLUMNS[columns])
    told = {f"model__{name}": value for name, value in fit_arguments(candidate, recipe).items()}
    pipeline = build(candidate, SMALL.get(candidate, {}), 1, recipe).fit(x, y, **told)
    reasoner = Reasoner(SERVINGS[task], pipeline, x[:40])

    for row in [*x[:5], np.full(len(FEATURES), np.nan)]:
        found = reasoner.reasons(row)
        assert len(found.contributions) == len(FEATURES)
        if task is Task.REGRESSION:
            assert found.output == pytest.approx(float(pipeline.predict(row[np.newaxis, :])[0]), abs=1e-3)
            continue
        probabilities = pipeline.predict_proba(row[np.newaxis, :])[0]
        if task is Task.BINARY:
            given = {"log_odds": 1 / (1 + np.exp(-found.output)), "probability": found.output}[found.space]
            assert given == pytest.approx(probabilities[1], abs=1e-4)
        else:
            assert found.explained == CLASSES[int(probabilities.argmax())]
