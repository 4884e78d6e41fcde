"""What a request of a use case may be: exactly its entities and its inputs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from feature_store.catalog import FeatureCatalogError
from feature_store.definitions import Derived, Entity, FeatureGroup, FeatureService, Input, Source, Task, count, days
from model_serving import asked as asked_module
from model_serving.asked import Asked, UnaskableError, asked_of
from model_serving.prediction_events import TOPIC
from model_serving.use_case_schemas import UseCaseSchemas, schemas_of
from tidemill.contracts import contract

MAX = 3
PAYMENT = {"customer_id": "c", "terminal_id": "t", "amount": 12.5}


@pytest.fixture(scope="module")
def churn() -> UseCaseSchemas:
    return schemas_of(asked_of("churn"), MAX)


@pytest.fixture(scope="module")
def fraud() -> UseCaseSchemas:
    return schemas_of(asked_of("fraud"), MAX)


def test_a_request_has_the_entities_and_inputs_of_the_feature_service() -> None:
    assert asked_of("churn") == Asked("churn", Task.BINARY, ("customer_id",), ())
    assert asked_of("next_spend") == Asked("next_spend", Task.REGRESSION, ("customer_id",), ())
    assert asked_of("fraud") == Asked("fraud", Task.BINARY, ("customer_id", "terminal_id"), ("amount",))


def place(schemas: UseCaseSchemas, document: object) -> tuple[str | int, ...]:
    with pytest.raises(ValidationError) as raised:
        schemas.predict_request.model_validate(document)
    return raised.value.errors()[0]["loc"]


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in PAYMENT.items() if key != name}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({}, ("instances",), id="no instances"),
        pytest.param({"instances": []}, ("instances",), id="empty instances"),
        pytest.param({"instances": {}}, ("instances",), id="instances is no list"),
        pytest.param({"instances": [{"customer_id": "1"}] * (MAX + 1)}, ("instances",), id="too many"),
        pytest.param({"instances": ["1"]}, ("instances", 0), id="an id alone"),
        pytest.param({"instances": [{}]}, ("instances", 0, "customer_id"), id="no id"),
        pytest.param({"instances": [{"customer_id": ""}]}, ("instances", 0, "customer_id"), id="empty id"),
        pytest.param({"instances": [{"customer_id": "x" * 257}]}, ("instances", 0, "customer_id"), id="long id"),
        pytest.param({"instances": [{"customer_id": 17850}]}, ("instances", 0, "customer_id"), id="number as id"),
        pytest.param({"instances": [{"customer_id": None}]}, ("instances", 0, "customer_id"), id="null as id"),
        pytest.param({"instances": [{"customer_id": float("nan")}]}, ("instances", 0, "customer_id"), id="nan as id"),
        pytest.param({"instances": [{"customer_id": "\ud800"}]}, ("instances", 0, "customer_id"), id="surrogate"),
        pytest.param({"instances": [{"customer_id": "1", "x": 1}]}, ("instances", 0, "x"), id="extra in instance"),
        pytest.param({"instances": [{"customer_id": "1"}], "x": 1}, ("x",), id="extra in body"),
        pytest.param([], (), id="a list"),
    ],
)
def test_a_malformed_request_names_the_field(
    churn: UseCaseSchemas, document: object, expected: tuple[str | int, ...]
) -> None:
    assert place(churn, document) == expected


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        *(pytest.param(without(name), name, id=f"no {name}") for name in PAYMENT),
        pytest.param(PAYMENT | {"amount": "12.5"}, "amount", id="text as number"),
        pytest.param(PAYMENT | {"amount": True}, "amount", id="boolean as number"),
        pytest.param(PAYMENT | {"amount": None}, "amount", id="null as number"),
        pytest.param(PAYMENT | {"amount": [12.5]}, "amount", id="list as number"),
        pytest.param(PAYMENT | {"amount": float("nan")}, "amount", id="nan"),
        pytest.param(PAYMENT | {"amount": float("inf")}, "amount", id="infinity"),
        pytest.param(PAYMENT | {"terminal_id": 3}, "terminal_id", id="number as second id"),
        pytest.param(PAYMENT | {"merchant_id": "m"}, "merchant_id", id="an entity that nobody asked for"),
    ],
)
def test_every_field_of_every_instance_is_checked(fraud: UseCaseSchemas, wrong: dict[str, Any], field: str) -> None:
    assert place(fraud, {"instances": [PAYMENT, wrong]}) == ("instances", 1, field)


MANY = {f"x{number}": 1 for number in range(1_000)}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"instances": [PAYMENT | MANY]}, ("instances", 0, "x0"), id="of an instance"),
        pytest.param({"instances": [MANY | PAYMENT]}, ("instances", 0, "x0"), id="before its own fields"),
        pytest.param({"instances": [PAYMENT]} | MANY, ("x0",), id="of the body"),
    ],
)
def test_of_countless_unknown_fields_a_few_are_named(
    fraud: UseCaseSchemas, document: object, expected: tuple[str | int, ...]
) -> None:
    with pytest.raises(ValidationError) as raised:
        fraud.predict_request.model_validate(document)
    assert raised.value.errors()[0]["loc"] == expected
    assert {error["type"] for error in raised.value.errors()} == {"extra_forbidden"}
    assert raised.value.error_count() == 20


def test_of_countless_unknown_fields_beside_a_missing_one_both_are_named(fraud: UseCaseSchemas) -> None:
    with pytest.raises(ValidationError) as raised:
        fraud.explain_request.model_validate({"instance": without("amount") | MANY})
    assert {error["type"] for error in raised.value.errors()} == {"missing", "extra_forbidden"}


@pytest.mark.parametrize("customer_id", ["1", "x" * 256, "Zoë", "客户", " "])
def test_any_text_of_1_to_256_characters_is_an_id(churn: UseCaseSchemas, customer_id: str) -> None:
    request: Any = churn.predict_request.model_validate({"instances": [{"customer_id": customer_id}]})

    assert request.instances == [{"customer_id": customer_id}]


@pytest.mark.parametrize("amount", [0, -3, 12.5, 1e308, 5e-324])
def test_any_finite_number_is_an_input(fraud: UseCaseSchemas, amount: float) -> None:
    request: Any = fraud.predict_request.model_validate({"instances": [PAYMENT | {"amount": amount}]})

    assert request.instances == [PAYMENT | {"amount": float(amount)}]
    assert isinstance(request.instances[0]["amount"], float)


@pytest.mark.parametrize("top", [0, 101, "3", 1.5, True, None])
def test_how_many_reasons_are_told_is_bounded(churn: UseCaseSchemas, top: object) -> None:
    with pytest.raises(ValidationError) as raised:
        churn.explain_request.model_validate({"instance": {"customer_id": "1"}, "top": top})
    assert raised.value.errors()[0]["loc"] == ("top",)


@pytest.mark.parametrize("top", [1, 100, 13.0])
def test_a_whole_number_however_written_is_how_many(churn: UseCaseSchemas, top: float) -> None:
    request: Any = churn.explain_request.model_validate({"instance": {"customer_id": "1"}, "top": top})
    assert (request.top, type(request.top)) == (int(top), int)


def test_the_bounds_of_top_are_in_the_description(churn: UseCaseSchemas) -> None:
    top = churn.explain_request.model_json_schema()["properties"]["top"]
    assert (top["type"], top["minimum"], top["maximum"], top["default"]) == ("integer", 1, 100, 10)


def test_ten_reasons_are_told_unless_more_or_fewer_are_asked_for(churn: UseCaseSchemas) -> None:
    request: Any = churn.explain_request.model_validate({"instance": {"customer_id": "1"}})
    assert request.top == 10


def test_examples_are_those_of_the_contracts(churn: UseCaseSchemas, fraud: UseCaseSchemas) -> None:
    assert churn.example == {"customer_id": "17850"}
    assert fraud.example == {"customer_id": "C004961", "terminal_id": "T003412", "amount": 81.51}


@pytest.mark.parametrize("task", list(Task))
def test_an_answer_has_the_fields_of_its_task(task: Task) -> None:
    made = schemas_of(Asked("churn", task, ("customer_id",), ()), MAX)
    schema = json.loads(json.dumps(made.predictions.model_json_schema(mode="serialization")))
    of_all = {"customer_id", "features_as_of", "degraded", "arm", "version"}
    fields = set(schema["$defs"]["ChurnPrediction"]["properties"])

    expected = {
        "binary": {"score", "decision"},
        "multiclass": {"scores", "decision"},
        "regression": {"value", "interval"},
    }
    assert fields == expected[task] | of_all
    assert "amount" not in schema["$defs"]["ChurnPrediction"]["properties"]


def test_a_name_that_no_prediction_can_be_logged_with_stops_the_start() -> None:
    longest = contract(TOPIC).schema["properties"]["use_case"]["maxLength"]
    with pytest.raises(UnaskableError, match="has 65 characters, and a use case's name at most 64"):
        asked_of("x" * (longest + 1))
    with pytest.raises(FeatureCatalogError):
        asked_of("x" * longest)


def service(*features: Any) -> FeatureService:
    return FeatureService("churn", features)


def seen(key: str) -> FeatureGroup:
    return FeatureGroup(
        "seen", Entity("who", key), Source("silver/clicks"), windows=(days(1),), aggregations=(count(),)
    )


def unaskable() -> Iterator[Any]:
    amount, score = Input("amount"), seen("score")
    yield pytest.param(service(Derived("now", amount)), "about nobody", id="no entity")
    yield pytest.param(service(*score.features), "called like a field of every answer", id="a key called score")
    both = (*seen("amount").features, Derived("now", amount))
    yield pytest.param(service(*both), "have one name", id="a key that is an input")


@pytest.mark.parametrize(("made", "complaint"), unaskable())
def test_a_service_that_no_request_can_be_about_stops_the_start(
    made: FeatureService, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked_module.catalog, "service", lambda _: made)
    with pytest.raises(UnaskableError, match=complaint):
        asked_of("churn")
