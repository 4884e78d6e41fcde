from tests.unit.monitoring.control.test_leases import *  # noqa: F403 - the same tests, on PostgreSQL
