"""Models on this machine's disk: whole copies, and a note of those that have served, for a start without the registry.

A copy is kept under what the model is, not under its number, and is read only when its files are still those that were
downloaded.
"""

import hashlib
import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, TypeAdapter

from ml_modeling.registry.aliases import CHAMPION
from ml_modeling.registry.background import read_background
from ml_modeling.registry.identity import ModelIdentity, digest_of, identity_of
from ml_modeling.registry.served import ServedModel, check_digest, download, read_model
from tidemill.config.files import replace_file
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

KEPT_COPIES = 3
MODEL = "model"
DIGEST = "sha256"

log = logging.getLogger(__name__)


class Registered(BaseModel):
    """A model and the number it was registered under."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    identity: ModelIdentity

    def __str__(self) -> str:
        return f"version {self.version} of {self.name!r} ({self.identity})"

    def named(self, error: Exception) -> str:
        """What an error says, with the model it is about."""
        return str(error) if str(self) in str(error) else f"{self}: {error}"


NOTES = TypeAdapter(tuple[Registered, ...])


def registered(version: "ModelVersion") -> Registered:
    """The model behind a version of the registry."""
    return Registered(name=version.name, version=str(version.version), identity=identity_of(version))


class ModelCache:
    """The copies of one use case's champions, in ``home``; several processes may share it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._notes = home / "served.json"

    def load(self, settings: Settings, version: "ModelVersion") -> ServedModel:
        """The model of ``version``, downloaded unless a whole copy is there.

        Raises:
            MlflowUnavailableError: the registry does not answer.
            MlflowRequestError: there are no such files.
            UnreadableModelError: they are not those that were trained, or no model this project can serve.
        """
        return self.obtain(settings, registered(version), str(version.source))

    def obtain(self, settings: Settings, model: Registered, uri: str) -> ServedModel:
        """``model``, whose files the registry has at ``uri``; as :meth:`load`, without asking which model that is."""
        if not self._has(model.identity):
            self._download(settings, uri, model.identity)
        return self.read(model)

    def read(self, model: Registered) -> ServedModel:
        """A model from its copy.

        Raises:
            UnreadableModelError: it is no model this project can serve.
        """
        folder = self._folder(model.identity)
        check_digest((folder / DIGEST).read_text(encoding="utf-8"), model.identity.digest, str(model))
        spec, pipeline = read_model(folder / MODEL, str(model))
        background = read_background(folder / MODEL, spec.features)
        return ServedModel(model.name, model.version, CHAMPION, model.identity, spec, pipeline, background)

    def served(self) -> list[Registered]:
        """The models that have served and whose copies are whole, the last one first."""
        return [model for model in self._noted() if self._has(model.identity)]

    def note(self, model: ServedModel) -> None:
        """Keep in mind that ``model`` serves, and remove copies that are not needed any more."""
        now = Registered(name=model.name, version=model.version, identity=model.identity)
        before = self._noted()
        if before[:1] != (now,):
            others = (noted for noted in before if noted.identity != now.identity)
            self._write_notes((now, *others)[:KEPT_COPIES])
        self._prune()

    def _folder(self, identity: ModelIdentity) -> Path:
        return self._home / hashlib.sha256(identity.key.encode()).hexdigest()[:32]

    def _has(self, identity: ModelIdentity) -> bool:
        """Whether there is a copy whose files are as they were downloaded; one whose files are not is removed."""
        folder = self._folder(identity)
        try:
            is_whole = (folder / DIGEST).read_text(encoding="utf-8") == digest_of(folder / MODEL)
        except OSError:
            is_whole = False
        if not is_whole and folder.exists():
            log.warning("the copy of %s in %s is damaged and was removed", identity, folder)
            shutil.rmtree(folder, ignore_errors=True)
        return is_whole

    def _download(self, settings: Settings, uri: str, identity: ModelIdentity) -> None:
        """Download beside the final place and rename, so that a folder is always whole."""
        self._home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=self._home) as parent:
            partial = Path(parent) / "copy"
            partial.mkdir()
            download(settings, uri, Path(parent)).rename(partial / MODEL)
            (partial / DIGEST).write_text(digest_of(partial / MODEL), encoding="utf-8")
            folder = self._folder(identity)
            try:
                partial.rename(folder)
            except OSError:
                if not folder.exists():  # otherwise another process was faster
                    raise

    def _noted(self) -> tuple[Registered, ...]:
        try:
            return NOTES.validate_python(json.loads(self._notes.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            log.warning("the note of what has served, %s, cannot be read and was removed: %s", self._notes, error)
            self._notes.unlink(missing_ok=True)
            return ()

    def _write_notes(self, notes: tuple[Registered, ...]) -> None:
        replace_file(self._notes, NOTES.dump_json(notes, indent=1))

    def _prune(self) -> None:
        """Remove copies beyond the newest few that no note needs."""
        needed = {self._folder(model.identity) for model in self._noted()}
        folders = [path for path in self._home.iterdir() if path.is_dir() and not path.name.startswith(".")]
        newest = sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)
        for folder in newest[KEPT_COPIES:]:
            if folder not in needed:
                shutil.rmtree(folder, ignore_errors=True)
