"""States kept upon a lake in memory and a real Redis, without Spark: every step of the keeper by hand, or cut off."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

import pyarrow as pa

from feature_store.lake.silver import KNOWN, TIE
from feature_store.lake.spans import ENTITY, TIME
from feature_store.online.connection import OnlineStoreUnavailableError
from feature_store.online.reader import FeatureRow, OnlineReader
from feature_store.states import Applied, Change, Found, StatesFencedError, StateStore, bucket_of, heard
from feature_store.states.keys import applied_key
from feature_store.states.ledger import Ledger
from feature_store.stream.applying import COMMIT, Anew, Counts, Upon, Writer
from feature_store.stream.batches import apply_batch
from feature_store.stream.correcting import ChangedCommit, each_older, forget, leave, mark
from feature_store.stream.keeping import StateKeeper
from feature_store.tiles import Layout, Status
from tests.cases.naive_windows import Happened, naive_value
from tests.cases.states import redis_of
from tidemill.config import Settings
from tidemill.stack.services import redis as redis_service
from tidemill.stack.supervision.running import running
from use_cases.churn.features import PURCHASES, SERVICE

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
PURCHASES_COUNT = [one.name for one in PURCHASES.features].index("purchases__order_id_count_distinct_365d")
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


Meanwhile = Callable[[str], None]
"""Called before each step of a batch: what happens beside it."""


class KilledError(RuntimeError):
    """The process ended here."""


def nothing(_step: str) -> None: ...


def killed_at(step: str) -> Meanwhile:
    def kill(at: str) -> None:
        if at == step:
            raise KilledError

    return kill


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
    store: Any = None
    name: str = "a table"
    oldest: int = 0
    """Log retention has removed what is older."""

    def table_id(self) -> str:
        return self.name

    def version(self) -> int:
        return len(self.versions) - 1

    def commit(self, version: int) -> str | None:
        if not 0 <= version < len(self.versions) or version < self.oldest:
            return None
        return repr((self.name, version, self.versions[version]))

    def at(self, version: int) -> tuple[Bought, ...]:
        return self.versions[version]

    def make(self, buckets: Sequence[int] | None, version: int, upon: Upon, anew: Anew) -> Counts:
        chosen = [one for one in self.at(version) if buckets is None or bucket_of(one.customer) in buckets]
        return self.write([replace(one, commit=version) for one in chosen], upon, anew)

    def write(self, events: Iterable[Bought], upon: Upon, anew: Anew | None = None, store: Any = None) -> Counts:
        rows = pa.Table.from_pylist([one.row for one in events], SCHEMA)
        return (
            Writer(store or self.store, Layout.of(PURCHASES), upon, anew).write_all(rows, CHUNK)
            if len(rows)
            else Counts()
        )


@dataclass
class Files:
    """Where ledgers outlive the process."""

    saved: list[Ledger] = field(default_factory=list)
    meanwhile: Meanwhile = nothing

    def newest(self) -> Ledger | None:
        found = max(self.saved, key=lambda one: (one.epoch, one.number), default=None)
        return Ledger.load(found.dump()) if found else None

    def save(self, ledger: Ledger) -> None:
        self.meanwhile("noted")
        self.saved.append(ledger)


@dataclass
class InMemory:
    """All commits up to ``version``, without Spark."""

    kept: "Kept"
    version: int
    meanwhile: Meanwhile

    def only_inserts(self) -> bool:
        return False

    def commits(self, upon: Upon) -> list[ChangedCommit]:
        removed = self.kept.lake.removed
        news = range(upon.version + 1, self.version + 1)
        return [ChangedCommit(one, len(removed.get(one, ())), len(removed.get(one, ()))) for one in news]

    def insert(self, upon: Upon) -> Counts:
        return self._write(self._inserted(upon, []), upon)

    def correct(self, upon: Upon, version: int, at: int) -> Counts:
        lake, touched = self.kept.lake, self._touched(upon)
        self._each(touched, upon, mark)
        self.meanwhile("marked")
        again = [replace(one, commit=version) for one in lake.at(version) if one.customer in touched]
        made = lake.write(again, upon, Anew(at, is_whole=False))
        made += self._write(self._inserted(upon, touched), upon)
        return made + Counts(changes=self._each(touched, upon, leave), version=version)

    def record(self, before: Applied, corrections: Sequence[ChangedCommit]) -> None: ...

    def forget(self, upon: Upon, version: int) -> None:
        self.meanwhile("saved")
        self._each(self._touched(upon), upon, forget)

    def end(self) -> None: ...

    def _write(self, events: Sequence[Bought], upon: Upon) -> Counts:
        """As two tasks."""
        half = events[len(events) // 2].customer if events else ""
        counts = self.kept.lake.write([one for one in events if one.customer < half], upon)
        self.meanwhile("half")
        counts += self.kept.lake.write([one for one in events if one.customer >= half], upon)
        self.meanwhile("written")
        return counts

    def _touched(self, upon: Upon) -> list[str]:
        news = range(upon.version + 1, self.version + 1)
        return sorted(set().union(*(self.kept.lake.removed.get(one, ()) for one in news)))

    def _inserted(self, upon: Upon, touched: Sequence[str]) -> list[Bought]:
        """All of one entity together."""
        news = range(upon.version + 1, self.version + 1)
        seen = dict.fromkeys(one for at in news for one in self.kept.lake.at(at))
        fresh = [one for one in seen if one.commit > upon.version and one.customer not in touched]
        return sorted(fresh, key=lambda one: one.customer)

    def _each(self, ids: Sequence[str], upon: Upon, handle: Any) -> Any:
        return each_older(self.kept.store, Layout.of(PURCHASES), ids, upon, self.version, handle)


@dataclass
class OwnRedis:
    """A Redis that can be started again: another process, with what it had."""

    settings: Settings
    _running: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self._running.enter_context(running(redis_service.services(self.settings)[0], self.settings))
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def restart(self) -> None:
        self._running.close()
        self.__enter__()


class HardOfHearing(StateStore):
    """Asks Redis like any other, and does not hear one of the answers."""

    deaf_in = -1
    """So many answers from now; below 0 none."""

    def _run(self, ask: Callable[[], Any]) -> Any:
        answer = super()._run(ask)
        self.deaf_in -= 1
        if self.deaf_in == -1:
            raise OnlineStoreUnavailableError("the answer was lost")
        return answer


@dataclass
class Paused:
    """In place of the store of a task: what that would write is left for later."""

    store: StateStore
    writes: list[tuple[str, list[Change], int]] = field(default_factory=list)

    def find(self, ids: Sequence[str]) -> list[Found]:
        return self.store.find(ids)

    def write(self, token: str, changes: Sequence[Change], at: int) -> None:
        self.writes.append((token, list(changes), at))


@dataclass
class Kept:
    """The states of PURCHASES, their keeper, and a reader that has been there from the start."""

    settings: Settings
    lake: Lake = field(default_factory=Lake)
    files: Files = field(default_factory=Files)

    def __post_init__(self) -> None:
        self.redis = redis_of(self.settings)
        self.redis.flushall()
        heard.forget()
        self.store = self.lake.store = HardOfHearing(self.settings, PURCHASES)
        self._fresh = OnlineReader(self.settings, SERVICE.name)
        heard.forget()
        self.reader = OnlineReader(self.settings, SERVICE.name)
        self.restart()

    def restart(self) -> None:
        """Another process."""
        self.keeper = self.another()
        self.keeper.start()

    def end_lock(self) -> None:
        """As it does by itself some time after who held it is gone."""
        self.redis.delete(f"{applied_key(PURCHASES)}:bootstrap")

    def another(self) -> StateKeeper:
        """Who keeps the same states, and knows nothing yet."""
        return StateKeeper(PURCHASES, self.store, self.files, self.lake)

    @property
    def fresh_reader(self) -> OnlineReader:
        """Of a process that has heard nothing yet."""
        self._fresh._heard = {group.name: heard.Heard() for group in SERVICE.groups}
        return self._fresh

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

    def apply(self, upto: int | None = None, meanwhile: Meanwhile | None = None) -> None:
        """A batch, as the stream does it, with all commits or those ``upto`` one; ``meanwhile`` is called in between.

        That is told before which step it is, and may end the process there.
        """
        self.files.meanwhile = meanwhile or nothing
        try:
            apply_batch(
                self.keeper, InMemory(self, self.lake.version() if upto is None else upto, self.files.meanwhile)
            )
        finally:
            self.files.meanwhile = nothing

    def paused_write(self) -> Callable[[], None]:
        """A task of a batch with all commits, paused before its write: to be let go on later."""
        ledger, paused = self.keeper.ledger, Paused(self.store)
        assert ledger is not None
        upon = Upon(ledger.epoch, ledger.version, self.token)
        events = InMemory(self, self.lake.version(), nothing)._inserted(upon, [])
        self.lake.write(events, upon, store=paused)

        def go_on() -> None:
            for token, changes, at in paused.writes:
                for change in changes:
                    with suppress(StatesFencedError):
                        self.store.write(token, [change], at)

        # On time is what is written in the same turn.
        return lambda: go_on() if self.token != upon.token else None

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

    @property
    def token(self) -> str:
        """Whose turn it is to write."""
        return self.store.token().decode()

    def applied(self) -> Applied | None:
        return self.store.applied()


def now() -> int:
    return time.time_ns() // 1000


def statuses(kept: Kept, *customers: str) -> list[Status]:
    return [row.status["purchases"] for row in kept.read(customers)]


def applied_more(kept: Kept) -> None:
    kept.arrive([("c0", now() - SECOND)])
    kept.apply()
