"""A model that raises at rows that were logged: a sentence, whatever it raised."""

from typing import Any

import numpy as np
import pytest

from ml_modeling.registry import ModelIdentity, ServingSpec, UnreadableModelError
from ml_modeling.replay import run
from ml_modeling.replay.run import Loaded

SPEC = ServingSpec(
    use_case="churn",
    feature_service="churn",
    feature_fingerprint="0" * 32,
    features=("a",),
    threshold=0.5,
    decisions=("stays", "churns"),
    cold_start_score=0.25,
)


class NoMissingValues:
    def predict_proba(self, _: Any) -> Any:
        raise ValueError("Input X contains NaN")


@pytest.mark.parametrize(
    ("pipeline", "raised"),
    [(NoMissingValues(), "ValueError: Input X contains NaN"), (object(), "AttributeError: 'object' object has no")],
    ids=["of missing values", "no classifier"],
)
def test_it_is_named_with_what_it_raised(pipeline: Any, raised: str) -> None:
    model = Loaded("7", ModelIdentity(run_id="ours", model_id="m-1"), SPEC, pipeline, ())
    with pytest.raises(UnreadableModelError) as error:
        run._answered(model, np.array([[np.nan]]))
    assert str(error.value).startswith(f"version 7 of 'churn' cannot score logged rows: {raised}")
