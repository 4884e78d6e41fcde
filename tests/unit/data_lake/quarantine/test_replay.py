"""A replay sends each message's event once, whenever it is ended and whoever else replays."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data_lake.quarantine import origin
from data_lake.quarantine import replay as replaying_module
from data_lake.quarantine.fix import FixFailedError
from data_lake.quarantine.ledger import Ledger
from data_lake.quarantine.lock import ReplayRunsError, replaying
from data_lake.quarantine.origin import Origin
from data_lake.quarantine.replay import Replayer
from data_lake.quarantine.sending import Sender
from data_lake.topic_starts import OtherTopicError
from ingestion_layer.kafka.producer import EventProducer
from tests.unit.data_lake.quarantine.conftest import AT, TOPIC, TOPIC_ID, Quarantine, encode, transaction
from tidemill.contracts.checker import Reason

PRICED = "event = json.loads(value); event['data']['unit_price'] = 3; return event"
BAD = [encode(transaction(record, unit_price=-1)) for record in "abc"]
Ended = Callable[[object, str], None]


def test_a_fixed_event_goes_through_the_topic_with_a_link_and_the_old_message_stays(quarantine: Quarantine) -> None:
    quarantine.lay(BAD[0])
    replayed = quarantine.replay(quarantine.fix(PRICED))
    assert (replayed.plan.messages, replayed.sent, replayed.plan.refused) == (1, 1, {})
    (message,) = quarantine.sent()
    assert message.headers() == [("tidemill_replay_of", f"{TOPIC}/{TOPIC_ID}/1/0/0".encode())]
    assert json.loads(message.value() or b"") == transaction("a", unit_price=3)
    assert message.key() == b"c1"
    (claimed, sent) = quarantine.ledger()
    assert (claimed["state"], json.loads(claimed["value"])) == ("claimed", transaction("a", unit_price=3))
    assert (sent["state"], sent["new_partition"], sent["new_offset"]) == ("sent", message.partition(), message.offset())
    assert (sent["replayed_by"], sent["fix"].split(":")[0]) == ("a tester", "fix.py sha256")
    assert quarantine.replay(quarantine.fix(PRICED)).plan.messages == 0
    assert quarantine.links() == [0]


def test_an_event_without_an_id_gets_one_made_of_the_old_messages_place(quarantine: Quarantine) -> None:
    quarantine.lay(encode({"data": transaction("a")["data"]}), "not_cloudevent")
    made = transaction("a")
    body = f"return {{**{ {k: v for k, v in made.items() if k not in ('id', 'source', 'data')} }, **json.loads(value)}}"
    quarantine.replay(quarantine.fix(body))
    (message,) = quarantine.sent()
    event = json.loads(message.value() or b"")
    place = f"urn:tidemill:quarantine:{TOPIC}\x1f{TOPIC}/{TOPIC_ID}/1/0/0"
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tidemill:event")
    assert (event["source"], event["id"]) == (f"urn:tidemill:quarantine:{TOPIC}", str(uuid.uuid5(namespace, place)))


def test_what_a_wider_contract_takes_is_sent_as_it_arrived_byte_for_byte(quarantine: Quarantine) -> None:
    value = json.dumps(transaction("a"), indent=1).encode()
    quarantine.lay(value)
    quarantine.lay(BAD[1])
    replayed = quarantine.replay()
    assert (replayed.sent, replayed.plan.refused) == (1, {"schema": 1})
    assert [message.value() for message in quarantine.sent()] == [value]
    (sample,) = replayed.plan.samples["schema"]
    assert (sample.partition, sample.offset, sample.detail[:17]) == (0, 1, "/data/unit_price:")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise KeyError('price')", r"partition 0 offset 1: raised KeyError: 'price' \(line 4\)"),
        ("return [1]", r"partition 0 offset 1: gave \[1\], a list: give the event as a dict, or None"),
        ("import sys; sys.exit('enough')", "partition 0 offset 1: raised SystemExit: enough"),
    ],
    ids=["raises", "is no event", "exits"],
)
def test_a_fix_that_fails_on_one_message_sends_nothing(quarantine: Quarantine, body: str, told: str) -> None:
    quarantine.lay(BAD[0])
    quarantine.lay(b"cut off", "not_json")
    fix = quarantine.fix(f"if value == b'cut off': {body}\n    {PRICED}")
    with pytest.raises(FixFailedError, match=f"the fix failed on 1 of 2 messages, and nothing was sent: {told}"):
        quarantine.replay(fix)
    assert quarantine.sent() == []


def test_what_the_fix_leaves_and_what_breaks_the_contract_still_stays_and_is_counted(quarantine: Quarantine) -> None:
    quarantine.lay(BAD[0])
    quarantine.lay(BAD[1])
    quarantine.lay(b"cut off", "not_json")
    fix = quarantine.fix(
        "if value == b'cut off': return None\n"
        "    event = json.loads(value)\n"
        f"    event['data']['unit_price'] = 3 if event['id'] == '{transaction('b')['id']}' else -2\n"
        "    return event"
    )
    plan = quarantine.replay(fix).plan
    assert (plan.send, plan.left, plan.refused) == (1, 1, {"schema": 1})
    assert quarantine.links() == [1]


def test_ended_after_the_broker_has_all_the_next_run_sends_nothing(quarantine: Quarantine, ended: Ended) -> None:
    for value in BAD:
        quarantine.lay(value)
    fix = quarantine.fix(PRICED)
    ended(Sender, "note")
    with pytest.raises(KeyboardInterrupt):
        quarantine.replay(fix)
    assert quarantine.links() == [0, 1, 2]
    assert {state for _, state in quarantine.states()} == {"claimed"}
    again = quarantine.replay(fix)
    assert (again.finished, again.sent, again.plan.messages) == (3, 0, 0)
    assert quarantine.links() == [0, 1, 2]
    assert quarantine.states() == [(n, state) for n in range(3) for state in ("claimed", "sent")]


def test_ended_before_anything_was_sent_the_next_run_sends_what_was_claimed(
    quarantine: Quarantine, ended: Ended
) -> None:
    quarantine.lay(BAD[0])
    ended(EventProducer, "send")
    with pytest.raises(KeyboardInterrupt):
        quarantine.replay(quarantine.fix(PRICED))
    assert quarantine.sent() == []
    again = quarantine.replay(quarantine.fix("return None"))
    assert (again.finished, again.plan.messages) == (1, 0)
    assert [json.loads(m.value() or b"") for m in quarantine.sent()] == [transaction("a", unit_price=3)]


def test_ended_in_the_middle_only_the_rest_is_sent(quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in BAD:
        quarantine.lay(value)
    send = EventProducer.send

    def send_two(producer: EventProducer, topic: str, outgoing: Any, on_rejected: Any) -> None:
        send(producer, topic, list(outgoing)[:2], on_rejected)
        producer.flush()
        monkeypatch.setattr(EventProducer, "send", send)
        raise KeyboardInterrupt

    monkeypatch.setattr(EventProducer, "send", send_two)
    with pytest.raises(KeyboardInterrupt):
        quarantine.replay(quarantine.fix(PRICED))
    assert quarantine.links() == [0, 1]
    assert quarantine.replay().finished == 3
    assert quarantine.links() == [0, 1, 2]


def test_of_two_homes_at_once_one_gets_each_message(quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other replays all after this one has looked at the record, and before it claims."""
    for value in BAD:
        quarantine.lay(value)
    fix, ends = quarantine.fix(PRICED), Replayer._ends

    def slow(replayer: Replayer) -> list[tuple[int, int]]:
        monkeypatch.setattr(Replayer, "_ends", ends)
        assert quarantine.replay(fix, home="other").sent == 3
        return ends(replayer)

    monkeypatch.setattr(Replayer, "_ends", slow)
    mine = quarantine.replay(fix)
    assert (mine.plan.send, mine.sent, mine.elsewhere) == (3, 0, 3)
    assert quarantine.links() == [0, 1, 2]


def test_claims_of_another_home_are_left_alone_until_they_can_no_longer_be_on_their_way(
    quarantine: Quarantine, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine.lay(BAD[0])
    fix = quarantine.fix(PRICED)
    ended(EventProducer, "send")
    with pytest.raises(KeyboardInterrupt):
        quarantine.replay(fix, home="other")
    young = quarantine.replay(fix)
    assert (young.elsewhere, young.finished, young.plan.messages, quarantine.sent()) == (1, 0, 0, [])
    monkeypatch.setattr(replaying_module, "LEASE", timedelta(seconds=-120))
    assert quarantine.replay(fix).finished == 1
    assert quarantine.links() == [0]


def test_another_process_of_the_same_home_is_refused(quarantine: Quarantine) -> None:
    quarantine.lay(BAD[0])
    with replaying(quarantine.settings, TOPIC), pytest.raises(ReplayRunsError, match=f"the quarantine of {TOPIC}"):
        quarantine.replay(quarantine.fix(PRICED), home=str(quarantine.settings.home))
    assert quarantine.sent() == []


def test_nothing_is_sent_into_another_topic_of_that_name(
    quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine.lay(BAD[0])
    monkeypatch.setattr(origin, "compare", lambda _settings, _topic: "another topic id")
    with pytest.raises(OtherTopicError, match="as generation 1: another topic id; if it is right"):
        quarantine.replay(quarantine.fix(PRICED))
    assert quarantine.sent() == []


def test_what_silver_has_is_not_sent_and_what_silver_has_otherwise_is_a_conflict(quarantine: Quarantine) -> None:
    quarantine.hold(encode(transaction("a", unit_price=3)))
    quarantine.hold(encode(transaction("b", unit_price=4)))
    for value in BAD:
        quarantine.lay(value)
    plan = quarantine.replay(quarantine.fix(PRICED)).plan
    assert (plan.send, plan.known, plan.refused) == (1, 1, {"conflict": 1})
    assert plan.samples["conflict"][0].detail == "/id: silver has this source and id at this time with other data"
    assert quarantine.links() == [2]
    assert quarantine.states() == [(0, "known"), (2, "claimed"), (2, "sent")]


def test_of_equal_events_one_is_sent_and_another_one_is_a_conflict(quarantine: Quarantine) -> None:
    for value in (BAD[0], BAD[0], encode(transaction("a", unit_price=-1, quantity=9))):
        quarantine.lay(value)
    plan = quarantine.replay(quarantine.fix(PRICED)).plan
    assert (plan.send, plan.known, plan.refused) == (1, 1, {"conflict": 1})
    assert quarantine.links() == [0]


def test_what_was_sent_before_and_is_on_its_way_to_silver_counts_as_known(quarantine: Quarantine) -> None:
    quarantine.lay(BAD[0])
    quarantine.replay(quarantine.fix(PRICED))
    quarantine.lay(BAD[0])
    assert quarantine.replay(quarantine.fix(PRICED)).plan.known == 1
    assert quarantine.links() == [0]


def test_an_event_that_was_ahead_of_its_time_is_sent_when_its_time_has_come(quarantine: Quarantine) -> None:
    ahead = transaction("b") | {"time": (datetime.now(UTC) + timedelta(days=9)).isoformat()}
    quarantine.lay(encode(transaction("a")), "time_out_of_range", broker_time=AT - timedelta(days=9))
    quarantine.lay(encode(ahead), "time_out_of_range")
    quarantine.lay(encode(transaction("c") | {"time": "1999-12-31T23:59:59Z"}), "time_out_of_range")
    replayed = quarantine.replay()
    assert (replayed.sent, replayed.plan.refused) == (1, {"time_out_of_range": 2})
    assert quarantine.links() == [0]


def test_an_unprocessable_message_is_read_by_a_fix_alone(quarantine: Quarantine) -> None:
    quarantine.lay(encode(transaction("a")), "unprocessable")
    assert quarantine.replay().plan.refused == {"unprocessable": 1}
    assert quarantine.sent() == []


def test_a_fix_gets_the_raw_bytes_key_and_headers(quarantine: Quarantine) -> None:
    headers = [{"key": "shop", "value": b"7"}, {"key": "empty", "value": None}]
    quarantine.lay(None, "not_json", key=None, headers=headers)
    fix = quarantine.fix("assert (value, key, headers) == (None, None, [('shop', b'7'), ('empty', None)])")
    assert quarantine.replay(fix).plan.left == 1


def test_only_what_was_chosen_is_replayed(quarantine: Quarantine) -> None:
    for reason in ("schema", "unrepresentable", "schema"):
        quarantine.lay(encode(transaction(reason + str(quarantine.offset))), reason)
    quarantine.lay(encode(transaction("d")), partition=2)
    assert quarantine.dry_run().plan.send == 4
    assert quarantine.replay(reasons=frozenset({Reason.UNREPRESENTABLE})).sent == 1
    assert quarantine.replay(since=AT + timedelta(hours=2), until=AT + timedelta(hours=3)).sent == 1
    assert quarantine.replay(partition=2).sent == 1
    assert quarantine.links() == [1, 2, 3]


def test_a_dry_run_tells_and_leaves_no_trace(quarantine: Quarantine) -> None:
    quarantine.lay(BAD[0])
    replayed = quarantine.dry_run(quarantine.fix(PRICED))
    assert (replayed.is_dry_run, replayed.plan.send, replayed.sent) == (True, 1, 0)
    assert quarantine.sent() == []
    assert Ledger.read(quarantine.settings, TOPIC).delta is None


def test_an_event_too_large_to_be_sent_is_given_back(quarantine: Quarantine) -> None:
    client = {"message.max.bytes": "2000"}
    kafka = quarantine.settings.kafka.model_copy(update={"client": client})
    quarantine.settings = quarantine.settings.model_copy(update={"kafka": kafka})
    quarantine.lay(BAD[0])
    quarantine.lay(BAD[1])
    fix = quarantine.fix(f"""event = json.loads(value)
    if event["id"] == {transaction("a")["id"]!r}: event["more"] = "x" * 3000
    event["data"]["unit_price"] = 3; return event""")
    replayed = quarantine.replay(fix)
    assert (replayed.sent, replayed.too_large, replayed.elsewhere) == (1, 1, 0)
    assert quarantine.states() == [(0, "claimed"), (0, "released"), (1, "claimed"), (1, "sent")]
    assert quarantine.replay(quarantine.fix(PRICED)).sent == 1
    assert quarantine.links() == [0, 1]


def test_many_are_sent_in_batches_each_once(quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying_module, "BATCHES", replaying_module.BATCHES.replace(" // 5000", " // 2"))
    for number in range(7):
        quarantine.lay(encode(transaction(str(number))))
    assert quarantine.replay().sent == 7
    assert quarantine.links() == list(range(7))
    assert len({row["claim_id"] for row in quarantine.ledger() if row["state"] == "claimed"}) == 4
    assert [told for told in quarantine.told if told[0] == "sending"][-1] == ("sending", 7, 7)


def test_a_link_is_read_as_it_was_written_and_others_headers_are_none() -> None:
    place = Origin(TOPIC, TOPIC_ID, 2, 3, 4)
    assert Origin.read([("other", b"1"), place.header]) == place
    for value in (None, b"\xff", b"a/b/c", b"a/1/2/3", b"a/b/1/2/x"):
        assert Origin.read([("tidemill_replay_of", value)]) is None
    assert Origin.read(None) is None
