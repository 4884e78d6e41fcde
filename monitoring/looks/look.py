"""A look: what the champion was asked in a window against what it learnt from, recorded once, and what follows."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from monitoring.control import Limits, RetrainRequest, Suppressed
from monitoring.drift import Budget, Current, EarlierLookError, EffectLimits, Judgement, Policy, Reference, judge
from monitoring.estimates import LabelFree
from monitoring.looks.label_free import Asked, label_free
from monitoring.looks.metrics import write_metrics
from monitoring.looks.page import keep_page
from monitoring.looks.requesting import request
from monitoring.looks.results import OvertakenError, Record, Subject, Verdicts, commit, read_record
from monitoring.looks.served import Counts, Served, Window, served
from monitoring.looks.subject import Champion, champion_of
from monitoring.profiles import UNIT
from tidemill.config.errors import TerminalError
from tidemill.config.sections import Drift
from tidemill.config.settings import Settings

ATTEMPTS = 5


class FutureLookError(TerminalError):
    """A window that has not ended yet."""


@dataclass(frozen=True)
class Look:
    """``is_newest`` is false of an old look that was asked for again: what followed from it then is not done anew.

    ``estimates`` are of the answers of a sample.
    """

    subject: Subject
    verdicts: Verdicts
    is_newest: bool
    estimates: LabelFree
    request: RetrainRequest | Suppressed | None = None


def look(  # noqa: PLR0913 - what is looked at, how, and what may follow
    settings: Settings,
    use_case: str,
    window: Window,
    *,
    once_each: bool,
    limits: Limits | None = None,
    now: datetime | None = None,
) -> Look | None:
    """Looks at what the champion of a use case was asked; None when it has no champion.

    With ``once_each`` one answer about each entity counts, as suits a question about entities.
    With ``limits`` drift is a reason to ask for a new model, within them.
    The same look again gives the verdicts that are on record. Killed at any place it can be repeated: what is recorded
    stays, and what was to follow follows.

    Raises:
        FutureLookError: the window ends after ``now``.
        EarlierLookError: a look at a later window is on record, and this one is not.
        NoReferenceError: nobody kept what the champion learnt from.
        OvertakenError: other looks came first every time.
    """
    if window.end > (now or datetime.now(UTC)):
        raise FutureLookError(f"a look at {window.end:%F %T} UTC would be of answers that are not given yet")
    champion = champion_of(settings, use_case)
    if champion is None:
        return None
    profile = champion.reference()
    definition = profile.definition_to_compare()
    seen = served(settings, champion.spec, champion.subject.identity, window, definition, once_each=once_each)
    if seen.profile.latest is None:
        return Look(champion.subject, _unasked(champion.subject, window), is_newest=False, estimates={})
    importance, sample = champion.importance(), champion.sample(settings.drift.sample_rows)
    reference = Reference(profile, importance, seen.volumes, sample)
    verdicts, is_newest = _recorded(settings, champion.subject, reference, seen, window)
    # First what must not be lost: all after it is for people.
    asked = request(settings, champion.subject, verdicts, limits) if limits and is_newest else None
    estimates = label_free(champion.spec, champion.pipeline, champion.test_examples(), _asked(champion, seen))
    if is_newest:
        write_metrics(settings, champion.subject, verdicts, estimates)
    keep_page(champion, profile, seen.profile, verdicts, estimates)
    return Look(champion.subject, verdicts, is_newest, estimates, asked)


def policy_of(drift: Drift) -> Policy:
    """The policy that is set."""
    budget = Budget(drift.alpha, timedelta(hours=drift.period_h), timedelta(hours=drift.cadence_h))
    most_age = timedelta(hours=drift.most_age_h) if drift.most_age_h is not None else None
    return Policy(EffectLimits(drift.shift), budget, drift.least_rows, drift.volume_ratio, most_age)


def look_id(subject: Subject, window: Window) -> str:
    """The same for the same model and window; looks in the order of their ids are in the order of their ends."""
    content = f"{subject.use_case}/{subject.identity.key}/{window.begin.isoformat()}/{window.end.isoformat()}"
    return f"{window.end:%Y%m%dT%H%M%SZ}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _recorded(
    settings: Settings, subject: Subject, reference: Reference, seen: Served, window: Window
) -> tuple[Verdicts, bool]:
    """The verdicts on record, now or before, and whether no later look is there."""
    name = look_id(subject, window)
    current = Current(seen.profile, window.end, seen.sample)
    for _ in range(ATTEMPTS):
        record = read_record(settings, subject, name)
        if record.same is not None:
            return record.same, record.newest is not None and record.newest.look_id == name
        _check_is_later(record, window)
        judgement = judge(reference, current, policy_of(settings.drift), record.looks)
        verdicts = _verdicts(name, window, seen, judgement)
        try:
            commit(record, verdicts)
        except OvertakenError:
            continue
        return verdicts, True
    raise OvertakenError(f"other looks at {subject} came first {ATTEMPTS} times: look again")


def _check_is_later(record: Record, window: Window) -> None:
    newest = record.newest
    if newest is not None and window.end <= newest.window.end:
        raise EarlierLookError(
            f"looks at {record.subject} go forward in time: one to {newest.window.end:%F %T} UTC is on record, so "
            f"there can be none to {window.end:%F %T} any more; `tidemill lake sql` reads gold.drift"
        )


def _verdicts(name: str, window: Window, seen: Served, judgement: Judgement) -> Verdicts:
    return Verdicts(name, window, seen.counts, judgement.alpha, judgement.verdicts, datetime.now(UTC))


def _unasked(subject: Subject, window: Window) -> Verdicts:
    return Verdicts(look_id(subject, window), window, Counts(), 0.0, (), datetime.now(UTC))


def _asked(champion: Champion, seen: Served) -> Asked:
    features: Sequence[str] = champion.spec.features
    rows = seen.sample.rows.drop_columns(UNIT).to_pandas()
    return Asked(
        rows[list(features)].to_numpy(dtype=np.float64, na_value=np.nan),
        rows.drop(columns=list(features)).to_numpy(dtype=np.float64, na_value=np.nan),
    )
