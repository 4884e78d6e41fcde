"""The API tried with what schemathesis makes of its OpenAPI schema."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import BaseSchema, Case

from tests.integration.model_serving.conftest import ModelServer


@pytest.fixture
def api(server: ModelServer) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{server.settings.serving.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_the_schema_promises_and_none_is_the_servers_fault(case: Case) -> None:
    response = case.call_and_validate()

    assert response.status_code < 500
