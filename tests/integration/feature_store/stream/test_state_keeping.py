"""Whatever is lost, goes back, comes late or is cut off: what is answered as right is what the lake has."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from feature_store.online.reader import OnlineReader, OnlineStoreUnavailableError
from feature_store.states import Change, Known, StatesFencedError, StateStore, StoreRestartedError, bucket_of
from feature_store.states.applied import ALL_BUCKETS
from feature_store.states.keys import entity_key, epoch_key, known_key, state_field
from feature_store.states.ledger import Ledger
from feature_store.states.store import LockLostError
from feature_store.stream import keeping
from feature_store.tiles import Status, apply
from tests.cases.states import lose_state
from tests.integration.conftest import settings_on_free_ports
from tests.integration.feature_store.stream.kept_states import (
    DAY,
    HOUR,
    PURCHASES_COUNT,
    SECOND,
    Kept,
    KilledError,
    OwnRedis,
    applied_more,
    killed_at,
    now,
    statuses,
)
from tidemill.config.environment import settings_environment
from tidemill.stack.services import redis as redis_service
from tidemill.stack.supervision.running import running
from use_cases.churn.features import PURCHASES


def flipped(value: bytes) -> bytes:
    """One bit of the last byte."""
    return value[:-1] + bytes([value[-1] ^ 1])


FORMS = ["a bit", "too short", "too long"]


def applied_to_another(kept: Kept) -> None:
    kept.arrive([("c1", now() - SECOND)])
    kept.apply()


@pytest.mark.parametrize(
    "meanwhile",
    [applied_more, applied_to_another, lambda kept: kept.restart(), lambda kept: kept.keeper.make_anew()],
    ids=["applied", "applied to another", "restarted", "anew"],
)
def test_a_process_that_was_paused_between_its_read_and_its_write_is_refused(
    kept: Kept, meanwhile: Callable[[Kept], object]
) -> None:
    script = Path(__file__).with_name("paused_writer.py")
    paused = subprocess.Popen(
        [sys.executable, str(script), kept.token, "c0"],
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


def test_states_lost_in_several_buckets_are_made_anew_in_one_pass(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[object] = []
    make = kept.lake.make
    monkeypatch.setattr(
        kept.lake, "make", lambda buckets, *how: (passes.append(buckets), make(buckets, *how))[1], raising=True
    )
    for customer in ("c0", "c1"):
        lose_state(kept.settings, PURCHASES, customer)
    for _ in ALL_BUCKETS:
        kept.keeper.scrub(1)
    assert statuses(kept, "c0", "c1") == [Status.OK, Status.OK]
    (made,) = passes
    assert len(made) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("step", ["half", "written", "noted", "saved"])
def test_a_state_that_is_lost_while_a_correction_makes_it_is_missed_and_made_again(kept: Kept, step: str) -> None:
    def meanwhile(at: str) -> None:
        if at == step:
            lose_state(kept.settings, PURCHASES, "c0")

    applied_more(kept)
    kept.remove("c0", keep=1)
    kept.apply(meanwhile=meanwhile)
    assert statuses(kept, "c0", "c1") == [Status.LOST, Status.OK]
    kept.keeper.scrub(len(ALL_BUCKETS))
    (row,) = kept.read(["c0"])
    assert (row.status["purchases"], row.values[PURCHASES_COUNT]) == (Status.OK, 1)


def test_a_batch_that_ends_before_the_states_do_writes_no_older_state(kept: Kept) -> None:
    """As when ledgers and checkpoint are of an older backup than the store."""
    kept.remove("c0")
    kept.apply()
    kept.arrive([("c0", now() - HOUR)])
    kept.apply()
    kept.remove("c0")
    kept.apply()
    del kept.files.saved[-2:]
    kept.restart()
    kept.apply(kept.lake.version() - 1)
    assert statuses(kept, "c0", "c1") == [Status.NO_STATE, Status.OK]


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


def test_a_reader_made_after_the_store_went_back_knows_what_its_process_heard(kept: Kept) -> None:
    backup = kept.snapshot()
    applied_more(kept)
    assert statuses(kept, "c0") == [Status.OK]
    kept.roll_back(backup)
    promoted = OnlineReader(kept.settings, "churn")
    assert promoted.read([{"customer_id": "c0"}])[0].status["purchases"] is Status.LOST
    assert promoted.troubles()["purchases"] is Status.LOST


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
    for name in ("MOST_PENDING", "MOST_AHEAD"):
        monkeypatch.setattr(sys.modules[apply.__module__], name, 2)
    soon = now() + 5 * SECOND
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
        kept.apply(meanwhile=killed_at("noted"))
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
    fence = kept.store.take(applied.epoch, kept.store.run_id())
    for _ in range(2):
        kept.store.write(fence.token, [change], now())
        kept.store.note(fence, applied, noted)
    assert kept.applied() == noted
    for _ in range(2):
        kept.store.write(fence.token, [Change(kept.store.find(["c0"])[0], None, None)], now())
    with pytest.raises(StatesFencedError):
        kept.store.write(fence.token, [change], now())


def test_a_bootstrap_beside_that_was_killed_is_done_by_who_keeps_the_states(kept: Kept) -> None:
    applied = kept.applied()
    assert applied is not None
    begun = replace(applied, epoch=applied.epoch + 1, version=-1, rebuilding=ALL_BUCKETS, is_anew=True)
    kept.store.begin(begun, kept.store.token(), kept.store.run_id())
    assert statuses(kept, "c0") == [Status.REBUILDING]
    kept.keeper.look()
    assert statuses(kept, "c0", "nobody") == [Status.OK, Status.NO_STATE]


@pytest.mark.parametrize("damaged", [flipped, lambda value: value[:-1], lambda value: value + b"x"], ids=FORMS)
def test_a_damaged_state_that_nobody_asks_for_is_found_by_reading_all(
    kept: Kept, damaged: Callable[[bytes], bytes]
) -> None:
    key, field = entity_key(PURCHASES.entity.key, "c0"), state_field(PURCHASES)
    whole = kept.redis.hget(key, field)
    kept.redis.hset(key, field, damaged(whole))
    assert statuses(kept, "c0", "c1") == [Status.UNREADABLE, Status.OK]
    assert kept.keeper.wrong(ALL_BUCKETS) == [bucket_of("c0")]
    kept.keeper.scrub(len(ALL_BUCKETS))
    assert kept.redis.hget(key, field) != damaged(whole)
    assert statuses(kept, "c0", "c1") == [Status.OK] * 2


def test_states_of_before_there_were_digests_and_turns_are_made_anew_by_themselves(kept: Kept) -> None:
    applied = kept.applied()
    assert applied is not None
    kept.redis.set(epoch_key(PURCHASES), applied.epoch)
    for customer in ("c0", "c1"):
        known = known_key(PURCHASES, bucket_of(customer))
        kept.redis.hset(known, customer, kept.redis.hget(known, customer)[:24])
    content = json.loads(kept.files.saved[-1].dump())
    del content["commit"]
    kept.files.saved = [Ledger.load(json.dumps(content))]
    assert statuses(kept, "c0", "c1", "nobody") == [Status.OK, Status.OK, Status.NO_STATE]
    assert kept.store.find(["c0"])[0].known is None

    kept.restart()

    assert kept.keeper.wrong(ALL_BUCKETS) == []
    assert kept.applied().epoch == applied.epoch  # type: ignore[union-attr]
    applied_more(kept)
    assert kept.read(["c0"])[0].values[PURCHASES_COUNT] == 2
    assert statuses(kept, "c0", "c1", "nobody") == [Status.OK, Status.OK, Status.NO_STATE]


def test_a_state_that_was_written_by_a_clock_far_ahead_is_made_anew(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(keeping, "_now", lambda: now() + 365 * DAY)
        kept.keeper.make_anew()
    assert statuses(kept, "c0") == [Status.PAST]
    kept.keeper.scrub(len(ALL_BUCKETS))
    assert statuses(kept, "c0", "c1") == [Status.OK] * 2


def test_a_store_that_does_not_answer_is_said_when_its_lock_is_wanted_kept_or_released(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = settings_on_free_ports(tmp_path)
    lock = StateStore(own, PURCHASES, 2.0, 1).lock(5)
    address = f"Redis at {own.redis.host}:{own.redis.port} did not answer"
    with pytest.raises(OnlineStoreUnavailableError, match=address):
        lock.acquire()
    with running(redis_service.services(own)[0], own):
        kept = Kept(own)
        assert lock.acquire()
        lock.reacquire()
        kept.redis.flushall()
        for ask in (lock.reacquire, lock.release):
            with pytest.raises(LockLostError, match="not held any more"):
                ask()
        kept.keeper.look()
        kept.keeper.store = StateStore(own, PURCHASES, 2.0, 1)
        with kept.keeper._alone():
            kept.redis.shutdown(nosave=True)
    assert "the lock of purchases is not released, it ends by itself in 60 s" in caplog.text
    assert address in caplog.text


def test_a_store_that_is_restarted_in_a_batch_and_lost_the_last_writes_is_not_believed(tmp_path: Path) -> None:
    own = settings_on_free_ports(tmp_path)
    patient = own.model_copy(update={"serving": own.serving.model_copy(update={"feature_timeout_s": 20.0})})
    with OwnRedis(patient) as server:
        kept = Kept(patient)
        kept.arrive([("c0", now() - HOUR), ("c1", now() - HOUR)])
        kept.apply()
        before: dict[bytes, bytes] = {}

        def lose(step: str) -> None:
            if step == "half":
                before.update(kept.snapshot())
            elif step == "written":
                server.restart()
                kept.roll_back(before)

        kept.arrive([("c0", now() - SECOND), ("c1", now() - SECOND)])
        with pytest.raises(StoreRestartedError, match="restarted in the middle of writing states of purchases"):
            kept.apply(meanwhile=lose)
        kept.restart()
        kept.apply()
        rows = kept.read(["c0", "c1"])
        assert [row.values[PURCHASES_COUNT] for row in rows] == [2, 2]
        assert statuses(kept, "c0", "c1") == [Status.OK, Status.OK]


def test_who_was_taken_for_dead_and_goes_on_reads_what_the_other_wrote_down(kept: Kept) -> None:
    first = kept.keeper
    kept.restart()
    applied_more(kept)
    kept.keeper = first
    applied_more(kept)
    assert kept.read(["c0"])[0].values[PURCHASES_COUNT] == 3
    assert kept.keeper.wrong(ALL_BUCKETS) == []
