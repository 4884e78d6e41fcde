"""Layers, origins and errors of the settings."""

from pathlib import Path

import pytest

from config.settings import ConfigError, load_settings, load_with_origin


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
    assert (settings.kafka.replication, origin["kafka.replication"]) == (3, "config/cluster.toml")
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
    monkeypatch.setattr("config.settings.PROFILES", tmp_path)
    with pytest.raises(ConfigError) as error:
        load_settings({"TIDEMILL_PROFILE": "broken"})
    assert all(part in str(error.value) for part in parts)


def test_a_bad_password_is_not_printed() -> None:
    with pytest.raises(ConfigError) as error:
        load_settings({"TIDEMILL_REDIS__PASSWORD__X": "hunter2"})
    assert "hunter2" not in str(error.value)
