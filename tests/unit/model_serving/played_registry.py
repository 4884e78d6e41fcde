"""A registry that is played, and features that are there: MLflow and Redis are asked in the integration tests."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import skops.io
import yaml

from ml_modeling.candidates.pipelines import build
from ml_modeling.registry import MlflowMissingError, MlflowUnavailableError
from ml_modeling.registry.served import METADATA_KEY, Serving
from model_serving.asked import Asked
from model_serving.features import FeatureMismatchError
from tests.unit.model_serving.answers import served_model
from tidemill.config import Settings


class KnownFeatures:
    """A feature service that has every feature but ``shoe_size``; reading them is not asked of it."""

    def __init__(self, _settings: Settings, _asked: Asked, spec: Serving, _breaker: Any) -> None:
        if "shoe_size" in spec.features:
            raise FeatureMismatchError("the model takes shoe_size")

    def probe(self) -> None:
        pass


@dataclass
class Registry:
    """Models in a folder, versions, an alias, and how often each model was downloaded."""

    folder: Path
    alias: SimpleNamespace | None = None
    is_away: bool = False
    downloads: list[str] = field(default_factory=list)
    versions: dict[str, SimpleNamespace] = field(default_factory=dict)
    is_broken: bool = False

    def put(self, model_id: str, number: str = "1", features: Sequence[str] = ("a", "b"), *, ours: bool = True) -> None:
        """Log the model unless it is there, and make it the champion under ``number``."""
        folder = self.folder / model_id
        if not folder.exists():
            folder.mkdir(parents=True)
            model = build("logistic_regression", {"C": 1.0}, seed=1)
            model.fit(np.array([[0.0] * len(features), [1.0] * len(features)]), [0, 1])
            skops.io.dump(model, folder / "model.skops")
            spec = served_model().spec.model_copy(update={"features": tuple(features)}).model_dump(mode="json")
            metadata = {"metadata": {METADATA_KEY: spec}} if ours else {}
            description = {"flavors": {"sklearn": {"pickled_model": "model.skops"}}} | metadata
            (folder / "MLmodel").write_text(yaml.safe_dump(description), encoding="utf-8")
        self.alias = self.versions[number] = SimpleNamespace(
            name="churn", version=number, run_id=f"run-{model_id}", source=f"models:/{model_id}", tags={}
        )

    def alias_version(self, *_: object) -> SimpleNamespace | None:
        if self.is_broken:
            raise RuntimeError("MLflow's client is broken")
        if self.is_away:
            raise MlflowUnavailableError("MLflow does not answer")
        return self.alias

    def download(self, _: Settings, uri: str, parent: Path) -> Path:
        self.downloads.append(uri.removeprefix("models:/"))
        return Path(shutil.copytree(self.folder / self.downloads[-1], parent / "model"))

    def model_version(self, _settings: Settings, _use_case: str, number: str) -> SimpleNamespace:
        if self.is_away:
            raise MlflowUnavailableError("MLflow does not answer")
        if number not in self.versions:
            raise MlflowMissingError(f"there is no version {number}")
        return self.versions[number]
