"""From a reference, what came since, and the looks before this one, to verdicts.

Something has drifted when it is both *enough to matter*, its effect beyond a limit that chance does not reach at this
number of rows, and *more than chance*, its p-value a discovery among all of the look's (``false_discoveries``) at the
``alpha`` that the look may spend (``looks``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from monitoring.drift import categorical, numeric, quality
from monitoring.drift.false_discoveries import adjusted_p_values
from monitoring.drift.limits import EffectLimits
from monitoring.drift.looks import Budget, Looks, spend
from monitoring.drift.verdict import Aspect, Finding, Outcome, Verdict, importance_shares
from monitoring.profiles.categorical import CategoricalProfile
from monitoring.profiles.definition import TableDefinition
from monitoring.profiles.numeric import NumericProfile
from monitoring.profiles.row_sample import RowSample
from monitoring.profiles.table import ColumnProfile, IncompatibleProfilesError, TableProfile, difference


@dataclass(frozen=True)
class Policy:
    """``volume_ratio`` is how many times as many rows, or as few, matter; ``most_age`` None asks for no freshness."""

    limits: EffectLimits = field(default_factory=EffectLimits)
    budget: Budget = field(default_factory=Budget)
    least_rows: int = 100
    volume_ratio: float = 2.0
    most_age: timedelta | None = None


@dataclass(frozen=True)
class Reference:
    """What the model learnt from: a profile, what it goes by, and how many rows windows had."""

    profile: TableProfile
    importance: Mapping[str, float] = field(default_factory=dict)
    volumes: Sequence[int] = ()
    sample: RowSample | None = None


@dataclass(frozen=True)
class Current:
    """A window that ends at ``until``, profiled by the reference's ``definition_to_compare``."""

    profile: TableProfile
    until: datetime
    sample: RowSample | None = None


@dataclass(frozen=True)
class Judgement:
    """The verdicts of a look, the ``alpha`` it spent, and the state for the next."""

    verdicts: tuple[Verdict, ...]
    alpha: float
    looks: Looks

    @property
    def drifted(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.outcome is Outcome.DRIFTED)


def judge(
    reference: Reference, current: Current, policy: Policy | None = None, looks: Looks | None = None
) -> Judgement:
    """The verdict on each feature and on the table as a whole.

    Raises:
        IncompatibleProfilesError: the two profiles are of different columns.
        EarlierLookError: the window does not end after that of the last look.
    """
    policy, looks = policy or Policy(), looks or Looks()
    if reference.profile.definition.digest != current.profile.definition.digest:
        raise IncompatibleProfilesError(
            "profiles of different columns cannot be compared: " + difference(reference.profile, current.profile)
        )
    alpha = spend(policy.budget, looks, current.until)
    findings = list(_findings(reference, current, policy, alpha))
    adjusted = _adjusted(findings)
    outcomes = {finding.key: _outcome(finding, adjusted.get(finding.key), alpha) for finding in findings}
    after = looks.after(current.until, [key for key, outcome in outcomes.items() if outcome is Outcome.DRIFTED])
    shares = importance_shares(reference.importance)
    verdicts = (
        Verdict(
            finding,
            outcomes[finding.key],
            alpha,
            adjusted.get(finding.key),
            after.since.get(finding.key),
            shares.get(finding.feature) if finding.feature else None,
        )
        for finding in findings
    )
    return Judgement(tuple(verdicts), alpha, after)


def _findings(reference: Reference, current: Current, policy: Policy, alpha: float) -> Iterator[Finding]:
    yield quality.volume(current.profile, reference.volumes, policy.volume_ratio)
    if policy.most_age is not None:
        yield quality.freshness(current.profile, current.until, policy.most_age)
    if reference.sample is not None and current.sample is not None:
        # The library of the classifier takes a second to import.
        from monitoring.drift.domain_classifier import together

        definition = _sampled(reference.profile.definition, reference.sample)
        yield together(definition, reference.sample, current.sample, policy.limits, alpha)
    for name, before in reference.profile.columns.items():
        yield from _of_feature(name, before, current.profile.columns[name], policy, alpha)


def _sampled(definition: TableDefinition, sample: RowSample) -> TableDefinition:
    """The columns that the sample has: what a model said of rows that it learnt from tells nothing of others."""
    return replace(definition, columns=tuple(column for column in definition.columns if column.name in sample.names))


def _of_feature(
    name: str, before: ColumnProfile, now: ColumnProfile, policy: Policy, alpha: float
) -> Iterator[Finding]:
    limits, least = policy.limits, policy.least_rows
    if min(before.rows, now.rows) < least:
        yield Finding(name, Aspect.DISTRIBUTION, unknown=_too_few(before.rows, now.rows, "rows", least))
        return
    yield quality.missing(name, before, now, limits, alpha)
    if min(before.count, now.count) < least:
        yield Finding(name, Aspect.DISTRIBUTION, unknown=_too_few(before.count, now.count, "values", least))
        return
    match before, now:
        case NumericProfile(), NumericProfile():
            yield numeric.distribution(name, before, now, limits, alpha)
            ranged = quality.out_of_range(name, before, now, limits, alpha)
            if ranged is not None:
                yield ranged
        case CategoricalProfile(), CategoricalProfile():
            yield categorical.distribution(name, before, now, limits, alpha)
            yield categorical.unseen(name, before, now, limits, alpha)


def _too_few(before: int, now: int, what: str, least: int) -> str:
    return f"{before} {what} in the reference, {now} now; {least} tell something"


def _adjusted(findings: Sequence[Finding]) -> dict[str, float]:
    """Benjamini and Hochberg's p-value of each finding that has one."""
    tested = {finding.key: finding.p_value for finding in findings if finding.p_value is not None}
    values = adjusted_p_values(np.array(list(tested.values()), dtype=np.float64))
    return dict(zip(tested, values.tolist(), strict=True))


def _outcome(finding: Finding, adjusted: float | None, alpha: float) -> Outcome:
    if finding.unknown is not None:
        return Outcome.UNKNOWN
    is_discovery = adjusted is None or adjusted <= alpha
    return Outcome.DRIFTED if finding.matters and is_discovery else Outcome.STEADY
