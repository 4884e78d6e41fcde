"""One batch of silver's commits into the states of a group: the order of its steps, wherever they are done."""

import logging
import time
from collections.abc import Sequence
from typing import Protocol

from feature_store.states import Applied
from feature_store.stream.applying import Counts, Upon
from feature_store.stream.correcting import ChangedCommit
from feature_store.stream.keeping import StateKeeper

logger = logging.getLogger(__name__)


class Batch(Protocol):
    """Commits of silver; those that states have come to already are left out by each step."""

    def only_inserts(self) -> bool:
        """Whether it is known, without a look at the rows, that none was there before."""
        ...

    def commits(self, upon: Upon) -> list[ChangedCommit]:
        """The commits, oldest first."""
        ...

    def insert(self, upon: Upon) -> Counts:
        """Apply the events, all of which are new."""
        ...

    def correct(self, upon: Upon, version: int, at: int) -> Counts:
        """Bring the states up to silver's ``version``, the newest of the batch, as ``correcting.correct`` does."""
        ...

    def record(self, before: Applied, corrections: Sequence[ChangedCommit]) -> None:
        """Write down which commits changed rows that were there."""
        ...

    def forget(self, upon: Upon, version: int) -> None:
        """Remove what is left of entities without events."""
        ...

    def end(self) -> None:
        """A correction is over, whether or not it was done."""
        ...


def apply_batch(keeper: StateKeeper, batch: Batch) -> int | None:
    """Apply ``batch``, and note it; the newest commit taken in, None when there was nothing new.

    Raises:
        StatesFencedError: another process writes these states now.
        StoreRestartedError: what was written may not be there any more.
        LakeWentBackError: the table is another one now.
    """
    with keeper.batch() as (upon, before):
        # Whether a try that noted what it did, and did not come to its end, went before this one.
        is_again = before.version > upon.version
        started, only_inserts = time.time_ns() // 1000, not is_again and batch.only_inserts()
        commits = [] if only_inserts else batch.commits(upon)
        if is_again and commits and commits[-1].version < before.version:
            logger.warning("a batch of %s ends before the states do: they are made anew", keeper.group.name)
            keeper.make_anew()
            return commits[-1].version
        if corrections := [commit for commit in commits if commit.rows]:
            version = commits[-1].version
            try:
                counts = batch.correct(upon, version, started)
                batch.record(before, corrections)
                keeper.commit(before, counts, version, started)
                batch.forget(upon, version)
            finally:
                batch.end()
            return version
        if only_inserts or commits:
            counts = batch.insert(upon)
            if counts.events:
                keeper.commit(before, counts, counts.version, started)
                return counts.version
    return None
