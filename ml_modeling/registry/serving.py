"""What the model server asks of the registry: the model behind an alias, and whether it changed."""

import json
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from config.settings import Settings
from ml_modeling.registry.connection import MlflowMissingError, MlflowUnavailableError, connect, mlflow_errors
from ml_modeling.registry.served import ServedModel, UnreadableModelError, read_model

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"
KEPT_VERSIONS = 3

log = logging.getLogger(__name__)


class NoModelError(MlflowMissingError):
    """The use case has no model behind the alias."""


class _Pointer(BaseModel):
    """Which cached folder an alias last meant."""

    version: str
    run_id: str
    folder: str


def champion_version(settings: Settings, use_case: str) -> str | None:
    """The version behind the alias ``champion``, None when there is none: one request, cheap enough to poll.

    Raises:
        MlflowUnavailableError: the registry does not answer.
    """
    version = alias_version(settings, use_case, CHAMPION)
    return None if version is None else str(version.version)


def alias_version(settings: Settings, use_case: str, alias: str) -> "ModelVersion | None":
    """The registered version behind ``alias``, None when the alias or the model does not exist."""
    client = connect(settings)
    try:
        with mlflow_errors(settings, f"reading alias {alias!r} of model {use_case!r}"):
            return client.get_model_version_by_alias(use_case, alias)
    except MlflowMissingError:
        return None


def load_alias(settings: Settings, use_case: str, alias: str = CHAMPION, *, cache: Path) -> ServedModel:
    """The model behind ``alias``, downloaded into ``cache`` unless it is there already.

    When the registry does not answer, the version the alias meant last is loaded from ``cache`` and marked
    ``is_fallback``.

    Raises:
        NoModelError: the registry answers that the alias does not exist.
        MlflowUnavailableError: the registry does not answer and ``cache`` has no copy.
        UnreadableModelError: the model is damaged or holds a type that is not trusted.
    """
    home = cache / use_case
    try:
        version = alias_version(settings, use_case, alias)
        if version is None:
            raise NoModelError(f"model {use_case!r} has no {alias}: run `tidemill models promote {use_case} VERSION`")
        pointer = _fetch(settings, version, home)
    except MlflowUnavailableError as error:
        cached = _read_pointer(home, alias)
        if cached is None:
            raise
        log.warning("%s; using the cached %s of %s, version %s", error, alias, use_case, cached.version)
        return _load(use_case, alias, cached, home, is_fallback=True)
    model = _load(use_case, alias, pointer, home, is_fallback=False)
    _write_pointer(home, alias, pointer)
    _prune(home)
    return model


def _load(use_case: str, alias: str, pointer: _Pointer, home: Path, *, is_fallback: bool) -> ServedModel:
    folder = home / pointer.folder
    try:
        spec, pipeline = read_model(folder)
    except UnreadableModelError:
        shutil.rmtree(folder, ignore_errors=True)  # the next load downloads it again
        raise
    return ServedModel(use_case, pointer.version, alias, pointer.run_id, spec, pipeline, is_fallback)


def _fetch(settings: Settings, version: "ModelVersion", home: Path) -> _Pointer:
    """Downloads ``version`` beside its final place and renames it, so that a folder is always whole."""
    import mlflow

    source = str(version.source).rsplit("/", 1)[-1]
    pointer = _Pointer(version=str(version.version), run_id=version.run_id, folder=f"{version.version}-{source}")
    folder = home / pointer.folder
    if folder.exists():
        return pointer
    home.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=home))
    try:
        with mlflow_errors(settings, f"downloading model {version.name!r} version {version.version}"):
            mlflow.artifacts.download_artifacts(
                artifact_uri=f"models:/{version.name}/{version.version}", dst_path=str(partial)
            )
        os.utime(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.exists():  # otherwise another process was faster
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return pointer


def _read_pointer(home: Path, alias: str) -> _Pointer | None:
    try:
        return _Pointer.model_validate(json.loads((home / f"{alias}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return None


def _write_pointer(home: Path, alias: str, pointer: _Pointer) -> None:
    descriptor, partial = tempfile.mkstemp(prefix=f".{alias}-", dir=home)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(pointer.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    Path(partial).replace(home / f"{alias}.json")


def _prune(home: Path) -> None:
    """Removes cached versions beyond the newest few that no alias needs."""
    pointers = (_read_pointer(home, path.stem) for path in home.glob("*.json"))
    needed = {pointer.folder for pointer in pointers if pointer}
    folders = [path for path in home.iterdir() if path.is_dir() and not path.name.startswith(".")]
    newest = sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)
    for folder in newest[KEPT_VERSIONS:]:
        if folder.name not in needed:
            shutil.rmtree(folder, ignore_errors=True)
