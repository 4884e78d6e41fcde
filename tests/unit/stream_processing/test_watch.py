"""When a batch is stuck, judged from looks at it."""

from collections.abc import Callable

import pytest

from stream_processing.spark_streaming.queries.states import Batch, QueryState, QueryStates, State
from stream_processing.spark_streaming.queries.watch import Look, Watch

QUERY, OTHER = "silver/t", "silver/u"
START = 1_000_000.0


class Ended(list[tuple[str, int, str]]):
    """What the process would have been ended for; ``helps`` as long as that may help."""

    helps = True

    def may_help(self, name: str, batch_id: int) -> bool:
        return self.helps

    def end(self, name: str, batch_id: int, sentence: str) -> None:
        self.append((name, batch_id, sentence))


@pytest.fixture
def ended() -> Ended:
    return Ended()


@pytest.fixture
def states() -> QueryStates:
    states = QueryStates()
    for query in (QUERY, OTHER):
        states.set(query, State.RUNNING)
    return states


@pytest.fixture
def judge(states: QueryStates, ended: Ended) -> Callable[[float, dict[str, Look]], None]:
    """Take in a look, so many seconds after the start; a batch that stands still for 100 s is stuck."""
    watch = Watch(dict, states, 100, ended)
    return lambda seconds, looks: watch.judge(looks, START + seconds)


Judge = Callable[[float, dict[str, Look]], None]


def look(batch_id: int = 7, jobs: tuple[int, ...] = (1,), done: int = 1, running: int = 1) -> Look:
    return Look(batch_id, frozenset(jobs), done, 4, running)


def test_a_batch_whose_task_never_ends_is_stuck_is_named_and_ends_the_process_when_it_stays_so(
    judge: Judge, states: QueryStates, ended: Ended
) -> None:
    judge(0, {QUERY: look()})
    judge(99, {QUERY: look()})
    assert states.of(QUERY) == QueryState(State.RUNNING)
    judge(100, {QUERY: look()})
    assert states.of(QUERY).state is State.STUCK
    assert states.of(QUERY).sentence.startswith(f"batch 7 of {QUERY}, begun 100 s ago, has not moved for 100 s (1 of 4")
    judge(199, {QUERY: look()})
    assert not ended
    judge(200, {QUERY: look()})
    ((query, batch_id, sentence),) = ended
    assert (query, batch_id) == (QUERY, 7)
    assert sentence.startswith(f"batch 7 of {QUERY}, begun 200 s ago")
    assert states.batches() == ({QUERY: Batch(START, 1, 4)}, START + 200)


def test_where_ending_the_process_has_not_helped_the_query_has_failed_until_its_batch_moves(
    judge: Judge, states: QueryStates, ended: Ended
) -> None:
    ended.helps = False
    for seconds in (0, 100, 200, 300):
        judge(seconds, {QUERY: look()})
    assert ended == []
    assert states.of(QUERY).state is State.FAILED
    assert "starting again has not helped: mend what it waits for" in states.of(QUERY).sentence
    judge(301, {QUERY: look(done=2)})
    assert states.of(QUERY) == QueryState(State.RUNNING)


@pytest.mark.parametrize(
    "later",
    [look(done=2), look(jobs=(2,)), look(batch_id=8)],
    ids=["a task ended", "another job", "another batch"],
)
def test_a_batch_that_moves_is_not_stuck_however_long_it_takes(
    judge: Judge, states: QueryStates, ended: Ended, later: Look
) -> None:
    judge(0, {QUERY: look()})
    judge(90, {QUERY: later})
    judge(189, {QUERY: later})
    assert states.of(QUERY) == QueryState(State.RUNNING)
    judge(190, {QUERY: later})
    assert states.of(QUERY).state is State.STUCK


def test_a_batch_that_goes_on_after_all_is_stuck_no_more(judge: Judge, states: QueryStates, ended: Ended) -> None:
    judge(0, {QUERY: look()})
    judge(150, {QUERY: look()})
    assert states.of(QUERY).state is State.STUCK
    judge(151, {})
    assert states.of(QUERY) == QueryState(State.RUNNING)
    judge(300, {QUERY: look(batch_id=8)})
    assert not ended


def test_a_batch_that_waits_for_a_slot_is_not_blamed_for_the_one_that_holds_it(
    judge: Judge, states: QueryStates
) -> None:
    for seconds in range(0, 500, 50):
        judge(seconds, {QUERY: look(), OTHER: look(running=0, done=0)})
    assert (states.of(QUERY).state, states.of(OTHER).state) == (State.STUCK, State.RUNNING)


def test_a_batch_that_hangs_outside_of_any_task_is_stuck(judge: Judge, states: QueryStates) -> None:
    for seconds in (0, 100):
        judge(seconds, {QUERY: Look(7, frozenset(), 0, 0, 0)})
    assert states.of(QUERY).state is State.STUCK
