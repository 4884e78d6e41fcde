"""``tidemill config show`` as a person sees it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tidemill.cli import cli


def test_config_show_names_the_origin_and_hides_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("TIDEMILL_REDIS__PASSWORD", "hunter2")
    result = CliRunner().invoke(cli, ["config", "show", "--json"])
    assert result.exit_code == 0, result.output
    rows = {row["key"]: row for row in json.loads(result.output)}
    assert rows["home"]["value"] == str(tmp_path)
    assert rows["redis.password"] == {
        "key": "redis.password",
        "value": "********",
        "origin": "environment TIDEMILL_REDIS__PASSWORD",
    }
    assert "hunter2" not in result.output
    assert rows["secret.airflow_password"]["value"] == "********"


def test_config_get_prints_one_value_for_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_SERVING__URL", "http://127.0.0.1:8123")
    monkeypatch.setenv("TIDEMILL_REDIS__PASSWORD", "hunter2")
    values = {
        key: CliRunner().invoke(cli, ["config", "get", key]).output
        for key in ("serving.url", "redis.port", "stream.topics", "redis.password")
    }
    assert values == {
        "serving.url": "http://127.0.0.1:8123\n",
        "redis.port": "6379\n",
        "stream.topics": "[]\n",
        "redis.password": "********\n",
    }


def test_config_get_says_what_a_wrong_key_may_be_meant_for() -> None:
    result = CliRunner().invoke(cli, ["config", "get", "serving.uri"])
    assert result.exit_code == 1
    assert "there is no setting 'serving.uri'; did you mean 'serving.url'?" in str(result.exception)


def test_help_lists_every_command_without_importing_it() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert all(name in result.output for name in ("up", "down", "reconcile", "models"))


@pytest.mark.parametrize(
    ("variable", "value", "key", "shown"),
    [
        (
            "STREAM__KAFKA_OPTIONS",
            '{"kafka.sasl.jaas.config": "x y"}',
            "stream.kafka_options.kafka.sasl.jaas.config",
            "*" * 8,
        ),
        ("KAFKA__CLIENT", '{"sasl.password": "x"}', "kafka.client.sasl.password", "*" * 8),
        (
            "LAKE__STORAGE_OPTIONS",
            '{"AWS_SECRET_ACCESS_KEY": "x"}',
            "lake.storage_options.AWS_SECRET_ACCESS_KEY",
            "*" * 8,
        ),
        (
            "SPARK__CONF",
            '{"spark.hadoop.fs.s3a.access.key": "x"}',
            "spark.conf.spark.hadoop.fs.s3a.access.key",
            "*" * 8,
        ),
        (
            "AIRFLOW__DATABASE",
            "postgresql://me:x@db/airflow",
            "airflow.database",
            "postgresql://me:********@db/airflow",
        ),
        (
            "CONTROL__URL",
            "postgresql+psycopg://me:x@db/tidemill",
            "control.url",
            "postgresql+psycopg://me:********@db/tidemill",
        ),
        ("CONTROL__PASSWORD", "x", "control.password", "*" * 8),
        (
            "CONTROL__URL",
            "postgresql+psycopg://me@db/tidemill?password=x&sslmode=require",
            "control.url",
            "postgresql+psycopg://me@db/tidemill?password=********&sslmode=require",
        ),
        (
            "NIFI__PAGES",
            '{"orders": "https://shop.example/orders?page=1&api_token=x&sig=y#top"}',
            "nifi.pages.orders",
            "https://shop.example/orders?page=1&api_token=********&sig=********#top",
        ),
        ("KAFKA__CLIENT", '{"ssl.key.pem": "x"}', "kafka.client.ssl.key.pem", "*" * 8),
        ("KAFKA__CLIENT", '{"ssl.key.location": "/k.pem"}', "kafka.client.ssl.key.location", "/k.pem"),
        (
            "STREAM__KAFKA_OPTIONS",
            '{"kafka.ssl.keystore.key": "x"}',
            "stream.kafka_options.kafka.ssl.keystore.key",
            "*" * 8,
        ),
        (
            "LAKE__STORAGE_OPTIONS",
            '{"AZURE_STORAGE_SAS_KEY": "x"}',
            "lake.storage_options.AZURE_STORAGE_SAS_KEY",
            "*" * 8,
        ),
        ("KAFKA__CLIENT", '{"sasl.username": "me"}', "kafka.client.sasl.username", "me"),
    ],
)
def test_secrets_in_the_options_of_other_clients_are_hidden(
    variable: str, value: str, key: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TIDEMILL_{variable}", value)
    result = CliRunner().invoke(cli, ["config", "show", "--json"])
    assert result.exit_code == 0, result.output
    assert {row["key"]: row["value"] for row in json.loads(result.output)}[key] == shown
