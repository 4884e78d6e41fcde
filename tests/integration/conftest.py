"""The real servers: each starts once a session, in a temporary home, on free ports, and is stopped by its pid."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tidemill.config import Settings, load_settings
from tidemill.config.environment import settings_environment
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.services import kafka as kafka_service
from tidemill.stack.services import mlflow as mlflow_service
from tidemill.stack.services import redis as redis_service
from tidemill.stack.supervision.running import running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests say that they have seen, whichever process they ran in."""
    for report in terminalreporter.getreports("passed"):
        for name, said in report.user_properties:
            if name == "seen":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {said}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of a folder next to each other, in the random order of the first: its servers end with the last.

    Where a folder is a package, what its tests share has the scope ``package``.
    """
    places: dict[Path, int] = {}

    def place(item: pytest.Item) -> tuple[int, ...]:
        folders = item.path.relative_to(item.config.rootpath).parents
        return tuple(places.setdefault(folder, len(places)) for folder in reversed(folders))

    items.sort(key=place)


def settings_on_free_ports(home: Path) -> Settings:
    """The local settings, moved to ``home`` and to ports nothing listens on; Spark takes 1 GiB, one model is served."""
    broker, controller, redis, mlflow, metrics, airflow, serving, events, flink, flink_rpc, *nifi = free_ports(13)
    return load_settings(
        {
            "TIDEMILL_HOME": str(home),
            "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{broker}",
            "TIDEMILL_KAFKA__CONTROLLER_PORT": str(controller),
            "TIDEMILL_REDIS__PORT": str(redis),
            "TIDEMILL_MLFLOW__TRACKING_URI": f"http://127.0.0.1:{mlflow}",
            "TIDEMILL_STREAM__METRICS_ADDRESS": f"127.0.0.1:{metrics}",
            "TIDEMILL_AIRFLOW__URL": f"http://127.0.0.1:{airflow}",
            "TIDEMILL_SERVING__URL": f"http://127.0.0.1:{serving}",
            "TIDEMILL_FLINK__URL": f"http://127.0.0.1:{flink}",
            "TIDEMILL_FLINK__RPC_PORT": str(flink_rpc),
            "TIDEMILL_NIFI__URL": f"http://127.0.0.1:{nifi[0]}",
            "TIDEMILL_NIFI__MANAGEMENT_PORT": str(nifi[1]),
            "TIDEMILL_NIFI__RECEIVER_PORT": str(nifi[2]),
            "TIDEMILL_FLINK__CHECKPOINT_S": "1",
            "TIDEMILL_EVENTS__URL": f"http://127.0.0.1:{events}",
            "TIDEMILL_SERVING__USE_CASES": '["churn"]',
            "TIDEMILL_SPARK__DRIVER_MEMORY_MB": "1024",
            "TIDEMILL_STREAM__DRIVER_MEMORY_MB": "1024",
        }
    )


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_on_free_ports(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def environment(settings: Settings) -> dict[str, str]:
    """The ``TIDEMILL_*`` variables that give a subprocess the settings of the tests."""
    return settings_environment(settings)


@pytest.fixture(scope="session")
def kafka(settings: Settings) -> Iterator[str]:
    """The broker; the value is its ``bootstrap.servers``."""
    with running(kafka_service.services(settings)[0], settings):
        yield settings.kafka.bootstrap_servers


@pytest.fixture(scope="session")
def redis_server(settings: Settings) -> Iterator[tuple[str, int]]:
    """Redis; the value is its host and port."""
    with running(redis_service.services(settings)[0], settings):
        yield settings.redis.host, settings.redis.port


@pytest.fixture(scope="session")
def mlflow_server(settings: Settings) -> Iterator[str]:
    """The tracking server; the value is its URI."""
    with running(mlflow_service.services(settings)[0], settings):
        yield settings.mlflow.tracking_uri


@pytest.fixture(scope="session")
def spark(settings: Settings) -> Iterator[SparkSession]:
    """One Spark session, shared: a session takes ten seconds to start."""
    from data_lake.spark import session

    spark = session("tests", settings)
    yield spark
    spark.stop()
