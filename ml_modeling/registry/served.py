"""A model as the server uses it: the fitted pipeline and what is needed to turn features into a decision."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter

from ml_modeling.candidates.own_estimators import trusted_types
from ml_modeling.registry.connection import MlflowRequestError, connect, mlflow_errors
from ml_modeling.registry.identity import ModelIdentity, digest_of
from ml_modeling.registry.scorer import Floats, final_step
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

METADATA_KEY = "tidemill"
NO_DECISION = "none"  # where there has to be a text; no model has a decision of this name
MAX_DECISION = 64  # characters, in the contract of a prediction
# skops refuses to build any other type: a model file cannot run code when it is read.
TRUSTED_TYPES = (
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
)


class UnreadableModelError(TerminalError):
    """A model folder that is damaged, or that was not logged by this project."""


class Served(BaseModel):
    """What is stored with a model of any task, in the metadata of its ``MLmodel`` file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    feature_service: str
    feature_fingerprint: str = Field(description="of the meaning of the features that the model learnt from")
    features: tuple[str, ...] = Field(min_length=1, description="the columns of the matrix, in this order")
    entities: tuple[str, ...] = Field(default=(), description="the keys that a request names, the asked one first")
    inputs: tuple[str, ...] = Field(default=(), description="the numbers that a request brings")


class ServingSpec(Served):
    """Yes or no."""

    task: Literal["binary"] = "binary"
    threshold: float = Field(description="a score at or above it is the positive decision")
    decisions: tuple[str, str] = Field(description="names of the negative and the positive decision")
    cold_start_score: float = Field(ge=0, le=1, description="score of an entity without features")
    cold_start_decision: str | None = Field(default=None, description="its decision; null when there is none to take")


class MulticlassServing(Served):
    """One of some classes; the columns of the probabilities are in their order."""

    task: Literal["multiclass"] = "multiclass"
    classes: tuple[str, ...]
    cold_start_scores: tuple[float, ...]
    cold_start_decision: str | None = Field(default=None, description="its decision; null when there is none to take")


class ValueInterval(BaseModel):
    """What is added to a value for the ends of its interval; ``below`` is negative, as a rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: float
    below: float
    above: float


class RegressionServing(Served):
    """A number; one below ``minimum``, or an interval that begins there, is lifted to it."""

    task: Literal["regression"] = "regression"
    minimum: float | None = None
    interval: ValueInterval | None = None
    cold_start_value: float


def _task_in(stored: Any) -> str:
    """The task of a stored model; those of before there was another are yes or no."""
    return str(stored.get("task", "binary") if isinstance(stored, dict) else stored.task)


Serving = ServingSpec | MulticlassServing | RegressionServing
STORED: TypeAdapter[Serving] = TypeAdapter(
    Annotated[
        Annotated[ServingSpec, Tag("binary")]
        | Annotated[MulticlassServing, Tag("multiclass")]
        | Annotated[RegressionServing, Tag("regression")],
        Discriminator(_task_in),
    ]
)


@dataclass(frozen=True)
class ServedModel:
    """A registered version, ready to answer; ``background`` are rows like those it learnt from, where it kept some."""

    name: str
    version: str
    alias: str
    identity: ModelIdentity
    spec: Serving
    pipeline: Any
    background: Floats | None = None

    @property
    def features(self) -> tuple[str, ...]:
        return self.spec.features

    @property
    def feature_service(self) -> str:
        return self.spec.feature_service


def download_model(settings: Settings, uri: str, what: str, digest: str = "") -> tuple[Serving, Any]:
    """The spec and the fitted pipeline of an MLflow model URI; ``what`` names it in errors.

    Raises:
        UnreadableModelError: as :func:`read_model`, and when its files are not those of ``digest``.
        MlflowMissingError: there is no such model.
    """
    with tempfile.TemporaryDirectory() as parent:
        folder = download(settings, uri, Path(parent))
        check_digest(digest_of(folder), digest, what)
        return read_model(folder, what)


def stored_digest(settings: Settings, uri: str) -> str:
    """The digest of the files that MLflow keeps of a model."""
    with tempfile.TemporaryDirectory() as parent:
        return digest_of(download(settings, uri, Path(parent)))


def download(settings: Settings, uri: str, parent: Path) -> Path:
    """The folder in ``parent`` into which the files of a model URI were downloaded.

    Raises:
        MlflowMissingError: there is no such model.
        MlflowRequestError: its files are where this machine cannot read, or cannot be written here.
    """
    import mlflow

    connect(settings)
    try:
        with mlflow_errors(settings, f"downloading {uri}"):
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(parent / "model")))
    except (ImportError, OSError) as error:
        raise MlflowRequestError(f"the files of {uri} cannot be copied to this machine: {error}") from error


def check_digest(found: str, recorded: str, what: str) -> None:
    """Hold the digest of files against the one that was recorded; without a record there is nothing to hold.

    Raises:
        UnreadableModelError: they differ.
    """
    if recorded and found != recorded:
        raise UnreadableModelError(
            f"{what}: its files were changed since it was trained (SHA-256 {found[:12]}, recorded {recorded[:12]})"
        )


def read_model(folder: Path, what: str) -> tuple[Serving, Any]:
    """The spec and the fitted pipeline of a downloaded model folder; ``what`` names the model in errors.

    Raises:
        UnreadableModelError: files are missing or damaged, hold a type that is not trusted, or need what fails here.
    """
    import skops.io

    try:
        description = yaml.safe_load(_file(folder, "MLmodel").read_text(encoding="utf-8"))
        spec = STORED.validate_python(_metadata(description))
        stored = _file(folder, description["flavors"]["sklearn"]["pickled_model"])
        own = trusted_types(spec.use_case, lambda: skops.io.get_untrusted_types(file=stored))
        pipeline = skops.io.load(stored, trusted=[*TRUSTED_TYPES, *own])
        final = final_step(pipeline)
    except Exception as error:  # damaged bytes, the libraries that read them and a user's own code raise anything
        raise UnreadableModelError(f"{what} is none this project can serve: {error}") from error
    if hasattr(final, "n_jobs"):
        final.set_params(n_jobs=1)  # starting threads costs more than scoring a request's rows
    return spec, pipeline


def _metadata(description: Mapping[str, Any]) -> Any:
    metadata = description.get("metadata") or {}
    if METADATA_KEY not in metadata:
        raise ValueError(f"no metadata {METADATA_KEY!r} in its MLmodel, so `tidemill models train` did not make it")
    return metadata[METADATA_KEY]


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"it has no file {name}")
    return path
