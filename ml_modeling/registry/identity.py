"""Which model a version number stands for.

MLflow counts versions from 1 again when a registered model was deleted and made anew, and an alias is a name. What a
model is stays with its files: the run that made it, the id MLflow gave it, and the digest of what was written.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ml_modeling.registry import tags

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

WRITTEN_BY_READING = "registered_model_meta"
"""MLflow's client puts this file beside the files of a model that it downloads."""


class ModelIdentity(BaseModel):
    """``model_id`` is the place of the files where a version was registered from files that have no id.

    ``digest`` is that of the files when their run was trained; empty for a version that this project did not register.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    model_id: str
    digest: str = ""

    @property
    def key(self) -> str:
        """All of it as one text."""
        return f"{self.run_id}/{self.model_id}/{self.digest}"

    def __str__(self) -> str:
        return f"model {self.model_id} of run {self.run_id or 'unknown'}"


def identity_of(version: "ModelVersion") -> ModelIdentity:
    """The model that a registered version stands for now."""
    model_id = model_id_of(str(version.source))
    return ModelIdentity(run_id=version.run_id or "", model_id=model_id, digest=version.tags.get(tags.DIGEST, ""))


def logged_model(run: "Run") -> ModelIdentity | None:
    """The model that a training run logged, None when its training did not get so far."""
    stored = run.data.tags
    if tags.MODEL_URI not in stored:
        return None
    model_id = model_id_of(stored[tags.MODEL_URI])
    return ModelIdentity(run_id=run.info.run_id, model_id=model_id, digest=stored.get(tags.DIGEST, ""))


def model_id_of(uri: str) -> str:
    """The id in ``models:/<id>``; any other address is its own."""
    return uri.removeprefix("models:/")


def digest_of(folder: Path) -> str:
    """SHA-256 over the names, sizes and bytes of the files of a model."""
    total = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted(files.keys() - {WRITTEN_BY_READING}):
        content = files[name].read_bytes()
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()
