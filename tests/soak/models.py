"""The registered models, as anybody would load them from MLflow, to score once more what the server scored."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Model:
    """A version with its threshold, decisions and answer for a cold start, by the metadata that MLflow keeps of it."""

    version: str
    model_id: str
    predict: Any
    metadata: Mapping[str, Any]

    def answers(self, rows: Sequence[Mapping[str, float | None]]) -> list[tuple[float, str]]:
        """Score and decision for each row of features."""
        names = self.predict.metadata.signature.inputs.input_names()
        table = pd.DataFrame([[row[name] for name in names] for row in rows], columns=names, dtype=np.float64)
        scores = np.asarray(self.predict.predict(table))[:, 1].tolist()
        return [(score, self.metadata["decisions"][int(score >= self.metadata["threshold"])]) for score in scores]

    def value(self, row: Mapping[str, float | None]) -> float:
        """The number that a regression answers."""
        names = self.predict.metadata.signature.inputs.input_names()
        table = pd.DataFrame([[row[name] for name in names]], columns=names, dtype=np.float64)
        return float(np.asarray(self.predict.predict(table)).ravel()[0])


def load_models(tracking_uri: str, name: str) -> dict[str, Model]:
    """Every version of ``name``, by its model id."""
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    warnings.filterwarnings("ignore", "X has feature names")
    mlflow.set_tracking_uri(tracking_uri)
    found = mlflow.MlflowClient().search_model_versions(f"name = '{name}'")
    models = (_load(name, version.version) for version in found)
    return {model.model_id: model for model in models}


def _load(name: str, version: str) -> Model:
    predict = mlflow.pyfunc.load_model(f"models:/{name}/{version}")
    return Model(str(version), predict.metadata.model_id, predict, predict.metadata.metadata["tidemill"])
