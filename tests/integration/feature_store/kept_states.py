"""States kept upon a lake in memory and a real Redis, without Spark: every step of the keeper by hand, or cut off."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from feature_store.applying import COMMIT, Anew, Counts, Upon, Writer
from feature_store.correcting import each_older, forget, leave, mark
from feature_store.keeping import StateKeeper
from feature_store.online import FeatureRow, OnlineReader
from feature_store.silver import KNOWN, TIE
from feature_store.spans import ENTITY, TIME
from feature_store.states import Applied, StateStore, bucket_of
from feature_store.states.ledger import Ledger
from feature_store.tiles import Layout
from tests.cases.naive_windows import Happened, naive_value
from tests.cases.states import redis_of
from tidemill.config import Settings
from use_cases.churn.features import PURCHASES, SERVICE

CHUNK = 3
SCHEMA = pa.schema(
    [
        (ENTITY, pa.string()),
        (TIME, pa.int64()),
        (KNOWN, pa.int64()),
        (TIE, pa.int64()),
        ("amount", pa.float64()),
        ("kind", pa.string()),
        ("order_id", pa.string()),
        ("product_id", pa.string()),
        (COMMIT, pa.int64()),
    ]
)


class KilledError(RuntimeError):
    """The process ended here."""


@dataclass(frozen=True)
class Bought:
    customer: str
    time: int
    number: int
    commit: int

    @property
    def row(self) -> dict[str, Any]:
        return {
            ENTITY: self.customer,
            TIME: self.time,
            KNOWN: self.time,
            TIE: self.number,
            "amount": float(self.number % 17 + 1),
            "kind": "purchase",
            "order_id": f"o{self.number}",
            "product_id": f"p{self.number % 3}",
            COMMIT: self.commit,
        }

    @property
    def happened(self) -> Happened:
        return Happened(0, self.time, self.number, self.row, self.time)


@dataclass
class Lake:
    """A table by version, and which commits took something away: of whom."""

    versions: list[tuple[Bought, ...]] = field(default_factory=lambda: [()])
    removed: dict[int, set[str]] = field(default_factory=dict)
    store: StateStore | None = None
    name: str = "a table"

    def table_id(self) -> str:
        return self.name

    def version(self) -> int:
        return len(self.versions) - 1

    def at(self, version: int) -> tuple[Bought, ...]:
        return self.versions[version]

    def make(self, buckets: Sequence[int] | None, version: int, upon: Upon, anew: Anew) -> Counts:
        chosen = [one for one in self.at(version) if buckets is None or bucket_of(one.customer) in buckets]
        return self.write([replace(one, commit=version) for one in chosen], upon, anew)

    def write(self, events: Iterable[Bought], upon: Upon, anew: Anew | None = None) -> Counts:
        rows = pa.Table.from_pylist([one.row for one in events], SCHEMA)
        assert self.store is not None
        return Writer(self.store, Layout.of(PURCHASES), upon, anew).write_all(rows, CHUNK) if len(rows) else Counts()


@dataclass
class Files:
    """Where ledgers outlive the process."""

    saved: list[Ledger] = field(default_factory=list)
    is_killed: bool = False

    def newest(self) -> Ledger | None:
        found = max(self.saved, key=lambda one: (one.epoch, one.number), default=None)
        return Ledger.load(found.dump()) if found else None

    def save(self, ledger: Ledger) -> None:
        if self.is_killed:
            raise KilledError
        self.saved.append(ledger)


@dataclass
class Kept:
    """The states of PURCHASES, their keeper, and a reader that has been there from the start."""

    settings: Settings
    lake: Lake = field(default_factory=Lake)
    files: Files = field(default_factory=Files)

    def __post_init__(self) -> None:
        self.redis = redis_of(self.settings)
        self.redis.flushall()
        self.store = self.lake.store = StateStore(self.settings, PURCHASES)
        self.reader = OnlineReader(self.settings, SERVICE.name)
        self.restart()

    def restart(self) -> None:
        """Another process."""
        self.keeper = StateKeeper(PURCHASES, self.store, self.files, self.lake)
        self.keeper.start()

    def arrive(self, events: Iterable[tuple[str, int]]) -> None:
        """New rows by one commit: of whom, at which time."""
        commit, number = self.lake.version() + 1, sum(map(len, self.lake.versions))
        new = [Bought(customer, time, number + place, commit) for place, (customer, time) in enumerate(events)]
        self.lake.versions.append((*self.lake.at(-1), *new))

    def remove(self, customer: str, keep: int = 0) -> None:
        """Of a customer all rows but some, by another's hand."""
        kept = [one for one in self.lake.at(-1) if one.customer == customer][:keep]
        self.lake.versions.append((*(one for one in self.lake.at(-1) if one.customer != customer), *kept))
        self.lake.removed[self.lake.version()] = {customer}

    def apply(self, upto: int | None = None, killed_at: str = "") -> None:
        """A batch, as the stream does it, with all commits or those ``upto`` one; cut off where it is ``killed_at``."""
        version = self.lake.version() if upto is None else upto
        with self.keeper.batch() as (ledger, before):
            if version <= ledger.version:
                return
            upon, started = Upon(ledger.epoch, ledger.version), time.time_ns() // 1000
            touched = sorted(
                set().union(*(self.lake.removed.get(one, ()) for one in range(ledger.version + 1, version + 1)))
            )
            self._each(touched, upon, version, mark)
            again = [replace(one, commit=version) for one in self.lake.at(version) if one.customer in touched]
            made = self.lake.write(again, upon, Anew(started, is_whole=False))
            fresh = self._inserted(ledger.version, version, touched)
            if killed_at == "half":
                self.lake.write(fresh[: len(fresh) // 2], upon)
                raise KilledError
            counts = made + self.lake.write(fresh, upon)
            counts += Counts(changes=self._each(touched, upon, version, leave), version=version)
            if killed_at == "written":
                raise KilledError
            self.files.is_killed = killed_at == "noted"
            self.keeper.commit(before, counts, version, started)
            if killed_at == "saved":
                raise KilledError
            self._each(touched, upon, version, forget)

    def _inserted(self, since: int, version: int, touched: Sequence[str]) -> list[Bought]:
        """All of one entity together, so that half of them is of some entities."""
        seen = dict.fromkeys(one for at in range(since + 1, version + 1) for one in self.lake.at(at))
        fresh = [one for one in seen if one.commit > since and one.customer not in touched]
        return sorted(fresh, key=lambda one: one.customer)

    def _each(self, ids: Sequence[str], upon: Upon, version: int, handle: Any) -> Any:
        return each_older(self.store, Layout.of(PURCHASES), ids, upon, version, handle)

    def read(self, customers: Sequence[str], now: int | None = None) -> list[FeatureRow]:
        return self.reader.read([{"customer_id": one} for one in customers], now)

    def judged(self, customer: str, version: int, at: int) -> list[float | None]:
        """What is right of a customer once all commits up to ``version`` are known."""
        history = [one.happened for one in self.lake.at(version) if one.customer == customer]
        return [naive_value(feature, history, 0, at) for feature in PURCHASES.features]

    def snapshot(self) -> dict[bytes, bytes]:
        """A backup of Redis."""
        return {key: self.redis.dump(key) for key in self.redis.scan_iter()}

    def roll_back(self, backup: dict[bytes, bytes]) -> None:
        self.redis.flushall()
        for key, value in backup.items():
            self.redis.restore(key, 0, value)

    def applied(self) -> Applied | None:
        return self.store.applied()
