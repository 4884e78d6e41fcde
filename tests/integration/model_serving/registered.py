"""Small models in the real registry."""

import mlflow
import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from ml_modeling.registry import ServingSpec
from ml_modeling.registry.connection import connect
from ml_modeling.registry.served import METADATA_KEY
from tidemill.config import Settings
from use_cases.churn.features import SERVICE

COLD_START_SCORE = 0.375
DECISIONS = ("stays", "leaves")
FILL = 5.0
SCORED = "purchases__amount_sum_365d"


def pipeline(features: tuple[str, ...], bias: float) -> Pipeline:
    """Scores sigmoid(bias + 0.01 * amount), known by hand; other columns do not count."""
    imputer = SimpleImputer(strategy="constant", fill_value=FILL, keep_empty_features=True)
    made = Pipeline([("fill", imputer), ("model", LogisticRegression())])
    made.fit(np.array([[0.0] * len(features), [1.0] * len(features)]), [0, 1])
    made["model"].coef_ = np.array([[0.01 if name == SCORED else 0.0 for name in features]])
    made["model"].intercept_ = np.array([bias])
    return made


def register(settings: Settings, bias: float, *, promote: bool, features: tuple[str, ...] = SERVICE.names) -> str:
    """Log and register a model of ``bias``; its version. The champion too, when ``promote``."""
    client = connect(settings)
    spec = ServingSpec(
        use_case="churn",
        feature_service="churn",
        feature_fingerprint=SERVICE.fingerprint,
        features=features,
        threshold=0.5,
        decisions=DECISIONS,
        cold_start_score=COLD_START_SCORE,
    )
    mlflow.set_experiment("model-serving-tests")
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            pipeline(features, bias),
            name="model",
            serialization_format="skops",
            skops_trusted_types=["numpy.dtype"],
            metadata={METADATA_KEY: spec.model_dump(mode="json")},
            input_example=pd.DataFrame(np.zeros((2, len(features))), columns=list(features)),
            registered_model_name="churn",
        )
    version = str(logged.registered_model_version)
    if promote:
        client.set_registered_model_alias("churn", "champion", version)
    return version
