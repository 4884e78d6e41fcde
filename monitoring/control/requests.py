"""Retrain requests: asked for, claimed, moved by whoever holds the lease, finished once."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from monitoring.control import schema
from monitoring.control.asking import ask_for, checked
from monitoring.control.database import Database
from monitoring.control.errors import LeaseLostError, StateConflictError, UnusableRecordError
from monitoring.control.records import Ask, Json, Lease, Limits, RetrainRequest, Suppressed, Transition
from monitoring.control.rows import NO_LEASE, hold, locked, move, read, request_of, trail
from monitoring.control.states import OPEN, State, by_holder
from monitoring.control.values import checked_json, checked_name, checked_reason

requests = schema.requests
PAGE = 1_000


class RetrainRequests:
    """Every method is one transaction, and raises ControlStoreAwayError where the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, ask: Ask, limits: Limits | None = None) -> RetrainRequest | Suppressed:
        """The request that ``ask`` leads to: the open one of its use case and key, which counts it, else a new one.

        An automatic source that asks too soon or too often gets the record of the refusal.

        Raises:
            StateConflictError: the open one is trained by another policy than this ``ask`` wants.
            UnusableRecordError: a value of it cannot be kept.
        """
        ask = checked(ask)
        with self._database.writing() as connection:
            hold(connection, ask.use_case)
            return ask_for(connection, ask, limits or Limits(), self._database.now(connection))

    def claim(
        self,
        holder: str,
        duration: timedelta,
        use_case: str | None = None,
        *,
        request_id: UUID | None = None,
        states: Collection[State] = OPEN,
    ) -> RetrainRequest | None:
        """The oldest open request that nobody holds, with a lease of ``duration``; None where there is none.

        ``request_id`` and ``states`` narrow down which.
        It is at the stage where whoever held it before left it. Its ``lease`` is what moves it.

        Raises:
            UnusableRecordError: ``duration`` is not positive.
        """
        holder = checked_name("the holder", holder)
        _check(duration)
        with self._database.writing() as connection:
            while True:
                now = self._database.now(connection)
                free = _is_claimable(now, use_case, states)
                if request_id is not None:
                    free &= requests.c.id == request_id
                oldest = select(requests.c.number).where(free).order_by(requests.c.number).limit(1)
                number = connection.execute(oldest).scalar()
                if number is None:
                    return None
                still = select(requests).where((requests.c.number == number) & free).with_for_update()
                row = connection.execute(still).one_or_none()
                if row is not None:
                    break  # else another took it in between
            request = request_of(row)
            if request.state is State.CLAIMED:
                lost = {"lease_ran_out_of": request.holder}
                request = move(connection, request, State.REQUESTED, at=now, actor=holder, detail=lost)
            to = State.CLAIMED if request.state is State.REQUESTED else request.state
            token = request.token + 1
            detail = {"taken_over_from": request.holder} if request.holder else {}
            lease = {"token": token, **_lease(holder, now, duration)}
            return move(connection, request, to, at=now, actor=holder, detail=detail, by_token=token, **lease)

    def waiting(self, use_case: str | None = None, states: Collection[State] = OPEN) -> RetrainRequest | None:
        """The request that a claim would get now; looking at it claims nothing."""
        with self._database.reading() as connection:
            free = _is_claimable(self._database.now(connection), use_case, states)
            row = connection.execute(select(requests).where(free).order_by(requests.c.number).limit(1)).one_or_none()
            return None if row is None else request_of(row)

    def renew(self, lease: Lease, duration: timedelta) -> RetrainRequest:
        """The request, held for ``duration`` from now; also when the lease had run out and nobody took it.

        Raises:
            LeaseLostError: another took it, or it is finished.
        """
        _check(duration)
        with self._database.writing() as connection:
            request = _held(locked(connection, lease.request_id), lease)
            until = _lease(str(request.holder), self._database.now(connection), duration)
            connection.execute(requests.update().where(requests.c.number == request.number).values(until))
            return read(connection, lease.request_id)

    def give_back(self, lease: Lease, reason: str) -> RetrainRequest:
        """The request, free for the next claim; what was not trained yet is as it was requested.

        Raises:
            LeaseLostError: as :meth:`renew`.
        """
        reason = checked_reason(reason)
        with self._database.writing() as connection:
            request = _held(locked(connection, lease.request_id), lease)
            to = State.REQUESTED if request.state is State.CLAIMED else request.state
            now, detail = self._database.now(connection), {"given_back": reason}
            actor = str(request.holder)
            return move(connection, request, to, at=now, actor=actor, detail=detail, by_token=lease.token, **NO_LEASE)

    def note(self, lease: Lease, detail: Json) -> RetrainRequest:
        """The request where it is and held as before, with ``detail`` in its trail.

        Raises:
            LeaseLostError: as :meth:`renew`.
            UnusableRecordError: JSON cannot hold ``detail``.
        """
        kept = checked_json("the detail", detail)
        with self._database.writing() as connection:
            request = _held(locked(connection, lease.request_id), lease)
            now, actor = self._database.now(connection), str(request.holder)
            return move(connection, request, request.state, at=now, actor=actor, detail=kept, by_token=lease.token)

    def advance(self, lease: Lease, expected: State, to: State, detail: Json | None = None) -> RetrainRequest:
        """The request, moved from ``expected`` to ``to``; ``detail`` is kept in its progress under the new state.

        Whoever does not know whether a move was done asks for it again: the same one by the same lease changes nothing.

        Raises:
            LeaseLostError: as :meth:`renew`.
            StateConflictError: it is not in ``expected``, or does not become ``to`` from there.
            UnusableRecordError: JSON cannot hold ``detail``.
        """
        kept = checked_json("the detail", detail or {})
        if to not in by_holder(expected):
            raise StateConflictError(f"no request that is {expected} is made {to} by who holds it")
        with self._database.writing() as connection:
            request = locked(connection, lease.request_id)
            if request.state is to and _is_done(trail(connection, request), lease, expected, to, kept):
                return request
            request = _held(request, lease)
            if request.state is not expected:
                raise StateConflictError(f"request {request.id} is {request.state}, expected was {expected}")
            progress = {**request.progress, to.value: kept}
            now, actor = self._database.now(connection), str(request.holder)
            return move(
                connection, request, to, at=now, actor=actor, detail=kept, by_token=lease.token, progress=progress
            )

    def cancel(self, request_id: UUID, actor: str, reason: str) -> RetrainRequest:
        """The request, rejected by a person; whoever holds it is told at the next move.

        Raises:
            NoSuchRequestError: there is none.
            StateConflictError: it is finished already.
        """
        actor, reason = checked_name("who cancels", actor), checked_reason(reason)
        with self._database.writing() as connection:
            request = locked(connection, request_id)
            if request.state.is_finished:
                raise StateConflictError(f"request {request_id} is {request.state} since {request.finished_at:%F %T}")
            now, detail = self._database.now(connection), {"cancelled": reason}
            return move(connection, request, State.REJECTED, at=now, actor=actor, detail=detail)

    def expire(self, older_than: timedelta, actor: str, use_case: str | None = None) -> Sequence[RetrainRequest]:
        """The requests that nobody took or asked for again for so long, now expired; where given, of ``use_case``."""
        actor = checked_name("who expires", actor)
        with self._database.writing() as connection:
            now = self._database.now(connection)
            late = (requests.c.state == State.REQUESTED) & (requests.c.last_asked_at <= now - older_than)
            late &= requests.c.token == 0
            if use_case is not None:
                late &= requests.c.use_case == use_case
            rows = connection.execute(select(requests).where(late).order_by(requests.c.number).with_for_update())
            too_old, detail = [request_of(row) for row in rows], {"older_than_s": older_than.total_seconds()}
            return [move(connection, request, State.EXPIRED, at=now, actor=actor, detail=detail) for request in too_old]

    def get(self, request_id: UUID) -> RetrainRequest:
        """The request as it is.

        Raises:
            NoSuchRequestError: there is none.
        """
        with self._database.reading() as connection:
            return read(connection, request_id)

    def newest(
        self, use_case: str | None = None, *, is_open: bool = False, limit: int = PAGE
    ) -> Sequence[RetrainRequest]:
        """Requests, the newest first."""
        query = select(requests).order_by(requests.c.number.desc()).limit(limit)
        if use_case is not None:
            query = query.where(requests.c.use_case == use_case)
        if is_open:
            query = query.where(requests.c.state.in_(OPEN))
        with self._database.reading() as connection:
            return [request_of(row) for row in connection.execute(query)]

    def trail(self, request_id: UUID) -> Sequence[Transition]:
        """What happened to a request, oldest first; raises as :meth:`get`."""
        with self._database.reading() as connection:
            return trail(connection, read(connection, request_id))

    def suppressed(self, use_case: str | None = None, limit: int = PAGE) -> Sequence[Suppressed]:
        """What automatic sources were refused, the newest first."""
        query = select(schema.suppressed).order_by(schema.suppressed.c.number.desc()).limit(limit)
        if use_case is not None:
            query = query.where(schema.suppressed.c.use_case == use_case)
        with self._database.reading() as connection:
            return [Suppressed(**row._mapping) for row in connection.execute(query)]


def _is_claimable(now: datetime, use_case: str | None, states: Collection[State]) -> ColumnElement[bool]:
    """Open, in one of ``states``, and held by nobody."""
    free = requests.c.state.in_(states) & requests.c.state.in_(OPEN) & _is_free(now)
    return free if use_case is None else free & (requests.c.use_case == use_case)


def _is_free(now: datetime) -> ColumnElement[bool]:
    """Whether a lease does not hold now: over, or from so far ahead that the clock must have gone back since."""
    return or_(requests.c.lease_until.is_(None), requests.c.lease_until <= now, requests.c.lease_from > now)


def _lease(holder: str, now: datetime, duration: timedelta) -> dict[str, datetime | str]:
    """A lease begins to hold its duration early: a clock set back by less does not take it away."""
    return {"holder": holder, "lease_from": now - duration, "lease_until": now + duration}


def _held(request: RetrainRequest, lease: Lease) -> RetrainRequest:
    if request.state.is_finished:
        raise LeaseLostError(f"request {request.id} is {request.state}: nobody moves it any more")
    if request.token != lease.token or request.holder is None:
        by = f"{request.holder} holds it" if request.holder else "nobody holds it"
        raise LeaseLostError(
            f"request {request.id}: the lease with token {lease.token} is lost, {by} (token {request.token}): stop here"
        )
    return request


def _is_done(entries: Sequence[Transition], lease: Lease, expected: State, to: State, detail: Json) -> bool:
    """Whether that very move is in the trail; a person who asked again may have left a note behind it."""
    move_asked = (lease.token, expected, to, detail)
    return any((entry.token, entry.from_state, entry.to_state, entry.detail) == move_asked for entry in entries)


def _check(duration: timedelta) -> None:
    if duration <= timedelta():
        raise UnusableRecordError(f"a lease of {duration} is over before it begins: give a positive duration")
