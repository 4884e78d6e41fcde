from pathlib import Path

import httpx
import pytest
import requests.utils
from pydantic import SecretStr

from tidemill.config.environment import process_environment, settings_environment
from tidemill.config.settings import REPO, Settings, load_settings

OWN = {
    "PATH": "/usr/bin",
    "HOME": "/home/me",
    "USER": "me",
    "JAVA_HOME": "/java",
    "TIDEMILL_HOME": "/data",
    "TIDEMILL_SECRET_AIRFLOW_API": "s3cret",
    "AWS_ACCESS_KEY_ID": "id",
    "GOOGLE_APPLICATION_CREDENTIALS": "/key.json",
    "KRB5CCNAME": "/tickets",
    "MLFLOW_TRACKING_TOKEN": "token",
    "SUPERVISED_FROM": "/data/run/stream.json",
}
OTHERS = """
AIRFLOW__CORE__LOAD_EXAMPLES AIRFLOW_HOME _AIRFLOW__AS_LIBRARY CLASSPATH FEAST_USAGE FTP_PROXY GUNICORN_CMD_ARGS
HADOOP_CONF_DIR JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS KAFKA_HEAP_OPTS LANG LC_COLLATE MLFLOW_TRACKING_URI
MLFLOW_EXPERIMENT_ID OMP_NUM_THREADS PROMETHEUS_MULTIPROC_DIR PYSPARK_SUBMIT_ARGS PYTHONHOME PYTHONSTARTUP
PYTHONWARNINGS REDIS_URL REQUESTS_CA_BUNDLE SPARK_CONF_DIR SPARK_HOME SPARK_LOCAL_DIRS SSL_CERT_DIR SSL_CERT_FILE TZ
UVICORN_PORT VIRTUAL_ENV WEB_CONCURRENCY _JAVA_OPTIONS
"""
GIVEN = {
    "LC_ALL": "C.UTF-8",
    "PYTHONUTF8": "1",
    "PYTHONPATH": str(REPO),
    "PYTHONUNBUFFERED": "1",
    "MALLOC_ARENA_MAX": "2",
    "NO_PROXY": "127.0.0.1,localhost,::1",
    "no_proxy": "127.0.0.1,localhost,::1",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


@pytest.mark.parametrize("profile", ["local", "cluster"])
def test_a_child_process_gets_the_settings_of_its_parent(profile: str, tmp_path: Path) -> None:
    variables = {
        "TIDEMILL_PROFILE": profile,
        "TIDEMILL_HOME": str(tmp_path),
        "TIDEMILL_REDIS__PASSWORD": "s3cret",
        "TIDEMILL_KAFKA__CLIENT": '{"security.protocol": "SSL"}',
        "TIDEMILL_SERVING__USE_CASES": '["churn", "fraud"]',
        "TIDEMILL_STREAM__TRIGGER_S": "0.5",
        "TIDEMILL_KEEP_VARIABLES": '["HADOOP_*"]',
    }
    settings = load_settings(variables)
    assert settings.redis.password == SecretStr("s3cret")
    assert load_settings(settings_environment(settings)) == settings


def test_settings_made_in_code_reach_the_child_too(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, platform_environment=tmp_path / "environment")
    assert load_settings(settings_environment(settings)) == settings


def test_what_others_obey_is_left_out_and_what_is_ours_passes(settings: Settings) -> None:
    inherited = OWN | dict.fromkeys(OTHERS.split(), "foreign") | {"LC_ALL": "POSIX", "PYTHONPATH": "/foreign"}
    assert process_environment(settings, inherited) == OWN | GIVEN


def test_a_setting_lets_more_variables_pass(settings: Settings) -> None:
    more = settings.model_copy(update={"keep_variables": ["HADOOP_*", "SSL_CERT_FILE", "ALL_PROXY"]})
    kept = {"HADOOP_CONF_DIR": "/hadoop", "SSL_CERT_FILE": "/ca.pem", "ALL_PROXY": "socks5://corp:1080"}
    assert process_environment(more, kept | {"SSL_CERT_DIR": "/certificates"}) == kept | GIVEN


@pytest.mark.parametrize(
    ("value", "is_kept"),
    [
        ("http://corp:3128", True),
        ("https://user:word@corp", True),
        ("corp:3128", True),
        ("socks5://corp:1080", False),
        ("socks5h://corp:1080", False),
        ("http://corp:port", False),
        ("http://", False),
        ("", False),
    ],
)
def test_only_a_proxy_that_every_client_understands_passes(settings: Settings, value: str, is_kept: bool) -> None:
    for name in ("HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        assert (process_environment(settings, {name: value}).get(name) == value) == is_kept


def test_no_proxy_is_the_callers_this_machine_and_each_host_of_the_settings(settings: Settings) -> None:
    remote = load_settings(
        {
            "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": "k1:9092, k2:9092",
            "TIDEMILL_REDIS__HOST": "cache",
            "TIDEMILL_MLFLOW__TRACKING_URI": "https://models.example:5000/path",
        }
    )
    found = process_environment(remote, {"NO_PROXY": ".corp, 127.0.0.1", "no_proxy": "intranet"})
    assert found["NO_PROXY"] == ".corp,127.0.0.1,intranet,localhost,::1,models.example,k1,k2,cache"
    assert found["no_proxy"] == found["NO_PROXY"]
    assert process_environment(remote, {"NO_PROXY": "*"})["NO_PROXY"] == "*"


def test_clients_reach_the_services_directly_whatever_proxies_the_shell_has(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY")
    shell = dict.fromkeys(names, "http://127.0.0.1:1") | {"ALL_PROXY": "socks5://127.0.0.1:1", "SSL_CERT_FILE": "/no"}
    for name in (*shell, "all_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in process_environment(settings, shell).items():
        monkeypatch.setenv(name, value)
    for url in (settings.mlflow.tracking_uri, settings.airflow.url, settings.serving.url):
        assert requests.utils.get_environ_proxies(url) == {}
    assert requests.utils.get_environ_proxies("http://elsewhere.example")["http"] == "http://127.0.0.1:1"
    with httpx.Client() as client:
        direct, proxied = (client._transport_for_url(httpx.URL(url)) for url in (settings.airflow.url, "http://else"))
    assert direct is client._transport
    assert proxied is not direct


def test_a_home_is_given_where_none_can_be_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 9)
    assert process_environment(settings, {})["HOME"] == str(settings.home)
