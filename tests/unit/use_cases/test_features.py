"""The features a use case asks for."""

from data_lake.tables import table
from use_cases.churn.features import FEATURES


def test_every_feature_of_churn_is_a_number_of_the_snapshot() -> None:
    numbers = {column.name for column in table("gold/customer_snapshot").columns if column.sql_type == "DOUBLE"}
    assert set(FEATURES) <= numbers
    assert len(set(FEATURES)) == len(FEATURES)
