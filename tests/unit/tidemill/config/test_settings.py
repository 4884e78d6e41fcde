"""Layers, origins and errors of the settings."""

import json
from pathlib import Path

import pytest

from tidemill.config.sections import Schedules
from tidemill.config.settings import ConfigError, load_settings, load_with_origin
from tidemill.contracts.registry import contracts


def test_the_local_profile_listens_on_loopback_only() -> None:
    settings = load_settings({})
    addresses = [
        settings.kafka.bootstrap_servers,
        settings.redis.host,
        settings.mlflow.tracking_uri,
        settings.stream.metrics_address,
        settings.airflow.url,
        settings.serving.url,
    ]
    assert all("127.0.0.1" in address for address in addresses)


def test_the_environment_wins_over_the_profile_and_the_profile_over_defaults() -> None:
    settings, origin = load_with_origin({"TIDEMILL_PROFILE": "cluster", "TIDEMILL_KAFKA__PARTITIONS": "48"})
    assert (settings.kafka.partitions, origin["kafka.partitions"]) == (48, "environment TIDEMILL_KAFKA__PARTITIONS")
    assert (settings.kafka.replication, origin["kafka.replication"]) == (3, "tidemill/config/cluster.toml")
    assert (settings.kafka.heap_mb, origin["kafka.heap_mb"]) == (512, "default")


def test_a_list_or_a_table_in_the_environment_is_json() -> None:
    settings = load_settings(
        {"TIDEMILL_SERVING__USE_CASES": '["churn", "fraud"]', "TIDEMILL_KAFKA__CLIENT": '{"security.protocol": "SSL"}'}
    )
    assert settings.serving.use_cases == ["churn", "fraud"]
    assert settings.kafka.client == {"security.protocol": "SSL"}


def test_home_is_absolute_and_goes_into_the_paths_under_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"TIDEMILL_HOME": "here"})
    assert settings.home == tmp_path / "here"
    assert settings.lake_root == f"{tmp_path}/here/lake"
    assert settings.checkpoints == f"{tmp_path}/here/checkpoints"


def test_a_home_has_one_spelling(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    for spelling in (tmp_path / "disk", tmp_path / "link", tmp_path / "disk" / ".." / "link"):
        assert load_settings({"TIDEMILL_HOME": str(spelling)}).home == tmp_path / "disk"


def test_a_home_that_no_folder_can_be_called_is_refused() -> None:
    with pytest.raises(ConfigError, match="TIDEMILL_HOME: embedded null"):
        load_settings({"TIDEMILL_HOME": "a\0b"})


@pytest.mark.parametrize(
    ("environ", "parts"),
    [
        pytest.param({"TIDEMILL_KAFKA__PRT": "1"}, ["kafka.prt", "'1'", "TIDEMILL_KAFKA__PRT"], id="unknown key"),
        pytest.param({"TIDEMILL_NOPE": "1"}, ["nope", "TIDEMILL_NOPE"], id="unknown section"),
        pytest.param({"TIDEMILL_REDIS__PORT": "x"}, ["redis.port", "'x'", "TIDEMILL_REDIS__PORT"], id="wrong type"),
        pytest.param({"TIDEMILL_REDIS__PORT": "70000"}, ["redis.port", "65535"], id="out of range"),
        pytest.param({"TIDEMILL_PROFILE": "moon"}, ["'moon'", "cluster, local"], id="unknown profile"),
        pytest.param({"TIDEMILL_SERVING__USE_CASES": "churn"}, ["serving.use_cases", "'churn'"], id="not a list"),
    ],
)
def test_a_bad_setting_names_key_value_and_place(environ: dict[str, str], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings(environ)
    assert all(part in str(error.value) for part in parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param('[kafka]\nport = 1\nzoo = "x"\n', ["kafka.zoo", "'x'", "broken.toml"], id="unknown key"),
        pytest.param('[redis]\nport = "x"\n', ["redis.port", "'x'", "broken.toml"], id="wrong type"),
        pytest.param("[kafka\n", ["broken.toml", "not valid TOML"], id="not TOML"),
    ],
)
def test_a_bad_profile_file_is_named(
    text: str, parts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.toml").write_text(text)
    monkeypatch.setattr("tidemill.config.settings.PROFILES", tmp_path)
    with pytest.raises(ConfigError) as error:
        load_settings({"TIDEMILL_PROFILE": "broken"})
    assert all(part in str(error.value) for part in parts)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        pytest.param("REDIS__PASSWORD__X", "hunter2", id="a table for a password"),
        pytest.param("KAFKA__CLIENT", '{"sasl.password": "hunter2",}', id="a comma too many"),
        pytest.param("KAFKA__CLIENT", "sasl.password=hunter2", id="no JSON at all"),
        pytest.param("KAFKA__CLIENT", '["sasl.password=hunter2"]', id="a list for a table"),
        pytest.param("KAFKA__CLIENT", '{"x": {"sasl.password": "hunter2"}}', id="a table in the table"),
        pytest.param("KAFKA__CLINT", '{"sasl.password": "hunter2"}', id="a key that is not there"),
        pytest.param("REDIS", '{"port": 1, "password": "hunter2"', id="a section that does not end"),
        pytest.param("CONTROL__URL", "mysql://u:hunter2@db/x", id="in a URL"),
        pytest.param("CONTROL__URL", f"mysql://u:hunter2{'x' * 200}@db/x", id="in a long URL"),
        pytest.param("CONTROL__URL", "mysql://u@db/x?password=hunter2", id="in the query of a URL"),
    ],
)
def test_a_bad_password_is_not_printed(variable: str, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings({f"TIDEMILL_{variable}": text})
    assert "hunter2" not in str(error.value)
    assert f"TIDEMILL_{variable}" in str(error.value)


def test_a_variable_that_is_no_json_says_where() -> None:
    with pytest.raises(ConfigError) as error:
        load_settings({"TIDEMILL_KAFKA__CLIENT": '{"sasl.mechanism" "PLAIN"}'})
    assert "it is no JSON: Expecting ':' delimiter: line 1 column 19 (char 18)" in str(error.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("kafka.bootstrap_servers", text) for text in ("foo", "", "foo:", ":9092", "foo:0", "a:1,b", "a:1,,b:2")],
        *[("kafka.bootstrap_servers", text) for text in ("fd00::5:9092", "[fd00::5]", "[fd00::g]:1", "http://a:1")],
        *[("redis.host", text) for text in ("127.0.0.1:6379", "redis://a", "", "a b", "fd00::g")],
        *[("mlflow.tracking_uri", text) for text in ("127.0.0.1:5000", "http://", "mlflow", "sqlite:///a", "")],
        *[("stream.metrics_address", text) for text in ("9108", "127.0.0.1", "a:1,b:2", "127.0.0.1:65536")],
        *[("airflow.url", text) for text in ("localhost:8080", "ftp://a", "http://a:port", "http://a b")],
        *[("serving.url", text) for text in ("127.0.0.1", "0.0.0.0:8000", "http://:8000", "http://0.0.0.0:99999")],
        *[("serving.use_cases", text) for text in ('["nope"]', "[]", '["churn", "../config"]')],
        *[("stream.topics", text) for text in ('["shop.clicks.v1"]', '["cloudevent"]')],
        *[("lake.root", text) for text in ("lake", "", "{hoem}/lake", "{home}lake", "{home}/{profile}")],
        *[(key, "here") for key in ("stream.checkpoints", "feast.registry", "airflow.database")],
        *[
            ("control.url", text)
            for text in ("here", "sqlite://", "sqlite:///", "sqlite:///control.db", "sqlite:////a/")
        ],
        *[
            ("control.url", text)
            for text in ("sqlite:////a.db?mode=ro", "postgresql://me@db/a", "postgresql+psycopg://db")
        ],
        *[("control.url", text) for text in ("mysql://me@db/a", "sqlite:///{hoem}/a", "postgresql+psycopg2://me@db/a")],
        *[("spark.master", text) for text in ("local[]", "local[0]", "loacl[2]", "127.0.0.1:7077", "")],
        *[
            ("airflow.executor", text)
            for text in ("", "LocalExcutor", "SequentialExecutor", "CeleryExecutor,", "a b.C")
        ],
        *[("serving.reload_s", text) for text in ("inf", "nan")],
        *[(f"airflow.schedules.{dag}", "every day") for dag in Schedules.model_fields],
        ("airflow.schedules.request", '{"nope": "@daily"}'),
    ],
)
def test_a_value_of_the_wrong_form_is_refused_where_it_is_read(key: str, value: str) -> None:
    variable = f"TIDEMILL_{key.upper().replace('.', '__')}"
    with pytest.raises(ConfigError) as error:
        load_settings({variable: value})
    assert str(error.value).startswith(f"{key} = ")
    assert f"in environment {variable}: " in str(error.value)
    assert "Value error" not in str(error.value)


def test_the_schedule_of_a_use_case_is_named_when_it_is_wrong() -> None:
    variable = "TIDEMILL_AIRFLOW__SCHEDULES__REQUEST"
    with pytest.raises(ConfigError, match=f"airflow.schedules.request.churn = 'weekly' in environment {variable}"):
        load_settings({variable: '{"churn": "weekly"}'})
    assert load_settings({variable: '{"churn": "@weekly"}'}).airflow.schedules.request == {"churn": "@weekly"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("kafka.bootstrap_servers", text) for text in ("a:1", "[fd00::5]:9092", "kafka-1.example:9092, b_2:65535")],
        *[("redis.host", text) for text in ("fd00::5", "::1", "redis", "cache.example.com.")],
        *[("mlflow.tracking_uri", text) for text in ("https://mlflow.example.com/path", "http://me:pw@[::1]:5000")],
        *[("serving.url", text) for text in ("http://0.0.0.0:8000", "http://[::]:8000", "https://scores.example.com")],
        *[("lake.root", text) for text in ("/data/lake", "s3a://bucket/lake", "{home}", "abfss://a@b.example.com/c")],
        *[("airflow.database", text) for text in ("sqlite:////a.db", "postgresql+psycopg2://me:pw@db/airflow")],
        *[
            ("control.url", text)
            for text in ("sqlite:////a/b c.db", "sqlite:///{home}/c.db", "postgresql+psycopg://db/a")
        ],
        *[
            ("control.url", f"postgresql+psycopg://{text}")
            for text in ("me:p%40w@db:6432/a?sslmode=require", "@/a?host=/run")
        ],
        *[("spark.master", text) for text in ("local", "local[*]", "local[4,2]", "spark://a:7077,b:7077", "yarn")],
        *[("airflow.executor", text) for text in ("CeleryExecutor", "LocalExecutor, big:my.code.Executor")],
        ("stream.topics", '["shop.click.v1"]'),
    ],
)
def test_a_value_of_another_right_form_is_taken(key: str, value: str) -> None:
    section, field = key.split(".")
    settings = load_settings({f"TIDEMILL_{section}__{field}".upper(): value})
    read = getattr(getattr(settings, section), field)
    assert read == (json.loads(value) if value.startswith('["') else value)


def test_every_topic_of_a_contract_may_be_named() -> None:
    names = sorted(contracts())
    assert load_settings({"TIDEMILL_STREAM__TOPICS": json.dumps(names)}).stream.topics == names
