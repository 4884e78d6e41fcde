"""A lake and a Redis of one's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import settings_on_free_ports
from tidemill.config import Settings
from tidemill.stack.services import redis as redis_service
from tidemill.stack.supervision.running import running


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Settings with an empty home, ports of their own, small chunks and patience; nothing is started."""
    own = settings_on_free_ports(tmp_path)
    feast = own.feast.model_copy(update={"write_chunk_rows": 4})
    serving = own.serving.model_copy(update={"feature_timeout_s": 20.0})
    return own.model_copy(update={"feast": feast, "serving": serving})


@pytest.fixture
def redis_home(home: Settings) -> Iterator[Settings]:
    """The same with an empty Redis."""
    with running(redis_service.services(home)[0], home):
        yield home
