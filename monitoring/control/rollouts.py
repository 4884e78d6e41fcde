"""Which model of a use case answers whom, since when and by whose decision; and what persons approved."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.exc import IntegrityError

from monitoring.control import schema
from monitoring.control.database import Database
from monitoring.control.errors import StateConflictError, UnusableRecordError
from monitoring.control.records import Approval, Json, ModelRef, Rollout, Traffic
from monitoring.control.rows import hold, read
from monitoring.control.values import checked_json, checked_name, checked_reason

changes, approvals = schema.rollouts, schema.approvals
PAGE = 1_000


class Rollouts:
    """Every method is one transaction, and raises ControlStoreAwayError where the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self, use_case: str) -> Rollout | None:
        """The traffic as it is now; None where none was ever set."""
        with self._database.reading() as connection:
            return _current(connection, use_case)

    def change(  # noqa: PLR0913 - what a row of the history has
        self,
        use_case: str,
        epoch: int,
        traffic: Traffic,
        *,
        actor: str,
        reason: str,
        evidence: Json | None = None,
        request_id: UUID | None = None,
    ) -> Rollout:
        """The traffic after the change of ``epoch``, 0 where none was ever set, to the next one.

        Raises:
            StateConflictError: another changed it since that epoch.
            NoSuchRequestError: there is no request ``request_id``.
            UnusableRecordError: a value cannot be kept, or a share goes to a challenger that is not there.
        """
        use_case, actor = checked_name("the use case", use_case), checked_name("who changes it", actor)
        reason, kept = checked_reason(reason), checked_json("the evidence", evidence or {})
        _check(traffic)
        with self._database.writing() as connection:
            hold(connection, use_case)
            before, now = _expected(connection, use_case, epoch), self._database.now(connection)
            if request_id is not None:
                read(connection, request_id)
            goes_on = before is not None and before.traffic == traffic
            since = before.step_since if before is not None and goes_on else now
            rollout = Rollout(use_case, epoch + 1, traffic, since, now, actor, reason, kept, request_id)
            try:
                with connection.begin_nested():
                    connection.execute(insert(changes).values(_values(rollout)))
            except IntegrityError as error:
                raise StateConflictError(_changed(use_case, epoch, epoch + 1)) from error
            return rollout

    def history(self, use_case: str, limit: int = PAGE) -> Sequence[Rollout]:
        """Every change, the newest first."""
        query = select(changes).where(changes.c.use_case == use_case).order_by(changes.c.epoch.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_rollout(row) for row in connection.execute(query)]

    def approve(self, use_case: str, epoch: int, *, actor: str, reason: str) -> Approval:
        """The person's approval of the challenger of ``epoch``; the one of before, where there is one.

        Raises:
            StateConflictError: the traffic was changed since that epoch, or has no challenger.
            UnusableRecordError: a value cannot be kept.
        """
        actor, reason = checked_name("who approves", actor), checked_reason(reason)
        with self._database.writing() as connection:
            hold(connection, checked_name("the use case", use_case))
            now, rollout = self._database.now(connection), _expected(connection, use_case, epoch)
            if rollout is None or rollout.traffic.challenger is None:
                raise StateConflictError(f"{use_case!r} has no challenger to approve")
            for given in _approvals(connection, use_case, epoch):
                if given.actor == actor:
                    return given
            approval = Approval(use_case, epoch, rollout.traffic.challenger, actor, reason, now)
            connection.execute(insert(approvals).values(asdict(approval)))
            return approval

    def approvals(self, use_case: str, epoch: int) -> Sequence[Approval]:
        """Who approved the challenger of ``epoch``, the first first."""
        with self._database.reading() as connection:
            return _approvals(connection, use_case, epoch)


def _current(connection: Connection, use_case: str) -> Rollout | None:
    newest = select(changes).where(changes.c.use_case == use_case).order_by(changes.c.epoch.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return None if row is None else _rollout(row)


def _expected(connection: Connection, use_case: str, epoch: int) -> Rollout | None:
    current = _current(connection, use_case)
    there = 0 if current is None else current.epoch
    if there != epoch:
        raise StateConflictError(_changed(use_case, epoch, there))
    return current


def _changed(use_case: str, expected: int, there: int) -> str:
    return f"the traffic of {use_case!r} is at epoch {there}, expected was {expected}: read it again and decide anew"


def _check(traffic: Traffic) -> None:
    if not 0 <= traffic.share <= 100:
        raise UnusableRecordError(f"a share of {traffic.share}: give per cent, 0 to 100")
    if traffic.share and traffic.challenger is None:
        raise UnusableRecordError(f"a share of {traffic.share} goes to no challenger: name one, or give 0")


def _values(rollout: Rollout) -> dict[str, Any]:
    traffic = asdict(rollout.traffic)
    return {name: value for name, value in vars(rollout).items() if name != "traffic"} | traffic


def _rollout(row: Row[Any]) -> Rollout:
    values = dict(row._mapping)
    traffic = Traffic(
        values.pop("policy"), _model(values.pop("champion")), _model(values.pop("challenger")), values.pop("share")
    )
    return Rollout(traffic=traffic, **values)


def _model(stored: Json | None) -> ModelRef | None:
    return None if stored is None else ModelRef(**stored)


def _approvals(connection: Connection, use_case: str, epoch: int) -> Sequence[Approval]:
    of_it = (approvals.c.use_case == use_case) & (approvals.c.epoch == epoch)
    rows = connection.execute(select(approvals).where(of_it).order_by(approvals.c.at, approvals.c.actor))
    return [Approval(**{**row._mapping, "model": ModelRef(**row.model)}) for row in rows]
