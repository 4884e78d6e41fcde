"""The model that answers for a use case, and how a promotion replaces it while requests go on."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from config.errors import TerminalError, TidemillError
from config.settings import Settings
from ml_modeling.registry import ServedModel, champion_version, load_alias
from model_serving import metrics
from model_serving.breaker import CircuitBreaker
from model_serving.features import FeatureSource
from model_serving.schemas import DegradedReason

logger = logging.getLogger(__name__)


class UnusableModelError(TerminalError):
    """A registered model that cannot score, or whose scores are no probabilities."""


@dataclass(frozen=True)
class Champion:
    """A model that has scored, with the features it takes; ``is_cached``: from disk, not confirmed by the registry."""

    model: ServedModel
    source: FeatureSource
    loaded_at: datetime
    is_cached: bool


class ChampionHolder:
    """Holds the champion of one use case; :meth:`refresh` runs in the background, requests only read."""

    def __init__(self, settings: Settings, use_case: str, breaker: CircuitBreaker) -> None:
        self.use_case = use_case
        self.champion: Champion | None = None
        self.registry_error: str | None = None
        self.load_error: str | None = None
        self._settings = settings
        self._breaker = breaker

    def standing_reasons(self, champion: Champion) -> tuple[DegradedReason, ...]:
        """Why every answer of ``champion`` is degraded now."""
        reasons = {
            DegradedReason.REGISTRY_UNAVAILABLE: self.registry_error is not None,
            DegradedReason.CACHED_MODEL: champion.is_cached,
        }
        return tuple(reason for reason, holds in reasons.items() if holds)

    def refresh(self) -> None:
        """Ask the registry which version is the champion, and load it when it is another one.

        Without the registry the model in use stays; when there is none, the one last saved on disk is taken.
        """
        try:
            version = champion_version(self._settings, self.use_case)
        except TidemillError as error:
            self._note_registry(str(error))
            if self.champion is None:
                self._load()
            return
        self._note_registry(None)
        current = self.champion
        if version is None or current is None or current.model.version != version:
            self._load()
        elif current.is_cached:
            self.champion = replace(current, is_cached=False)

    def _note_registry(self, error: str | None) -> None:
        if error is not None and self.registry_error is None:
            logger.warning("the registry does not answer: %s", error, extra={"use_case": self.use_case})
        if error is None and self.registry_error is not None:
            logger.info("the registry answers again", extra={"use_case": self.use_case})
        self.registry_error = error
        metrics.dependency_up.labels("registry").set(error is None)

    def _load(self) -> None:
        try:
            model = load_alias(self._settings, self.use_case, cache=cache_folder(self._settings))
            champion = self._prepare(model)
        except TidemillError as error:
            self._note_load_error(str(error))
            return
        self.load_error = None
        if model.is_fallback and self.champion is not None:
            return
        self._swap(champion)

    def _note_load_error(self, error: str) -> None:
        metrics.reloads.labels(self.use_case, "failed").inc()
        if error != self.load_error:
            logger.error("no other model was loaded: %s", error, extra={"use_case": self.use_case})
        self.load_error = error

    def _prepare(self, model: ServedModel) -> Champion:
        source = FeatureSource(
            self._settings, model.feature_service, model.spec.feature_fingerprint, model.features, self._breaker
        )
        warm(model)
        source.probe()
        return Champion(model, source, datetime.now(UTC), model.is_fallback)

    def _swap(self, champion: Champion) -> None:
        before, self.champion = self.champion, champion
        if before is not None:
            metrics.model.labels(*_labels(self.use_case, before.model)).set(0)
        metrics.model.labels(*_labels(self.use_case, champion.model)).set(1)
        metrics.reloads.labels(self.use_case, "loaded").inc()
        extra = {"use_case": self.use_case, "version": champion.model.version, "is_cached": champion.is_cached}
        logger.info("a champion took over", extra=extra)


def cache_folder(settings: Settings) -> Path:
    """Where champions are kept for a start without the registry."""
    return settings.home / "serving" / "models"


def warm(model: ServedModel) -> None:
    """Let ``model`` score once, so that no request pays for what it does lazily.

    Raises:
        UnusableModelError: it fails, or answers with something else than probabilities.
    """
    matrix = np.vstack([np.full(len(model.features), np.nan), np.zeros(len(model.features))])
    where = f"model {model.name!r} version {model.version}"
    try:
        scores = model.score(matrix)
    except Exception as error:
        raise UnusableModelError(f"{where} cannot score {len(matrix)} rows: {error}") from error
    if scores.shape != (len(matrix),) or not np.all((scores >= 0) & (scores <= 1)):
        raise UnusableModelError(f"{where} scores {scores.tolist()}, which are not {len(matrix)} probabilities")


def _labels(use_case: str, model: ServedModel) -> tuple[str, str, str, str]:
    return use_case, model.name, model.version, model.alias
