"""Flink as a person runs it: by the ``tidemill`` command, under supervisord, and killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ingestion_layer.kafka.topics import ensure_topics
from stream_processing.flink.cluster import Cluster
from stream_processing.flink.deployments import deployment
from stream_processing.flink.overview import overview
from stream_processing.flink.restoring import newest_state
from tests.cases.clicks import arriving_clicks, later
from tests.cases.naive_sessions import naive_sessions
from tests.integration.conftest import settings_on_free_ports
from tests.integration.stream_processing.flink.results import send, sessions_sent, wait_for
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.stack.down import down
from tidemill.stack.folders import Folders
from tidemill.stack.status import ServiceStatus, status
from tidemill.stack.supervision.daemon import service_record

CLICKS = "shop.click.v1"
OTHERS = 40
NAME = "Höme 家 mit Leerzeichen"
pytestmark = [pytest.mark.ingestion, pytest.mark.matrix, pytest.mark.timeout(3_600)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a stack with Flink and what it needs, whose topics are made."""
    settings = settings_on_free_ports(tmp_path_factory.mktemp(NAME))
    try:
        tidemill(settings, "up", "flink")
        ensure_topics(settings)
        yield settings
    finally:
        down(settings)


def tidemill(settings: Settings, *arguments: str) -> str:
    """What the command printed."""
    command = [str(Path(sys.executable).parent / "tidemill"), *arguments]
    environment = os.environ | settings_environment(settings)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked(settings: Settings, *arguments: str) -> Any:
    return json.loads(tidemill(settings, *arguments, "--json"))


def test_a_job_survives_each_of_its_managers_the_broker_and_its_own_change(stack: Settings) -> None:
    clicks = arriving_clicks(Random(11), 4_000, 200)
    judged = naive_sessions(clicks)
    send(stack, CLICKS, clicks[:1_000])
    deployed = asked(stack, "flink", "deploy", "sessions")
    assert (deployed["was"], deployed["restored"]) == ("new", None)
    assert asked(stack, "flink", "deploy", "sessions")["was"] == "already running"

    _wait_for_a_checkpoint(stack)
    _kill(stack, "flink-job-manager")
    send(stack, CLICKS, clicks[1_000:2_000])
    wait_for(lambda: _job_id(stack) != deployed["job_id"] and _runs(stack), "the job is given to the new job manager")
    assert str(_restored(stack)).startswith(f"file://{stack.home}/flink/checkpoints/sessions/{deployed['job_id']}/")

    _wait_for_a_checkpoint(stack)
    after_job_manager, restored = _job_id(stack), _restored(stack)
    _kill(stack, "flink-task-manager")
    send(stack, CLICKS, clicks[2_000:3_000])
    wait_for(lambda: _restored(stack) not in {restored, None}, "the job went back to a newer checkpoint")
    wait_for(lambda: _runs(stack), "the job runs again on the new task manager")
    assert _job_id(stack) == after_job_manager

    _wait_for_a_checkpoint(stack)
    _kill(stack, "kafka")
    wait_for(lambda: _services(stack)["kafka"].restarts == 1, "the broker is started again")
    wait_for(lambda: _services(stack)["kafka"].state == "ready", "the broker is back")
    send(stack, CLICKS, clicks[3_000:3_500])
    _wait_for_a_checkpoint(stack)
    wait_for(lambda: _runs(stack), "the job runs on")

    made = asked(stack, "flink", "savepoint", "sessions")["savepoint"]
    assert made.startswith(f"file://{stack.home}/flink/savepoints/sessions/")
    stopped = asked(stack, "flink", "stop", "sessions")["savepoint"]
    send(stack, CLICKS, [*clicks[3_500:], *later(OTHERS, 24)])
    assert [job.state for job in overview(stack) if job.job == "sessions"] == ["stopped"]
    again = asked(stack, "flink", "deploy", "sessions")
    assert again["restored"] == stopped

    wait_for(lambda: judged.keys() <= sessions_sent(stack).keys(), "every visit of the judge was sent")
    (listed,) = [job for job in asked(stack, "flink", "list") if job["job"] == "sessions"]
    assert (listed["state"], listed["late"]) == ("RUNNING", 0)
    services = _services(stack)
    assert {services[name].state for name in services if name.startswith("flink-")} == {"ready"}
    assert services["flink-job-manager"].address == stack.flink.url


def _services(stack: Settings) -> dict[str, ServiceStatus]:
    return {service.name: service for service in status(stack).services}


def _runs(stack: Settings) -> bool:
    return any(job.state == "RUNNING" for job in overview(stack) if job.job == "sessions")


def _restored(stack: Settings) -> str | None:
    return Cluster(stack).restored_from(_job_id(stack))


def _job_id(stack: Settings) -> str:
    recorded = deployment(stack, "sessions")
    assert recorded is not None
    return str(recorded.job_id)


def _wait_for_a_checkpoint(stack: Settings) -> None:
    before = deployment(stack, "sessions")
    assert before is not None
    known = newest_state(stack, before)
    wait_for(lambda: newest_state(stack, before) != known, "there is a newer checkpoint")


def _kill(stack: Settings, service: str) -> None:
    record = service_record(Folders.of(stack), service)
    process = record.process() if record else None
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
