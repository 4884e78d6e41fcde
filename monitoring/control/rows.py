"""Rows of requests: read, locked, and changed together with their trail."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from monitoring.control import schema
from monitoring.control.errors import NoSuchRequestError, StateConflictError
from monitoring.control.records import RetrainRequest, Transition
from monitoring.control.states import NEXT, State

requests, transitions = schema.requests, schema.transitions
NO_LEASE: Mapping[str, Any] = {"holder": None, "lease_from": None, "lease_until": None}


def request_of(row: Row[Any]) -> RetrainRequest:
    return RetrainRequest(**row._mapping)


def read(connection: Connection, request_id: UUID) -> RetrainRequest:
    """The request as it is.

    Raises:
        NoSuchRequestError: there is none.
    """
    return _only(connection, select(requests).where(requests.c.id == request_id), request_id)


def locked(connection: Connection, request_id: UUID) -> RetrainRequest:
    """The request, which nobody else changes before this transaction ends; raises as :func:`read`."""
    return _only(connection, select(requests).where(requests.c.id == request_id).with_for_update(), request_id)


def _only(connection: Connection, query: Select[Any], request_id: UUID) -> RetrainRequest:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NoSuchRequestError(f"there is no request {request_id}: `tidemill retrain list` shows those there are")
    return request_of(row)


def hold(connection: Connection, use_case: str) -> None:
    """Locks the use case's row until this transaction ends; makes it first where there is none."""
    row = select(schema.use_cases).where(schema.use_cases.c.name == use_case).with_for_update()
    while connection.execute(row).one_or_none() is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(schema.use_cases).values(name=use_case))
        except IntegrityError:
            continue  # another was first


def add(connection: Connection, request: RetrainRequest, detail: Mapping[str, Any]) -> RetrainRequest:
    """Writes a new request and the first row of its trail; ``number`` is the database's."""
    values = asdict(request)
    del values["number"]
    number = connection.execute(insert(requests).values(values).returning(requests.c.number)).scalar_one()
    added = replace(request, number=number)
    _note(connection, added, Transition(1, request.requested_at, request.actor, None, request.state, None, detail))
    return added


def move(  # noqa: PLR0913 - what a row of the trail has
    connection: Connection,
    request: RetrainRequest,
    to: State,
    *,
    at: datetime,
    actor: str,
    detail: Mapping[str, Any],
    by_token: int | None = None,
    **changes: Any,
) -> RetrainRequest:
    """Moves a request, or notes something where it stays; ``request`` must be as it was read.

    Raises:
        StateConflictError: the transition is not allowed, or another moved it since it was read.
    """
    if to is not request.state and to not in NEXT[request.state]:
        raise StateConflictError(f"request {request.id} is {request.state}, from which none becomes {to}")
    if to.is_finished:
        changes |= {"finished_at": at, **NO_LEASE}
    moved = replace(request, state=to, ordinal=request.ordinal + 1, **changes)
    as_read = (requests.c.number == request.number) & (requests.c.ordinal == request.ordinal)
    values = {"state": to, "ordinal": moved.ordinal, **changes}
    if connection.execute(update(requests).where(as_read).values(values)).rowcount != 1:
        raise StateConflictError(f"request {request.id} was moved by another at the same time: read it again")
    _note(connection, moved, Transition(moved.ordinal, at, actor, request.state, to, by_token, detail))
    return moved


def trail(connection: Connection, request: RetrainRequest) -> Sequence[Transition]:
    """Every row of the request's trail, oldest first."""
    columns = [transitions.c[name] for name in Transition.__dataclass_fields__]
    query = select(*columns).where(transitions.c.request == request.number).order_by(transitions.c.ordinal)
    return [Transition(**row._mapping) for row in connection.execute(query)]


def _note(connection: Connection, request: RetrainRequest, transition: Transition) -> None:
    connection.execute(insert(transitions).values(request=request.number, **asdict(transition)))
