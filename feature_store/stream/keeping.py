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

from feature_store.definitions import FeatureGroup
from feature_store.states import Applied, Change, Fence, Known, StatesFencedError, StateStore
from feature_store.states.applied import ALL_BUCKETS
from feature_store.states.fence import epoch_of
from feature_store.states.known import check_of
from feature_store.states.ledger import Ledger, LedgerFiles
from feature_store.stream.applying import Anew, Counts, Upon
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


class LakeWentBackError(TransientError):
    """The lake's table is no more the one that the states were made from: all of them are made anew."""


class Lake(Protocol):
    """What the states are made from."""

    def table_id(self) -> str: ...

    def version(self) -> int: ...

    def commit(self, version: int) -> str | None:
        """What tells this commit from another of its number; None when that is not known any more."""
        ...

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
    _fence: Fence | None = field(default=None, init=False)
    _lost: list[int] = field(default_factory=list, init=False)

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
            OnlineStoreUnavailableError: Redis does not answer.
        """
        with self.lock, self._alone():
            run_id, token = self.store.run_id(), self.store.token()
            before, ledger = self.store.applied(), self.files.newest()
            table_id, started = self.lake.table_id(), _now()
            epochs = epoch_of(token), before.epoch if before else 0, ledger.epoch if ledger else 0
            # By the clock, in milliseconds, so that it is a new one also when all that knew the one before is lost.
            epoch = 1 + max(*epochs, time.time_ns() // 1_000_000)
            known_until = before.known_until if before and before.table_id == table_id else 0
            begun = Applied(table_id, epoch, NO_VERSION, known_until, started, ALL_BUCKETS, is_anew=True)
            fence = self._fence = self.store.begin(begun, token, run_id)
            # From here on nobody else writes, so nothing can be newer than this.
            version = self.lake.version()
            commit = self.lake.commit(version)
            counts = self.lake.make(None, version, Upon(epoch, version, fence.token), Anew(started))
            removed = self._forget_others(fence, version)
            empty = Ledger.empty(table_id, epoch, version)
            self._save(empty.after(counts.changes, version, counts.known, commit))
            self._settle(fence, begun)
        return counts, removed

    def repair(self, buckets: Sequence[int], why: str) -> None:
        """Make the states of ``buckets`` anew as of the ledger's version; of all when the lake no longer has that.

        Raises:
            BootstrapRunningError: another process is at it.
        """
        ledger, applied = self._ledger(), self.store.applied()
        if applied is None or applied.epoch != ledger.epoch or self._went_back():
            self.make_anew()
            return
        logger.warning("%d of %d buckets of %s %s: made anew", len(buckets), len(ALL_BUCKETS), self.group.name, why)
        with self._alone():
            fence = self._take()
            begun = replace(applied, rebuilding=tuple(sorted({*applied.rebuilding, *buckets})), at=_now())
            self.store.note(fence, applied, begun)
            upon = Upon(ledger.epoch, ledger.version, fence.token)
            try:
                counts = self.lake.make(begun.rebuilding, ledger.version, upon, Anew(begun.at))
            except LakeGoneError as error:
                logger.warning("%s: all states of %s are made anew", error, self.group.name)
            else:
                for bucket in begun.rebuilding:
                    self._sweep(bucket, fence, ledger.version)
                rest = ledger.without(begun.rebuilding)
                self._save(rest.after(counts.changes, ledger.version, ledger.known_until, ledger.commit))
                self._settle(fence, begun)
                return
        self.make_anew()

    @contextmanager
    def batch(self) -> Iterator[tuple[Upon, Applied]]:
        """Hold the lock and the turn to write, with states that are what the ledger says, repaired if need be.

        What the batch finds lost is made anew when it is done.

        Raises:
            StatesFencedError: another process makes them anew.
            LakeWentBackError: the lake's table is another one now.
        """
        with self.lock:
            run_id = self.store.run_id()
            self.look()
            fence, ledger = self._take(run_id), self._ledger()
            applied = self.store.applied()
            if applied is None or applied.epoch != ledger.epoch or applied.version < ledger.version:
                raise StatesFencedError(f"the states of {self.group.name} are made anew by another process")
            self._check_lake()
            self._lost = []
            yield Upon(ledger.epoch, ledger.version, fence.token), applied
            if self._lost:
                self.repair(self._lost, "had lost states of entities that events came for")

    def commit(self, before: Applied, counts: Counts, version: int, started: int) -> None:
        """Note that all commits up to ``version`` are in the states; ``before`` is the note of before the batch.

        Raises:
            StatesFencedError: another process writes these states now.
            StoreRestartedError: what the batch wrote may not be there any more.
            LakeWentBackError: the lake's table became another one during the batch.
        """
        ledger, fence = self._ledger(), self._fence
        if fence is None:
            raise RuntimeError("a commit is part of a batch")
        commit = self.lake.commit(version)
        self._check_lake()
        self._lost = counts.lost.tolist()
        known_until = max(before.known_until, counts.known)
        newest = max(before.version, version)
        after = replace(before, version=newest, known_until=known_until, at=started, rebuilding=tuple(self._lost))
        self.store.note(fence, before, after)
        self._save(ledger.after(counts.changes, version, known_until, commit))

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
            if self._fence is not None and self.store.token() != self._fence.token.encode():
                logger.warning("another process wrote states of %s, or the store went back", self.group.name)
                self._adopt(applied)
            elif applied.version < ledger.version or applied.rebuilding:
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

    def scrub(self, buckets: int) -> float:
        """Read what the states of the next ``buckets`` say of themselves, and repair where they are not as known.

        Losses seldom come alone, and a repair reads the whole table: before it all other buckets are read too. What is
        returned is how many seconds it took to read the next ones.
        """
        with self.lock:
            chosen = [(self._next + step) % len(ALL_BUCKETS) for step in range(buckets)]
            self._next = (self._next + buckets) % len(ALL_BUCKETS)
            begun = time.monotonic()
            wrong, seconds = self.wrong(chosen), time.monotonic() - begun
            if wrong:
                self.repair(self.wrong(ALL_BUCKETS), "have other states than is known")
            self._make_due()
            return seconds

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
        heads, latest = self.store.heads(list(found)), _now() + AHEAD
        return all(
            (header := peek(layout, head.start)) is not None
            and known is not None
            and (header.epoch, header.version) == known[:2]
            and head.digest == known.digest
            and header.since <= latest
            for head, known in zip(heads, found.values(), strict=True)
        )

    def _catch_up(self, applied: Applied) -> None:
        """Whatever happened to the store or to who wrote it: repair what differs, and note that it is repaired."""
        fence = self._take()
        if wrong := self.wrong(ALL_BUCKETS):
            self.repair(wrong, "are not those of the ledger")
        elif applied.rebuilding or applied.version < self._ledger().version:
            self._settle(fence, applied)

    def _adopt(self, applied: Applied) -> None:
        """Go on from what another process made."""
        newest = self.files.newest()
        if newest is None or newest.epoch != applied.epoch or (applied.rebuilding and applied.is_anew):
            logger.warning("who began to make the states of %s anew is not done: taken over", self.group.name)
            self.make_anew()  # unless that process lives and holds the lock
        else:
            self.ledger = newest
            self._catch_up(applied)

    def _take(self, run_id: str | None = None) -> Fence:
        """One's turn to write; who had the one before is refused from now on."""
        self._fence = self.store.take(self._ledger().epoch, run_id or self.store.run_id())
        return self._fence

    def _make_due(self) -> None:
        due = (self._ledger().due <= _now()).nonzero()[0]
        begun = time.monotonic()
        if due.size and begun >= self._due_after:
            self.repair(due.tolist(), "wait for events whose time has come")
            self._due_after = time.monotonic() + max(REST_S, REST_SHARE * (time.monotonic() - begun))

    def _belongs(self, ledger: Ledger, applied: Applied) -> bool:
        """Whether both are of one epoch and of the lake's table, as it is or was before."""
        is_one = ledger.epoch == applied.epoch and ledger.table_id == self.lake.table_id()
        return is_one and ledger.version <= self.lake.version() and not self._went_back(ledger)

    def _went_back(self, ledger: Ledger | None = None) -> bool:
        """Whether the commit that the states have come to is another one now; not when either is not known."""
        ledger = ledger or self._ledger()
        commit = self.lake.commit(ledger.version)
        return None not in (commit, ledger.commit) and commit != ledger.commit

    def _check_lake(self) -> None:
        if self._went_back():
            raise LakeWentBackError(
                f"version {self._ledger().version} of the table that the states of {self.group.name} are made from is "
                "another commit now, the table went back: they are made anew"
            )

    def _settle(self, fence: Fence, applied: Applied) -> None:
        """Note in the store what the ledger says."""
        ledger = self._ledger()
        settled = Applied(ledger.table_id, ledger.epoch, ledger.version, ledger.known_until, applied.at)
        if settled != applied:
            self.store.note(fence, applied, settled)

    def _save(self, ledger: Ledger) -> None:
        self.files.save(ledger)
        self.ledger = ledger

    def _ledger(self) -> Ledger:
        if self.ledger is None:
            raise RuntimeError("start() comes first")
        return self.ledger

    def _forget_others(self, fence: Fence, version: int) -> int:
        """Remove the states of other epochs; how many there were."""
        layout = Layout.of(self.group)

        def is_others(state: bytes) -> bool:
            header = header_of(layout, state)
            return not isinstance(header, Header) or header.epoch != fence.epoch

        removed = self.store.forget_where(is_others)
        for bucket in ALL_BUCKETS:
            self._sweep(bucket, fence, version)
        return removed

    def _sweep(self, bucket: int, fence: Fence, version: int) -> None:
        """Remove the states of ``bucket`` that were not made just now: the lake has no events of their entities."""
        others = [
            entity
            for entity, entry in self.store.entries(bucket)
            if (known := Known.load(entry)) is None or known[:2] != (fence.epoch, version)
        ]
        for first in range(0, len(others), SWEPT):
            found = self.store.find(others[first : first + SWEPT])
            self.store.write(fence.token, [Change(one, None, None) for one in found], _now())

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
            except TransientError as error:
                # What was done under it is done, or its error is the one to tell.
                logger.warning("the lock of %s is not released, it ends by itself in %d s: %s", name, LOCK_S, error)


def _hold(reacquire: Callable[[], object], done: threading.Event, name: str) -> None:
    while not done.wait(LOCK_S / 3):
        try:
            reacquire()
        except TransientError as error:  # what else needs Redis fails by itself, and is tried again
            logger.warning("the lock of %s could not be kept: %s", name, error)


def _now() -> int:
    return time.time_ns() // 1000
