"""Who or what changed which model answers, when, why, and on what evidence: the audit trail and the traffic as one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any
from uuid import UUID

from ml_modeling.registry import audit
from ml_modeling.registry.audit import AuditRecord
from monitoring.control import Approval, ControlStore, ModelRef, Policy, Rollout
from monitoring.rollout import proving
from monitoring.rollout.running import ENDED, End
from tidemill.config.settings import Settings


@dataclass(frozen=True)
class Entry:
    """``what`` was done by ``who`` to which ``version``; ``evidence`` is a sentence, ``detail`` all that was kept.

    ``epoch`` is of the traffic, 0 of a change of the registry that no rollout made.
    """

    at: datetime
    who: str
    what: str
    version: str
    reason: str
    evidence: str
    epoch: int
    request_id: UUID | str | None
    detail: dict[str, Any]


def history(settings: Settings, store: ControlStore, use_case: str) -> Sequence[Entry]:
    """Every entry, oldest first; a promotion that ended a rollout is one entry of both."""
    changes = store.rollouts.history(use_case)
    ends = {change.evidence["audit"]: change for change in changes if change.evidence.get("audit")}
    entries = [_of_record(record, ends.get(record.id)) for record in audit.trail(settings, use_case)]
    entries += [_of_change(change, before) for change, before in _with_before(changes) if _is_own(change)]
    approvals = (
        approval
        for change in changes
        if change.traffic.policy is Policy.MANUAL and change.traffic.challenger is not None
        for approval in store.rollouts.approvals(use_case, change.epoch)
    )
    entries += [_of_approval(approval) for approval in approvals]
    return sorted(entries, key=lambda entry: (entry.at, entry.epoch))


def _with_before(changes: Sequence[Rollout]) -> Iterator[tuple[Rollout, Rollout | None]]:
    return zip_longest(changes, changes[1:])


def _is_own(change: Rollout) -> bool:
    return "audit" not in change.evidence


def _of_record(record: AuditRecord, end: Rollout | None) -> Entry:
    what = record.action if record.state == "completed" else f"{record.action} ({record.state})"
    override = " past the gates" if record.is_override else ""
    return Entry(
        record.at,
        record.who,
        f"{what}{override}",
        f"{record.from_version or 'none'} -> {record.to_version or 'none'}",
        record.reason,
        "; ".join(text for text in (record.evidence, record.note) if text),
        0 if end is None else end.epoch,
        record.request_id or None,
        record.model_dump(mode="json") | ({} if end is None else {"rollout_end": dict(end.evidence)}),
    )


def _of_change(change: Rollout, before: Rollout | None) -> Entry:
    return Entry(
        change.at,
        change.actor,
        _what(change, before),
        _version(change, before),
        change.reason,
        _evidence(change),
        change.epoch,
        change.request_id,
        dict(change.evidence),
    )


def _what(change: Rollout, before: Rollout | None) -> str:
    traffic = change.traffic
    if change.evidence.get(ENDED) in set(End):
        return str(change.evidence[ENDED]).replace("_", " ")
    if traffic.challenger is None:
        return "traffic follows the registry"
    begun = before is None or before.traffic.challenger != traffic.challenger
    return f"{traffic.policy} {'begins' if begun else 'goes on'} at {traffic.share} %"


def _version(change: Rollout, before: Rollout | None) -> str:
    challenger = change.traffic.challenger or (before.traffic.challenger if before else None)
    return _number(challenger or change.traffic.champion)


def _number(model: ModelRef | None) -> str:
    return "none" if model is None else model.version


def _evidence(change: Rollout) -> str:
    guards = change.evidence.get("guards")
    if guards:
        return "; ".join(str(guard["sentence"]) for guard in guards)
    if "replay" in change.evidence:
        return proving.told(dict(change.evidence))
    challenger = change.evidence.get("figures", {}).get("challenger")
    return f"{challenger['answers']:,} answers, {challenger['failed']:,} failed" if challenger else ""


def _of_approval(approval: Approval) -> Entry:
    version = approval.model.version
    return Entry(approval.at, approval.actor, "approved", version, approval.reason, "", approval.epoch, None, {})
