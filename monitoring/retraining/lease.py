"""A lease that is renewed in the background while its holder works."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from monitoring.control import ControlStore, ControlStoreAwayError, Lease, LeaseLostError, RetrainRequest

RENEWALS = 3
"""So many within a lease's duration: one that fails is followed by another in time."""
LOST = signal.SIGUSR1
"""Sent by the renewing thread to its own process: what works may be anywhere, deep in a library."""

log = logging.getLogger(__name__)


class HeldLease:
    """A lease and whether it is still held, as far as the last renewal knows."""

    def __init__(self, store: ControlStore, lease: Lease, duration: timedelta) -> None:
        self.lease = lease
        self._store = store
        self._duration = duration
        self._lost: LeaseLostError | None = None

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
        if self._lost is not None:
            raise LeaseLostError(str(self._lost)) from self._lost

    def keep(self, over: threading.Event) -> None:
        """Renews until ``over`` is set, or the lease is lost. A store that is away is asked again."""
        while not over.wait(self._duration.total_seconds() / RENEWALS):
            try:
                self.renew()
            except LeaseLostError as error:
                log.warning("%s", error)
                self._lost = error
                return
            except ControlStoreAwayError as error:
                log.warning("the lease of request %s was not renewed: %s", self.lease.request_id, error)


@contextmanager
def held(store: ControlStore, lease: Lease, duration: timedelta) -> Iterator[HeldLease]:
    """The lease, renewed until the block ends.

    When it is lost, :class:`LeaseLostError` is raised in the block if that runs in the main thread, wherever it is; any
    other thread learns of it from :meth:`HeldLease.check`.

    Raises:
        LeaseLostError: it is lost already.
    """
    keeper, over = HeldLease(store, lease, duration), threading.Event()
    keeper.renew()
    is_main = threading.current_thread() is threading.main_thread()

    def run() -> None:
        keeper.keep(over)
        if is_main and not over.is_set():
            signal.pthread_kill(main.ident or 0, LOST)

    def stop(_number: int, _frame: FrameType | None) -> None:
        if not over.is_set():
            keeper.check()

    main = threading.main_thread()
    before = signal.signal(LOST, stop) if is_main else None
    thread = threading.Thread(target=run, name="lease", daemon=True)
    thread.start()
    try:
        yield keeper
    finally:
        over.set()
        thread.join()
        if is_main:
            signal.signal(LOST, before)
