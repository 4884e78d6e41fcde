"""Changing the champion: one alias moved in one call, between an audit intent and its completion."""

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ml_modeling.registry import audit, tags
from ml_modeling.registry.aliases import CHALLENGER, CHAMPION, NoModelError
from ml_modeling.registry.audit import Action, AuditRecord
from ml_modeling.registry.connection import MlflowMissingError, connect, mlflow_errors
from ml_modeling.registry.identity import ModelIdentity
from ml_modeling.registry.lock import registry_lock
from ml_modeling.registry.versions import GateNotPassedError, Version, behind_alias, gated_run, get_version
from tidemill.config.errors import TerminalError, TidemillError, TransientError
from tidemill.config.settings import Settings

IN_FLIGHT_S = 60.0
MADE_ANEW = "the registered model was deleted and made anew outside of tidemill"
CHANGED_OUTSIDE = "the alias was changed outside of tidemill"

log = logging.getLogger(__name__)


class PromotionOvertakenError(TransientError):
    """Another host changed the champion at the same time, or is about to."""


class ChampionChangedError(GateNotPassedError):
    """The gates compared it with a champion of before: judge it again."""


class NothingToRollBackError(TerminalError):
    """The audit trail has no champion before today's that may come back."""


class NotAsItWasError(TerminalError):
    """A champion of before is gone, or its number is another model's, or it never passed its gates."""


@dataclass(frozen=True)
class OnRollout:
    """The rollout that a promotion ends, by the key of its begin; ``check`` raises when it may not go on.

    ``is_override`` lets a version pass that the gates did not: a person's decision, which the audit record tells.
    """

    began: str
    evidence: str
    check: Callable[[], object]
    request_id: str = ""
    is_override: bool = False


def promote(  # noqa: PLR0913, PLR0917 - what the audit record says
    settings: Settings, use_case: str, version: str, reason: str, who: str, rollout: OnRollout | None = None
) -> AuditRecord:
    """Makes ``version`` the champion. Its very model must have passed its gates against today's champion.

    Readers see the old champion or the new one, never none. When it is the champion already, nothing happens and the
    record of its promotion is returned; so it is when it was promoted for the same ``rollout`` before, whatever came
    after. What its ``check`` raises, right before the alias would move, abandons the promotion.

    Raises:
        GateNotPassedError: its gates said no, or judged another model.
        ChampionChangedError: they compared it with a champion of before.
        MlflowMissingError: there is no such version.
        PromotionOvertakenError: another host is changing the champion.
    """
    with registry_lock(settings, use_case):
        records = settle(settings, use_case)
        before = None if rollout is None else _promoted_by(records, rollout)
        if before is not None:
            return before
        current = behind_alias(settings, use_case, CHAMPION)
        if current is not None and current.version == version:
            return _completed(records)[-1]
        found = get_version(settings, use_case, version)
        if rollout is None or not rollout.is_override:
            check_judged(settings, found, current)
        change = _change(use_case, "promote", current, reason, who).leading_to(found)
        if rollout is None:
            return _move(settings, change)
        ends = {
            "request_id": rollout.request_id,
            "rollout": rollout.began,
            "evidence": rollout.evidence,
            "is_override": rollout.is_override,
        }
        return _move(settings, change.model_copy(update=ends), rollout.check)


def check_judged(settings: Settings, version: Version, champion: Version | None) -> None:
    """That the gates let this very model through, compared with ``champion``.

    Raises:
        GateNotPassedError: they said no, or judged another model.
        ChampionChangedError: they compared it with another champion.
    """
    stored = gated_run(settings, version).data.tags
    if stored.get(tags.GATE_CHAMPION_MODEL, "") != (champion.identity.key if champion else ""):
        raise ChampionChangedError(
            f"version {version.version} of {version.name!r} was judged against champion "
            f"{stored.get(tags.GATE_CHAMPION) or 'none'}, which is now {_named(champion)}: "
            f"run `tidemill models gate {version.name} --run {version.run_id}` again"
        )


def dismiss(settings: Settings, use_case: str, model: ModelIdentity) -> None:
    """Takes the alias ``challenger`` from ``model``; where another has it, or none, nothing happens."""
    with registry_lock(settings, use_case):
        challenger = behind_alias(settings, use_case, CHALLENGER)
        if challenger is None or challenger.identity != model:
            return
        with mlflow_errors(settings, f"taking the alias challenger from version {challenger.version} of {use_case!r}"):
            connect(settings).delete_registered_model_alias(use_case, CHALLENGER)


def rollback(settings: Settings, use_case: str, reason: str, who: str) -> AuditRecord:
    """Makes the champion before today's the champion again; a second rollback goes one further back.

    A champion of before comes back as the very model it was, and only when it had passed its gates: another model that
    has got its number since, a deleted one, or one that somebody put there by hand is told and left out.

    Raises:
        NothingToRollBackError: there was none that may come back.
    """
    with registry_lock(settings, use_case):
        records = settle(settings, use_case)
        current = behind_alias(settings, use_case, CHAMPION)
        change = _change(use_case, "rollback", current, reason, who)
        left_out = []
        for record in previous_champions(records):
            if record.is_of(current):
                continue
            try:
                return _move(settings, change.leading_to(_as_it_was(settings, record)))
            except NotAsItWasError as error:
                log.warning("%s", error)
                left_out.append(str(error))
        raise NothingToRollBackError(
            f"model {use_case!r} has no champion before {_named(current)} to go back to"
            + "".join(f"; {text}" for text in left_out)
            + f". `tidemill models retire {use_case}` takes the alias away, and a gated version can follow"
        )


def retire(settings: Settings, use_case: str, reason: str, who: str) -> AuditRecord:
    """Takes the alias ``champion`` away, so that the next version is judged without a champion and may follow.

    Raises:
        NoModelError: there is no champion.
    """
    with registry_lock(settings, use_case):
        settle(settings, use_case)
        current = behind_alias(settings, use_case, CHAMPION)
        if current is None:
            raise NoModelError(f"model {use_case!r} has no champion to retire")
        return _move(settings, _change(use_case, "retire", current, reason, who))


def repair(settings: Settings, use_case: str) -> list[AuditRecord]:
    """The audit trail, after :func:`settle`, for one who only wants that."""
    with registry_lock(settings, use_case):
        return settle(settings, use_case)


def previous_champions(records: list[AuditRecord]) -> list[AuditRecord]:
    """Whom to go back to, the last one first: promotions stack up, a rollback takes off what is above its target."""
    stack: list[AuditRecord] = []
    for record in _completed(records):
        if record.to_version is None:
            continue
        if record.action == "rollback" and any(below.has_champion_of(record) for below in stack):
            while not stack[-1].has_champion_of(record):
                stack.pop()
        else:
            stack.append(record)
    return stack[::-1]


def _as_it_was(settings: Settings, record: AuditRecord) -> Version:
    where = f"version {record.to_version} of {record.use_case!r} was champion on {record.at:%Y-%m-%d}"
    try:
        found = get_version(settings, record.use_case, record.to_version or "")
    except MlflowMissingError as error:
        raise NotAsItWasError(f"{where} and is not in the registry any more") from error
    if not record.is_of(found):
        raise NotAsItWasError(f"{where}, and that number is another model's now ({found.identity})")
    if not found.passed_gates:
        raise NotAsItWasError(f"{where}, but was put there without having passed its gates ({found.identity})")
    return found


def settle(settings: Settings, use_case: str) -> list[AuditRecord]:
    """The audit trail, after repairing what a crash or a hand left behind.

    An intent whose alias moved is completed, one whose alias did not is abandoned, and a champion that no record
    explains is recorded as observed. The caller holds the registry's lock.

    Raises:
        PromotionOvertakenError: another host wrote an intent a moment ago and may be about to move the alias.
    """
    champion = behind_alias(settings, use_case, CHAMPION)
    records = [_settled(settings, record, champion) for record in audit.trail(settings, use_case)]
    known = _completed(records)[-1:]
    if known[0].is_of(champion) if known else champion is None:
        return records
    before = known[0].to_version if known else None
    is_anew = champion is not None and before == champion.version
    observed = AuditRecord(
        action="observed",
        use_case=use_case,
        from_version=before,
        who="unknown",
        reason=MADE_ANEW if is_anew else CHANGED_OUTSIDE,
    ).leading_to(champion)
    log.warning(
        "champion of %s is %s, which no audit record explains: recorded as observed", use_case, _named(champion)
    )
    return [*records, _complete(settings, audit.intend(settings, observed))]


def _promoted_by(records: list[AuditRecord], rollout: OnRollout) -> AuditRecord | None:
    promotions = (record for record in _completed(records) if record.action == "promote")
    return next((record for record in promotions if record.rollout == rollout.began), None)


def _completed(records: list[AuditRecord]) -> list[AuditRecord]:
    return [record for record in records if record.state == "completed"]


def _settled(settings: Settings, record: AuditRecord, champion: Version | None) -> AuditRecord:
    if record.state != "intended":
        return record
    age = (datetime.now(UTC) - record.at).total_seconds()
    if record.host != socket.gethostname() and age < IN_FLIGHT_S:
        raise PromotionOvertakenError(f"{record.who} on {record.host} is changing the champion of {record.use_case!r}")
    if record.is_of(champion):
        log.warning("completing audit record %s of %s: its alias had moved", record.id, record.use_case)
        return _complete(settings, record, "completed later: the alias had moved, the record had not been closed")
    log.warning("abandoning audit record %s of %s: its alias had not moved", record.id, record.use_case)
    return audit.close(settings, record, "abandoned", f"the alias did not move; the champion was {_named(champion)}")


def _move(settings: Settings, change: AuditRecord, check: Callable[[], object] = lambda: None) -> AuditRecord:
    use_case, target = change.use_case, change.to_version
    record = audit.intend(settings, change)
    try:
        check()
    except TidemillError as error:
        audit.close(settings, record, "abandoned", f"the alias did not move: {error}")
        raise
    client = connect(settings)
    with mlflow_errors(settings, f"making version {target or 'none'} the champion of {use_case!r}"):
        if target is None:
            client.delete_registered_model_alias(use_case, CHAMPION)
        else:
            client.set_registered_model_alias(use_case, CHAMPION, target)
    if not record.is_of(behind_alias(settings, use_case, CHAMPION)):
        raise PromotionOvertakenError(f"another host changed the champion of {use_case!r} at the same time")
    return _complete(settings, record)


def _change(use_case: str, action: Action, before: Version | None, reason: str, who: str) -> AuditRecord:
    from_version = None if before is None else before.version
    return AuditRecord(action=action, use_case=use_case, from_version=from_version, who=who, reason=reason)


def _complete(settings: Settings, record: AuditRecord, note: str = "") -> AuditRecord:
    """Closes the record; the champion is no challenger any more."""
    use_case, version = record.use_case, record.to_version
    challenger = behind_alias(settings, use_case, CHALLENGER)
    if challenger is not None and record.is_of(challenger):
        with mlflow_errors(settings, f"taking the alias challenger from version {version} of {use_case!r}"):
            connect(settings).delete_registered_model_alias(use_case, CHALLENGER)
    return audit.close(settings, record, "completed", note)


def _named(version: Version | None) -> str:
    return "none" if version is None else f"{version.version} ({version.identity})"
