"""A model as the server uses it: the fitted pipeline and what is needed to turn features into a decision."""

import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import yaml
from pydantic import BaseModel, ConfigDict, Field
from yaml import YAMLError

from config.errors import TerminalError
from config.settings import Settings
from ml_modeling.registry.connection import connect, mlflow_errors
from ml_modeling.registry.scorer import Floats, final_step, positive_probability

METADATA_KEY = "tidemill"
NO_DECISION = "none"  # where there has to be a text; no model has a decision of this name
# skops refuses to build any other type: a model file cannot run code when it is read.
TRUSTED_TYPES = (
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
)
# What reading damaged YAML, zip, JSON and arrays raises.
READ_ERRORS = (
    AttributeError,
    BadZipFile,
    EOFError,
    ImportError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
    YAMLError,
    zlib.error,
)


class UnreadableModelError(TerminalError):
    """A model folder that is damaged, or that was not logged by this project."""


class ServingSpec(BaseModel):
    """What is stored with a model, in the metadata of its ``MLmodel`` file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    feature_service: str
    feature_fingerprint: str = Field(description="of the meaning of the features that the model learnt from")
    features: tuple[str, ...] = Field(min_length=1, description="the columns of the matrix, in this order")
    threshold: float = Field(description="a score at or above it is the positive decision")
    decisions: tuple[str, str] = Field(description="names of the negative and the positive decision")
    cold_start_score: float = Field(ge=0, le=1, description="score of an entity without features")
    cold_start_decision: str | None = Field(default=None, description="its decision; null when there is none to take")


@dataclass(frozen=True)
class ServedModel:
    """A registered version, ready to score.

    ``is_fallback`` says that the registry did not answer and the local copy was taken for its alias.
    """

    name: str
    version: str
    alias: str
    run_id: str
    spec: ServingSpec
    pipeline: Any
    is_fallback: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        return self.spec.features

    @property
    def threshold(self) -> float:
        return self.spec.threshold

    @property
    def decisions(self) -> tuple[str, str]:
        return self.spec.decisions

    @property
    def cold_start_score(self) -> float:
        return self.spec.cold_start_score

    @property
    def cold_start_decision(self) -> str | None:
        return self.spec.cold_start_decision

    @property
    def feature_service(self) -> str:
        return self.spec.feature_service

    def score(self, matrix: Floats) -> Floats:
        """The probability of the positive class of each row.

        ``matrix`` has shape (n, len(features)) with columns ordered like ``features``; nan is a missing value.
        """
        return positive_probability(self.pipeline, matrix)

    def decide(self, score: float) -> str:
        """The decision for one score."""
        return self.decisions[score >= self.threshold]


def download_model(settings: Settings, uri: str) -> tuple[ServingSpec, Any]:
    """The spec and the fitted pipeline of an MLflow model URI.

    Raises:
        UnreadableModelError: as :func:`read_model`.
        MlflowMissingError: there is no such model.
    """
    import mlflow

    connect(settings)
    with tempfile.TemporaryDirectory() as folder:
        with mlflow_errors(settings, f"downloading {uri}"):
            mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)
        return read_model(Path(folder))


def read_model(folder: Path) -> tuple[ServingSpec, Any]:
    """The spec and the fitted pipeline of a downloaded model folder.

    Raises:
        UnreadableModelError: files are missing or damaged, or hold a type that is not trusted.
    """
    import skops.io

    try:
        description = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        spec = ServingSpec.model_validate(description["metadata"][METADATA_KEY])
        pipeline = skops.io.load(folder / description["flavors"]["sklearn"]["pickled_model"], trusted=TRUSTED_TYPES)
    except READ_ERRORS as error:
        raise UnreadableModelError(f"{folder}: not a model this project can serve: {error}") from error
    final = final_step(pipeline)
    if hasattr(final, "n_jobs"):
        final.set_params(n_jobs=1)  # starting threads costs more than scoring a request's rows
    return spec, pipeline
