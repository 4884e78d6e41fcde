"""The gate beside a champion that it cannot compare with: a verdict that says which, why and what leads out."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from ml_modeling import lifecycle
from ml_modeling.registry import MlflowMissingError, ModelIdentity, ServingSpec, UnreadableModelError
from ml_modeling.tracking.runs import TrainingRun
from ml_modeling.use_case import load_use_case
from tidemill.config import Settings, load_settings

CHURN = load_use_case("churn")
CHAMPION = SimpleNamespace(name="churn", version="2", run_id="theirs", source="models:/m-2", tags={})
SPEC = ServingSpec(
    use_case="churn",
    feature_service="churn",
    feature_fingerprint="0" * 32,
    features=("a",),
    threshold=0.5,
    decisions=("stays", "churns"),
    cold_start_score=0.25,
)


class Run(TrainingRun):
    """A run with its model and its test part at hand."""

    def model(self) -> ModelIdentity:
        return ModelIdentity(run_id="ours", model_id="m-1")

    def read_model(self) -> tuple[ServingSpec, Any]:
        return SPEC, Half()

    def read_rows(self, path: str) -> pd.DataFrame:
        return pd.DataFrame({"entity": [0, 1], "time": pd.Timestamp("2026-01-05"), "label": [0, 1], "a": [1.0, 2.0]})


class Half:
    def predict_proba(self, x: Any) -> Any:
        return np.full((len(x), 2), 0.5)


@pytest.mark.parametrize(
    ("download", "reason"),
    [
        (UnreadableModelError("it has no file MLmodel"), "it has no file MLmodel"),
        (MlflowMissingError("downloading models:/m-2: not found"), "not found"),
        ((SPEC, object()), "cannot score the test part: AttributeError"),
    ],
    ids=["not ours", "its files are gone", "no classifier"],
)
def test_a_champion_that_cannot_be_compared_with_is_a_reason_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, download: Any, reason: str
) -> None:
    def download_model(*_: object) -> Any:
        if isinstance(download, Exception):
            raise download
        return download

    monkeypatch.setattr(lifecycle, "alias_version", lambda *_: CHAMPION)
    monkeypatch.setattr(lifecycle, "download_model", download_model)
    settings = cast(Settings, load_settings({}))

    found = lifecycle._champion_comparison(settings, CHURN, Run(settings, "ours", "0"))

    assert found is not None
    assert (found.version, found.model.model_id, found.difference) == ("2", "m-2", None)
    for part in (reason, "version 2 of 'churn' (model m-2 of run theirs)", "tidemill models retire churn --reason"):
        assert part in found.problem
