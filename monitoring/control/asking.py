"""From an ask to a request: one while one is open, and not more than the limits allow."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from monitoring.control import schema
from monitoring.control.errors import StateConflictError
from monitoring.control.records import Ask, Limits, RetrainRequest, Suppressed
from monitoring.control.resting import ROW, rest_after
from monitoring.control.rows import NO_LEASE, add, move, request_of
from monitoring.control.states import OPEN, WORKED, Source, State
from monitoring.control.values import checked_json, checked_name, checked_reason
from tidemill.config import strict_json

requests = schema.requests
DAY = timedelta(hours=24)


def checked(ask: Ask) -> Ask:
    """``ask`` with JSON as it comes back.

    Raises:
        UnusableRecordError: a text or a JSON object of it cannot be kept.
    """
    return Ask(
        checked_name("the use case", ask.use_case),
        ask.source,
        checked_name("the key", ask.key),
        checked_reason(ask.reason),
        checked_name("who asks", ask.actor),
        checked_json("the evidence", ask.evidence),
        checked_json("the policy", ask.policy),
    )


def ask_for(connection: Connection, ask: Ask, limits: Limits, now: datetime) -> RetrainRequest | Suppressed:
    """The open request of this key, else a new one, else the record of why there is none.

    The caller holds the use case: what is counted here stays as it is.

    Raises:
        StateConflictError: the open request of this key is trained by another policy than ``ask`` wants.
    """
    same = (requests.c.use_case == ask.use_case) & (requests.c.key == ask.key) & requests.c.state.in_(OPEN)
    row = connection.execute(select(requests).where(same).with_for_update()).one_or_none()
    if row is not None:
        return _asked_again(connection, request_of(row), ask, now)
    if ask.source.is_automatic and (refusal := _refusal(connection, ask, limits, now)) is not None:
        return _suppress(connection, ask, now, *refusal)
    request = RetrainRequest(
        number=0,
        id=uuid.uuid4(),
        use_case=ask.use_case,
        source=ask.source,
        key=ask.key,
        reason=ask.reason,
        actor=ask.actor,
        evidence=ask.evidence,
        policy=ask.policy,
        state=State.REQUESTED,
        ordinal=1,
        requested_at=now,
        asked=1,
        last_asked_at=now,
        finished_at=None,
        progress={},
        token=0,
        **NO_LEASE,
    )
    return add(connection, request, {"reason": ask.reason})


def _asked_again(connection: Connection, request: RetrainRequest, ask: Ask, now: datetime) -> RetrainRequest:
    """Counted; what a person says is kept as well, since it is said once.

    A policy of its own would be lost: the request is trained by the one that it was made with.
    """
    if ask.policy and ask.policy != request.policy:
        by = strict_json.dumps(request.policy) if request.policy else "as model.yaml says"
        raise StateConflictError(
            f"request {request.id} of {request.use_case} is open and trains by another policy ({by}): "
            f"wait for its end, or `tidemill retrain cancel {request.id} --reason TEXT`, and ask again"
        )
    counted: dict[str, Any] = {"asked": request.asked + 1, "last_asked_at": now}
    if not ask.source.is_automatic:
        detail = {"asked_again": ask.reason} | ({"policy": ask.policy} if ask.policy else {})
        return move(connection, request, request.state, at=now, actor=ask.actor, detail=detail, **counted)
    connection.execute(update(requests).where(requests.c.number == request.number).values(counted))
    row = connection.execute(select(requests).where(requests.c.number == request.number)).one()
    return request_of(row)


Why = Literal["open", "cool_down", "budget"]


def _refusal(connection: Connection, ask: Ask, limits: Limits, now: datetime) -> tuple[Why, str] | None:
    """Times within reach of now on either side count: a clock that went back makes no limit last for ever."""
    of_it = requests.c.use_case == ask.use_case
    if (waits_for := _in_the_way(connection, of_it, limits.at_once)) is not None:
        return "open", f"request {waits_for} of {ask.use_case} is open: its model is judged first"
    worked = of_it & requests.c.state.in_(WORKED)
    rests = [(_newest(connection, worked, limits.cool_down, now), limits.cool_down, "a request")]
    if ask.source.is_monitor and (own := _row(connection, worked & (requests.c.source == ask.source))):
        rests.append((own[-1][1], rest_after(own, limits.cool_down), f"the newest request by {ask.source}"))
    for last, rest, what in rests:
        if last is not None and abs(now - last) < rest:
            end = f"{last:%F %T} UTC, so it rests until {last + rest:%F %T}"
            return "cool_down", f"{what} of {ask.use_case} ended at {end}"
    today = (requests.c.requested_at > now - DAY) & (requests.c.requested_at < now + DAY)
    count: int = connection.execute(select(func.count()).where(of_it & today)).scalar_one()
    if count >= limits.per_day:
        return "budget", f"{ask.use_case} had {count} requests within 24 hours, {limits.per_day} are allowed"
    return None


def _in_the_way(connection: Connection, of_it: ColumnElement[bool], at_once: int) -> UUID | None:
    """The oldest open request of an automatic source, when there are ``at_once`` of them; a person's is in no way."""
    automatic = requests.c.source.in_([source for source in Source if source.is_automatic])
    open_ones = select(requests.c.id).where(of_it & automatic & requests.c.state.in_(OPEN))
    ids = connection.execute(open_ones.order_by(requests.c.number).limit(at_once)).scalars().all()
    return ids[0] if len(ids) == at_once else None


def _newest(
    connection: Connection, worked: ColumnElement[bool], cool_down: timedelta, now: datetime
) -> datetime | None:
    """When the newest of those ended that are within reach."""
    near = (requests.c.finished_at > now - cool_down) & (requests.c.finished_at < now + cool_down)
    return connection.execute(select(func.max(requests.c.finished_at)).where(worked & near)).scalar()


def _row(connection: Connection, worked: ColumnElement[bool]) -> Sequence[tuple[datetime, datetime]]:
    """When the newest of those were requested, and finished; the oldest first."""
    columns = select(requests.c.requested_at, requests.c.finished_at)
    newest = connection.execute(columns.where(worked).order_by(requests.c.number.desc()).limit(ROW))
    return [(row.requested_at, row.finished_at) for row in newest][::-1]


def _suppress(connection: Connection, ask: Ask, now: datetime, why: Why, detail: str) -> Suppressed:
    values: dict[str, Any] = {
        "at": now,
        "use_case": ask.use_case,
        "source": ask.source,
        "key": ask.key,
        "reason": ask.reason,
        "actor": ask.actor,
        "evidence": ask.evidence,
        "why": why,
        "detail": detail,
    }
    added = insert(schema.suppressed).values(values).returning(schema.suppressed.c.number)
    return Suppressed(number=connection.execute(added).scalar_one(), **values)
