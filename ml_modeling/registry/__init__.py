"""The model registry (MLflow): versions, aliases, promotion with an audit trail, and loading for serving."""

from ml_modeling.registry.aliases import CHAMPION, NoModelError, alias_version, champion_version, model_version, way_out
from ml_modeling.registry.cache import ModelCache, Registered, registered
from ml_modeling.registry.connection import MlflowMissingError, MlflowRequestError, MlflowUnavailableError
from ml_modeling.registry.identity import ModelIdentity
from ml_modeling.registry.served import ServedModel, ServingSpec, UnreadableModelError

__all__ = [
    "CHAMPION",
    "MlflowMissingError",
    "MlflowRequestError",
    "MlflowUnavailableError",
    "ModelCache",
    "ModelIdentity",
    "NoModelError",
    "Registered",
    "ServedModel",
    "ServingSpec",
    "UnreadableModelError",
    "alias_version",
    "champion_version",
    "model_version",
    "registered",
    "way_out",
]
