"""A real Airflow in a temporary home: its database migrated once, its four services started once when a test asks.

The platform's commands are replaced by ``platform_double``: these tests are about the orchestration, that is which
commands run, with which arguments, in which order, and what follows from how they end. The demo and the end-to-end
tests run the same DAGs with the real commands.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_orchestration.environment import airflow_environment
from airflow_orchestration.processes import initialisation_commands
from tests.airflow_orchestration.platform_double import PlatformDouble
from tests.airflow_orchestration.services import Services
from tidemill.airflow_api import AirflowApi
from tidemill.airflow_client import AirflowClient
from tidemill.config.project import current_project
from tidemill.config.sections import Schedules
from tidemill.config.settings import REPO, Settings, load_settings
from tidemill.stack.machine.ports import free_ports

USE_CASES = [path.parent.name for path in (REPO / "use_cases").glob("*/model.yaml")]


def _project_with_the_dag_of_the_docs(home: Path) -> Path:
    """A project beside the platform whose folder ``dags`` has what docs/orchestration.md shows, as it is there."""
    page = (REPO / "docs" / "orchestration.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"`dags/(\w+\.py)`:\n\n```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    dags = home / "project" / "dags"
    dags.mkdir(parents=True)
    (dags.parent / "tidemill.toml").touch()
    (dags / shown[0]).write_text(shown[1], encoding="utf-8")
    return dags.parent


def _temporary_settings(home: Path) -> Settings:
    page, metrics = free_ports(2)
    variables = {
        "TIDEMILL_HOME": str(home),
        "TIDEMILL_PROJECT": str(_project_with_the_dag_of_the_docs(home)),
        "TIDEMILL_PLATFORM_ENVIRONMENT": str(home / "platform"),
        "TIDEMILL_AIRFLOW__URL": f"http://127.0.0.1:{page}",
        "TIDEMILL_AIRFLOW__RETRY_DELAY_S": "1",
        "TIDEMILL_SERVING__USE_CASES": '["churn"]',
        "TIDEMILL_STREAM__METRICS_ADDRESS": f"127.0.0.1:{metrics}",
    }
    yearly = {
        f"TIDEMILL_AIRFLOW__SCHEDULES__{dag.upper()}": "0 0 1 1 *"
        for dag, field in Schedules.model_fields.items()
        if field.annotation is str
    }
    for of_use_cases in ("REQUEST", "MONITOR"):
        yearly[f"TIDEMILL_AIRFLOW__SCHEDULES__{of_use_cases}"] = json.dumps(dict.fromkeys(USE_CASES, "0 0 1 1 *"))
    return load_settings(variables | yearly)


HOME = Path(tempfile.mkdtemp(prefix="tidemill-airflow-"))
SETTINGS = _temporary_settings(HOME)
# Airflow reads its configuration when it is first imported, which is when pytest imports the test modules.
os.environ.update(airflow_environment(SETTINGS))
# What a scheduler that died leaves behind is looked for every five minutes: here, tests wait for it.
SOONER = {
    "ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
}
os.environ.update({f"AIRFLOW__SCHEDULER__{name}": value for name, value in SOONER.items()})


def pytest_sessionfinish() -> None:
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return SETTINGS


@pytest.fixture(scope="session")
def database(settings: Settings) -> None:
    """Airflow's own database, migrated, with the pools."""
    for command in initialisation_commands(settings):
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HOME)
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="session")
def services(settings: Settings, database: None) -> Iterator[Services]:
    """The API server, the scheduler, the DAG processor and the triggerer, running."""
    services = Services(settings, HOME)
    try:
        services.start()
        yield services
    finally:
        services.stop()


@pytest.fixture(scope="session")
def airflow(settings: Settings, services: Services) -> Settings:
    """The settings by which Airflow runs."""
    return settings


@pytest.fixture
def lake(settings: Settings) -> Iterator[Path]:
    """An empty lake."""
    folder = Path(settings.lake_root)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPO


@pytest.fixture
def platform(settings: Settings) -> PlatformDouble:
    """The stand-in for the platform environment, with no answers and no calls yet."""
    return PlatformDouble(settings.platform_environment)


@pytest.fixture
def client(airflow: Settings) -> Iterator[AirflowClient]:
    with AirflowClient(airflow) as made:
        yield made


@pytest.fixture
def api(airflow: Settings) -> Iterator[AirflowApi]:
    made = AirflowApi(airflow)
    yield made
    made.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a project without the platform's own definitions: nothing is in it yet."""
    (tmp_path / "tidemill.toml").write_text("[project]\nbuiltin = false\n", encoding="utf-8")
    monkeypatch.setenv("TIDEMILL_PROJECT", str(tmp_path))
    monkeypatch.delenv("TIDEMILL_SERVING__USE_CASES", raising=False)
    monkeypatch.delenv("TIDEMILL_AIRFLOW__SCHEDULES__MONITOR", raising=False)
    monkeypatch.delenv("TIDEMILL_AIRFLOW__SCHEDULES__REQUEST", raising=False)
    current_project.cache_clear()
    yield tmp_path
    current_project.cache_clear()


@pytest.fixture
def folder(project: Path) -> Path:
    """Where such a project has its use cases."""
    return project / "use_cases"
