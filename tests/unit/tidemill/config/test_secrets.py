"""Secrets are made once, privately, and the environment wins."""

import stat
from pathlib import Path

import pytest

from tidemill.config.errors import ConfigError
from tidemill.config.secrets import secret, secret_path
from tidemill.config.settings import Settings


def test_a_generated_secret_is_private_and_stays(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = secret(settings, "airflow_password").get_secret_value()
    assert len(first) >= 32
    assert secret(settings, "airflow_password").get_secret_value() == first
    assert stat.S_IMODE(secret_path(settings, "airflow_password").stat().st_mode) == 0o600
    assert stat.S_IMODE(secret_path(settings, "airflow_password").parent.stat().st_mode) == 0o700


def test_the_environment_wins_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_SECRET_AIRFLOW_PASSWORD", "from-outside")
    settings = Settings(home=tmp_path)
    assert secret(settings, "airflow_password").get_secret_value() == "from-outside"
    assert not secret_path(settings, "airflow_password").exists()


def test_two_secrets_differ(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert secret(settings, "airflow_password") != secret(settings, "airflow_jwt")


@pytest.mark.parametrize("text", ["", "\n"], ids=["no byte", "an empty line"])
def test_an_empty_secret_is_no_password(tmp_path: Path, text: str) -> None:
    settings = Settings(home=tmp_path)
    path = secret_path(settings, "airflow_password")
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"the secret in {path} is empty: .*remove the file"):
        secret(settings, "airflow_password")
