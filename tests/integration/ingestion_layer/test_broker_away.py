"""A replay whose broker goes away says so, and goes on later to leave the same events."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.conftest import settings_on_free_ports
from tests.integration.ingestion_layer.replay_process import (
    check_complete,
    finish,
    started,
    wait_for_progress,
    write_file,
)
from tidemill.config import Settings
from tidemill.stack.services import kafka as kafka_service
from tidemill.stack.supervision.running import running


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """Settings with a broker and a home of the test's own; a message may wait five seconds."""
    settings = settings_on_free_ports(tmp_path / "home")
    kafka = settings.kafka.model_copy(update={"delivery_timeout_s": 5.0})
    return settings.model_copy(update={"kafka": kafka})


@pytest.mark.matrix
def test_a_broker_that_stops_is_an_error_and_the_replay_goes_on_later(own: Settings, tmp_path: Path) -> None:
    file = write_file(tmp_path)
    with ExitStack() as stack:
        with running(kafka_service.services(own)[0], own):
            process = stack.enter_context(started(own, file))
            wait_for_progress(own, process)
        out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (75, "")
    assert own.kafka.bootstrap_servers in err
    assert "Traceback" not in err
    with running(kafka_service.services(own)[0], own):
        summary = finish(own, file)
        check_complete(own, summary)
        assert int(str(summary["began_at"])) > 0
