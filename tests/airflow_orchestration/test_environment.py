import json
import stat
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

from airflow_orchestration.environment import airflow_environment, airflow_home
from tidemill.config.settings import REPO, Settings, load_settings


def test_a_process_started_with_it_has_the_same_settings(settings: Settings) -> None:
    assert load_settings(airflow_environment(settings)) == settings


def test_the_passwords_file_has_the_user_and_only_the_owner_can_read_it(settings: Settings) -> None:
    path = airflow_home(settings) / "passwords.json"
    assert airflow_environment(settings)["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(json.loads(path.read_text())) == [settings.airflow.user]


def test_the_fernet_key_encrypts(settings: Settings) -> None:
    fernet = Fernet(airflow_environment(settings)["AIRFLOW__CORE__FERNET_KEY"])
    assert fernet.decrypt(fernet.encrypt(b"token")) == b"token"


def test_the_api_server_listens_where_the_settings_say_and_tasks_call_it_there(settings: Settings) -> None:
    variables = airflow_environment(settings)
    address = urlsplit(settings.airflow.url)
    assert variables["AIRFLOW__API__HOST"] == address.hostname == "127.0.0.1"
    assert variables["AIRFLOW__API__PORT"] == str(address.port)
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"{settings.airflow.url}/execution/"


def test_dags_are_the_platforms_and_those_in_the_projects_folder(settings: Settings) -> None:
    def folders(of: Settings) -> dict[str, str]:
        bundles = json.loads(airflow_environment(of)["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
        return {bundle["name"]: bundle["kwargs"]["path"] for bundle in bundles}

    assert settings.project is not None
    platforms = {"dags-folder": str(REPO / "airflow_orchestration" / "dags")}
    assert folders(settings) == platforms | {"project": str(settings.project / "dags")}
    assert folders(settings.model_copy(update={"project": None})) == platforms


def test_secrets_differ_from_each_other_and_stay_the_same(settings: Settings) -> None:
    names = ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY")
    first, second = airflow_environment(settings), airflow_environment(settings)
    assert len({first[name] for name in names}) == len(names)
    assert [first[name] for name in names] == [second[name] for name in names]
