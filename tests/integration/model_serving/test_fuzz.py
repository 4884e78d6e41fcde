"""The API tried with what schemathesis makes of its OpenAPI schema."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case

from tests.integration.model_serving.conftest import ModelServer


@pytest.mark.parametrize("examples", [60, pytest.param(1_500, marks=pytest.mark.attack)])
def test_every_answer_is_one_the_schema_promises_and_none_is_the_servers_fault(
    server: ModelServer, examples: int
) -> None:
    api = schemathesis.openapi.from_url(f"{server.settings.serving.url}/openapi.json")
    operations = [found.ok() for found in api.get_all_operations()]

    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
        def answers(case: Case) -> None:
            response = case.call_and_validate()
            assert response.status_code < 500

        answers()

    paths = {operation.path for operation in operations}
    assert paths >= {"/predict/churn", "/explain/churn", "/readyz", "/model-info/{use_case}"}
