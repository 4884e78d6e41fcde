"""The features of a request, or the word that they cannot be had in time."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from feature_store.online.reader import FeatureRow, OnlineReader, OnlineStoreUnavailableError
from feature_store.tiles import Status
from ml_modeling.registry.served import Serving
from model_serving import metrics
from model_serving.asked import Asked, Instance
from model_serving.breaker import CircuitBreaker
from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings

logger = logging.getLogger(__name__)
FAILURES = 3
Result = TypeVar("Result")


class FeatureMismatchError(TerminalError):
    """A model that wants a feature its feature service does not have, or that has another meaning now."""


class FeaturesUnavailableError(TransientError):
    """No features now: the store did not answer in time, or has not been asked since it failed repeatedly."""


class FeatureSource:
    """The columns one model takes, from the online store; any number of threads may use it."""

    def __init__(self, settings: Settings, asked: Asked, spec: Serving, breaker: CircuitBreaker) -> None:
        service = spec.feature_service
        self._reader = OnlineReader(settings, service)
        self._breaker = breaker
        _check_asks_the_same(asked, service, self._reader)
        self.troubles: dict[str, Status] = {}
        self._columns = _columns(service, spec.features, self._reader.names)
        if self._reader.service.fingerprint != spec.feature_fingerprint:
            raise FeatureMismatchError(
                f"the model learnt from other features of the same names: feature service {service!r} has changed since"
            )

    def fetch(self, instances: Sequence[Instance]) -> list[FeatureRow]:
        """The row of each instance, in the order of the model's features.

        Raises:
            FeaturesUnavailableError: at once while the breaker is open, else within ``feature_timeout_s``.
        """
        if self._breaker.is_open:
            raise FeaturesUnavailableError(f"the feature store is away: {self._breaker.error}")
        rows = self._call(lambda: self._reader.read(instances))
        if self._columns is None:
            return rows
        columns = self._columns
        return [replace(row, values=tuple(row.values[c] for c in columns)) for row in rows]

    def probe(self) -> None:
        """Ask the store how its groups are: this is what closes an open breaker, and what ``troubles`` are."""
        try:
            found = self._call(self._reader.troubles)
        except FeaturesUnavailableError:
            metrics.dependency_up.labels("feature_store").set(0)
            return
        metrics.dependency_up.labels("feature_store").set(1)
        if found != self.troubles:
            logger.warning("states in the feature store: %s", _told(found) or "all there again")
        self.troubles = found

    @property
    def trouble(self) -> str | None:
        """Which groups the store does not have the states of, as :meth:`probe` found last."""
        return _told(self.troubles) or None

    def _call(self, ask: Callable[[], Result]) -> Result:
        try:
            result = ask()
        except OnlineStoreUnavailableError as error:
            if self._breaker.error is None:
                logger.warning("the feature store does not answer: %s", error)
            self._breaker.failed(str(error))
            raise FeaturesUnavailableError(str(error)) from error
        if self._breaker.error is not None:
            logger.info("the feature store answers again")
        self._breaker.succeeded()
        return result


def _told(troubles: Mapping[str, Status]) -> str:
    said = {Status.LOST: "lost", Status.REBUILDING: "being made anew"}
    return ", ".join(f"the states of {group} are {said[status]}" for group, status in troubles.items())


def feature_matrix(rows: Sequence[FeatureRow]) -> NDArray[np.float64]:
    """``[rows, features]``; what is undefined is nan."""
    return np.array([row.values for row in rows], dtype=np.float64)


def _check_asks_the_same(asked: Asked, service: str, reader: OnlineReader) -> None:
    named, wanted = {*asked.keys, *asked.inputs}, {*reader.keys, *reader.inputs}
    if named != wanted:
        raise FeatureMismatchError(
            f"feature service {service!r} of the model is asked with {', '.join(sorted(wanted))}, "
            f"and a request of {asked.use_case!r} has {', '.join(sorted(named))}"
        )


def _columns(service: str, wanted: Sequence[str], names: Sequence[str]) -> tuple[int, ...] | None:
    missing = [feature for feature in wanted if feature not in names]
    if missing:
        raise FeatureMismatchError(
            f"the model takes {', '.join(missing)}, which feature service {service!r} does not have; "
            f"it has {', '.join(names)}"
        )
    return None if tuple(wanted) == tuple(names) else tuple(names.index(feature) for feature in wanted)
