"""A broker and a Flink cluster of these tests' own, with a checkpoint each second."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ingestion_layer.kafka.topics import ensure_topics
from tests.integration.conftest import settings_on_free_ports
from tidemill.config import Settings
from tidemill.stack.services import flink as flink_service
from tidemill.stack.services import kafka as kafka_service
from tidemill.stack.supervision.running import running


@contextmanager
def running_flink(home: Path, checkpoint_s: float | None = None) -> Iterator[Settings]:
    """The settings of the running cluster, whose topics are made."""
    settings = settings_on_free_ports(home)
    if checkpoint_s is not None:
        flink = settings.flink.model_copy(update={"checkpoint_s": checkpoint_s})
        settings = settings.model_copy(update={"flink": flink})
    services = {service.name: service for service in flink_service.services(settings)}
    with ExitStack() as stack:
        stack.enter_context(running(kafka_service.services(settings)[0], settings))
        for name in (flink_service.JOB_MANAGER, flink_service.TASK_MANAGER):
            stack.enter_context(running(services[name], settings))
        ensure_topics(settings)
        yield settings


@pytest.fixture(scope="package")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A cluster that these tests share."""
    with running_flink(tmp_path_factory.mktemp("flink")) as settings:
        yield settings
