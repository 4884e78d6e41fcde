"""Answers and models made by hand."""

from datetime import UTC, datetime
from typing import cast

import numpy as np
import numpy.typing as npt

from feature_store.definitions import Task
from feature_store.online.reader import FeatureRow
from feature_store.tiles import Status
from ml_modeling.registry import ModelIdentity, ServedModel, ServingSpec
from model_serving.answers import cold_answer
from model_serving.asked import Asked
from model_serving.features import FeatureSource
from model_serving.loaded import LoadedModel
from model_serving.reasoners import ReasonGiver
from model_serving.schemas import Arm, DegradedReason
from model_serving.scoring import Answer, By, Scored

FEATURES = ("recency_days", "tenure_days")
FINGERPRINT = "00ff"
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
WHICH = ModelIdentity(run_id="run", model_id="m-1")
ASKED = Asked("churn", Task.BINARY, ("customer_id",), ())
AS_OF = datetime(2026, 2, 28, tzinfo=UTC)


class Tenth:
    """A classifier by hand: the probability is a tenth of the first feature, and one half without it."""

    def predict_proba(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        positive = np.where(np.isnan(matrix[:, 0]), 0.5, matrix[:, 0] / 10)
        return np.column_stack([1 - positive, positive])


def served_model(version: str = "7", classifier: object | None = None) -> ServedModel:
    spec = ServingSpec(
        use_case="churn",
        feature_service="churn",
        feature_fingerprint=FINGERPRINT,
        features=FEATURES,
        threshold=0.5,
        decisions=("stays", "leaves"),
        cold_start_score=0.25,
    )
    return ServedModel("churn", version, "champion", WHICH, spec, classifier or Tenth())


def feature_row(*values: float | None, status: Status = Status.OK) -> FeatureRow:
    time = int(AT.timestamp() * 1_000_000) + 17
    return FeatureRow(
        values, time, AS_OF, {"purchases": status, "returns": Status.NO_STATE}, {"purchases": 5, "returns": -1}
    )


def champion(source: object, model: ServedModel | None = None) -> LoadedModel:
    """A champion whose features come from ``source``."""
    served = model or served_model()
    return LoadedModel(served, cast(FeatureSource, source), cold_answer(served), ReasonGiver(served), AT)


def answer(count: int, request_id: str = "r-1", time: datetime = AT) -> Answer:
    """``count`` predictions: the first has features, for the others they could not be read."""
    known = Scored({"customer_id": "c-0"}, {"score": 0.8, "decision": "leaves"}, feature_row(8.0, None), ())
    away = (DegradedReason.FEATURE_STORE_UNAVAILABLE,)
    cold = {"score": 0.25, "decision": None}
    unknown = [Scored({"customer_id": f"c-{n}"}, cold, None, away, is_scored=False) for n in range(1, count)]
    by = By(Arm.CHAMPION, champion(None), 1.25)
    return Answer(request_id, ASKED, time, None, (known, *unknown), (by,) * count)
