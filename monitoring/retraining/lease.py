"""A lease that is renewed in the background while its holder works."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from monitoring.control import (
    ControlStore,
    ControlStoreAwayError,
    ControlStoreRefusedError,
    Lease,
    LeaseLostError,
    RetrainRequest,
    State,
)
from monitoring.control.records import Json

RENEWALS = 3
"""So many within a lease's duration: one that fails is followed by another in time."""
LOST = signal.SIGUSR1
"""Sent by the renewing thread to its own process: what works may be anywhere, deep in a library."""

log = logging.getLogger(__name__)


class HeldLease:
    """A lease that is renewed until it is lost, or the request is out of its holder's hands."""

    def __init__(self, store: ControlStore, lease: Lease, duration: timedelta) -> None:
        self.lease = lease
        self._store = store
        self._duration = duration
        self._lost: LeaseLostError | None = None
        self._turn = threading.Lock()
        self._is_over = threading.Event()

    def renew(self) -> RetrainRequest:
        """Asks the store.

        Raises:
            LeaseLostError: another holds the request, or it is finished.
            ControlStoreAwayError: nobody knows.
        """
        return self._store.requests.renew(self.lease, self._duration)

    def check(self) -> None:
        """What the last renewal knew, without asking the store.

        Raises:
            LeaseLostError: as :meth:`renew`.
        """
        if self._lost is not None and not self._is_over.is_set():
            raise LeaseLostError(str(self._lost)) from self._lost

    def advance(self, expected: State, to: State, note: Json) -> RetrainRequest:
        """Moves the request, between two renewals; a finished one is renewed no more."""
        with self._turn:
            moved = self._store.requests.advance(self.lease, expected, to, note)
            if moved.state.is_finished:
                self._is_over.set()
            return moved

    def hand_over(self, expected: State, to: State, note: Json) -> RetrainRequest:
        """Moves the request and gives it back, for another kind of worker to claim."""
        with self._turn:
            self._store.requests.advance(self.lease, expected, to, note)
            self._is_over.set()
            return self._store.requests.give_back(self.lease, f"handed over as {to}")

    def give_back(self, reason: str) -> None:
        """Frees the request for the next claim; where that cannot be said, its lease runs out."""
        with self._turn:
            self._is_over.set()
            try:
                self._store.requests.give_back(self.lease, reason)
            except (ControlStoreAwayError, LeaseLostError) as error:
                log.warning("request %s was not given back: %s", self.lease.request_id, error)

    def note(self, detail: Json) -> None:
        """Leaves a word in the request's trail and keeps the lease; a word that cannot be kept is logged."""
        with self._turn:
            try:
                self._store.requests.note(self.lease, detail)
            except (ControlStoreAwayError, ControlStoreRefusedError, LeaseLostError) as error:
                log.warning("request %s was not told %s: %s", self.lease.request_id, dict(detail), error)

    def let_go(self) -> None:
        """Ends the renewals."""
        self._is_over.set()

    def keep(self) -> bool:
        """Renews until the end, which is True, or until the lease is lost. A store that is away is asked again."""
        while not self._is_over.wait(self._duration.total_seconds() / RENEWALS):
            with self._turn:
                if self._is_over.is_set():
                    return True
                try:
                    self.renew()
                except LeaseLostError as error:
                    log.warning("%s", error)
                    self._lost = error
                    return False
                except (ControlStoreAwayError, ControlStoreRefusedError) as error:
                    log.warning("the lease of request %s was not renewed: %s", self.lease.request_id, error)
        return True


@contextmanager
def held(store: ControlStore, lease: Lease, duration: timedelta) -> Iterator[HeldLease]:
    """The lease, renewed until the block ends.

    When it is lost, :class:`LeaseLostError` is raised in the block if that runs in the main thread, wherever it is; any
    other thread learns of it from :meth:`HeldLease.check`.

    Raises:
        LeaseLostError: it is lost already.
    """
    keeper, main = HeldLease(store, lease, duration), threading.main_thread()
    keeper.renew()
    is_main = threading.current_thread() is main

    def keep() -> None:
        if not keeper.keep() and is_main:
            signal.pthread_kill(main.ident or 0, LOST)

    def stop(_number: int, _frame: FrameType | None) -> None:
        keeper.check()

    before = signal.signal(LOST, stop) if is_main else None
    thread = threading.Thread(target=keep, name="lease", daemon=True)
    thread.start()
    try:
        yield keeper
    finally:
        keeper.let_go()
        thread.join()
        if is_main:
            signal.signal(LOST, before)
