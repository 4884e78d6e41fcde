"""What ``fairness`` of a model.yaml may say, and that a sensitive column is no feature unless it says so."""

import pytest
import yaml

from feature_store.definitions import Entity, FeatureGroup, FeatureService, Input, Product, Source, column, days
from feature_store.definitions.expressions import Derived
from ml_modeling.fairness.declared import check_fairness
from ml_modeling.specification import BinaryFairness, Mitigation, SpecificationError, read_specification
from ml_modeling.use_case import load_use_case
from tidemill.config.settings import REPO

FILE = REPO / "use_cases" / "churn" / "model.yaml"
CHURN = load_use_case("churn")
CUSTOMER = Entity("customer", "customer_id")
COLUMNS = ("age_band", "region", "sign_up_channel")


def check(fairness, service=CHURN.service, question=CHURN.question, **spec):
    check_fairness(FILE, CHURN.spec.model_copy(update={"fairness": fairness, **spec}), service, question)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"columns": []}, "fairness.columns = []"),
        ({"columns": ["region", "region"]}, "columns: one stands there twice"),
        ({"columns": ["region"], "as_features": ["age_band"]}, "age_band is not one of the columns region"),
        ({"columns": ["region"], "gates": {"mae": {"difference": 1}}}, "fairness.gates.mae"),
        ({"columns": ["region"], "gates": {"selection_rate": {}}}, "either difference or ratio is wanted"),
        ({"columns": ["region"], "gates": {"selection_rate": {"ratio": 2}}}, "ratio = 2"),
        (
            {"columns": ["region"], "metrics": ["selection_rate"], "gates": {"true_positive_rate": {"ratio": 0.8}}},
            "gates: true_positive_rate is not one of the metrics selection_rate",
        ),
        (
            {
                "columns": ["region"],
                "mitigation": {"candidate": "xgboost", "column": "region", "constraint": "equalized_odds"},
            },
            "mitigation: without gates there is nothing to reach",
        ),
        ({"colums": ["region"]}, "fairness.colums is no key of a specification; did you mean 'columns'"),
    ],
)
def test_a_bad_value_is_named_with_its_key_and_file(tmp_path, given, message):
    content = yaml.safe_load(FILE.read_text(encoding="utf-8")) | {"fairness": given}
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SpecificationError) as error:
        read_specification(file)
    assert str(file) in str(error.value)
    assert message in str(error.value)


def group(**changes):
    given = {
        "name": "profile",
        "entity": CUSTOMER,
        "source": Source("silver/customers"),
        "aggregations": (column("age_band").count_categories("65+"),),
        "windows": (days(30),),
    }
    return FeatureGroup(**{**given, **changes})


BOUGHT = column("region").count_distinct()
ORDERS = Source("silver/transactions", computed=(Product("age_amount", "Age_Band", "quantity"),))
LEAKS = {
    "counted": (group().features, "age_band is sensitive, and feature profile__age_band_count_65_30d reads it"),
    "filtered by": (
        group(aggregations=(column("kind").count(),), filters=(column("region") == "north",)).features,
        "region is sensitive, and feature profile__kind_count_30d reads it",
    ),
    "multiplied": (
        group(source=ORDERS, aggregations=(column("age_amount").sum(),)).features,
        "age_band is sensitive, and feature profile__age_amount_sum_30d reads it",
    ),
    "inside of another": (
        (Derived("share", group(aggregations=(BOUGHT,)).features[0] / 2),),
        "region is sensitive, and feature profile__region_count_distinct_30d reads it",
    ),
    "asked with": (
        (Derived("doubled", Input("sign_up_channel") * 2), *group(aggregations=(column("kind").count(),)).features),
        "sign_up_channel is sensitive, and input sign_up_channel reads it",
    ),
    "the entity": (
        group(entity=Entity("region", "region"), aggregations=(column("kind").count(),)).features,
        "region is sensitive",
    ),
}


@pytest.mark.parametrize(("features", "message"), LEAKS.values(), ids=LEAKS)
def test_a_sensitive_column_that_a_feature_reads_is_named_with_key_and_file(features, message):
    with pytest.raises(SpecificationError) as error:
        check(BinaryFairness(columns=COLUMNS), FeatureService("churn", features))
    assert f"{FILE}: fairness.columns: {message}" in str(error.value)
    assert "in fairness.as_features" in str(error.value)
    check(BinaryFairness(columns=COLUMNS, as_features=COLUMNS), FeatureService("churn", features))


@pytest.mark.parametrize(
    ("fairness", "message"),
    [
        (
            BinaryFairness(columns=("region",), profile="shop.person.v1"),
            "profile: no contract 'shop.person.v1'; known",
        ),
        (
            BinaryFairness(columns=("region",), profile="serving.prediction.v1"),
            "serving.prediction.v1 has no customer_id, which labels.py asks about",
        ),
        (
            BinaryFairness(columns=("age", "customer_id")),
            "columns: age, customer_id is no text or yes-or-no of shop.customer.v1; it has age_band, region",
        ),
        (
            BinaryFairness(
                columns=("region",),
                gates={"selection_rate": {"ratio": 0.8}},
                mitigation=Mitigation(candidate="svm", column="region", constraint="demographic_parity"),
            ),
            "mitigation.candidate: svm is not one of the candidates logistic_regression",
        ),
    ],
)
def test_what_is_not_there_is_named(fairness, message):
    with pytest.raises(SpecificationError) as error:
        check(fairness)
    assert f"{FILE}: fairness." in str(error.value)
    assert message in str(error.value)


def test_weights_of_classes_and_a_mitigation_do_not_go_together():
    fairness = BinaryFairness(
        columns=("region",),
        gates={"selection_rate": {"ratio": 0.8}},
        mitigation=Mitigation(candidate="xgboost", column="region", constraint="demographic_parity"),
    )
    with pytest.raises(SpecificationError, match=r"fairness\.mitigation: it weighs the examples itself"):
        check(fairness, class_weights="balanced")


def test_the_built_in_use_cases_compare_groups_and_read_none():
    for name in ("churn", "next_spend"):
        loaded = load_use_case(name)
        assert loaded.spec.fairness.columns == COLUMNS
        assert loaded.spec.fairness.as_features == ()
