from tests.unit.monitoring.control.test_races import *  # noqa: F403 - the same tests, on PostgreSQL
