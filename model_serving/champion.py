"""The model that answers for a use case, and how a promotion replaces it while requests go on."""

import logging
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ml_modeling.registry import (
    CHAMPION,
    MlflowRequestError,
    ModelCache,
    ModelIdentity,
    Registered,
    ServedModel,
    alias_version,
    registered,
    way_out,
)
from model_serving import metrics
from model_serving.asked import Asked
from model_serving.breaker import CircuitBreaker
from model_serving.loaded import LoadedModel, make_ready
from model_serving.schemas import DegradedReason
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)


class ChampionHolder:
    """Holds the champion of one use case; :meth:`refresh` runs in the background, requests only read."""

    def __init__(self, settings: Settings, asked: Asked, breaker: CircuitBreaker) -> None:
        self.asked = asked
        self.use_case = asked.use_case
        self.champion: LoadedModel | None = None
        self.registry_error: str | None = None
        self.load_error: str | None = None
        self.registry_as_of = -math.inf
        """When the look at the registry began that was answered last, by the monotonic clock."""
        self._settings = settings
        self._breaker = breaker
        self._cache = ModelCache(cache_folder(settings) / asked.use_case)
        self._refused: dict[ModelIdentity, str] = {}

    def standing_reasons(self, champion: LoadedModel) -> tuple[DegradedReason, ...]:
        """Why every answer of ``champion`` is degraded now."""
        reasons = {
            DegradedReason.REGISTRY_UNAVAILABLE: self.registry_error is not None,
            DegradedReason.CACHED_MODEL: champion.is_cached,
        }
        return tuple(reason for reason, holds in reasons.items() if holds)

    def refresh(self) -> None:
        """Ask the registry which model is the champion, and load it when it is another one.

        When it cannot be had the model in use stays; when there is none, the last that served is taken from disk.
        """
        began = time.monotonic()
        try:
            version = alias_version(self._settings, self.use_case, CHAMPION)
        except Exception as error:  # noqa: BLE001 - whatever it is, the model in use stays, and readers are told
            self._note_registry(str(error))
            if self.champion is None:
                self._take_from_disk()
            return
        self._note_registry(None)
        if version is None:
            self._note_load_error(
                f"model {self.use_case!r} has no champion: run `tidemill models promote {self.use_case} VERSION`"
            )
        else:
            self._follow(version)
            if self.champion is None:
                self._take_from_disk()
        self.registry_as_of = began

    def _note_registry(self, error: str | None) -> None:
        if error is not None and self.registry_error is None:
            logger.warning("the registry does not answer: %s", error, extra={"use_case": self.use_case})
        if error is None and self.registry_error is not None:
            logger.info("the registry answers again", extra={"use_case": self.use_case})
        self.registry_error = error
        metrics.dependency_up.labels("registry").set(error is None)

    def _follow(self, version: "ModelVersion") -> None:
        wanted = registered(version)
        current = self.champion
        if current is not None and current.model.identity == wanted.identity:
            self._confirm(current, wanted.version)
            return
        if wanted.identity in self._refused:
            self._note_load_error(self._refused[wanted.identity])
            return
        try:
            champion = self._made_ready(self._cache.load(self._settings, version))
        except Exception as error:  # noqa: BLE001 - whatever it is, the model in use stays, and readers are told
            self._failed(wanted, error)
            return
        metrics.reloads.labels(self.use_case, "loaded").inc()
        self.load_error = None
        self._take(champion)

    def _confirm(self, current: LoadedModel, version: str) -> None:
        """The registry's champion is the model in use; what could not replace it is not the champion any more."""
        if current.is_cached or self.load_error is not None or current.model.version != version:
            self.load_error = None
            self._take(replace(current, model=replace(current.model, version=version), is_cached=False))

    def _take_from_disk(self) -> None:
        for model in self._cache.served():
            if model.identity in self._refused:
                continue
            try:
                champion = replace(self._made_ready(self._cache.read(model)), is_cached=True)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next copy may be usable
                self._failed(model, error)
                continue
            logger.warning("%s is taken from disk", model, extra={"use_case": self.use_case})
            self._take(champion)
            return

    def _failed(self, model: Registered, error: Exception) -> None:
        """Keep a reason in mind that lies in the model itself: the same files would be refused again."""
        metrics.reloads.labels(self.use_case, "failed").inc()
        reason = model.named(error)
        if is_for_good(error):
            reason = f"{reason}. {way_out(self.use_case)}"
        if is_for_good(error) and not isinstance(error, MlflowRequestError):
            self._refused[model.identity] = reason
        self._note_load_error(reason)

    def _note_load_error(self, error: str) -> None:
        if error != self.load_error:
            logger.error("no other model was loaded: %s", error, extra={"use_case": self.use_case})
        self.load_error = error

    def _made_ready(self, model: ServedModel) -> LoadedModel:
        return make_ready(self._settings, self.asked, self._breaker, model)

    def _take(self, champion: LoadedModel) -> None:
        """Let ``champion`` answer from now on; it has scored, so it may also answer after a start without registry."""
        before, self.champion = self.champion, champion
        if before is not None:
            metrics.model.labels(*_labels(self.use_case, before.model)).set(0)
        metrics.model.labels(*_labels(self.use_case, champion.model)).set(1)
        extra = {"use_case": self.use_case, "version": champion.model.version, "is_cached": champion.is_cached}
        logger.info("a champion took over", extra=extra | {"model_id": champion.model.identity.model_id})
        try:
            self._cache.note(champion.model)
        except OSError as error:
            logger.warning("a start without the registry will not find this champion: %s", error, extra=extra)
        champion.reasons.prepare()


def is_for_good(error: Exception) -> bool:
    """Whether a model that could not be loaded for ``error`` would fail again: no disk and no server was away."""
    return not isinstance(error, (OSError, TransientError))


def cache_folder(settings: Settings) -> Path:
    """Where champions are kept for a start without the registry."""
    return settings.home / "serving" / "models"


def _labels(use_case: str, model: ServedModel) -> tuple[str, str, str, str]:
    return use_case, model.name, model.version, model.alias
