"""From an ask to a request: one while one is open, and not more than the limits allow."""

import uuid
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update

from monitoring.control import schema
from monitoring.control.records import Ask, Limits, RetrainRequest, Suppressed
from monitoring.control.rows import NO_LEASE, add, move, request_of
from monitoring.control.states import OPEN, WORKED, State
from monitoring.control.values import checked_json, checked_name, checked_reason

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
    """Counted; what a person says is kept as well, since it is said once."""
    counted: dict[str, Any] = {"asked": request.asked + 1, "last_asked_at": now}
    if not ask.source.is_automatic:
        detail = {"asked_again": ask.reason}
        return move(connection, request, request.state, at=now, actor=ask.actor, detail=detail, **counted)
    connection.execute(update(requests).where(requests.c.number == request.number).values(counted))
    row = connection.execute(select(requests).where(requests.c.number == request.number)).one()
    return request_of(row)


Why = Literal["cool_down", "budget"]


def _refusal(connection: Connection, ask: Ask, limits: Limits, now: datetime) -> tuple[Why, str] | None:
    """Times within reach of now on either side count: a clock that went back makes no limit last for ever."""
    of_it = requests.c.use_case == ask.use_case
    near = (requests.c.finished_at > now - limits.cool_down) & (requests.c.finished_at < now + limits.cool_down)
    worked = requests.c.state.in_(WORKED) & near
    last = connection.execute(select(func.max(requests.c.finished_at)).where(of_it & worked)).scalar()
    if last is not None:
        end = last + limits.cool_down
        return "cool_down", f"a request of {ask.use_case} ended at {last:%F %T} UTC, so it rests until {end:%F %T}"
    today = (requests.c.requested_at > now - DAY) & (requests.c.requested_at < now + DAY)
    count: int = connection.execute(select(func.count()).where(of_it & today)).scalar_one()
    if count >= limits.per_day:
        return "budget", f"{ask.use_case} had {count} requests within 24 hours, {limits.per_day} are allowed"
    return None


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
