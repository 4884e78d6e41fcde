"""An MLflow and a control store of these tests alone, which they may end."""

from collections.abc import Iterator

import pytest

from tests.integration.conftest import settings_on_free_ports
from tests.integration.model_serving.conftest import Backends
from tidemill.config import Settings
from tidemill.config.environment import settings_environment


@pytest.fixture(scope="package")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_on_free_ports(tmp_path_factory.mktemp("outages"))


@pytest.fixture(scope="package")
def environment(settings: Settings) -> dict[str, str]:
    return settings_environment(settings)


@pytest.fixture(scope="package")
def servers(settings: Settings) -> Iterator[Backends]:
    servers = Backends(settings)
    servers.start("mlflow")
    yield servers
    servers.stop_all()


@pytest.fixture(scope="package")
def mlflow_server(servers: Backends) -> str:
    return servers.settings.mlflow.tracking_uri
