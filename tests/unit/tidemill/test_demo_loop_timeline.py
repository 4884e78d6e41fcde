"""The timeline of the loop: told from a real control store, each moment once, and waited for by phase."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitoring.control import ControlStore, Policy, State, Traffic
from monitoring.looks.results import commit, read_record
from monitoring.rollout.running import ENDED, End
from tests.cases.control_stores import NO_LIMITS, SetClock, ask, model, request
from tests.unit.monitoring.looks.looks import SUBJECT, look, verdict
from tidemill.config import Settings
from tidemill.demo.loop.moments import Kind, Moment
from tidemill.demo.loop.timeline import LoopError, Timeline, clock, line
from tidemill.demo.loop.watch import Watch

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(minutes=5)


@pytest.fixture
def set_clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(tmp_path: Path, set_clock: SetClock) -> Iterator[ControlStore]:
    with ControlStore(f"sqlite:///{tmp_path / 'control.db'}", set_clock) as store:
        yield store


@pytest.fixture
def watch(settings: Settings, store: ControlStore) -> Watch:
    return Watch(settings, store, "churn")


def told(watch: Watch) -> list[tuple[Kind, str]]:
    return [(moment.kind, moment.text.splitlines()[0]) for moment in watch.news()]


def trained_and_gated(store: ControlStore, set_clock: SetClock, *, passed: bool) -> None:
    """A request that went as far as its gates, a minute a stage."""
    asked = request(store.requests.ask(ask(), NO_LIMITS))
    set_clock.jump(MINUTE)
    claimed = request(store.requests.claim("retrain_churn", LEASE, "churn"))
    set_clock.jump(MINUTE)
    store.requests.advance(claimed.lease, State.CLAIMED, State.TRAINED, {"run_id": "r9"})
    set_clock.jump(MINUTE)
    checks = ["passed floor of roc_auc: 0.9000, at least 0.7 wanted"]
    note = {"run_id": "r9", "passed": passed, "reasons": [], "checks": checks}
    store.requests.advance(claimed.lease, State.TRAINED, State.GATED, note)
    if not passed:
        store.requests.advance(claimed.lease, State.GATED, State.REJECTED, {"reasons": ["worse than champion 1"]})
    assert store.requests.get(asked.id).state is (State.GATED if passed else State.REJECTED)


def test_a_request_is_told_stage_by_stage_and_once(store: ControlStore, set_clock: SetClock, watch: Watch) -> None:
    trained_and_gated(store, set_clock, passed=True)
    moments = watch.news()
    assert [(moment.kind, moment.at - NOON) for moment in moments] == [
        (Kind.REQUESTED, 0 * MINUTE),
        (Kind.CLAIMED, MINUTE),
        (Kind.TRAINED, 2 * MINUTE),
        (Kind.PASSED, 3 * MINUTE),
    ]
    assert moments[0].text == "a new model is requested, by monitor_churn: psi of spend_30d is 0.31"
    assert moments[3].text.splitlines()[1:] == ["passed floor of roc_auc: 0.9000, at least 0.7 wanted"]
    assert watch.news() == []


def test_a_model_that_the_gates_refuse_is_a_refusal_and_the_end_of_its_request(
    store: ControlStore, set_clock: SetClock, watch: Watch
) -> None:
    trained_and_gated(store, set_clock, passed=False)
    assert told(watch)[-2:] == [
        (Kind.REFUSED, "the gates say no"),
        (Kind.FAILED, "the request is rejected: worse than champion 1"),
    ]


def test_who_asks_again_and_again_is_told_once(store: ControlStore, watch: Watch) -> None:
    for _ in range(100):
        store.requests.ask(ask(), NO_LIMITS)
    assert [kind for kind, _ in told(watch)] == [Kind.REQUESTED]
    store.requests.ask(ask(), NO_LIMITS)
    assert told(watch) == []


def test_a_canary_is_told_step_by_step_up_to_its_promotion(
    store: ControlStore, set_clock: SetClock, watch: Watch
) -> None:
    champion, challenger = model("1"), model("2")
    for epoch, share in enumerate((10, 50, 100)):
        traffic = Traffic(Policy.CANARY, champion, challenger, share)
        store.rollouts.change("churn", epoch, traffic, actor="rollout_churn", reason="the step is passed")
        set_clock.jump(MINUTE)
    ended = {ENDED: End.PROMOTED.value, "challenger": {"version": "2"}, "began": 1}
    store.rollouts.change(
        "churn", 3, Traffic(Policy.CANARY, challenger), actor="rollout_churn", reason="passed", evidence=ended
    )
    assert told(watch) == [
        (Kind.BEGUN, "canary begins: version 2 answers 10 % of the customers; replay: none"),
        (Kind.STEP, "canary: version 2 answers 50 % of the customers; the step is passed"),
        (Kind.STEP, "canary: version 2 answers 100 % of the customers; the step is passed"),
        (Kind.PROMOTED, "version 2 is the champion: passed"),
    ]


def test_a_challenger_that_is_taken_back_is_told_with_the_guard(store: ControlStore, watch: Watch) -> None:
    champion, challenger = model("1"), model("2")
    store.rollouts.change("churn", 0, Traffic(Policy.CANARY, champion, challenger, 10), actor="anna", reason="a try")
    guard = {"guard": "latency", "sentence": "slow"}
    ended = {ENDED: End.ROLLED_BACK.value, "challenger": {"version": "2"}, "began": 1, "guards": [guard]}
    store.rollouts.change(
        "churn", 1, Traffic(Policy.CANARY, champion), actor="rollout_churn", reason="60 were slow", evidence=ended
    )
    assert told(watch)[-1] == (Kind.TAKEN_BACK, "version 2 is taken back by the guard latency: 60 were slow")


def test_another_use_case_is_not_told_of(store: ControlStore, watch: Watch) -> None:
    store.requests.ask(ask(use_case="fraud"), NO_LIMITS)
    assert told(watch) == []


def test_a_look_that_found_drift_names_the_features_that_are_furthest_beyond_their_limit(
    settings: Settings, watch: Watch
) -> None:
    seen = look(verdict("age", shift=0.2), verdict("spend", shift=0.9), verdict("visits", is_drifted=False))
    commit(read_record(settings, SUBJECT, seen.look_id), seen)
    expected = (
        "drift found in 900 answers: spend (wasserstein 0.900, limit 0.125), age (wasserstein 0.200, limit 0.125)"
    )
    assert told(watch) == [(Kind.DRIFT, expected)]
    assert told(watch) == []


def test_a_look_that_found_nothing_says_so(settings: Settings, watch: Watch) -> None:
    seen = look(verdict("age", is_drifted=False), verdict("spend", is_drifted=False))
    commit(read_record(settings, SUBJECT, seen.look_id), seen)
    assert told(watch) == [(Kind.QUIET_LOOK, "look: 900 answers judged, nothing has drifted")]


def moment(kind: Kind, minutes: int = 0) -> Moment:
    return Moment(NOON + minutes * MINUTE, kind, f"it is {kind}", f"{kind} {minutes}")


def timeline_of(*looks: list[Moment]) -> Timeline:
    """A timeline whose looks find these, one after the other, and then nothing."""
    rest = iter(looks)
    return Timeline(lambda: next(rest, []), sleep=lambda _: None)


def test_what_is_waited_for_is_found_also_when_it_was_told_before_another() -> None:
    timeline, lines = timeline_of([moment(Kind.REQUESTED)], [moment(Kind.DRIFT)]), list[str]()
    assert timeline.until(Kind.DRIFT, 60, bad=(), keep=lines.append).kind is Kind.DRIFT
    assert timeline.until(Kind.REQUESTED, 60, bad=(), keep=lines.append).kind is Kind.REQUESTED
    assert len(lines) == 2


def test_what_was_told_in_an_earlier_phase_does_not_count() -> None:
    timeline = timeline_of([moment(Kind.PROMOTED)], [], [moment(Kind.PROMOTED, 5)])
    timeline.until(Kind.PROMOTED, 60, bad=(), keep=lambda _: None)
    timeline.begin_phase()
    assert timeline.until(Kind.PROMOTED, 60, bad=(), keep=lambda _: None) == moment(Kind.PROMOTED, 5)


def test_what_must_not_happen_ends_the_wait_with_what_it_was() -> None:
    timeline = timeline_of([moment(Kind.CLAIMED), moment(Kind.FAILED)], [moment(Kind.TRAINED)])
    with pytest.raises(LoopError, match="it is failed, while it was waited for a trained model"):
        timeline.until(Kind.TRAINED, 60, bad=(Kind.FAILED,), keep=lambda _: None)


def test_what_does_not_come_in_time_is_an_error_that_names_it() -> None:
    with pytest.raises(LoopError, match="waited for a promotion, and there was none within 0 s"):
        timeline_of().until(Kind.PROMOTED, 0, bad=(), keep=lambda _: None)


def test_times_are_counted_from_the_change_of_behaviour_on() -> None:
    timeline, lines = timeline_of(), list[str]()
    for told_moment in (moment(Kind.QUIET_LOOK), moment(Kind.PLANTED, 3), moment(Kind.DRIFT, 5)):
        timeline.tell(told_moment, lines.append)
    assert lines == [
        "  12:00:00           it is look",
        "  12:03:00    +0:00  it is planted",
        "  12:05:00    +2:00  it is drift",
    ]


def test_a_moment_of_several_lines_is_indented() -> None:
    several = Moment(NOON, Kind.PASSED, "passed\none check\nanother", "k")
    assert line(several, None).splitlines()[1:] == [" " * 21 + "one check", " " * 21 + "another"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34")])
def test_durations_are_minutes_and_seconds(seconds: float, text: str) -> None:
    assert clock(seconds) == text
