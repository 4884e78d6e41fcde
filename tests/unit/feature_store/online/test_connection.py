"""The address of the online store, as Feast reads it."""

import pytest
from feast.infra.online_stores.redis import RedisOnlineStore

from feature_store.online.connection import connection_string
from tidemill.config import Settings
from tidemill.config.sections import Redis


@pytest.mark.parametrize("password", ["plain", "a,b=c", "12345", "1e5", 'quo"te', "back\\slash", "naïve ✓"])
def test_feast_reads_back_the_password_and_the_timeouts(password: str) -> None:
    settings = Settings(redis=Redis(host="redis", port=7000, password=password))  # type: ignore[arg-type]
    nodes, options = RedisOnlineStore._parse_connection_string(connection_string(settings, timeout_s=0.5))
    assert nodes == [{"host": "redis", "port": "7000"}]
    assert options == {"socket_connect_timeout": 0.25, "socket_timeout": 0.25, "password": password}
