from tests.unit.monitoring.control.test_rollouts import *  # noqa: F403 - the same tests, on PostgreSQL
