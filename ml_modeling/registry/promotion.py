"""Changing the champion: one alias moved in one call, between an audit intent and its completion."""

import logging
import socket
from datetime import UTC, datetime

from config.errors import TerminalError, TransientError
from config.settings import Settings
from ml_modeling.registry import audit, tags
from ml_modeling.registry.audit import AuditRecord
from ml_modeling.registry.connection import connect, mlflow_errors
from ml_modeling.registry.lock import registry_lock
from ml_modeling.registry.serving import CHALLENGER, CHAMPION, alias_version, champion_version
from ml_modeling.registry.versions import GateNotPassedError, gated_run, get_version

IN_FLIGHT_S = 60.0

log = logging.getLogger(__name__)


class PromotionOvertakenError(TransientError):
    """Another host changed the champion at the same time, or is about to."""


class NothingToRollBackError(TerminalError):
    """The audit trail has no champion before today's."""


def promote(settings: Settings, use_case: str, version: str, reason: str, who: str) -> AuditRecord:
    """Makes ``version`` the champion. It must have passed its gates against today's champion.

    Readers see the old champion or the new one, never none. When it is the champion already, nothing happens and the
    record of its promotion is returned.

    Raises:
        GateNotPassedError: its gates said no, or compared it with a champion of before.
        MlflowMissingError: there is no such version.
        PromotionOvertakenError: another host is changing the champion.
    """
    with registry_lock(settings, use_case):
        records = settle(settings, use_case)
        current = champion_version(settings, use_case)
        if current == version:
            return _last_completed(records)
        found = get_version(settings, use_case, version)
        judged_against = gated_run(settings, found.run_id).data.tags.get(tags.GATE_CHAMPION) or None
        if judged_against != current:
            raise GateNotPassedError(
                f"version {version} of {use_case!r} was judged against champion {judged_against or 'none'}, which is "
                f"now {current or 'none'}: run `tidemill models gate {use_case} --run {found.run_id}` again"
            )
        return _move(
            settings,
            AuditRecord(
                action="promote",
                use_case=use_case,
                from_version=current,
                to_version=version,
                who=who,
                reason=reason,
                metrics=found.metrics,
            ),
        )


def rollback(settings: Settings, use_case: str, reason: str, who: str) -> AuditRecord:
    """Makes the champion before today's the champion again; a second rollback goes one further back.

    Raises:
        NothingToRollBackError: there was none.
        MlflowMissingError: its version was deleted.
    """
    with registry_lock(settings, use_case):
        records = settle(settings, use_case)
        current = champion_version(settings, use_case)
        target = previous_champion(records, current)
        if target is None:
            raise NothingToRollBackError(f"model {use_case!r} has no champion before {current or 'none'}")
        found = get_version(settings, use_case, target)
        return _move(
            settings,
            AuditRecord(
                action="rollback",
                use_case=use_case,
                from_version=current,
                to_version=target,
                who=who,
                reason=reason,
                metrics=found.metrics,
            ),
        )


def repair(settings: Settings, use_case: str) -> list[AuditRecord]:
    """The audit trail, after :func:`settle`, for one who only wants that."""
    with registry_lock(settings, use_case):
        return settle(settings, use_case)


def previous_champion(records: list[AuditRecord], current: str | None) -> str | None:
    """The version to go back to: promotions stack up, a rollback takes the top one off."""
    stack: list[str] = []
    for record in records:
        if record.state != "completed" or record.to_version is None:
            continue
        if record.action == "rollback" and record.to_version in stack:
            while stack[-1] != record.to_version:
                stack.pop()
        else:
            stack.append(record.to_version)
    while stack and stack[-1] == current:
        stack.pop()
    return stack[-1] if stack else None


def settle(settings: Settings, use_case: str) -> list[AuditRecord]:
    """The audit trail, after repairing what a crash or a hand left behind.

    An intent whose alias moved is completed, one whose alias did not is abandoned, and a champion that no record
    explains is recorded as observed. The caller holds the registry's lock.

    Raises:
        PromotionOvertakenError: another host wrote an intent a moment ago and may be about to move the alias.
    """
    champion = champion_version(settings, use_case)
    records = [_settled(settings, record, champion) for record in audit.trail(settings, use_case)]
    known = [record.to_version for record in records if record.state == "completed"]
    if champion == (known[-1] if known else None):
        return records
    observed = AuditRecord(
        action="observed",
        use_case=use_case,
        from_version=known[-1] if known else None,
        to_version=champion,
        who="unknown",
        reason="the alias was changed outside of tidemill",
    )
    log.warning("champion of %s is %s, which no audit record explains: recorded as observed", use_case, champion)
    return [*records, _complete(settings, audit.intend(settings, observed))]


def _settled(settings: Settings, record: AuditRecord, champion: str | None) -> AuditRecord:
    if record.state != "intended":
        return record
    age = (datetime.now(UTC) - record.at).total_seconds()
    if record.host != socket.gethostname() and age < IN_FLIGHT_S:
        raise PromotionOvertakenError(f"{record.who} on {record.host} is changing the champion of {record.use_case!r}")
    if champion == record.to_version:
        log.warning("completing audit record %s of %s: its alias had moved", record.id, record.use_case)
        return _complete(settings, record, "completed later: the alias had moved, the record had not been closed")
    log.warning("abandoning audit record %s of %s: its alias had not moved", record.id, record.use_case)
    return audit.close(settings, record, "abandoned", f"the alias did not move; the champion was {champion or 'none'}")


def _move(settings: Settings, change: AuditRecord) -> AuditRecord:
    use_case, target = change.use_case, change.to_version
    record = audit.intend(settings, change)
    client = connect(settings)
    with mlflow_errors(settings, f"making version {target} the champion of {use_case!r}"):
        client.set_registered_model_alias(use_case, CHAMPION, target)
    if champion_version(settings, use_case) != target:
        raise PromotionOvertakenError(f"another host changed the champion of {use_case!r} at the same time")
    return _complete(settings, record)


def _complete(settings: Settings, record: AuditRecord, note: str = "") -> AuditRecord:
    """Closes the record; the champion is no challenger any more."""
    use_case, version = record.use_case, record.to_version
    challenger = alias_version(settings, use_case, CHALLENGER)
    if challenger is not None and str(challenger.version) == version:
        with mlflow_errors(settings, f"taking the alias challenger from version {version} of {use_case!r}"):
            connect(settings).delete_registered_model_alias(use_case, CHALLENGER)
    return audit.close(settings, record, "completed", note)


def _last_completed(records: list[AuditRecord]) -> AuditRecord:
    return [record for record in records if record.state == "completed"][-1]
