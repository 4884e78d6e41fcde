"""Whatever is lost, goes back, comes late or is cut off: what is answered as right is what the lake has."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from feature_store import applying, keeping
from feature_store.keeping import StateKeeper
from feature_store.online import OnlineReader
from feature_store.states import Change, Known, StateReader, StatesFencedError, store
from feature_store.states.applied import ALL_BUCKETS
from feature_store.tiles import Status, apply
from tests.cases.states import lose_state
from tests.integration.conftest import settings_on_free_ports
from tests.integration.feature_store.kept_states import Kept, KilledError
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.stack.running import running
from tidemill.stack.services import redis as redis_service
from use_cases.churn.features import PURCHASES

CUSTOMERS = [f"c{number}" for number in range(6)]
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
AGES = (-2 * HOUR, -HOUR, 10 * SECOND, 90 * SECOND, HOUR, 40 * DAY)
PURCHASES_COUNT = [one.name for one in PURCHASES.features].index("purchases__order_id_count_distinct_365d")
RIGHT = (Status.OK, Status.NO_STATE)
who = st.sampled_from(CUSTOMERS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    own = settings_on_free_ports(tmp_path_factory.mktemp("kept"))
    patient = own.model_copy(update={"serving": own.serving.model_copy(update={"feature_timeout_s": 20.0})})
    with running(redis_service.services(patient)[0], patient):
        yield patient


def now() -> int:
    return time.time_ns() // 1000


def agree(found: Sequence[float | None], expected: Sequence[float | None]) -> bool:
    pairs = list(zip(found, expected, strict=True))
    return all(one == other if None in (one, other) else one == pytest.approx(other, rel=1e-9) for one, other in pairs)


class Keeping(RuleBasedStateMachine):
    """Steps in any order."""

    home: Settings

    def __init__(self) -> None:
        super().__init__()
        self.kept = Kept(self.home)
        self.backup: dict[bytes, bytes] | None = None
        self.late: tuple[int, list[Change], int] | None = None

    @rule(bought=st.lists(st.tuples(who, st.sampled_from(AGES)), min_size=1, max_size=6))
    def arrive(self, bought: list[tuple[str, int]]) -> None:
        self.kept.arrive((customer, now() - age) for customer, age in bought)

    @rule(customer=who, keep=st.integers(0, 1))
    def remove(self, customer: str, keep: int) -> None:
        self.kept.remove(customer, keep)

    @rule(back=st.integers(0, 2))
    def apply(self, back: int) -> None:
        self.kept.apply(self.kept.lake.version() - back)

    @rule(step=st.sampled_from(["half", "written", "noted", "saved"]))
    def die_while_applying(self, step: str) -> None:
        with suppress(KilledError):
            self.kept.apply(killed_at=step)
        self.kept.files.is_killed = False
        self.judge()
        self.kept.restart()

    @rule(customer=who)
    def lose(self, customer: str) -> None:
        lose_state(self.home, PURCHASES, customer)

    @rule(customer=who)
    def lose_with_what_is_known(self, customer: str) -> None:
        lose_state(self.home, PURCHASES, customer, and_what_is_known=True)
        self.kept.keeper.look()

    @rule()
    def lose_all(self) -> None:
        self.kept.redis.flushall()

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
        self.kept.keeper.look()

    @rule()
    def make_anew(self) -> None:
        self.kept.keeper.make_anew()

    @rule()
    def prepare_a_write(self) -> None:
        """As a task that is paused between its read and its write."""
        applied = self.kept.applied()
        if applied is not None:
            found = [one for one in self.kept.store.find(CUSTOMERS) if one.state is not None]
            known = Known(applied.epoch, applied.version)
            self.late = applied.epoch, [Change(one, one.state, known) for one in found], applied.version

    @precondition(lambda self: self.late is not None)
    @rule()
    def write_late(self) -> None:
        """Only when something was written since: else it is on time."""
        assert self.late is not None
        epoch, changes, version = self.late
        applied = self.kept.applied()
        if applied is not None and (applied.epoch, applied.version) != (epoch, version):
            for change in changes:
                with suppress(StatesFencedError):
                    self.kept.store.write(epoch, [change], now())
        self.late = None

    @invariant()
    def judge(self) -> None:
        """Of every customer, also of one whom nobody knows."""
        for ahead in (0, HOUR + SECOND):
            for customer, row in zip(
                [*CUSTOMERS, "nobody"], self.kept.read([*CUSTOMERS, "nobody"], now() + ahead), strict=True
            ):
                if row.status["purchases"] in RIGHT:
                    expected = self.kept.judged(customer, row.applied["purchases"], row.time)
                    assert agree(row.values[: len(expected)], expected), customer

    def teardown(self) -> None:
        """In the end all is what the lake is."""
        self.kept.apply()
        self.kept.keeper.look()
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


def run(home: Settings, examples: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    Keeping.home = home
    chosen = settings(
        max_examples=examples,
        phases=phases,
        stateful_step_count=20,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(Keeping, settings=chosen)  # type: ignore[no-untyped-call]


def test_what_is_answered_as_right_is_what_the_lake_has(home: Settings) -> None:
    run(home, 25)


@pytest.mark.matrix
def test_what_is_answered_as_right_is_what_the_lake_has_in_many_more_orders(home: Settings) -> None:
    run(home, 150)


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
    "what is known of a lost state is not asked for": returns(StateReader, "are_known", False),
    "a roll-back is accepted": returns(StateKeeper, "wrong", []),
    "a reader forgets what it heard": lambda patched: patched.setattr(
        OnlineReader, "_standing", lambda _, name, applied, heard: Status.OK if applied else Status.LOST
    ),
    "an epoch is ignored": planted("PUT", "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end", ""),
    "what somebody wrote meanwhile is overwritten": planted("PUT", "if entry ~= ARGV[3] then return 0 end", ""),
    "a future event counts": fold_two_hours_ahead,
}


@pytest.mark.matrix
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(home: Settings, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    FAULTS[fault](monkeypatch)
    with pytest.raises(BaseException):  # noqa: B017 - an assertion, or a group of them
        run(home, 300, [Phase.generate])


@pytest.fixture
def kept(home: Settings) -> Kept:
    """Two customers with a purchase each, in states."""
    made = Kept(home)
    made.arrive([("c0", now() - HOUR), ("c1", now() - HOUR)])
    made.apply()
    return made


def statuses(kept: Kept, *customers: str) -> list[Status]:
    return [row.status["purchases"] for row in kept.read(customers)]


def applied_more(kept: Kept) -> None:
    kept.arrive([("c0", now() - SECOND)])
    kept.apply()


@pytest.mark.parametrize("meanwhile", [applied_more, lambda kept: kept.keeper.make_anew()], ids=["applied", "anew"])
def test_a_process_that_was_paused_between_its_read_and_its_write_is_refused(
    kept: Kept, meanwhile: Callable[[Kept], object]
) -> None:
    applied = kept.applied()
    assert applied is not None
    script = Path(__file__).with_name("paused_writer.py")
    paused = subprocess.Popen(
        [sys.executable, str(script), str(applied.epoch), "c0"],
        env=os.environ | settings_environment(kept.settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    os.waitid(os.P_PID, paused.pid, os.WSTOPPED)
    meanwhile(kept)
    before = kept.store.read(["c0"])
    os.kill(paused.pid, signal.SIGCONT)
    said, _ = paused.communicate(timeout=60)
    assert said.startswith("refused: the states of purchases were written by somebody else")
    assert kept.store.read(["c0"]) == before
    assert statuses(kept, "c0", "c1") == [Status.OK, Status.OK]


def test_a_known_customer_whose_state_is_lost_is_never_taken_for_a_new_one(kept: Kept) -> None:
    lose_state(kept.settings, PURCHASES, "c0")
    assert statuses(kept, "c0", "c1", "nobody") == [Status.LOST, Status.OK, Status.NO_STATE]
    applied_more(kept)
    (row,) = kept.read(["c0"])
    assert row.status["purchases"] is Status.OK
    assert row.values[PURCHASES_COUNT] == 2


def test_a_lost_state_that_nobody_asks_for_is_found_by_reading_all(kept: Kept) -> None:
    lose_state(kept.settings, PURCHASES, "c1")
    kept.keeper.scrub(len(ALL_BUCKETS))
    assert statuses(kept, "c0", "c1") == [Status.OK, Status.OK]


def test_a_store_that_went_back_is_noticed_by_who_had_heard_more_and_repaired_by_bucket(kept: Kept) -> None:
    backup = kept.snapshot()
    applied_more(kept)
    assert statuses(kept, "c0", "c1") == [Status.OK, Status.OK]
    epoch, (untouched,) = kept.applied().epoch, kept.store.read(["c1"])  # type: ignore[union-attr]
    kept.roll_back(backup)
    assert statuses(kept, "c0", "c1", "nobody") == [Status.LOST] * 3
    assert kept.reader.troubles()["purchases"] is Status.LOST

    kept.keeper.look()

    assert statuses(kept, "c0", "c1", "nobody") == [Status.OK, Status.OK, Status.NO_STATE]
    assert kept.read(["c0"])[0].values[PURCHASES_COUNT] == 2
    assert kept.store.read(["c1"]) == [untouched]
    assert kept.applied().epoch == epoch  # type: ignore[union-attr]
    assert "purchases" not in kept.reader.troubles()


def test_a_store_that_was_emptied_knows_nobody_until_all_is_made_anew(kept: Kept) -> None:
    kept.redis.flushall()
    fresh = OnlineReader(kept.settings, "churn")
    for reader in (kept.reader, fresh):
        assert {row.status["purchases"] for row in reader.read([{"customer_id": "c0"}])} == {Status.LOST}
    kept.keeper.look()
    assert statuses(kept, "c0", "nobody") == [Status.OK, Status.NO_STATE]


def test_states_whose_events_lay_ahead_are_made_anew_when_their_time_has_come(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = now() + SECOND
    kept.arrive([("c0", soon + number) for number in range(5)])
    kept.apply()
    assert [row.status["purchases"] for row in kept.read(["c0"], soon + HOUR)] == [Status.REBUILDING]
    assert kept.read(["c0"])[0].values[PURCHASES_COUNT] == 1
    time.sleep(max(0, (soon + 10 - now()) / SECOND))
    kept.keeper.scrub(1)
    (row,) = kept.read(["c0"])
    assert (row.status["purchases"], row.values[PURCHASES_COUNT]) == (Status.OK, 6)


def test_who_heard_of_a_batch_that_ended_before_its_ledger_goes_on_believing(kept: Kept) -> None:
    kept.arrive([("c0", now() - SECOND)])
    with pytest.raises(KilledError):
        kept.apply(killed_at="noted")
    kept.files.is_killed = False
    assert statuses(kept, "c0", "c1") == [Status.OK, Status.OK]
    kept.restart()
    assert statuses(kept, "c0", "c1") == [Status.OK, Status.OK]
    kept.apply()
    assert statuses(kept, "c0", "c1") == [Status.OK, Status.OK]
    assert kept.keeper.wrong(ALL_BUCKETS) == []


def test_a_write_whose_answer_was_lost_is_done_when_it_is_asked_again(kept: Kept) -> None:
    applied = kept.applied()
    assert applied is not None
    (found,) = kept.store.find(["c0"])
    change = Change(found, found.state, Known(applied.epoch, applied.version + 1, applied.version))
    noted = replace(applied, version=applied.version + 1)
    for _ in range(2):
        kept.store.write(applied.epoch, [change], now())
        kept.store.note(applied, noted)
    assert kept.applied() == noted
    for _ in range(2):
        kept.store.write(applied.epoch, [Change(kept.store.find(["c0"])[0], None, None)], now())
    with pytest.raises(StatesFencedError):
        kept.store.write(applied.epoch, [change], now())


def test_a_bootstrap_beside_that_was_killed_is_done_by_who_keeps_the_states(kept: Kept) -> None:
    applied = kept.applied()
    assert applied is not None
    kept.store.begin(replace(applied, epoch=applied.epoch + 1, version=-1, rebuilding=ALL_BUCKETS, is_anew=True))
    assert statuses(kept, "c0") == [Status.REBUILDING]
    kept.keeper.look()
    assert statuses(kept, "c0", "nobody") == [Status.OK, Status.NO_STATE]


def test_a_table_that_went_back_or_was_made_again_has_its_states_made_anew(kept: Kept) -> None:
    applied_more(kept)
    assert not kept.keeper.has_other_table()
    kept.lake.versions.pop()
    assert kept.keeper.has_other_table()
    kept.restart()
    (row,) = kept.read(["c0"])
    assert (row.status["purchases"], row.values[PURCHASES_COUNT]) == (Status.OK, 1)
    kept.lake.name, kept.lake.versions = "another", [()]
    assert kept.keeper.has_other_table()
    kept.restart()
    assert statuses(kept, "c0", "c1") == [Status.NO_STATE] * 2


def test_a_state_that_was_written_by_a_clock_far_ahead_is_made_anew(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "_now", lambda: now() + 365 * DAY)
        kept.keeper.make_anew()
    assert statuses(kept, "c0") == [Status.PAST]
    kept.keeper.scrub(len(ALL_BUCKETS))
    assert statuses(kept, "c0", "c1") == [Status.OK] * 2
