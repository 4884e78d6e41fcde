"""Two customers in states, in a Redis that the tests of a file share."""

from collections.abc import Iterator

import pytest

from tests.integration.conftest import settings_on_free_ports
from tests.integration.feature_store.stream.kept_states import HOUR, Kept, now
from tidemill.config import Settings
from tidemill.stack.services import redis as redis_service
from tidemill.stack.supervision.running import running


@pytest.fixture(scope="module")
def states_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    own = settings_on_free_ports(tmp_path_factory.mktemp("kept"))
    patient = own.model_copy(update={"serving": own.serving.model_copy(update={"feature_timeout_s": 20.0})})
    with running(redis_service.services(patient)[0], patient):
        yield patient


@pytest.fixture
def kept(states_home: Settings) -> Kept:
    """Two customers with a purchase each, in states."""
    made = Kept(states_home)
    made.arrive([("c0", now() - HOUR), ("c1", now() - HOUR)])
    made.apply()
    return made
