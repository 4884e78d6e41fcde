"""Airflow's configuration, derived from the settings: the only place that knows an ``AIRFLOW__*`` variable."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from tidemill.config.environment import settings_environment
from tidemill.config.files import replace_file
from tidemill.config.secrets import secret
from tidemill.config.settings import Settings

ORCHESTRATION = Path(__file__).resolve().parent
DAGS = ORCHESTRATION / "dags"
PLUGINS = ORCHESTRATION / "plugins"


def airflow_environment(settings: Settings) -> dict[str, str]:
    """Every variable an Airflow process of this project needs, beside those of :func:`process_environment`.

    Holds secrets: give it to a process, never to a log. Writes the passwords file of Airflow's simple auth manager,
    readable by the owner alone.
    """
    sections = {
        "core": _core(settings),
        "api": _api(settings),
        "api_auth": {"jwt_secret": secret(settings, "airflow_jwt").get_secret_value()},
        "database": {"sql_alchemy_conn": settings.expand(settings.airflow.database)},
        "logging": _logging(settings),
        "scheduler": {"catchup_by_default": "False", "enable_health_check": "False"},
        "dag_processor": _dag_processor(settings),
        # A machine that trains and streams at the same time answers late: late is not failed.
        "workers": {"execution_api_timeout": "60"},
    }
    variables = {
        f"AIRFLOW__{section.upper()}__{key.upper()}": value
        for section, values in sections.items()
        for key, value in values.items()
    }
    return settings_environment(settings) | variables | {"AIRFLOW_HOME": str(airflow_home(settings))}


def airflow_home(settings: Settings) -> Path:
    return settings.home / "airflow"


def _core(settings: Settings) -> dict[str, str]:
    return {
        "dags_folder": str(DAGS),
        "plugins_folder": str(PLUGINS),
        "executor": settings.airflow.executor,
        "parallelism": str(settings.airflow.parallelism),
        "max_active_runs_per_dag": "1",
        "load_examples": "False",
        "dagbag_import_timeout": "120",
        "fernet_key": secret(settings, "airflow_fernet").get_secret_value(),
        "hostname_callable": "socket.gethostname",
        "execution_api_server_url": f"{settings.airflow.url.rstrip('/')}/execution/",
        "simple_auth_manager_users": f"{settings.airflow.user}:admin",
        "simple_auth_manager_passwords_file": str(_passwords_file(settings)),
    }


def _dag_processor(settings: Settings) -> dict[str, str]:
    return {
        "refresh_interval": "15",
        "parsing_processes": "1",
        "dag_file_processor_timeout": "180",
        "dag_bundle_config_list": json.dumps([_bundle(name, folder) for name, folder in _dag_folders(settings)]),
    }


def _dag_folders(settings: Settings) -> list[tuple[str, Path]]:
    """Where DAGs are, by the name of Airflow's bundle: the platform's, and the folder of the project's own."""
    own = [("project", settings.project / "dags")] if settings.project else []
    return [("dags-folder", DAGS), *own]


def _bundle(name: str, folder: Path) -> dict[str, object]:
    classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return {"name": name, "classpath": classpath, "kwargs": {"path": str(folder)}}


def _api(settings: Settings) -> dict[str, str]:
    address = urlsplit(settings.airflow.url)
    return {
        "base_url": settings.airflow.url,
        "host": address.hostname or "127.0.0.1",
        "port": str(address.port or (443 if address.scheme == "https" else 80)),
        "secret_key": secret(settings, "airflow_api").get_secret_value(),
        "workers": "1",
        "instance_name": "Tidemill",
    }


def _logging(settings: Settings) -> dict[str, str]:
    logs = airflow_home(settings) / "logs"
    return {
        "base_log_folder": str(logs),
        "dag_processor_child_process_log_directory": str(logs / "dag_processor"),
        "colored_console_log": "False",
    }


def _passwords_file(settings: Settings) -> Path:
    path = airflow_home(settings) / "passwords.json"
    passwords = {settings.airflow.user: secret(settings, "airflow_password").get_secret_value()}
    replace_file(path, json.dumps(passwords).encode())
    return path
