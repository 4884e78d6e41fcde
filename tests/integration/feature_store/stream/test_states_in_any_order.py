"""Losses, roll-backs, restarts, corrections, batches and reads in any order: what is answered as right is right."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from feature_store.online.reader import OnlineReader
from feature_store.states import StateReader, heard, store
from feature_store.states.applied import ALL_BUCKETS
from feature_store.stream import applying
from feature_store.stream.keeping import StateKeeper
from feature_store.tiles import Status, apply
from tests.cases.states import lose_state
from tests.integration.conftest import settings_on_free_ports
from tests.integration.feature_store.stream.kept_states import Kept, KilledError, OwnRedis, killed_at
from tidemill.config.errors import TransientError
from use_cases.churn.features import PURCHASES

CUSTOMERS = [f"c{number}" for number in range(6)]
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
AGES = (-2 * HOUR, -HOUR, 10 * SECOND, 90 * SECOND, HOUR, 40 * DAY)
STEPS = ["marked", "half", "written", "noted", "saved"]
RIGHT = (Status.OK, Status.NO_STATE)
who = st.sampled_from(CUSTOMERS)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    own = settings_on_free_ports(tmp_path_factory.mktemp("kept"))
    patient = own.model_copy(update={"serving": own.serving.model_copy(update={"feature_timeout_s": 20.0})})
    with OwnRedis(patient) as server:
        yield server


def now() -> int:
    return time.time_ns() // 1000


def agree(found: Sequence[float | None], expected: Sequence[float | None]) -> bool:
    pairs = list(zip(found, expected, strict=True))
    return all(one == other if None in (one, other) else one == pytest.approx(other, rel=1e-9) for one, other in pairs)


class Keeping(RuleBasedStateMachine):
    """Steps in any order."""

    server: OwnRedis

    def __init__(self) -> None:
        super().__init__()
        self.kept = Kept(self.server.settings)
        self.backup: dict[bytes, bytes] | None = None
        self.late: Callable[[], None] | None = None
        self.other: StateKeeper | None = None
        self.newest = (0, -1)

    @rule(bought=st.lists(st.tuples(who, st.sampled_from(AGES)), min_size=1, max_size=6))
    def arrive(self, bought: list[tuple[str, int]]) -> None:
        self.kept.arrive((customer, now() - age) for customer, age in bought)

    @rule(customer=who, keep=st.integers(0, 1))
    def remove(self, customer: str, keep: int) -> None:
        self.kept.remove(customer, keep)

    @rule(back=st.integers(0, 2))
    def apply(self, back: int) -> None:
        self.do(lambda: self.kept.apply(self.kept.lake.version() - back))

    @rule(step=st.sampled_from(STEPS))
    def die_while_applying(self, step: str) -> None:
        self.do(lambda: self.kept.apply(meanwhile=killed_at(step)))
        self.judge()
        self.kept.restart()

    @rule(customer=who, step=st.sampled_from(STEPS))
    def lose_while_applying(self, customer: str, step: str) -> None:
        self.do_while_applying(step, lambda: lose_state(self.kept.settings, PURCHASES, customer))

    @rule(step=st.sampled_from(STEPS))
    def lose_all_while_applying(self, step: str) -> None:
        self.do_while_applying(step, self.kept.redis.flushall)

    @rule(steps=st.sampled_from([("half", "written"), ("marked", "half"), ("half", "noted"), ("written", "saved")]))
    def lose_the_last_writes_while_applying(self, steps: tuple[str, str]) -> None:
        """As a Redis that is killed before it had them on its disk, or a replica that did not have them yet."""
        copy: dict[bytes, bytes] = {}

        def fail(step: str) -> None:
            if step == steps[0]:
                copy.update(self.kept.snapshot())
            elif step == steps[1] and copy:
                self.server.restart()
                self.kept.roll_back(copy)
                self.judge()

        bought = now() - HOUR
        self.kept.arrive((customer, bought) for customer in CUSTOMERS)
        self.do(lambda: self.kept.apply(meanwhile=fail))
        self.judge()
        self.kept.restart()

    @rule(step=st.sampled_from(STEPS))
    def take_over_while_applying(self, step: str) -> None:
        """As a driver that was taken for dead."""
        self.do_while_applying(step, lambda: self.kept.another().start())

    @rule()
    def take_over(self) -> None:
        self.other = self.kept.keeper
        self.kept.restart()

    @precondition(lambda self: self.other is not None)
    @rule()
    def live_on(self) -> None:
        """As one that was taken for dead and was not."""
        assert self.other is not None
        self.kept.keeper, self.other = self.other, self.kept.keeper
        self.do(self.kept.apply)

    @rule(answers=st.integers(0, 12))
    def lose_an_answer(self, answers: int) -> None:
        """What was asked for is done, and nobody hears of it; a lock that was taken so ends by itself, here at once."""
        self.kept.store.deaf_in = answers
        self.do(self.kept.apply)
        self.kept.store.deaf_in = -1
        self.kept.end_lock()
        self.judge()
        self.kept.restart()

    @rule(customer=who)
    def lose(self, customer: str) -> None:
        lose_state(self.kept.settings, PURCHASES, customer)

    @rule(customer=who)
    def lose_with_what_is_known(self, customer: str) -> None:
        """Once what was noted is in the ledger: before, nobody else knows of a state that is new."""
        self.do(self.kept.apply)
        lose_state(self.kept.settings, PURCHASES, customer, and_what_is_known=True)
        self.kept.keeper.look()

    @rule()
    def lose_all(self) -> None:
        self.kept.redis.flushall()

    @rule(number=st.integers(1, 4), is_restarted=st.booleans())
    def lose_ledgers(self, number: int, is_restarted: bool) -> None:
        """As files that are gone, or torn and left out."""
        del self.kept.files.saved[-number:]
        if is_restarted:
            self.kept.restart()

    @rule()
    def back_up(self) -> None:
        self.backup = self.kept.snapshot()

    @precondition(lambda self: self.backup is not None)
    @rule()
    def roll_back(self) -> None:
        self.kept.roll_back(self.backup or {})

    @rule()
    def restart(self) -> None:
        self.kept.restart()

    @rule()
    def look(self) -> None:
        self.do(self.kept.keeper.look)

    @rule()
    def make_anew(self) -> None:
        self.kept.keeper.make_anew()

    @rule()
    def bootstrap_beside(self) -> None:
        self.kept.another().make_anew()

    @rule()
    def pause_a_task(self) -> None:
        """Between its read and its write."""
        self.late = self.kept.paused_write()

    @precondition(lambda self: self.late is not None)
    @rule()
    def write_late(self) -> None:
        self.late, late = None, self.late
        with suppress(TransientError):
            assert late is not None
            late()

    @rule(customer=who)
    def write_late_of_who_was_removed(self, customer: str) -> None:
        self.kept.remove(customer)
        self.do(self.kept.apply)
        self.kept.arrive([(customer, now() - HOUR)])
        late = self.kept.paused_write()
        self.do(self.kept.apply)
        self.kept.remove(customer)
        self.do(self.kept.apply)
        with suppress(TransientError):
            late()

    @invariant()
    def judge(self) -> None:
        """Of every customer, also of one whom nobody knows, by who was there from the start and by who is new."""
        for reader in (self.kept.reader, self.kept.fresh_reader):
            for ahead in (0, HOUR + SECOND):
                is_believed = self._judge(reader, now() + ahead)
            if reader is self.kept.reader:
                self._judge_belief(reader, is_believed)

    def _judge_belief(self, reader: OnlineReader, is_believed: bool) -> None:
        """Who was there from the start believes no store that has come less far than it once had."""
        applied = reader._states.applied()["purchases"]
        position = applied.position if applied else (0, -1)
        assert not is_believed or position >= self.newest
        self.newest = max(self.newest, position)

    def _judge(self, reader: OnlineReader, at: int) -> bool:
        """Whether any answer is said to be right."""
        everybody = [*CUSTOMERS, "nobody"]
        rows = reader.read([{"customer_id": one} for one in everybody], at)
        for customer, row in zip(everybody, rows, strict=True):
            if row.status["purchases"] in RIGHT:
                expected = self.kept.judged(customer, row.applied["purchases"], row.time)
                assert agree(row.values[: len(expected)], expected), customer
        return any(row.status["purchases"] in RIGHT for row in rows)

    def do(self, work: Callable[[], object]) -> None:
        """As the query does that fails, and starts again."""
        with suppress(TransientError, KilledError):
            work()

    def do_while_applying(self, step: str, work: Callable[[], object]) -> None:
        def meanwhile(at: str) -> None:
            if at == step:
                work()
                self.judge()

        self.do(lambda: self.kept.apply(meanwhile=meanwhile))
        self.judge()
        self.kept.restart()

    def teardown(self) -> None:
        """In the end all is what the lake is."""
        self.do(self.kept.apply)
        self.kept.restart()
        self.kept.keeper.scrub(len(ALL_BUCKETS))
        self.kept.apply()
        assert self.kept.keeper.wrong(ALL_BUCKETS) == []
        there = {one.customer for one in self.kept.lake.at(-1)}
        for customer, row in zip(CUSTOMERS, self.kept.read(CUSTOMERS), strict=True):
            assert row.status["purchases"] is (Status.OK if customer in there else Status.NO_STATE), customer
        self.judge()


APPLY = sys.modules[apply.__module__]


@pytest.fixture(autouse=True)
def _few_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOST_PENDING", "MOST_AHEAD"):
        monkeypatch.setattr(APPLY, name, 2)


def run(server: OwnRedis, examples: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    Keeping.server = server
    chosen = settings(
        max_examples=examples,
        phases=phases,
        stateful_step_count=20,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(Keeping, settings=chosen)  # type: ignore[no-untyped-call]


def test_what_is_answered_as_right_is_what_the_lake_has(redis: OwnRedis) -> None:
    run(redis, 8)


@pytest.mark.attack
def test_what_is_answered_as_right_is_what_the_lake_has_in_many_more_orders(redis: OwnRedis) -> None:
    run(redis, 150)


def planted(script: str, text: str, instead: str) -> Callable[[pytest.MonkeyPatch], None]:
    changed = getattr(store, script).replace(text, instead)
    assert changed != getattr(store, script)
    return lambda patched: patched.setattr(store, script, changed)


def returns(where: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patched: patched.setattr(where, name, lambda *_, **__: value)


def fold_two_hours_ahead(patched: pytest.MonkeyPatch) -> None:
    folding = APPLY._folding
    patched.setattr(
        APPLY,
        "_folding",
        lambda pending, time, since: (folding(pending, time + 2 * HOUR, since)[0], folding(pending, time, since)[1]),
    )


FAULTS = {
    "a lost key is accepted": returns(applying, "stands", True),
    "what is known of a lost state is not asked for": returns(StateReader, "are_known", defaultdict(bool)),
    "a roll-back is accepted": returns(StateKeeper, "wrong", []),
    "a reader forgets what it heard": returns(heard.Heard, "hear", None),
    "an epoch is ignored": planted("PUT", "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end", ""),
    "a fence is ignored": planted(
        "PUT",
        "redis.call('GET', KEYS[1]) ~= ARGV[1]",
        "string.match(redis.call('GET', KEYS[1]) or '', '^%d+') ~= string.match(ARGV[1], '^%d+')",
    ),
    "a restart of the store is ignored": planted("NOTE", "~= ARGV[4]", "== nil"),
    "a future event counts": fold_two_hours_ahead,
}


@pytest.mark.attack
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(redis: OwnRedis, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    FAULTS[fault](monkeypatch)
    with pytest.raises((AssertionError, ExceptionGroup)) as found:
        run(redis, 300, [Phase.generate])
    assert all(isinstance(error, AssertionError) for error in each(found.value)), "it broke, and was not found"


def each(error: BaseException) -> list[BaseException]:
    """The errors of a group, which Hypothesis makes of several."""
    return [one for part in error.exceptions for one in each(part)] if isinstance(error, ExceptionGroup) else [error]
