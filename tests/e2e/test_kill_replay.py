"""kill -9 of a replay: run again, it goes on where the broker had everything, and the lake has each row once."""

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.stream_app import TOPIC, StreamApp
from tests.integration.conftest import settings_on_free_ports
from tests.integration.ingestion_layer.replay_process import (
    GOOD,
    check_complete,
    finish,
    started,
    wait_for_progress,
    write_file,
)
from tidemill.config.environment import settings_environment
from tidemill.stack.services import kafka as kafka_service
from tidemill.stack.supervision.running import running, stop_group

pytestmark = pytest.mark.timeout(1200)


def test_killed_and_run_again_each_row_is_in_silver_once(tmp_path: Path) -> None:
    own, file = settings_on_free_ports(tmp_path / "home"), write_file(tmp_path)
    settings = own.model_copy(update={"stream": own.stream.model_copy(update={"topics": [TOPIC]})})
    with running(kafka_service.services(settings)[0], settings):
        with started(settings, file) as process:
            position = wait_for_progress(settings, process)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        summary = finish(settings, file)
        assert int(str(summary["began_at"])) >= position > 0
        check_complete(settings, summary)
        again = finish(settings, file)
        assert (again["sent"], again["produced"]) == (0, summary["produced"])

        stream = StreamApp(settings, settings_environment(settings))
        try:
            report = stream.reconcile()
        finally:
            stop_group(stream.process, 30)
    topic = report["topics"][TOPIC]
    assert report["holds"], topic["findings"]
    assert topic["silver_rows"] == GOOD
    assert topic["quarantine_by_reason"] == {}
