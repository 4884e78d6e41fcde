import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitoring.control import (
    ControlStore,
    Limits,
    Source,
    State,
    StateConflictError,
    Suppressed,
    UnusableRecordError,
)
from tests.cases.control_stores import HOUR, NO_LIMITS, SetClock, ask, request

LIMITS = Limits(cool_down=6 * HOUR, per_day=2)


def end(store: ControlStore, *, by: str = "ann") -> None:
    """Reject the oldest open request."""
    held = request(store.requests.claim("worker", HOUR))
    store.requests.cancel(held.id, by, "not now")


def test_a_request_says_who_asked_for_what_and_why(store: ControlStore, clock: SetClock) -> None:
    evidence = {"feature": "spend_30d", "psi": 0.31, "months": [1, 2], "Übergröße": None}
    made = request(store.requests.ask(ask(evidence=evidence, policy={"window": "rolling"})))
    again = store.requests.get(made.id)
    assert made == again
    assert (again.use_case, again.source, again.actor) == ("churn", Source.DRIFT, "monitor_churn")
    assert again.evidence == evidence
    assert (again.state, again.requested_at, again.asked) == (State.REQUESTED, clock.now, 1)
    assert [(entry.actor, entry.from_state, entry.to_state) for entry in store.requests.trail(made.id)] == [
        ("monitor_churn", None, State.REQUESTED)
    ]


def test_asking_again_while_it_is_open_counts(store: ControlStore, clock: SetClock) -> None:
    first = request(store.requests.ask(ask()))
    clock.jump(HOUR)
    second = request(store.requests.ask(ask(reason="psi of spend_30d is 0.35"), LIMITS))
    assert (second.id, second.asked, second.last_asked_at) == (first.id, 2, clock.now)
    assert second.requested_at == clock.now - HOUR
    assert len(store.requests.trail(first.id)) == 1


def test_what_a_second_person_says_is_in_the_trail(store: ControlStore) -> None:
    first = request(store.requests.ask(ask(source=Source.PERSON, actor="ann", reason="prices changed")))
    store.requests.ask(ask(source=Source.PERSON, actor="bob", reason="and a new shop"))
    said = [(entry.actor, entry.detail) for entry in store.requests.trail(first.id)]
    assert said == [("ann", {"reason": "prices changed"}), ("bob", {"asked_again": "and a new shop"})]


BY_HAND = {"source": Source.PERSON, "key": "person"}


@pytest.mark.parametrize("own", [{}, {"window_days": 180}], ids=["as model.yaml says", "another"])
def test_a_policy_that_an_open_request_is_not_trained_by_is_refused(store: ControlStore, own: dict[str, Any]) -> None:
    """It would be lost, and who asked would be told that a model was promoted."""
    first = request(store.requests.ask(ask(**BY_HAND, policy=own)))
    with pytest.raises(StateConflictError, match=f"request {first.id} of churn is open") as refused:
        store.requests.ask(ask(**BY_HAND, policy={"window_days": 90}))
    assert refused.value.exit_status == 1
    assert (f"tidemill retrain cancel {first.id}" in str(refused.value), len(store.requests.trail(first.id))) == (
        True,
        1,
    )
    assert store.requests.get(first.id) == first


def test_the_same_policy_joins_and_so_does_an_ask_without_one(store: ControlStore) -> None:
    policy = {"window_days": 180, "parameters": "champions"}
    first = request(store.requests.ask(ask(**BY_HAND, policy=policy)))
    same = ask(**BY_HAND, actor="bob", reason="so do I", policy={"parameters": "champions", "window_days": 180})
    assert request(store.requests.ask(same)).asked == 2
    joined = request(store.requests.ask(ask(**BY_HAND, actor="eve", reason="me too")))
    assert (joined.id, joined.asked, joined.policy) == (first.id, 3, policy)
    said = [(entry.actor, entry.detail) for entry in store.requests.trail(first.id)][1:]
    assert said == [("bob", {"asked_again": "so do I", "policy": policy}), ("eve", {"asked_again": "me too"})]


@pytest.mark.parametrize("other", [{"key": "performance"}, {"use_case": "fraud"}], ids=["key", "use_case"])
def test_another_key_or_use_case_is_another_request(store: ControlStore, other: dict[str, Any]) -> None:
    first = request(store.requests.ask(ask(), NO_LIMITS))
    assert request(store.requests.ask(ask(**other), NO_LIMITS)).id != first.id


def test_after_the_end_the_same_key_is_a_new_request(store: ControlStore) -> None:
    first = request(store.requests.ask(ask(), NO_LIMITS))
    end(store)
    assert request(store.requests.ask(ask(), NO_LIMITS)).id != first.id


@pytest.mark.parametrize("source", [Source.PERFORMANCE, Source.SCHEDULE, Source.NEW_DATA])
def test_while_a_monitors_request_is_open_no_other_source_gets_one(
    store: ControlStore, clock: SetClock, source: Source
) -> None:
    """What it saw may be of the champion that the open one's model is about to replace."""
    drift = request(store.requests.ask(ask(), LIMITS))
    another = ask(source=source, key=source.value, evidence={"model": {"version": "3"}})
    refused = store.requests.ask(another, LIMITS)
    assert isinstance(refused, Suppressed)
    assert (refused.why, refused.evidence) == ("open", another.evidence)
    assert refused.detail == f"request {drift.id} of churn is open: its model is judged first"
    assert request(store.requests.ask(ask(), LIMITS)).id == drift.id
    assert request(store.requests.ask(ask(use_case="fraud"), LIMITS)).use_case == "fraud"
    end(store)
    clock.jump(6 * HOUR)
    assert request(store.requests.ask(another, LIMITS)).asked == 1


def test_a_persons_request_neither_waits_for_a_monitors_nor_holds_one_up(store: ControlStore) -> None:
    persons = ask(source=Source.PERSON, key="person", actor="ann")
    drift = request(store.requests.ask(ask(), LIMITS))
    assert request(store.requests.ask(persons, LIMITS)).id != drift.id
    store.requests.cancel(drift.id, "ann", "not now")
    no_rest = replace(NO_LIMITS, at_once=1)
    assert request(store.requests.ask(ask(), no_rest)).state is State.REQUESTED


def test_after_an_end_automatic_sources_wait(store: ControlStore, clock: SetClock) -> None:
    store.requests.ask(ask(), LIMITS)
    end(store)
    clock.jump(6 * HOUR - timedelta(seconds=1))
    refused = store.requests.ask(ask(key="another", evidence={"psi": 0.4}), LIMITS)
    assert isinstance(refused, Suppressed)
    assert (refused.why, refused.at, refused.evidence) == ("cool_down", clock.now, {"psi": 0.4})
    assert "until 2026-03-01 18:00:00" in refused.detail
    assert request(store.requests.ask(ask(use_case="fraud"), LIMITS)).use_case == "fraud"
    clock.jump(timedelta(seconds=1))
    assert request(store.requests.ask(ask(), LIMITS)).asked == 1
    assert store.requests.suppressed("churn") == [refused]
    assert store.requests.suppressed("fraud") == []


def requested_in_a_year(store: ControlStore, clock: SetClock, source: Source, *, days: range) -> list[int]:
    """The days on which an ask of each day made a request; each is worked off at once."""
    made = []
    for day in days:
        answer = store.requests.ask(ask(source=source, key=f"{source} {day}"), Limits(cool_down=24 * HOUR))
        if not isinstance(answer, Suppressed):
            made.append(day)
            end(store)
        clock.jump(24 * HOUR)
    return made


@pytest.mark.parametrize("source", [Source.DRIFT, Source.PERFORMANCE, Source.CONSISTENCY])
def test_what_no_training_ends_is_trained_for_after_twice_the_time_each_time(
    store: ControlStore, clock: SetClock, source: Source
) -> None:
    assert requested_in_a_year(store, clock, source, days=range(365)) == [0, 1, 2, 4, 8, 16, 32, 64, 128, 218, 308]
    refused = store.requests.suppressed("churn", limit=1)[0]
    assert f"the newest request by {source} of churn ended at 2027-01-03 12:00:00 UTC" in refused.detail
    assert "so it rests until 2027-04-03 12:00:00" in refused.detail


def test_after_two_quiet_weeks_what_is_found_is_another_trouble(store: ControlStore, clock: SetClock) -> None:
    assert requested_in_a_year(store, clock, Source.DRIFT, days=range(4)) == [0, 1, 2]
    clock.jump(timedelta(days=12, seconds=1))
    assert requested_in_a_year(store, clock, Source.DRIFT, days=range(4)) == [0, 1, 2]


def test_one_monitors_rests_are_not_anothers(store: ControlStore, clock: SetClock) -> None:
    requested_in_a_year(store, clock, Source.DRIFT, days=range(10))
    assert request(store.requests.ask(ask(source=Source.PERFORMANCE, key="worse"), LIMITS)).asked == 1


@pytest.mark.parametrize("source", [Source.SCHEDULE, Source.NEW_DATA])
def test_what_comes_by_plan_rests_no_longer_than_the_cool_down(
    store: ControlStore, clock: SetClock, source: Source
) -> None:
    assert requested_in_a_year(store, clock, source, days=range(20)) == list(range(20))


def test_a_person_waits_for_nothing(store: ControlStore) -> None:
    store.requests.ask(ask(), LIMITS)
    end(store)
    assert request(store.requests.ask(ask(source=Source.PERSON, actor="ann"), LIMITS)).state is State.REQUESTED


def test_what_expired_was_never_looked_at_and_nothing_waits_for_it(store: ControlStore, clock: SetClock) -> None:
    store.requests.ask(ask(), LIMITS)
    clock.jump(HOUR)
    assert [old.state for old in store.requests.expire(HOUR, "monitor_churn")] == [State.EXPIRED]
    assert request(store.requests.ask(ask(), LIMITS)).state is State.REQUESTED


def test_a_days_requests_are_limited_and_a_persons_count(store: ControlStore, clock: SetClock) -> None:
    for key in ("1", "2"):
        store.requests.ask(ask(key=key, source=Source.PERSON), LIMITS)
    refused = store.requests.ask(ask(key="3"), LIMITS)
    assert isinstance(refused, Suppressed)
    assert (refused.why, refused.detail) == ("budget", "churn had 2 requests within 24 hours, 2 are allowed")
    assert request(store.requests.ask(ask(key="4", source=Source.PERSON), LIMITS)).asked == 1
    assert request(store.requests.ask(ask(key="1", source=Source.PERSON), LIMITS)).asked == 2
    clock.jump(timedelta(hours=24))
    assert request(store.requests.ask(ask(key="3"), LIMITS)).asked == 1


@pytest.mark.parametrize("years", [-5, 5])
def test_a_clock_that_was_wrong_for_a_moment_stops_nothing_for_longer(
    store: ControlStore, clock: SetClock, years: int
) -> None:
    clock.jump(timedelta(days=365 * years))
    store.requests.ask(ask(), LIMITS)
    end(store)
    clock.jump(timedelta(days=-365 * years))
    assert request(store.requests.ask(ask(), LIMITS)).state is State.REQUESTED


def test_a_clock_set_back_a_little_ends_no_rest(store: ControlStore, clock: SetClock) -> None:
    store.requests.ask(ask(), LIMITS)
    end(store)
    clock.jump(timedelta(minutes=-5))
    assert isinstance(store.requests.ask(ask(), LIMITS), Suppressed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"reason": " \n"}, "the reason is empty"),
        ({"reason": "a\0b"}, "the reason has a character that no database keeps"),
        ({"reason": "\ud800"}, "the reason has a character that no database keeps"),
        ({"reason": "x" * 10_001}, "the reason has 10001 characters, 10000 are kept"),
        ({"key": "k" * 201}, "the key has 201 characters, 200 are kept"),
        ({"use_case": ""}, "the use case is empty"),
        ({"actor": ""}, "who asks is empty"),
        ({"evidence": {"at": {1, 2}}}, "the evidence cannot be kept as JSON"),
    ],
)
def test_what_cannot_be_kept_is_named(store: ControlStore, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UnusableRecordError, match=message):
        store.requests.ask(ask(**changed))
    assert store.requests.newest() == []


@pytest.mark.parametrize(
    "text", ["'; drop table retrain_requests; --", "\U0001f525 %s {x} \\", "a\n\tb", "\u202e", "日本" * 90]
)
def test_a_text_comes_back_as_typed(store: ControlStore, text: str) -> None:
    made = request(store.requests.ask(ask(reason=text, key=text, actor=text, evidence={text: text})))
    again = store.requests.get(made.id)
    assert (again.reason, again.key, again.actor, again.evidence) == (text, text, text, {text: text})


def test_numbers_come_back_as_given_and_those_without_a_value_as_null(store: ControlStore) -> None:
    numbers = {"tenth": 0.1, "least": 5e-324, "large": 2**80, "none": math.nan, "endless": math.inf, "nul": "\0"}
    kept = request(store.requests.ask(ask(evidence=numbers))).evidence
    assert kept == numbers | {"none": None, "endless": None}


def test_requests_are_listed_newest_first(store: ControlStore, clock: SetClock) -> None:
    for key in ("1", "2", "3"):
        store.requests.ask(ask(key=key), NO_LIMITS)
        clock.jump(-HOUR)  # their order is not that of the clock
    store.requests.ask(ask(use_case="fraud"))
    end(store)
    assert [made.key for made in store.requests.newest("churn")] == ["3", "2", "1"]
    assert [made.key for made in store.requests.newest(is_open=True)] == ["drift", "3", "2"]
    assert [made.key for made in store.requests.newest(limit=2)] == ["drift", "3"]
