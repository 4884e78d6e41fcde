"""Which model is to answer whom, as the control store says: read in the background, kept while the store is away."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model_serving import metrics
from monitoring.control import ControlStoreAwayError, ModelRef, Rollout, control_store, is_made
from monitoring.control.store import ControlStore
from tidemill.config.errors import TidemillError
from tidemill.config.settings import Settings

FOLLOW_S = 2.0
SILENT_S = 10.0
"""A change takes effect within so many seconds, or the server says that it may not have."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Followed:
    """The traffic of a use case, and when it was read first, by the monotonic clock."""

    rollout: Rollout
    since: float


class TrafficFollower:
    """The newest traffic of each use case; :meth:`refresh` runs in the background, requests only read.

    Where no traffic was ever set, and before the first look, the champion answers all.
    """

    def __init__(self, settings: Settings, use_cases: Iterable[str]) -> None:
        self._settings = settings
        self._use_cases = tuple(use_cases)
        self._store: ControlStore | None = None
        self._followed: Mapping[str, Followed] = {}
        self._error: str | None = None
        self._read_at = time.monotonic()

    def of(self, use_case: str) -> Rollout | None:
        """The traffic that was read last, None where there was none."""
        followed = self.followed(use_case)
        return None if followed is None else followed.rollout

    def followed(self, use_case: str) -> Followed | None:
        """The traffic that was read last, with the time since when; None where there was none."""
        return self._followed.get(use_case)

    @property
    def trouble(self) -> str | None:
        """Why the traffic may be another by now."""
        if self._error is not None:
            return self._error
        silent_s = time.monotonic() - self._read_at
        return f"the control store has not answered for {silent_s:.0f} s" if silent_s > SILENT_S else None

    def refresh(self) -> None:
        """Read the traffic of every use case; while it cannot be read it stays as it was."""
        try:
            rollouts = self._read()
        except TidemillError as error:
            self._note(str(error))
            return
        self._read_at = time.monotonic()
        self._note(None)
        self._followed = {use_case: self._follow(rollout) for use_case, rollout in rollouts.items()}

    def _follow(self, rollout: Rollout) -> Followed:
        before = self._followed.get(rollout.use_case)
        if before is not None and before.rollout == rollout:
            return before
        _tell(rollout)
        return Followed(rollout, self._read_at)

    def close(self) -> None:
        """End the connections to the store."""
        if self._store is not None:
            self._store.close()

    def _read(self) -> Mapping[str, Rollout]:
        if not is_made(self._settings):
            if self._store is None:
                return {}
            raise ControlStoreAwayError(f"the control store's file, {self._settings.control.url}, is gone")
        if self._store is None:
            self._store = control_store(self._settings)
        read = {use_case: self._store.rollouts.current(use_case) for use_case in self._use_cases}
        return {use_case: rollout for use_case, rollout in read.items() if rollout is not None}

    def _note(self, error: str | None) -> None:
        if error is not None and self._error is None:
            logger.warning("the traffic stays as it was: %s", error)
        if error is None and self._error is not None:
            logger.info("the control store answers again")
        self._error = error
        metrics.dependency_up.labels("control_store").set(error is None)


def _tell(rollout: Rollout) -> None:
    traffic = rollout.traffic
    challenger = traffic.challenger and traffic.challenger.version
    extra = {"use_case": rollout.use_case, "epoch": rollout.epoch, "policy": str(traffic.policy)}
    logger.info("the traffic changed", extra=extra | {"challenger": challenger, "share": traffic.share})
    metrics.traffic_epoch.labels(rollout.use_case).set(rollout.epoch)
    metrics.traffic_share.labels(rollout.use_case).set(traffic.share)


def named(ref: ModelRef) -> str:
    """A version and the model that it is to stand for, in a sentence."""
    return f"version {ref.version} (model {ref.model_id} of run {ref.run_id})"
