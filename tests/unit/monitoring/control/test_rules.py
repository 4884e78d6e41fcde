"""Any order of asks, claims, moves, cancels and clock jumps leaves what the naive rules leave."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from monitoring.control import ControlStore, Lease, LeaseLostError, Limits, Source, State, StateConflictError
from tests.cases.control_stores import HOUR, SetClock, ask
from tests.cases.naive_requests import NaiveRequest, NaiveRequests, RefusedError

COOL_DOWN, PER_DAY = 6 * HOUR, 3
HOLDERS = st.sampled_from(["worker-1", "worker-2"])
USE_CASES = st.sampled_from(["churn", "fraud"])
DURATIONS = st.sampled_from([timedelta(minutes=10), HOUR])
STATES = st.sampled_from(list(State))
JUMPS = st.sampled_from(
    [
        timedelta(seconds=1),
        timedelta(minutes=10),
        5 * HOUR,
        24 * HOUR,
        timedelta(days=20),
        -timedelta(minutes=5),
        -7 * HOUR,
    ]
)


class Rules(RuleBasedStateMachine):
    """Both are told the same, and must say the same."""

    new_url: Callable[[], str]

    def __init__(self) -> None:
        super().__init__()
        self.clock = SetClock()
        self.store = ControlStore(type(self).new_url(), self.clock)
        self.naive = NaiveRequests(COOL_DOWN, PER_DAY)
        self.ids: list[UUID] = []
        self.leases: list[Lease] = []
        self.moves = count()

    def teardown(self) -> None:
        self.store.close()

    @initialize()
    def one_is_claimed(self) -> None:
        self.ask("churn", "1", Source.DRIFT, "")
        self.claim("worker-1", HOUR, None)

    @rule(
        use_case=USE_CASES,
        key=st.sampled_from(["1", "2"]),
        source=st.sampled_from([Source.DRIFT, Source.PERSON]),
        parameters=st.sampled_from(["", "", "champions"]),
    )
    def ask(self, use_case: str, key: str, source: Source, parameters: str) -> None:
        policy = {"parameters": parameters} if parameters else {}
        asked = ask(use_case=use_case, key=key, source=source, actor=f"by {source}", policy=policy)
        naive = NaiveRequest(use_case, key, self.clock.now, source is Source.PERSON, parameters)
        self.both(
            lambda: self.store.requests.ask(asked, Limits(COOL_DOWN, PER_DAY)),
            lambda: self.naive.ask(naive, asked.actor, self.clock.now),
        )
        self.ids = [made.id for made in reversed(self.store.requests.newest())]

    @rule(holder=HOLDERS, duration=DURATIONS, use_case=st.none() | USE_CASES)
    def claim(self, holder: str, duration: timedelta, use_case: str | None) -> None:
        number = self.naive.claim(holder, duration, use_case, self.clock.now)
        claimed = self.store.requests.claim(holder, duration, use_case)
        assert (None if claimed is None else self.ids.index(claimed.id)) == number
        if claimed is not None:
            self.leases.append(claimed.lease)

    @rule(duration=DURATIONS, pick=st.integers(0, 100))
    def renew(self, duration: timedelta, pick: int) -> None:
        lease, number = self.lease(pick)
        self.both(
            lambda: self.store.requests.renew(lease, duration),
            lambda: self.naive.renew(number, lease.token, duration, self.clock.now),
        )

    @rule(pick=st.integers(0, 100))
    def give_back(self, pick: int) -> None:
        lease, number = self.lease(pick)
        self.both(
            lambda: self.store.requests.give_back(lease, "stopping"),
            lambda: self.naive.give_back(number, lease.token, self.clock.now),
        )

    @rule(pick=st.integers(0, 100), to=STATES, expected=st.none() | STATES)
    def advance(self, pick: int, to: State, expected: State | None) -> None:
        """From where it is, or from anywhere; each move says something of its own, so that none is the same again."""
        lease, number = self.lease(pick)
        before = expected or State(self.naive.requests[number].state)
        detail = {"move": next(self.moves)}
        self.both(
            lambda: self.store.requests.advance(lease, before, to, detail),
            lambda: self.naive.advance(number, lease.token, before, to, self.clock.now),
        )

    @rule(pick=st.integers(0, 100))
    def go_on(self, pick: int) -> None:
        """One step towards a promotion."""
        number = self.ids.index(self.leases[pick % len(self.leases)].request_id)
        path = {"claimed": State.TRAINED, "trained": State.GATED, "gated": State.CANARY, "canary": State.PROMOTED}
        state = self.naive.requests[number].state
        if state in path:
            self.advance(pick, path[state], None)

    @rule(pick=st.integers(0, 100))
    def cancel(self, pick: int) -> None:
        number = pick % len(self.ids)
        self.both(
            lambda: self.store.requests.cancel(self.ids[number], "ann", "no"),
            lambda: self.naive.cancel(number, "ann", self.clock.now),
        )

    @rule()
    def expire(self) -> None:
        self.store.requests.expire(24 * HOUR, "monitor")
        self.naive.expire(24 * HOUR, "monitor", self.clock.now)

    @rule(by=JUMPS, holder=st.none() | HOLDERS)
    def jump(self, by: timedelta, holder: str | None) -> None:
        """Somebody may look for work right after it, and somebody else go on with what was theirs."""
        self.clock.jump(by)
        if holder is not None:
            self.claim(holder, HOUR, None)
            self.go_on(len(self.leases) - 2)

    @invariant()
    def all_is_the_same(self) -> None:
        there = [
            (made.use_case, made.key, made.state, made.asked, made.token, made.holder, made.finished_at)
            for made in reversed(self.store.requests.newest())
        ]
        assert there == [
            (made.use_case, made.key, made.state, made.asked, made.token, made.holder, made.finished_at)
            for made in self.naive.requests
        ]
        assert [refusal.why for refusal in reversed(self.store.requests.suppressed())] == self.naive.suppressed
        for request_id, made in zip(self.ids, self.naive.requests, strict=True):
            trail = self.store.requests.trail(request_id)
            assert [(entry.actor, entry.to_state) for entry in trail] == made.trail
            assert [entry.ordinal for entry in trail] == list(range(1, len(trail) + 1))
            assert [entry.from_state for entry in trail[1:]] == [entry.to_state for entry in trail[:-1]]

    def lease(self, pick: int) -> tuple[Lease, int]:
        """One that was given once, and the number of its request."""
        lease = self.leases[pick % len(self.leases)]
        return lease, self.ids.index(lease.request_id)

    def both(self, real: Callable[[], object], naive: Callable[[], None]) -> None:
        refusal = None
        try:
            naive()
        except RefusedError as error:
            refusal = str(error)
        try:
            real()
        except LeaseLostError:
            assert refusal == "lost"
        except StateConflictError:
            assert refusal == "conflict"
        else:
            assert refusal is None


def hold_the_rules(new_url: Callable[[], str], examples: int) -> None:
    machine = type("OnThisDatabase", (Rules,), {"new_url": staticmethod(new_url)})
    some = settings(
        max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=some)


def test_the_store_keeps_the_rules(new_url: Callable[[], str]) -> None:
    hold_the_rules(new_url, 10)
