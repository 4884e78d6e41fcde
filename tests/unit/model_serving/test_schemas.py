import pytest
from pydantic import ValidationError

from model_serving.schemas import DegradedReason, PredictRequest


@pytest.mark.parametrize(
    ("document", "place"),
    [
        pytest.param({}, ("instances",), id="no instances"),
        pytest.param({"instances": []}, ("instances",), id="empty instances"),
        pytest.param({"instances": {}}, ("instances",), id="instances is no list"),
        pytest.param({"instances": [{}]}, ("instances", 0, "customer_id"), id="no id"),
        pytest.param({"instances": [{"customer_id": ""}]}, ("instances", 0, "customer_id"), id="empty id"),
        pytest.param({"instances": [{"customer_id": "x" * 65}]}, ("instances", 0, "customer_id"), id="long id"),
        pytest.param({"instances": [{"customer_id": 17850}]}, ("instances", 0, "customer_id"), id="number as id"),
        pytest.param({"instances": [{"customer_id": None}]}, ("instances", 0, "customer_id"), id="null as id"),
        pytest.param({"instances": [{"customer_id": float("nan")}]}, ("instances", 0, "customer_id"), id="nan as id"),
        pytest.param({"instances": [{"customer_id": "\ud800"}]}, ("instances", 0, "customer_id"), id="surrogate"),
        pytest.param({"instances": [{"customer_id": "1", "x": 1}]}, ("instances", 0, "x"), id="extra in instance"),
        pytest.param({"instances": [{"customer_id": "1"}], "x": 1}, ("x",), id="extra in body"),
        pytest.param([], (), id="a list"),
    ],
)
def test_a_malformed_request_names_the_field(document: object, place: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as raised:
        PredictRequest.model_validate(document)

    assert raised.value.errors()[0]["loc"] == place


@pytest.mark.parametrize("customer_id", ["1", "x" * 64, "Zoë", "客户", " "])
def test_any_text_of_1_to_64_characters_is_a_customer(customer_id: str) -> None:
    request = PredictRequest.model_validate({"instances": [{"customer_id": customer_id}]})

    assert request.instances[0].customer_id == customer_id


def test_every_degraded_reason_is_described() -> None:
    described = DegradedReason.__doc__ or ""

    assert [reason for reason in DegradedReason if f"`{reason}`" not in described] == []
