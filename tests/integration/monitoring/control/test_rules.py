from tests.unit.monitoring.control.test_rules import *  # noqa: F403 - the same tests, on PostgreSQL
