"""The features of a request: states read from the online store and merged at the request's time."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from feature_store import catalog
from feature_store.columns.events import Mask
from feature_store.online.connection import OnlineStoreUnavailableError
from feature_store.online.deadline import within
from feature_store.online.merging import Belief, merge_service, optional
from feature_store.states import Applied, StateReader, bucket_of
from feature_store.states.heard import heard_of
from feature_store.states.reader import States
from feature_store.tiles import Status
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

__all__ = ["FeatureRequestError", "FeatureRow", "OnlineReader", "OnlineStoreUnavailableError"]

Request = Mapping[str, str | float]
"""The key of each entity and the inputs of a service, by name."""
STATUSES = tuple(Status)
"""By number."""
NOT_APPLIED = Applied("", 0, -1, 0, 0)
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

    @property
    def is_lost(self) -> bool:
        """The store does not have what it is known to have had: nothing is said of the entity, nor until when."""
        return Status.LOST in self.status.values()


class OnlineReader:
    """Reads the features of one service; made once, used by any number of threads."""

    def __init__(self, settings: Settings, service_name: str, timeout_s: float | None = None) -> None:
        self.service = catalog.service(service_name)
        self.names = self.service.names
        self.keys = self.service.keys
        self.inputs = tuple(one.name for one in self.service.inputs)
        self._timeout_s = timeout_s or settings.serving.feature_timeout_s
        self._states = StateReader(settings, self.service.groups, self._timeout_s, tries=1)
        self._keys = {group.name: group.entity.key for group in self.service.groups}
        self._heard = {group.name: heard_of(settings, group) for group in self.service.groups}
        # So that no request waits for code to be loaded or compiled.
        merge_service(self.service, {name: [None] for name in self._keys}, dict.fromkeys(self.inputs, ONE), NOW)

    def troubles(self) -> dict[str, Status]:
        """Groups whose states are not all there now: LOST, or REBUILDING while they are made anew.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        heard = self._positions()
        with within(self._timeout_s):
            applied = self._states.applied()
        found = {name: self._standing(name, one, heard[name]) for name, one in applied.items()}
        return {name: status for name, status in found.items() if status is not Status.OK}

    def read(self, requests: Sequence[Request], now: int | None = None) -> list[FeatureRow]:
        """The row of each request, in order, as of ``now`` (microseconds since 1970; by default the present).

        Raises:
            FeatureRequestError: a key or an input is missing.
            OnlineStoreUnavailableError: no proper answer within ``timeout_s``.
        """
        if not requests:
            return []
        self._check(requests)
        ids = {key: [str(request[key]) for request in requests] for key in self.keys}
        heard = self._positions()
        with within(self._timeout_s):
            read = self._states.read(ids)
            missing = self._missing(ids, read.states)
        # After the reads, so that no state is newer than the time it is asked about.
        at = now if now is not None else time.time_ns() // 1000
        inputs = {name: np.array([request[name] for request in requests], dtype=np.float64) for name in self.inputs}
        beliefs = {
            name: self._belief(name, read.applied[name], heard[name], ids[key], missing[name])
            for name, key in self._keys.items()
        }
        answer = merge_service(self.service, read.states, inputs, np.full(len(requests), at), beliefs)
        applied = {name: one or NOT_APPLIED for name, one in read.applied.items()}
        until = datetime.fromtimestamp(min(one.known_until for one in applied.values()) / 1e6, UTC)
        columns = zip(*(optional(values) for values in answer.features.values()), strict=True)
        status = {name: merged.status.tolist() for name, merged in answer.groups.items()}
        version = {
            name: [max(one, applied[name].version) for one in merged.header.version.tolist()]
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

    def _positions(self) -> dict[str, tuple[int, int]]:
        """To be taken before what is compared with it is read."""
        return {name: heard.position for name, heard in self._heard.items()}

    def _standing(self, name: str, applied: Applied | None, heard: tuple[int, int]) -> Status:
        """Whether the store of a group is whole: one that says less than was ``heard`` before is older now."""
        if applied is None or applied.position < heard:
            return Status.LOST
        self._heard[name].hear(applied)
        return Status.REBUILDING if applied.rebuilding else Status.OK

    def _missing(self, ids: Mapping[str, Sequence[str]], states: States) -> dict[str, Mask | None]:
        """By group: which requests have no state though the store knows of one; None where each has its state."""
        missing: dict[str, Mask | None] = dict.fromkeys(states)
        absent = {name: [n for n, state in enumerate(found) if state is None] for name, found in states.items()}
        known = self._states.are_known({name: [ids[self._keys[name]][n] for n in of] for name, of in absent.items()})
        for name, of in absent.items():
            if of:
                missing[name] = mask = np.zeros(len(states[name]), dtype=np.bool_)
                mask[of] = known[name]
        return missing

    def _belief(
        self, name: str, applied: Applied | None, heard: tuple[int, int], ids: Sequence[str], missing: Mask | None
    ) -> Belief:
        standing = self._standing(name, applied, heard)
        if applied is None or standing is Status.LOST:
            return Belief(0, is_lost=True)
        rebuilding = None
        if applied.rebuilding:
            buckets = set(applied.rebuilding)
            rebuilding = np.array([bucket_of(one) in buckets for one in ids])
        return Belief(applied.epoch, is_anew=applied.is_anew, rebuilding=rebuilding, missing=missing)

    def _check(self, requests: Sequence[Request]) -> None:
        for number, request in enumerate(requests):
            if missing := [name for name in (*self.keys, *self.inputs) if name not in request]:
                raise FeatureRequestError(f"request {number} has no {', '.join(missing)}")
