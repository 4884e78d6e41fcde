"""Definitions are checked when they are made, named predictably, and versioned by what they mean."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from feature_store.definitions import (
    LIFETIME,
    Aggregation,
    DefinitionError,
    Derived,
    Entity,
    Feature,
    FeatureGroup,
    FeatureService,
    Filter,
    Function,
    Input,
    Source,
    column,
    count,
    days,
    hours,
    minutes,
    time_since_last,
    zscore,
)
from feature_store.definitions.filters import Comparison

CUSTOMER = Entity("customer", "customer_id")
PAYMENTS = Source("silver/payments")
amount, kind = column("amount"), column("kind")


def group(*aggregations: Aggregation, **fields: Any) -> FeatureGroup:
    given = {"name": "payments", "entity": CUSTOMER, "source": PAYMENTS, "windows": (days(7),), **fields}
    return FeatureGroup(aggregations=aggregations or (count(),), **given)


@pytest.mark.parametrize(
    ("aggregation", "names"),
    [
        pytest.param(count(), ["payments__count_7d"], id="count of events"),
        pytest.param(amount.count(), ["payments__amount_count_7d"], id="count of values"),
        pytest.param(
            amount.mean(windows=(minutes(5), hours(12), hours(24), minutes(90), LIFETIME)),
            [f"payments__amount_mean_{window}" for window in ("5m", "12h", "1d", "90m", "all")],
            id="windows",
        ),
        pytest.param(amount.last_k(2), ["payments__amount_last_1_7d", "payments__amount_last_2_7d"], id="last k"),
        pytest.param(
            amount.quantiles(0.5, 0.999), ["payments__amount_p50_7d", "payments__amount_p99_9_7d"], id="quantiles"
        ),
        pytest.param(
            kind.count_categories("Card", "bank-transfer"),
            ["payments__kind_count_card_7d", "payments__kind_count_bank_transfer_7d"],
            id="categories",
        ),
        pytest.param(
            kind.count_categories("現金", "カ", "!"),
            ["payments__kind_count_u73fe_u91d1_7d", "payments__kind_count_u30ab_7d", "payments__kind_count_u21_7d"],
            id="categories without letters of ASCII",
        ),
        pytest.param(time_since_last(), ["payments__time_since_last_7d"], id="time since last"),
        pytest.param(kind.count_distinct(), ["payments__kind_count_distinct_7d"], id="distinct"),
    ],
)
def test_names_follow_from_the_definition(aggregation: Aggregation, names: list[str]) -> None:
    assert [feature.name for feature in group(aggregation).features] == names


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Entity("Customer", "id"), "Entity.name: 'Customer' is no name"),
        (lambda: Entity("customer", "customer id"), "Entity.key: 'customer id' is no column"),
        (lambda: Source("gold/payments"), "Source.table: 'gold/payments' is no silver table"),
        (lambda: Source("silver/payments", event_time=""), "Source.event_time: '' is no column"),
        (lambda: Source("silver/payments", known_time="a-b"), "Source.known_time: 'a-b' is no column"),
        (lambda: group(name="a__b"), "FeatureGroup.name: 'a__b' is no name"),
        (lambda: group(entity="customer"), "FeatureGroup payments: entity: .* is not made of Entity"),
        (lambda: group(filters=(True,)), "FeatureGroup payments: filters: .* is not made of Filter"),
        (lambda: group(windows=()), "FeatureGroup payments: windows: count has none, and neither has the group"),
        (lambda: group(windows=(minutes(4),)), "windows: 0:04:00 is not between 5 minutes and"),
        (lambda: group(windows=(timedelta(seconds=333),)), "windows: 0:05:33 is not a whole number of minutes"),
        (lambda: group(windows=(days(1), hours(24))), "windows: a window stands there twice"),
        (lambda: group(windows=(7,)), "windows: 7 is neither a timedelta nor LIFETIME"),
        (lambda: group(count(), count()), "aggregations: payments__count_7d stands there twice"),
        (lambda: group(stale_after=days(0)), "stale_after: 0:00:00 is not positive"),
        (lambda: Aggregation(Function.SUM), "Aggregation sum: column: there is none"),
        (lambda: amount.last_k(0), "Aggregation last_k: arguments: k is not between 1 and 100"),
        (lambda: amount.quantiles(1.0), r"Aggregation quantile: arguments: \(1.0,\) are no shares"),
        (kind.count_categories, "Aggregation count_category: arguments: categories are 1 to 64 texts"),
        (lambda: amount > float("inf"), "Filter.operands of amount: inf is no text, boolean or finite number"),
        (lambda: amount.is_in(1, "a"), "Filter.operands of amount: number, text in one comparison"),
        (amount.is_in, "Filter.operands of amount: 0 values do not go with 'in'"),
        (lambda: amount < True, "a boolean is neither more nor less"),
        (lambda: group()["count_8d"], "FeatureGroup payments: no feature 'count_8d'; known: count_7d"),
        (lambda: FeatureService("s", ()), r"FeatureService s: features: \(\) is not made of features"),
        (lambda: FeatureService("s", group().features * 2), "features: payments__count_7d stands there twice"),
        (lambda: FeatureService("s", (*group().features, *group(amount.sum()).features)), "two different groups are"),
        (lambda: Derived("d", 1.0), "Derived.expression of d: 1.0 is no expression"),  # type: ignore[arg-type]
        (lambda: Input("a") + float("inf"), "Constant.value: inf is no finite number"),
    ],
)
def test_a_definition_that_means_nothing_is_refused_with_the_field(make: Callable[[], object], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        make()


def test_the_fingerprint_does_not_change_with_order_or_spelling() -> None:
    one = group(count(), amount.sum(), windows=(days(1), days(7)), filters=(amount > 1, kind.is_in("a", "b")))
    other = group(
        amount.sum(windows=(hours(24 * 7),)),
        amount.sum(windows=(hours(24),)),
        count(),
        windows=(days(7), days(1)),
        filters=(kind.is_in("b", "a"), amount > 1.0),
        stale_after=days(1),
    )
    assert one.fingerprint == other.fingerprint
    assert re.fullmatch("[0-9a-f]{32}", one.fingerprint)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(group(count(), amount.sum(), windows=(days(8),)), id="window"),
        pytest.param(group(count(), amount.mean()), id="function"),
        pytest.param(group(count(), column("price").sum()), id="column"),
        pytest.param(group(count(), amount.sum(), filters=(amount > 0,)), id="filter"),
        pytest.param(
            group(count(), amount.sum(), source=replace(PAYMENTS, tie_breaker=("source", "offset"))), id="tie-breaker"
        ),
        pytest.param(group(count(), amount.sum(), source=replace(PAYMENTS, table="silver/cards")), id="table"),
        pytest.param(group(count(), amount.sum(), entity=Entity("customer", "card_id")), id="entity"),
        pytest.param(group(count(), amount.sum(), name="others"), id="name"),
    ],
)
def test_the_fingerprint_changes_with_the_meaning(other: FeatureGroup) -> None:
    assert other.fingerprint != group(count(), amount.sum()).fingerprint


def test_the_fingerprint_changes_with_the_key_that_states_are_found_by() -> None:
    source = replace(PAYMENTS, entity_column="payer")
    one, other = (group(source=source, entity=Entity("customer", key)) for key in ("customer_id", "client_id"))
    assert one.fingerprint != other.fingerprint


def test_a_service_knows_its_groups_and_inputs() -> None:
    payments = group(amount.mean(), amount.std())
    visits = group(count(), name="visits")
    surprise = zscore(Input("amount"), payments["amount_mean_7d"], payments["amount_std_7d"])
    service = FeatureService("fraud", (*visits.features, Derived("surprise", surprise)))
    assert service.names == ("visits__count_7d", "surprise")
    assert service.groups == (visits, payments)
    assert service.inputs == (Input("amount"),)
    assert isinstance(service.features[0], Feature)
    swapped = FeatureService("fraud", service.features[::-1])
    assert swapped.fingerprint != service.fingerprint


def test_a_comparison_of_a_column_is_a_filter() -> None:
    assert (amount >= 5) == Filter("amount", Comparison.GREATER_OR_EQUAL, (5,))
    assert (kind == "card") == Filter("kind", Comparison.EQUAL, ("card",))


def test_definitions_import_no_engine() -> None:
    code = "import sys, feature_store.definitions; print(sorted({'numpy', 'pandas', 'pyspark'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
