"""What the states of a group should be, kept where Redis cannot lose it: beside the checkpoints of the stream."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.events import Ints
from feature_store.columns.grouping import Groups
from feature_store.definitions.windows import NEVER
from feature_store.states.known import BUCKETS

CHANGE = np.dtype([("bucket", "<i8"), ("version", "<i8"), ("count", "<i8"), ("check", "<u8"), ("due", "<i8")])
"""What the states that took in commit ``version`` last add to a bucket; ``due`` is the earliest end of their reach."""
Changes = NDArray[Any]


@dataclass(frozen=True)
class Ledger:
    """All commits of ``table_id`` up to ``version`` are in states of ``epoch``; ``number`` counts the ledgers of one.

    ``known_until`` is as that of ``Applied``. ``commit`` tells the commit ``version`` from another of this number, in a
    table that went back and grew again; None where that is not known.

    By bucket: how many states there are, the exclusive or of what ``known.check_of`` gives for each, and from which
    time on some of them have to be made anew, because events that lay ahead were left out.
    """

    table_id: str
    epoch: int
    version: int
    known_until: int
    number: int
    counts: Ints
    checks: NDArray[np.uint64]
    due: Ints
    commit: str | None = None

    @classmethod
    def empty(cls, table_id: str, epoch: int, version: int) -> Self:
        zeros = np.zeros(BUCKETS, dtype=np.int64)
        return cls(table_id, epoch, version, 0, 0, zeros, zeros.astype(np.uint64), np.full(BUCKETS, NEVER))

    def after(self, changes: Changes, version: int, known_until: int, commit: str | None) -> Self:
        """With ``changes`` by commits up to ``version``, which is no older and is called ``commit``."""
        done = changes[changes["version"] <= version]
        counts, checks, due = self.counts.copy(), self.checks.copy(), self.due.copy()
        np.add.at(counts, done["bucket"], done["count"])
        np.bitwise_xor.at(checks, done["bucket"], done["check"])
        np.minimum.at(due, done["bucket"], done["due"])
        return replace(
            self,
            version=version,
            commit=commit,
            known_until=max(self.known_until, known_until),
            number=self.number + 1,
            counts=counts,
            checks=checks,
            due=due,
        )

    def without(self, buckets: Sequence[int]) -> Self:
        """As if there were no states in ``buckets``."""
        counts, checks, due = self.counts.copy(), self.checks.copy(), self.due.copy()
        counts[[*buckets]], checks[[*buckets]], due[[*buckets]] = 0, 0, NEVER
        return replace(self, counts=counts, checks=checks, due=due)

    def dump(self) -> str:
        columns = {name: getattr(self, name).tolist() for name in ("counts", "checks", "due")}
        names = ("table_id", "epoch", "version", "known_until", "number", "commit")
        fields = {name: getattr(self, name) for name in names}
        return json.dumps(fields | columns)

    @classmethod
    def load(cls, text: str) -> Self:
        """
        Raises:
            ValueError: it is no ledger.
        """
        content, columns = json.loads(text), {"counts": np.int64, "checks": np.uint64, "due": np.int64}
        try:
            content |= {name: np.array(content[name], dtype=kind) for name, kind in columns.items()}
            ledger = cls(**content)
        except (TypeError, KeyError, AttributeError, OverflowError) as error:
            raise ValueError(f"no ledger of states: {error!r}") from error
        if any(len(content[name]) != BUCKETS for name in columns):
            raise ValueError(f"no ledger of states: {BUCKETS} buckets are wanted")
        return ledger


class LedgerFiles(Protocol):
    """Where the ledgers of one group are."""

    def newest(self) -> Ledger | None: ...

    def save(self, ledger: Ledger) -> None: ...


def joined(parts: Iterable[bytes]) -> Changes:
    """The changes that several tasks report, each as the bytes of its own."""
    return np.frombuffer(b"".join(parts), dtype=CHANGE)


def summed(changes: Changes) -> Changes:
    """A row a bucket and version."""
    key = changes["bucket"] * (1 << 48) + changes["version"] + 1
    groups = Groups.of(key)
    ordered = changes[groups.order]
    result = ordered[groups.starts]
    result["count"] = groups.reduce(np.add, ordered["count"])
    result["check"] = groups.reduce(np.bitwise_xor, ordered["check"])
    result["due"] = groups.reduce(np.minimum, ordered["due"])
    return result
