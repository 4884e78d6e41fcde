"""The features of next spend: their tables, and what they share with churn."""

import pytest

from data_lake.tables import table
from feature_store import catalog
from feature_store.definitions import FeatureGroup
from ml_modeling.use_case import load_use_case
from use_cases.churn import features as churn
from use_cases.next_spend import features, labels


@pytest.mark.parametrize("group", features.SERVICE.groups, ids=lambda group: group.name)
def test_a_group_reads_columns_that_its_table_has(group: FeatureGroup) -> None:
    declared = {column.name for column in table(group.source.table).columns}
    computed = {product.name for product in group.source.computed}
    assert {*group.columns, group.entity_column} <= declared | computed


def test_groups_of_churn_are_read_and_not_defined_again() -> None:
    assert {churn.PURCHASES, churn.RETURNS} < set(features.SERVICE.groups)
    served = catalog.served_groups(["churn", "next_spend"])
    assert [group.name for group in served] == ["purchases", "returns", "spend"]


def test_the_baseline_is_the_same_sum_over_as_many_days_before_as_the_label_looks_ahead() -> None:
    feature = features.SPEND["amount_sum_60d"]
    assert load_use_case("next_spend").spec.model_dump()["baseline"] == {"feature": feature.name}
    assert (feature.window, feature.function, feature.column) == (
        labels.LABEL.horizon,
        labels.LABEL.aggregation.function,
        labels.LABEL.aggregation.column,
    )
    assert features.SPEND.filters == labels.LABEL.filters
