from tests.unit.monitoring.control.test_asking import *  # noqa: F403 - the same tests, on PostgreSQL
