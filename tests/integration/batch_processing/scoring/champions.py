"""Champions in the real registry: small models of the built-in use cases, fitted on made-up features."""

import mlflow
import numpy as np
from sklearn.pipeline import Pipeline

from feature_store import catalog
from ml_modeling.candidates.pipelines import Recipe, build
from ml_modeling.registry import tags
from ml_modeling.registry.connection import connect
from ml_modeling.registry.served import (
    METADATA_KEY,
    RegressionServing,
    Serving,
    ServingSpec,
    ValueInterval,
    stored_digest,
)
from tidemill.config import Settings

DECISIONS = {"churn": ("stays", "churns"), "fraud": ("genuine", "fraud")}
COLD_SCORE = 0.375


def serving(use_case: str, **changed: object) -> Serving:
    """What is stored with the model of a use case."""
    service = catalog.service(use_case)
    common = {
        "use_case": use_case,
        "feature_service": service.name,
        "feature_fingerprint": service.fingerprint,
        "features": service.names,
    } | changed
    if use_case == "next_spend":
        interval = ValueInterval(coverage=0.9, below=-7.3, above=11.9)
        return RegressionServing(**common, minimum=0.0, interval=interval, cold_start_value=1.5)
    decisions = DECISIONS[use_case]
    return ServingSpec(**common, threshold=0.5, decisions=decisions, cold_start_score=COLD_SCORE)


def fitted(use_case: str) -> Pipeline:
    """A linear model: each feature's last bit counts."""
    names = catalog.service(use_case).names
    random = np.random.default_rng(4)
    x = random.lognormal(2, 2, size=(300, len(names)))
    x[random.random(x.shape) < 0.1] = np.nan
    signal = np.nansum(np.log1p(x), axis=1)
    if use_case == "next_spend":
        return build("ridge", {"alpha": 1.0}, 1, Recipe(catalog.question(use_case).answer.task)).fit(x, signal * 9)
    return build("logistic_regression", {"C": 0.1}, 1).fit(x, (signal > np.median(signal)).astype(int))


def register(settings: Settings, use_case: str, spec: Serving, model: Pipeline, *, is_champion: bool = True) -> str:
    """Log and register a model with the digest of its files; its version."""
    client = connect(settings)
    mlflow.set_experiment("scoring-tests")
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            serialization_format="skops",
            skops_trusted_types=["numpy.dtype"],
            pip_requirements=["scikit-learn"],
            metadata={METADATA_KEY: spec.model_dump(mode="json")},
            registered_model_name=use_case,
        )
    version = str(logged.registered_model_version)
    digest = stored_digest(settings, f"models:/{logged.model_id}")
    client.set_model_version_tag(use_case, version, tags.DIGEST, digest)
    if is_champion:
        client.set_registered_model_alias(use_case, "champion", version)
    return version
