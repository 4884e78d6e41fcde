"""The champion changed by a person: a rollout that runs is ended, and the traffic follows the registry."""

from collections.abc import Callable
from dataclasses import dataclass

from ml_modeling.registry.audit import AuditRecord
from ml_modeling.registry.promotion import NothingToRollBackError, promote, retire, rollback
from monitoring.control import ControlStoreAwayError, StateConflictError
from monitoring.rollout.ending import follow_registry, settle, stop
from monitoring.rollout.running import Over
from monitoring.rollout.work import Place


@dataclass(frozen=True)
class Changed:
    """``record`` is that of the registry, None where nothing was left to change; ``ended`` the rollout that ran.

    ``trouble`` is why nobody knows whether one runs.
    """

    record: AuditRecord | None
    ended: Over | None = None
    trouble: str = ""


def promote_by_hand(place: Place, version: str, reason: str) -> Changed:
    """``version`` becomes the champion, and then a rollout that runs is ended; raises as ``promote``."""
    return _changed(place, reason, lambda: promote(place.settings, place.name, version, reason, place.who))


def retire_by_hand(place: Place, reason: str) -> Changed:
    """No champion is left, and then a rollout that runs is ended; raises as ``retire``."""
    return _changed(place, reason, lambda: retire(place.settings, place.name, reason, place.who))


def rollback_by_hand(place: Place, reason: str) -> Changed:
    """The champion before today's answers again, and no challenger does.

    A challenger that its rollout had promoted at this very moment is taken back, and nothing before it. Where a rollout
    was ended and there is no champion to go back to, today's stays. While the control store is away the registry is
    changed all the same; the next step finds that the champion is another one, and ends the rollout.

    Raises:
        NothingToRollBackError: there is none to go back to, and no rollout was ended.
    """
    try:
        ended = stop(place, reason)
    except ControlStoreAwayError as error:
        return Changed(rollback(place.settings, place.name, reason, place.who), trouble=str(error))
    taken_back = None if ended is None else settle(place, ended)
    if taken_back is not None:
        return Changed(taken_back, ended)
    try:
        record = rollback(place.settings, place.name, reason, place.who)
    except NothingToRollBackError:
        if ended is None:
            raise
        return Changed(None, ended)
    _follow(place, reason)
    return Changed(record, ended)


def _changed(place: Place, reason: str, change: Callable[[], AuditRecord]) -> Changed:
    record = change()
    ended = stop(place, reason)
    if ended is not None:
        settle(place, ended)
    _follow(place, reason)
    return Changed(record, ended)


def _follow(place: Place, reason: str) -> None:
    """Of others who change the traffic at this moment, the last one follows."""
    while True:
        try:
            follow_registry(place, reason)
        except StateConflictError:
            continue
        return
