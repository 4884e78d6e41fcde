"""The features of a request, or the word that they cannot be had in time."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from config.errors import TerminalError, TransientError
from config.settings import Settings
from feature_store.online import FeatureRow, OnlineReader, OnlineStoreUnavailableError
from model_serving import metrics
from model_serving.breaker import CircuitBreaker

logger = logging.getLogger(__name__)
FAILURES = 3
PROBE_ID = "_probe"


class FeatureMismatchError(TerminalError):
    """A model that wants a feature its feature service does not have."""


class FeaturesUnavailableError(TransientError):
    """No features now: the store did not answer in time, or has not been asked since it failed repeatedly."""


class FeatureSource:
    """The columns one model takes, from the online store; any number of threads may use it."""

    def __init__(self, settings: Settings, service: str, features: Sequence[str], breaker: CircuitBreaker) -> None:
        self._reader = OnlineReader(settings, service)
        self._breaker = breaker
        self._columns = _columns(service, features, self._reader.names)

    def fetch(self, ids: Sequence[str]) -> list[FeatureRow | None]:
        """The row of each id, in the order of the model's features; None for an unknown one.

        Raises:
            FeaturesUnavailableError: at once while the breaker is open, else within ``feature_timeout_s``.
        """
        if self._breaker.is_open:
            raise FeaturesUnavailableError(f"the feature store is away: {self._breaker.error}")
        rows = self._read(ids)
        if self._columns is None:
            return rows
        columns = self._columns
        return [row and FeatureRow(tuple(row.values[c] for c in columns), row.as_of) for row in rows]

    def probe(self) -> None:
        """Ask the store for a row nobody has: this is what closes an open breaker."""
        try:
            self._read([PROBE_ID])
        except FeaturesUnavailableError:
            metrics.dependency_up.labels("feature_store").set(0)
        else:
            metrics.dependency_up.labels("feature_store").set(1)

    def _read(self, ids: Sequence[str]) -> list[FeatureRow | None]:
        try:
            rows = self._reader.read(ids)
        except OnlineStoreUnavailableError as error:
            if self._breaker.error is None:
                logger.warning("the feature store does not answer: %s", error)
            self._breaker.failed(str(error))
            raise FeaturesUnavailableError(str(error)) from error
        if self._breaker.error is not None:
            logger.info("the feature store answers again")
        self._breaker.succeeded()
        return rows


def feature_matrix(rows: Sequence[FeatureRow]) -> NDArray[np.float64]:
    """``[rows, features]``; what is undefined is nan."""
    return np.array([row.values for row in rows], dtype=np.float64)


def _columns(service: str, wanted: Sequence[str], names: Sequence[str]) -> tuple[int, ...] | None:
    missing = [feature for feature in wanted if feature not in names]
    if missing:
        raise FeatureMismatchError(
            f"the model takes {', '.join(missing)}, which feature service {service!r} does not have; "
            f"it has {', '.join(names)}"
        )
    return None if tuple(wanted) == tuple(names) else tuple(names.index(feature) for feature in wanted)
