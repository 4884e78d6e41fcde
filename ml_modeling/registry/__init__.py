"""The model registry (MLflow): versions, aliases, promotion with an audit trail, and loading for serving."""

from ml_modeling.registry.connection import MlflowMissingError, MlflowRequestError, MlflowUnavailableError
from ml_modeling.registry.served import ServedModel, ServingSpec, UnreadableModelError
from ml_modeling.registry.serving import NoModelError, champion_version, load_alias

__all__ = [
    "MlflowMissingError",
    "MlflowRequestError",
    "MlflowUnavailableError",
    "NoModelError",
    "ServedModel",
    "ServingSpec",
    "UnreadableModelError",
    "champion_version",
    "load_alias",
]
