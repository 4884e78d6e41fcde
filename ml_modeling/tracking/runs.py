"""What a training run leaves in MLflow, and how later steps find it."""

import json
import logging
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_modeling.registry import tags
from ml_modeling.registry.artefact import sklearn_options
from ml_modeling.registry.connection import MlflowMissingError, connect, mlflow_errors
from ml_modeling.registry.experiments import experiment_id
from ml_modeling.registry.identity import ModelIdentity, logged_model
from ml_modeling.registry.scorer import Floats
from ml_modeling.registry.served import Serving, download_model
from ml_modeling.tracking.abandoned import end_abandoned, held
from ml_modeling.use_case import UseCase
from tidemill.config.errors import TerminalError, TidemillError
from tidemill.config.interruption import interruption
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import Run

TEST_EXAMPLES = "frame/test.parquet"
REFERENCE_EXAMPLES = "frame/reference.parquet"
TRIALS = "search/trials.json"
EVALUATION = "evaluation/report.json"
GATE_REPORT = "gate/report.json"
MODEL_CARD = "model_card.md"
NO_MARKS: Mapping[str, str] = MappingProxyType({})

log = logging.getLogger(__name__)


class UnusableRunError(TerminalError):
    """A run that does not exist, is of another use case, or has not got as far as the step needs."""


@dataclass(frozen=True)
class TrainingRun:
    """One run of a use case's experiment; the methods write to it and read from it."""

    settings: Settings
    run_id: str
    experiment_id: str

    @property
    def client(self) -> "MlflowClient":
        return connect(self.settings)

    def read(self) -> "Run":
        with mlflow_errors(self.settings, f"reading run {self.run_id}"):
            return self.client.get_run(self.run_id)

    def set_tags(self, values: Mapping[str, str]) -> None:
        """All of them by one request, which MLflow's database keeps whole or not at all."""
        from mlflow.entities import RunTag

        with mlflow_errors(self.settings, f"tagging run {self.run_id}"):
            self.client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in values.items()])

    def log_params(self, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        with mlflow_errors(self.settings, f"writing parameters of run {self.run_id}"):
            self.client.log_batch(self.run_id, params=[Param(key, str(value)) for key, value in params.items()])

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        with mlflow_errors(self.settings, f"writing metrics of run {self.run_id}"):
            self.client.log_batch(self.run_id, metrics=[Metric(key, value, now, 0) for key, value in metrics.items()])

    def log_text(self, text: str, path: str) -> None:
        with mlflow_errors(self.settings, f"writing {path} of run {self.run_id}"):
            self.client.log_text(self.run_id, text, path)

    def log_bytes(self, content: bytes, path: str) -> None:
        with tempfile.TemporaryDirectory() as folder, mlflow_errors(self.settings, f"writing {path} of {self.run_id}"):
            file = Path(folder) / Path(path).name
            file.write_bytes(content)
            self.client.log_artifact(self.run_id, str(file), str(Path(path).parent))

    def log_figure(self, figure: "Figure", path: str) -> None:
        with mlflow_errors(self.settings, f"writing {path} of run {self.run_id}"):
            self.client.log_figure(self.run_id, figure, path)

    def log_rows(self, rows: pd.DataFrame, path: str) -> None:
        with tempfile.TemporaryDirectory() as folder, mlflow_errors(self.settings, f"writing {path} of {self.run_id}"):
            file = Path(folder) / Path(path).name
            rows.to_parquet(file, index=False)
            self.client.log_artifact(self.run_id, str(file), str(Path(path).parent))

    def log_model(self, pipeline: Any, spec: Serving, x: Floats) -> str:
        """Logs the pipeline with its serving metadata, and some rows of ``x`` as an example; returns its model URI."""
        import mlflow

        options = sklearn_options(pipeline, spec, x)
        with mlflow_errors(self.settings, f"writing the model of run {self.run_id}"):
            connect(self.settings)
            mlflow.set_experiment(experiment_id=self.experiment_id)  # else MLflow refuses a run of another experiment
            with mlflow.start_run(run_id=self.run_id):
                logged = mlflow.sklearn.log_model(pipeline, name="model", **options)
        return str(logged.model_uri)

    def has(self, path: str) -> bool:
        """Whether the run keeps an artefact at ``path``."""
        folder = str(Path(path).parent)
        with mlflow_errors(self.settings, f"listing {folder} of run {self.run_id}"):
            return any(file.path == path for file in self.client.list_artifacts(self.run_id, folder))

    def read_rows(self, path: str) -> pd.DataFrame:
        with self._downloaded(path) as file:
            return pd.read_parquet(file)

    def read_bytes(self, path: str) -> bytes:
        with self._downloaded(path) as file:
            return file.read_bytes()

    def read_json(self, path: str) -> Any:
        with self._downloaded(path) as file:
            return json.loads(file.read_text(encoding="utf-8"))

    def read_model(self) -> tuple[Serving, Any]:
        """The spec and the pipeline the run logged."""
        model = self.model()
        return download_model(self.settings, f"models:/{model.model_id}", str(model), model.digest)

    def model(self) -> ModelIdentity:
        """Which model the run logged."""
        model = logged_model(self.read())
        if model is None:
            raise UnusableRunError(f"run {self.run_id} has no model: did its training finish?")
        return model

    @contextmanager
    def reading_back(self, what: str) -> Iterator[None]:
        """Turns the errors of reading what is not as this project wrote it, as anybody may change it in MLflow."""
        try:
            yield
        except (LookupError, OSError, TypeError, ValueError) as error:
            problem = f"run {self.run_id}: {what} is not as it was written ({type(error).__name__}: {error})"
            raise UnusableRunError(f"{problem}; train again") from error

    @contextmanager
    def _downloaded(self, path: str) -> Iterator[Path]:
        import mlflow

        with tempfile.TemporaryDirectory() as folder:
            with mlflow_errors(self.settings, f"reading {path} of run {self.run_id}"):
                connect(self.settings)
                file = mlflow.artifacts.download_artifacts(run_id=self.run_id, artifact_path=path, dst_path=folder)
            yield Path(file)


@contextmanager
def new_run(settings: Settings, use_case: UseCase, marks: Mapping[str, str] = NO_MARKS) -> Iterator[TrainingRun]:
    """A run of the use case's experiment; ends FINISHED, else FAILED or KILLED with the reason as a tag.

    It has the tags ``marks`` from its first moment, so that a run that was killed early has them as well.
    Runs that this home's processes left behind when they were killed end as KILLED first.
    """
    client = connect(settings)
    end_abandoned(settings)
    with mlflow_errors(settings, f"starting a run of experiment {use_case.name!r}"):
        experiment = experiment_id(client, use_case.name)
        process = f"{os.getpid()} on {socket.gethostname()}"
        own = {tags.USE_CASE: use_case.name, tags.PROCESS: process}
        created = client.create_run(experiment, tags={**marks, **own})
    run = TrainingRun(settings, created.info.run_id, experiment)
    with held(settings, run.run_id):
        try:
            yield run
        except BaseException as error:
            _end(run, error)
            raise
        with mlflow_errors(settings, f"ending run {run.run_id}"):
            client.set_terminated(run.run_id, "FINISHED")


def _end(run: TrainingRun, error: BaseException) -> None:
    interrupted = interruption(error)
    reason = f"ended by {interrupted.signal.name}" if interrupted else f"{type(error).__name__}: {error}"
    try:
        run.set_tags({tags.ERROR: reason[:5000]})
        with mlflow_errors(run.settings, f"ending run {run.run_id}"):
            run.client.set_terminated(run.run_id, "KILLED" if interrupted else "FAILED")
    except TidemillError as later:
        log.warning("run %s stays unfinished in MLflow: %s", run.run_id, later)


def existing_run(settings: Settings, use_case: str, run_id: str) -> TrainingRun:
    """The finished training run ``run_id`` of a use case.

    Raises:
        UnusableRunError: it does not exist, belongs to another use case, or did not finish.
    """
    client = connect(settings)
    try:
        with mlflow_errors(settings, f"reading run {run_id}"):
            found = client.get_run(run_id)
    except MlflowMissingError as error:
        raise UnusableRunError(f"no run {run_id} at {settings.mlflow.tracking_uri}") from error
    owner = found.data.tags.get(tags.USE_CASE)
    if owner != use_case:
        raise UnusableRunError(f"run {run_id} is of use case {owner!r}, not {use_case!r}")
    if found.info.status != "FINISHED":
        reason = found.data.tags.get(tags.ERROR, "it is still running, or was killed")
        raise UnusableRunError(f"run {run_id} is {found.info.status}, not FINISHED: {reason}")
    return TrainingRun(settings, run_id, found.info.experiment_id)
