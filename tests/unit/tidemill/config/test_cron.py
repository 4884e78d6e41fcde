import pytest

from tests.cases.cron_expressions import REFUSED, TAKEN
from tidemill.config.cron import checked


@pytest.mark.parametrize("expression", TAKEN)
def test_a_cron_expression_is_taken(expression: str) -> None:
    assert checked(expression) == expression


@pytest.mark.parametrize("expression", REFUSED)
def test_what_is_no_cron_expression_or_never_comes_is_refused(expression: str) -> None:
    with pytest.raises(ValueError):
        checked(expression)
