from tests.unit.monitoring.control.test_migrations import *  # noqa: F403 - the same tests, on PostgreSQL
