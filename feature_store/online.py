"""The features of a request: states read from the online store and merged at the request's time."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from config.errors import TerminalError
from config.settings import Settings
from feature_store import catalog
from feature_store.merging import merge_service, optional
from feature_store.online_store import OnlineStoreUnavailableError
from feature_store.states import Applied, StateReader
from feature_store.tiles import Status

__all__ = ["FeatureRequestError", "FeatureRow", "OnlineReader", "OnlineStoreUnavailableError"]

Request = Mapping[str, str | float]
"""The key of each entity and the inputs of a service, by name."""
STATUSES = tuple(Status)
"""By number."""
NOT_APPLIED = Applied("", -1, 0, 0)
ONE, NOW = np.ones(1), np.zeros(1, dtype=np.int64)


class FeatureRequestError(TerminalError):
    """A request without a key or an input of the service."""


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """The features of one request, ordered like :attr:`OnlineReader.names` (None: no value).

    ``time`` is when they are as of, in microseconds since 1970; everything that the lake had learnt by ``known_until``
    is in them. ``status`` and ``applied``, the last commit of silver taken in, are those of each group.
    """

    values: tuple[float | None, ...]
    time: int
    known_until: datetime
    status: Mapping[str, Status]
    applied: Mapping[str, int]

    @property
    def is_unknown(self) -> bool:
        """No event of any of its entities was ever seen."""
        return all(status is Status.NO_STATE for status in self.status.values())


class OnlineReader:
    """Reads the features of one service; made once, used by any number of threads."""

    def __init__(self, settings: Settings, service_name: str, timeout_s: float | None = None) -> None:
        self.service = catalog.service(service_name)
        self.names = self.service.names
        self.keys = tuple(dict.fromkeys(group.entity.key for group in self.service.groups))
        self.inputs = tuple(one.name for one in self.service.inputs)
        timeout_s = timeout_s or settings.serving.feature_timeout_s
        self._states = StateReader(settings, self.service.groups, timeout_s, tries=1)
        self._applied = {group.name: NOT_APPLIED for group in self.service.groups}
        # So that no request waits for code to be loaded or compiled.
        merge_service(self.service, {name: [None] for name in self._applied}, dict.fromkeys(self.inputs, ONE), NOW)

    def refresh(self) -> None:
        """Ask how far the stream has come: what a row says of that is what this last found.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        self._applied = {name: one or NOT_APPLIED for name, one in self._states.applied().items()}

    def read(self, requests: Sequence[Request], now: int | None = None) -> list[FeatureRow]:
        """The row of each request, in order, as of ``now`` (microseconds since 1970; by default the present).

        Raises:
            FeatureRequestError: a key or an input is missing.
            OnlineStoreUnavailableError: no proper answer within ``timeout_s``.
        """
        if not requests:
            return []
        self._check(requests)
        applied = self._applied
        rebuilding = {name: one.rebuilding_since for name, one in applied.items() if one.rebuilding_since}
        states = self._states.read({key: [str(request[key]) for request in requests] for key in self.keys})
        # After the reads, so that no state is newer than the time it is asked about.
        at = now if now is not None else time.time_ns() // 1000
        inputs = {name: np.array([request[name] for request in requests], dtype=np.float64) for name in self.inputs}
        answer = merge_service(self.service, states, inputs, np.full(len(requests), at), rebuilding)
        until = datetime.fromtimestamp(min(one.known_until for one in applied.values()) / 1e6, UTC)
        columns = zip(*(optional(values) for values in answer.features.values()), strict=True)
        status = {name: merged.status.tolist() for name, merged in answer.groups.items()}
        version = {
            name: [max(one, applied[name].version) for one in merged.applied_version.tolist()]
            for name, merged in answer.groups.items()
        }
        return [
            FeatureRow(
                values,
                at,
                until,
                {name: STATUSES[of[number]] for name, of in status.items()},
                {name: of[number] for name, of in version.items()},
            )
            for number, values in enumerate(columns)
        ]

    def _check(self, requests: Sequence[Request]) -> None:
        for number, request in enumerate(requests):
            if missing := [name for name in (*self.keys, *self.inputs) if name not in request]:
                raise FeatureRequestError(f"request {number} has no {', '.join(missing)}")
