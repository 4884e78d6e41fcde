"""Keeps the states of a group what the lake is: noticed is whatever else the store has, and made anew by itself.

The ledger says what the states should be. A batch is applied upon it and then noted in the store and in the ledger, in
this order: a store that says less than the ledger went back.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from redis.exceptions import LockError, RedisError

from feature_store.applying import Anew, Counts, Upon
from feature_store.definitions import FeatureGroup
from feature_store.states import Applied, Change, Known, StatesFencedError, StateStore
from feature_store.states.applied import ALL_BUCKETS
from feature_store.states.known import check_of
from feature_store.states.ledger import Ledger, LedgerFiles
from feature_store.tiles import Layout, header_of, peek
from feature_store.tiles.state import NO_VERSION, Header
from tidemill.config.errors import TransientError

logger = logging.getLogger(__name__)
LOCK_S = 60.0
REST_S, REST_SHARE = 60.0, 20
"""Buckets whose states wait for events that lay ahead are made anew no sooner than so long after the last time.

Nor before so many times what that took: the rest of a bucket has no answers meanwhile.
"""
AHEAD = 60_000_000
"""A state whose reach begins later than now by more was written by a clock that was wrong."""
SWEPT = 1000


class BootstrapRunningError(TransientError):
    """Another process makes the states of this group now."""


class LakeGoneError(TransientError):
    """The lake no longer has the version that was asked for."""


class Lake(Protocol):
    """What the states are made from."""

    def table_id(self) -> str: ...

    def version(self) -> int: ...

    def make(self, buckets: Sequence[int] | None, version: int, upon: Upon, anew: Anew) -> Counts:
        """Make the states of all entities in ``buckets`` (None: of all) as of ``version``.

        Raises:
            LakeGoneError: the table has no such version any more.
        """
        ...


@dataclass
class StateKeeper:
    """Of one group, in one process; what it does is done under its lock, one after the other."""

    group: FeatureGroup
    store: StateStore
    files: LedgerFiles
    lake: Lake
    ledger: Ledger | None = field(default=None, init=False)
    lock: threading.RLock = field(default_factory=threading.RLock, init=False)
    _next: int = field(default=0, init=False)
    _due_after: float = field(default=0.0, init=False)

    def is_made(self) -> bool:
        """Whether the states of the lake's table are there, as far as the store and the ledger say."""
        ledger, applied = self.files.newest(), self.store.applied()
        return ledger is not None and applied is not None and self._belongs(ledger, applied) and not applied.rebuilding

    def start(self) -> Ledger:
        """Make the states what the ledger says, by bucket where that is enough, or all where there is no such ledger.

        Raises:
            BootstrapRunningError: another process is at it.
        """
        with self.lock:
            ledger, applied = self.files.newest(), self.store.applied()
            if ledger is None or applied is None or not self._belongs(ledger, applied):
                self.make_anew()
            else:
                self.ledger = ledger
                self._catch_up(applied)
            return self._ledger()

    def make_anew(self) -> tuple[Counts, int]:
        """Make all states from the lake, in an epoch of their own; also how many of before were removed.

        Raises:
            BootstrapRunningError: another process is at it.
        """
        with self.lock, self._alone():
            before, ledger = self.store.applied(), self.files.newest()
            table_id, started = self.lake.table_id(), _now()
            epoch = 1 + max(before.epoch if before else 0, ledger.epoch if ledger else 0, int(time.time()) - 1)
            known_until = before.known_until if before and before.table_id == table_id else 0
            begun = Applied(table_id, epoch, NO_VERSION, known_until, started, ALL_BUCKETS, is_anew=True)
            self.store.begin(begun)
            # From here on nobody else writes, so nothing can be newer than this.
            version = self.lake.version()
            counts = self.lake.make(None, version, Upon(epoch, version), Anew(started))
            removed = self._forget_others(epoch, version)
            empty = Ledger.empty(table_id, epoch, version)
            self._save(empty.after(counts.changes, version, counts.known))
            self._settle(begun)
        return counts, removed

    def repair(self, buckets: Sequence[int], why: str) -> None:
        """Make the states of ``buckets`` anew as of the ledger's version; of all when the lake no longer has that.

        Raises:
            BootstrapRunningError: another process is at it.
        """
        ledger, applied = self._ledger(), self.store.applied()
        if applied is None or applied.epoch != ledger.epoch:
            self.make_anew()
            return
        logger.warning("%d of %d buckets of %s %s: made anew", len(buckets), len(ALL_BUCKETS), self.group.name, why)
        with self._alone():
            begun = replace(applied, rebuilding=tuple(sorted({*applied.rebuilding, *buckets})), at=_now())
            self.store.note(applied, begun)
            upon = Upon(ledger.epoch, ledger.version)
            try:
                counts = self.lake.make(begun.rebuilding, ledger.version, upon, Anew(begun.at))
            except LakeGoneError as error:
                logger.warning("%s: all states of %s are made anew", error, self.group.name)
            else:
                for bucket in begun.rebuilding:
                    self._sweep(bucket, ledger.epoch, ledger.version)
                rest = ledger.without(begun.rebuilding)
                self._save(rest.after(counts.changes, ledger.version, ledger.known_until))
                self._settle(begun)
                return
        self.make_anew()

    @contextmanager
    def batch(self) -> Iterator[tuple[Ledger, Applied]]:
        """Hold the lock with states that are what the ledger says, repaired if need be.

        Raises:
            StatesFencedError: another process makes them anew.
        """
        with self.lock:
            self.look()
            ledger, applied = self._ledger(), self.store.applied()
            if applied is None or applied.epoch != ledger.epoch or applied.version < ledger.version:
                raise StatesFencedError(f"the states of {self.group.name} are made anew by another process")
            yield ledger, applied

    def commit(self, before: Applied, counts: Counts, version: int, started: int) -> None:
        """Note that all commits up to ``version`` are in the states; ``before`` is the note of before the batch.

        What the batch found lost is made anew.
        """
        ledger = self._ledger()
        lost = tuple(int(bucket) for bucket in counts.lost)
        known_until = max(before.known_until, counts.known)
        after = replace(
            before, version=max(before.version, version), known_until=known_until, at=started, rebuilding=lost
        )
        self.store.note(before, after)
        self._save(ledger.after(counts.changes, version, known_until))
        if lost:
            self.repair(lost, "had lost states of entities that events came for")

    def look(self) -> None:
        """Repair what a look at the store's notes and counts shows to be wrong, without reading any state."""
        with self.lock:
            applied, ledger = self.store.applied(), self._ledger()
            if applied is not None and applied.epoch > ledger.epoch:
                self._adopt(applied)
                return
            if applied is None or applied.epoch < ledger.epoch:
                logger.warning("the store has lost the states of %s: they are made anew", self.group.name)
                self.make_anew()
                return
            if applied.version < ledger.version or applied.rebuilding:
                self._catch_up(applied)
            counts = np.array(self.store.counts())
            # More than the ledger says are those of a batch that did not come to its end.
            if (wrong := (counts < ledger.counts).nonzero()[0]).size:
                self.repair(wrong.tolist(), "have lost states")

    def has_other_table(self) -> bool:
        """Whether the lake's table is another one than that of the states, or went back.

        Who reads its commits has to start over then: where it was in the one says nothing of the other.
        """
        with self.lock:
            ledger, applied = self._ledger(), self.store.applied()
            if applied is None or applied.epoch != ledger.epoch:
                return False
            return not self._belongs(ledger, applied)

    def scrub(self, buckets: int) -> None:
        """Read what the states of the next ``buckets`` say of themselves, and repair where they are not as known."""
        with self.lock:
            chosen = [(self._next + step) % len(ALL_BUCKETS) for step in range(buckets)]
            self._next = (self._next + buckets) % len(ALL_BUCKETS)
            if wrong := self.wrong(chosen):
                self.repair(wrong, "have other states than is known")
            self._make_due()

    def wrong(self, buckets: Iterable[int]) -> list[int]:
        """Those of ``buckets`` whose states are not what the ledger says."""
        return [bucket for bucket in buckets if not self._is_right(bucket)]

    def _is_right(self, bucket: int) -> bool:
        ledger, layout, count, check = self._ledger(), Layout.of(self.group), 0, 0
        found = {entity: Known.load(entry) for entity, entry in self.store.entries(bucket)}
        for entity, known in found.items():
            if known is None or known.epoch != ledger.epoch:
                return False
            version = known.version_at(ledger.version)
            count, check = count + (version != NO_VERSION), check ^ check_of(entity, known.epoch, version)
        if (count, check) != (ledger.counts[bucket], ledger.checks[bucket]):
            return False
        headers, latest = (peek(layout, head) for head in self.store.heads(list(found))), _now() + AHEAD
        return all(
            header is not None
            and known is not None
            and (header.epoch, header.version) == known[:2]
            and header.since <= latest
            for header, known in zip(headers, found.values(), strict=True)
        )

    def _catch_up(self, applied: Applied) -> None:
        """Whatever happened to the store or to who wrote it: repair what differs, and note that it is repaired."""
        if wrong := self.wrong(ALL_BUCKETS):
            self.repair(wrong, "are not those of the ledger")
        elif applied.rebuilding or applied.version < self._ledger().version:
            self._settle(applied)

    def _adopt(self, applied: Applied) -> None:
        """Go on from what another process made."""
        newest = self.files.newest()
        if newest is None or newest.epoch != applied.epoch or applied.rebuilding:
            logger.warning("who began to make the states of %s anew is not done: taken over", self.group.name)
            self.make_anew()  # unless that process lives and holds the lock
        else:
            self.ledger = newest

    def _make_due(self) -> None:
        due = (self._ledger().due <= _now()).nonzero()[0]
        begun = time.monotonic()
        if due.size and begun >= self._due_after:
            self.repair(due.tolist(), "wait for events whose time has come")
            self._due_after = time.monotonic() + max(REST_S, REST_SHARE * (time.monotonic() - begun))

    def _belongs(self, ledger: Ledger, applied: Applied) -> bool:
        """Whether both are of one epoch and of the lake's table, as it is or was before."""
        is_one = ledger.epoch == applied.epoch and ledger.table_id == self.lake.table_id()
        return is_one and ledger.version <= self.lake.version()

    def _settle(self, applied: Applied) -> None:
        """Note in the store what the ledger says."""
        ledger = self._ledger()
        settled = Applied(ledger.table_id, ledger.epoch, ledger.version, ledger.known_until, applied.at)
        if settled != applied:
            self.store.note(applied, settled)

    def _save(self, ledger: Ledger) -> None:
        self.files.save(ledger)
        self.ledger = ledger

    def _ledger(self) -> Ledger:
        if self.ledger is None:
            raise RuntimeError("start() comes first")
        return self.ledger

    def _forget_others(self, epoch: int, version: int) -> int:
        """Remove the states of other epochs; how many there were."""
        layout = Layout.of(self.group)

        def is_others(state: bytes) -> bool:
            header = header_of(layout, state)
            return not isinstance(header, Header) or header.epoch != epoch

        removed = self.store.forget_where(is_others)
        for bucket in ALL_BUCKETS:
            self._sweep(bucket, epoch, version)
        return removed

    def _sweep(self, bucket: int, epoch: int, version: int) -> None:
        """Remove the states of ``bucket`` that were not made just now: the lake has no events of their entities."""
        others = [
            entity
            for entity, entry in self.store.entries(bucket)
            if (known := Known.load(entry)) is None or known[:2] != (epoch, version)
        ]
        for first in range(0, len(others), SWEPT):
            found = self.store.find(others[first : first + SWEPT])
            self.store.write(epoch, [Change(one, None, None) for one in found], _now())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the group's lock in the store, which ends by itself soon after this process does."""
        lock, name = self.store.lock(LOCK_S), self.group.name
        if not lock.acquire():
            raise BootstrapRunningError(f"another process makes the states of {name} now: wait for it, or try again")
        done = threading.Event()
        keeper = threading.Thread(target=_hold, args=(lock.reacquire, done, name), name="bootstrap-lock", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()
            try:
                lock.release()
            except LockError as error:
                logger.warning("the lock of %s was lost: %s", name, error)


def _hold(reacquire: Callable[[], object], done: threading.Event, name: str) -> None:
    while not done.wait(LOCK_S / 3):
        try:
            reacquire()
        except RedisError as error:  # what else needs Redis fails by itself, and is tried again
            logger.warning("the lock of %s could not be kept: %s", name, error)


def _now() -> int:
    return time.time_ns() // 1000
