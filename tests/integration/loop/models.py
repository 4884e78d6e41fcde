"""Churn models in the real registry, as training, gates and registration leave them: a good one and two bad ones."""

import mlflow
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ml_modeling.registry import CHAMPION, ServingSpec, tags
from ml_modeling.registry.connection import connect
from ml_modeling.registry.served import METADATA_KEY, stored_digest
from ml_modeling.registry.versions import behind_alias, register
from tests.cases.rollouts import Model
from tests.integration.model_serving.registered import COLD_START_SCORE, DECISIONS, pipeline
from tidemill.config import Settings
from use_cases.churn.features import SERVICE

SCALERS = 1_500
"""So many steps take a tenth of a second and more for one row."""


def good(bias: float) -> Pipeline:
    return pipeline(SERVICE.names, bias)


def failing(bias: float) -> Pipeline:
    """Has no number for a customer who has a feature without a value: who only returned something."""
    return Pipeline(good(bias).steps[1:])


def slow(bias: float) -> Pipeline:
    """Gives the right answer late."""
    fitted = good(bias)
    scaler = StandardScaler(with_mean=False, with_std=False).fit(np.zeros((2, len(SERVICE.names))))
    return Pipeline([*((f"nothing {number}", scaler) for number in range(SCALERS)), *fitted.steps])


def registered(settings: Settings, fitted: Pipeline) -> Model:
    """A version of ``fitted`` that passed its gates against today's champion."""
    client, champion = connect(settings), behind_alias(settings, "churn", CHAMPION)
    spec = ServingSpec(
        use_case="churn",
        feature_service="churn",
        feature_fingerprint=SERVICE.fingerprint,
        features=SERVICE.names,
        threshold=0.5,
        decisions=DECISIONS,
        cold_start_score=COLD_START_SCORE,
    )
    mlflow.set_experiment("churn")
    with mlflow.start_run() as run:
        stored = mlflow.sklearn.log_model(
            fitted,
            name="model",
            serialization_format="skops",
            skops_trusted_types=["numpy.dtype"],
            pip_requirements=["scikit-learn"],
            metadata={METADATA_KEY: spec.model_dump(mode="json")},
            input_example=pd.DataFrame(np.zeros((2, len(SERVICE.names))), columns=list(SERVICE.names)),
        )
    uri = f"models:/{stored.model_id}"
    judged = {
        tags.USE_CASE: "churn",
        tags.MODEL_URI: uri,
        tags.DIGEST: stored_digest(settings, uri),
        tags.GATE: tags.PASSED,
        tags.GATE_CHAMPION: champion.version if champion else "",
        tags.GATE_CHAMPION_MODEL: champion.identity.key if champion else "",
    }
    for key, value in judged.items():
        client.set_tag(run.info.run_id, key, value)
    return Model(register(settings, "churn", run.info.run_id), spec, fitted)
