"""Answers and models made by hand."""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from feature_store.online import FeatureRow
from feature_store.tiles import Status
from ml_modeling.registry import ServedModel, ServingSpec
from model_serving.schemas import DegradedReason
from model_serving.scoring import Answer, Scored

FEATURES = ("recency_days", "tenure_days")
FINGERPRINT = "00ff"
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
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
    return ServedModel("churn", version, "champion", "run", spec, classifier or Tenth())


def feature_row(*values: float | None, status: Status = Status.OK) -> FeatureRow:
    time = int(AT.timestamp() * 1_000_000) + 17
    return FeatureRow(
        values, time, AS_OF, {"purchases": status, "returns": Status.NO_STATE}, {"purchases": 5, "returns": -1}
    )


def answer(count: int, request_id: str = "r-1", time: datetime = AT) -> Answer:
    """``count`` predictions: the first has features, for the others they could not be read."""
    known = Scored("c-0", 0.8, "leaves", feature_row(8.0, None), ())
    away = (DegradedReason.FEATURE_STORE_UNAVAILABLE,)
    unknown = [Scored(f"c-{n}", 0.25, None, None, away) for n in range(1, count)]
    return Answer(request_id, "churn", time, served_model(), (known, *unknown))
