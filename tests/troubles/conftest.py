"""One stack for all: started by ``tidemill up``, stopped and removed by ``tidemill down --purge``."""

from collections.abc import Iterator

import pytest

from tests.integration.conftest import settings_on_free_ports
from tests.troubles.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = settings_on_free_ports(tmp_path_factory.mktemp("troubles") / "Höme mit Leerzeichen")
    stream = settings.stream.model_copy(update={"trigger_s": 0.5})
    stack = Stack.at(settings.model_copy(update={"stream": stream}))
    try:
        stack.tidemill("up", "kafka", "redis", "stream")
        yield stack
    finally:
        stack.tidemill("down", "--purge", "--yes")
