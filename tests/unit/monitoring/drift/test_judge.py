"""Verdicts on whole tables: what is raised without drift and with it, at one look and at many."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from monitoring.drift import (
    Aspect,
    Budget,
    Current,
    EarlierLookError,
    EffectLimits,
    Judgement,
    Looks,
    Outcome,
    Policy,
    Reference,
    judge,
)
from monitoring.profiles import IncompatibleProfilesError, RowSample, TableDefinition, TableProfile, profile_table

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FEATURES = 20


def rows(random: np.random.Generator, size: int, shift: float = 0.0, moved: int = 4) -> pa.Table:
    """Twenty features, half of them correlated, of which the first ``moved`` may be shifted; one category, one text."""
    common = random.normal(size=size)
    columns = {f"x{i}": random.normal(size=size) + (i % 2) * common for i in range(FEATURES)}
    for i in range(moved):
        columns[f"x{i}"] = columns[f"x{i}"] + shift * np.sqrt(1 + i % 2)
    columns["amount"] = np.where(random.random(size) < 0.1, np.nan, random.lognormal(sigma=1.5, size=size))
    return pa.table(columns | {"kind": random.choice(["a", "b", "c"], size, p=[0.7, 0.2, 0.1])})


def reference_of(table: pa.Table) -> TableProfile:
    return profile_table(table, TableDefinition.of_schema(table.schema))


def look(before: TableProfile, window: pa.Table, **more: object) -> Judgement:
    return judge(Reference(before), Current(profile_table(window, before.definition_to_compare()), NOON), **more)


def test_windows_without_drift_raise_nothing_at_any_size() -> None:
    random = np.random.default_rng(0)
    raised = 0
    for size in [300, 1000, 5000] * 4:
        raised += bool(look(reference_of(rows(random, 5000)), rows(random, size)).drifted)
    assert raised <= 1


def test_without_a_limit_on_effects_the_p_values_alone_keep_their_alpha() -> None:
    """Every effect matters here, so that what is left is Benjamini-Hochberg at alpha: 5 % of looks."""
    random = np.random.default_rng(1)
    once = Policy(EffectLimits(1e-9), Budget(0.05, timedelta(days=1), timedelta(days=1)))
    alarms = 0
    for _ in range(25):
        judgement = look(reference_of(rows(random, 2000)), rows(random, 800), policy=once)
        assert judgement.alpha == pytest.approx(0.025)
        discoveries = [v for v in judgement.verdicts if v.adjusted_p_value is not None and v.adjusted_p_value <= 0.05]
        alarms += bool(discoveries)
    assert alarms <= 4


def test_a_quarter_of_a_deviation_in_a_fifth_of_the_features_is_found() -> None:
    random = np.random.default_rng(2)
    for _ in range(5):
        judgement = look(reference_of(rows(random, 10_000)), rows(random, 5000, 0.25))
        assert {verdict.finding.feature for verdict in judgement.drifted} == {"x0", "x1", "x2", "x3"}
        assert all(v.finding.shift == pytest.approx(0.25, abs=0.08) for v in judgement.drifted)


def test_a_shift_that_does_not_matter_is_steady_however_sure() -> None:
    random = np.random.default_rng(3)
    judgement = look(reference_of(rows(random, 50_000)), rows(random, 50_000, 0.06))
    verdict = verdict_on(judgement, "x0", Aspect.DISTRIBUTION)
    assert verdict.adjusted_p_value < verdict.alpha
    assert verdict.outcome is Outcome.STEADY
    assert judgement.drifted == ()


def verdict_on(judgement: Judgement, feature: str | None, aspect: Aspect) -> object:
    (verdict,) = [v for v in judgement.verdicts if (v.finding.feature, v.finding.aspect) == (feature, aspect)]
    return verdict


@pytest.mark.parametrize(
    ("change", "feature", "aspect"),
    [
        pytest.param(
            lambda t: t.set_column(20, "amount", pa.array([None] * 700 + [1.0] * 1300)), "amount", "missing", id="nulls"
        ),
        pytest.param(lambda t: t.set_column(21, "kind", pa.array(["d"] * 2000)), "kind", "unseen", id="unseen"),
        pytest.param(lambda t: t.set_column(0, "x0", pa.array([50.0] * 2000)), "x0", "range", id="range"),
        pytest.param(lambda t: t.slice(0, 0), None, "volume", id="no-rows"),
    ],
)
def test_data_out_of_order_is_found(change: object, feature: str | None, aspect: str) -> None:
    random = np.random.default_rng(4)
    judgement = look(reference_of(rows(random, 5000)), change(rows(random, 2000)))
    assert verdict_on(judgement, feature, Aspect(aspect)).outcome is Outcome.DRIFTED


def test_a_week_of_looks_at_overlapping_windows_raises_nothing() -> None:
    random = np.random.default_rng(5)
    for _ in range(1):
        before = reference_of(rows(random, 4000))
        slices = [profile_table(rows(random, 250), before.definition_to_compare()) for _ in range(31)]
        looks = Looks()
        for number in range(28):
            window = slices[number].merge(slices[number + 1]).merge(slices[number + 2]).merge(slices[number + 3])
            judgement = judge(Reference(before), Current(window, NOON + number * timedelta(hours=6)), looks=looks)
            assert judgement.drifted == ()
            looks = judgement.looks


def test_a_verdict_says_since_when_and_how_important() -> None:
    random = np.random.default_rng(6)
    before = reference_of(rows(random, 5000))
    importance = {"x0": 3.0, "x1": -1.0}
    looks = Looks()
    for hours, shift in [(0, 0.0), (6, 0.5), (12, 0.5)]:
        window = profile_table(rows(random, 2000, shift, 1), before.definition_to_compare())
        judgement = judge(Reference(before, importance), Current(window, NOON + timedelta(hours=hours)), looks=looks)
        looks = judgement.looks
    (verdict,) = judgement.drifted
    assert (verdict.finding.feature, verdict.importance) == ("x0", 0.75)
    assert verdict.since == NOON + timedelta(hours=6)
    assert verdict_on(judgement, "x2", Aspect.DISTRIBUTION).importance is None


def test_a_repeated_look_from_the_same_state_says_the_same() -> None:
    random = np.random.default_rng(7)
    before = reference_of(rows(random, 3000))
    window = Current(profile_table(rows(random, 1000, 0.4), before.definition_to_compare()), NOON)
    state = Looks(NOON - timedelta(hours=2))
    assert judge(Reference(before), window, looks=state) == judge(Reference(before), window, looks=state)
    with pytest.raises(EarlierLookError):
        judge(Reference(before), window, looks=judge(Reference(before), window, looks=state).looks)


def test_too_few_rows_are_no_verdict() -> None:
    random = np.random.default_rng(8)
    judgement = look(reference_of(rows(random, 3000)), rows(random, 99))
    outcomes = {v.outcome for v in judgement.verdicts if v.finding.feature is not None}
    assert outcomes == {Outcome.UNKNOWN}
    assert "99 now" in verdict_on(judgement, "x0", Aspect.DISTRIBUTION).finding.unknown


def test_a_column_that_became_empty_is_missing_and_not_compared() -> None:
    random = np.random.default_rng(9)
    window = rows(random, 1000).set_column(0, "x0", pa.nulls(1000, pa.float64()))
    judgement = look(reference_of(rows(random, 3000)), window)
    assert verdict_on(judgement, "x0", Aspect.MISSING).outcome is Outcome.DRIFTED
    assert verdict_on(judgement, "x0", Aspect.DISTRIBUTION).outcome is Outcome.UNKNOWN


def test_old_rows_are_a_breach_of_the_rule() -> None:
    random = np.random.default_rng(10)
    table = rows(random, 500)
    times = pa.array([NOON - timedelta(days=2)] * 500, pa.timestamp("us", tz="UTC"))
    table = table.append_column("at", times)
    before = profile_table(table, TableDefinition.of_schema(table.schema, "at"))
    judgement = look(before, table, policy=Policy(most_age=timedelta(hours=12)))
    assert verdict_on(judgement, None, Aspect.FRESHNESS).outcome is Outcome.DRIFTED


def test_columns_that_are_right_one_by_one_and_wrong_together_are_found() -> None:
    random = np.random.default_rng(11)
    common, again = random.normal(size=4000), random.normal(size=4000)
    before = pa.table({"a": common, "b": common + 0.3 * random.normal(size=4000)})
    now = pa.table({"a": again, "b": random.permutation(before["b"].to_numpy())})
    reference = reference_of(before)
    samples = [RowSample.of(side, 1500, random) for side in (before, now)]
    current = Current(profile_table(now, reference.definition_to_compare()), NOON, samples[1])
    judgement = judge(Reference(reference, sample=samples[0]), current)
    assert [verdict.finding.aspect for verdict in judgement.drifted] == [Aspect.TOGETHER]


def test_profiles_of_other_columns_are_not_compared() -> None:
    random = np.random.default_rng(12)
    table = rows(random, 200)
    with pytest.raises(IncompatibleProfilesError, match="x0"):
        judge(Reference(reference_of(table)), Current(reference_of(table.drop_columns(["x0"])), NOON))
