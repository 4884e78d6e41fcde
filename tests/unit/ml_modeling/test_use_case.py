"""A use case's files fit together: the question's columns, the roles and the baseline."""

from pathlib import Path
from types import ModuleType

import pytest

from feature_store import catalog
from feature_store.definitions import Absence, Classes, Entity, Outcome, Own, Product, Source, YesNo, column, days
from ml_modeling import use_case
from ml_modeling.evaluation.wording import asked, proven_on
from ml_modeling.specification import Columns, Scoring, SpecificationError
from ml_modeling.use_case import load_use_case, use_case_names
from tidemill.config.errors import TerminalError
from tidemill.contracts import contract

CUSTOMER = Entity("customer", "customer_id")


def absence(**changes):
    given = {"entity": CUSTOMER, "source": Source("silver/transactions"), "active": days(9), "horizon": days(9)}
    return Absence(**{**given, **changes})


@pytest.mark.parametrize("name", ["churn", "fraud", "next_spend"])
def test_the_built_in_use_cases_are_whole(name):
    loaded = load_use_case(name)
    assert name in use_case_names()
    assert loaded.task.name is loaded.question.answer.task
    assert asked(loaded.question).startswith("For ")
    assert proven_on(loaded.question)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (
            None,
            r"shop/labels\.py: LABEL is None; write LABEL = one of Absence, FutureAggregate, Outcome, Own",
        ),
        (absence(entity=Entity("customer", "customer")), r"has no column 'customer'; did you mean .*customer_id"),
        (
            absence(filters=(column("kid") == "purchase",)),
            r"transactions has no column 'kid'; did you mean kind",
        ),
        (absence(source=Source("silver/transactions", event_time="paid_at")), "has no column 'paid_at'"),
        (
            absence(source=Source("silver/transactions", computed=(Product("amount", "units", "unit_price"),))),
            "has no column 'units'",
        ),
    ],
)
def test_a_question_about_what_is_not_there_says_what_there_is(label, message):
    module = ModuleType("use_cases.shop.labels")
    if label is not None:
        module.LABEL = label
    with pytest.raises(TerminalError, match=message):
        use_case._question(module, catalog.service("churn"))


@pytest.mark.parametrize(
    ("label", "service", "message"),
    [
        (absence(entity=CUSTOMER), "fraud", "each a customer_id, and features of terminal_id are of others"),
        (
            Outcome(
                entity=CUSTOMER,
                events=Source("silver/card_verdicts"),
                of=Source("silver/card_verdicts"),
                key="transaction_id",
                label="is_fraud",
            ),
            "fraud",
            "silver/card_verdicts has no column 'amount'",
        ),
    ],
)
def test_a_question_brings_what_the_features_are_asked_with(label, service, message):
    module = ModuleType("use_cases.shop.labels")
    module.LABEL = label
    with pytest.raises(SpecificationError, match=message):
        use_case._question(module, catalog.service(service))


def test_a_class_that_no_prediction_can_be_logged_with_is_named_with_its_file():
    longest = contract("serving.prediction.v1").schema["properties"]["decision"]["maxLength"]
    module = ModuleType("use_cases.shop.labels")

    def asks(name):
        module.LABEL = Own(CUSTOMER, (Source("silver/transactions"),), lambda rows: rows, Classes(("a", "b", name)))
        return use_case._question(module, catalog.service("churn"))

    assert asks("x" * longest).answer.names[-1] == "x" * longest
    with pytest.raises(
        SpecificationError, match=r"shop/labels\.py: Classes\.names: 'x+' has 65 characters, .* most 64"
    ):
        asks("x" * (longest + 1))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(categorical=("shop",)), "columns: shop is not one of the features purchases__time_since_last_all"),
        (Columns(select=99), r"columns.select = 99: there are \d+ features to choose from"),
        (Columns(encoding={"mlp": "one_hot"}), "columns.encoding: mlp is not one of the candidates"),
    ],
)
def test_a_role_of_what_is_not_there_is_named(columns, message):
    churn = load_use_case("churn")
    spec = churn.spec.model_copy(update={"columns": columns})
    with pytest.raises(SpecificationError, match=message):
        use_case._check_names(Path("model.yaml"), spec, churn.service, churn.question)


def test_what_only_a_function_makes_is_not_scored_on_a_schedule():
    churn = load_use_case("churn")
    spec = churn.spec.model_copy(update={"scoring": Scoring(schedule="@daily")})
    own = Own(CUSTOMER, (Source("silver/transactions"),), lambda rows: rows, YesNo())
    with pytest.raises(SpecificationError, match=r"model\.yaml: scoring: .* leave it out"):
        use_case._check_scoring(Path("model.yaml"), spec, own)
    use_case._check_scoring(Path("model.yaml"), spec, churn.question)
