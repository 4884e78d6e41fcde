"""The model that may follow the champion: loaded when the traffic names it, and no harm when it cannot be."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from ml_modeling.registry import (
    MlflowRequestError,
    ModelCache,
    ModelIdentity,
    ServedModel,
    model_version,
    registered,
)
from ml_modeling.registry.aliases import CHALLENGER
from model_serving import metrics
from model_serving.batching import Batcher
from model_serving.breaker import CircuitBreaker
from model_serving.champion import ChampionHolder, cache_folder, is_for_good
from model_serving.loaded import LoadedModel, make_ready
from model_serving.traffic import named
from monitoring.control import ModelRef
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

REFRESH_S = 1.0
MAX_BATCH_ROWS = 256
TIMEOUTS = 3
"""So many answers in a row that did not come in time, and the challenger is not asked any more."""

logger = logging.getLogger(__name__)


class OtherModelError(TerminalError):
    """A version that stands for another model than the traffic means."""


@dataclass(frozen=True)
class Trouble:
    """Why a challenger is not loaded. ``is_its_own``: it lies in the model, not in what was away for a while."""

    ref: ModelRef
    reason: str
    is_its_own: bool


@dataclass(frozen=True)
class Challenger:
    """A loaded challenger with a thread of its own: one that hangs keeps no answer of the champion waiting."""

    ref: ModelRef
    loaded: LoadedModel
    batcher: Batcher
    timeouts: CircuitBreaker

    @property
    def is_set_aside(self) -> bool:
        return self.timeouts.is_open


class ChallengerHolder:
    """Holds the challenger of one use case; :meth:`refresh` runs in the background, requests only read."""

    def __init__(
        self,
        settings: Settings,
        champion: ChampionHolder,
        breaker: CircuitBreaker,
        named_now: Callable[[], ModelRef | None],
    ) -> None:
        self.current: Challenger | None = None
        self._settings = settings
        self._champion = champion
        self._breaker = breaker
        self._named_now = named_now
        self._use_case = champion.use_case
        self._cache = ModelCache(cache_folder(settings) / champion.use_case)
        self._refused: dict[ModelRef, Trouble] = {}
        self._not_loaded: Trouble | None = None

    def is_named(self, ref: ModelRef) -> Challenger | None:
        """The challenger, when it is loaded and the one that ``ref`` names."""
        current = self.current
        return current if current is not None and current.ref == ref else None

    def trouble(self, ref: ModelRef) -> str | None:
        """Why the challenger that ``ref`` names does not answer; None while it does, or was not tried yet."""
        current = self.is_named(ref)
        if current is not None:
            return current.timeouts.error if current.is_set_aside else None
        trouble = self._trouble_of(ref)
        return None if trouble is None else trouble.reason

    def has_failed(self, ref: ModelRef) -> bool:
        """Whether it does not answer for a reason of its own; one that waits for the registry has not failed."""
        current = self.is_named(ref)
        if current is not None:
            return current.is_set_aside
        trouble = self._trouble_of(ref)
        return trouble is not None and trouble.is_its_own

    def _trouble_of(self, ref: ModelRef) -> Trouble | None:
        trouble = self._not_loaded
        return trouble if trouble is not None and trouble.ref == ref else None

    def refresh(self) -> None:
        """Load the challenger that the traffic names, and let go of another."""
        ref = self._named_now()
        if self.current is not None and self.current.ref != ref:
            self._let_go(self.current)
        if ref is None or self.current is not None or is_same(self._champion.champion, ref):
            return
        if ref in self._refused:
            self._note(self._refused[ref])
            return
        try:
            loaded = self._load(ref)
        except Exception as error:  # noqa: BLE001 - whatever it is, the champion answers, and readers are told
            self._failed(ref, error)
            return
        self._take(ref, loaded)

    def stop(self) -> None:
        if self.current is not None:
            self.current.batcher.stop(timeout_s=0)

    def _load(self, ref: ModelRef) -> LoadedModel:
        version = model_version(self._settings, self._use_case, ref.version)
        there = registered(version).identity
        if not _stands_for(there, ref):
            raise OtherModelError(
                f"version {ref.version} of {self._use_case!r} is {there} now, and the traffic means another model "
                f"({ref.model_id} of run {ref.run_id}): start a rollout of the version that is meant"
            )
        model: ServedModel = replace(self._cache.load(self._settings, version), alias=CHALLENGER)
        return make_ready(self._settings, self._champion.asked, self._breaker, model, self._champion.champion)

    def _take(self, ref: ModelRef, loaded: LoadedModel) -> None:
        batcher = Batcher(1, MAX_BATCH_ROWS)
        batcher.start()
        self._not_loaded = None
        self.current = Challenger(ref, loaded, batcher, CircuitBreaker(TIMEOUTS))
        metrics.reloads.labels(self._use_case, "loaded").inc()
        self._show(loaded, 1)
        logger.info("the challenger is loaded: %s", named(ref), extra={"use_case": self._use_case})
        loaded.reasons.prepare()

    def _let_go(self, challenger: Challenger) -> None:
        self.current = None
        challenger.batcher.stop(timeout_s=0)
        self._show(challenger.loaded, 0)
        logger.info("the challenger is gone: %s", named(challenger.ref), extra={"use_case": self._use_case})

    def _show(self, loaded: LoadedModel, is_there: int) -> None:
        model = loaded.model
        metrics.model.labels(self._use_case, model.name, model.version, model.alias).set(is_there)

    def _failed(self, ref: ModelRef, error: Exception) -> None:
        """Keep a reason in mind that lies in the model itself: the same files would be refused again."""
        metrics.reloads.labels(self._use_case, "failed").inc()
        is_its_own = is_for_good(error)
        trouble = Trouble(ref, f"{named(ref)} cannot answer: {error}", is_its_own)
        if is_its_own and not isinstance(error, (MlflowRequestError, OtherModelError)):
            self._refused[ref] = trouble
        self._note(trouble)

    def _note(self, trouble: Trouble) -> None:
        if trouble != self._not_loaded:
            logger.error("the challenger was not loaded: %s", trouble.reason, extra={"use_case": self._use_case})
        self._not_loaded = trouble


def is_same(loaded: LoadedModel | None, ref: ModelRef) -> bool:
    """Whether ``loaded`` is the model that ``ref`` names."""
    return loaded is not None and _stands_for(loaded.model.identity, ref)


def _stands_for(identity: ModelIdentity, ref: ModelRef) -> bool:
    """A reference without a digest means the model of that run and id, whose files are held against its own digest."""
    is_digest = ref.digest in ("", identity.digest)
    return is_digest and (identity.run_id, identity.model_id) == (ref.run_id, ref.model_id)
