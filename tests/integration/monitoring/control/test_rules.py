from collections.abc import Callable

import pytest

from tests.unit.monitoring.control.test_rules import *  # noqa: F403 - the same tests, on PostgreSQL
from tests.unit.monitoring.control.test_rules import hold_the_rules


@pytest.mark.matrix
def test_the_store_keeps_the_rules_for_long(new_url: Callable[[], str]) -> None:
    hold_the_rules(new_url, 200)
