"""Secrets: from ``TIDEMILL_SECRET_<NAME>``, else generated once into the home folder with mode 0600."""

import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

from pydantic import SecretStr

from tidemill.config.errors import ConfigError
from tidemill.config.files import write_once
from tidemill.config.origin import SECRET_PREFIX
from tidemill.config.settings import Settings

NAMES = ("airflow_password", "airflow_jwt", "airflow_fernet", "airflow_api", "nifi_properties")


def secret(settings: Settings, name: str) -> SecretStr:
    """The secret ``name``; creates it when neither the environment nor the home folder has it.

    Raises:
        ConfigError: its file is empty.
    """
    from_env = os.environ.get(f"{SECRET_PREFIX}{name.upper()}")
    if from_env:
        return SecretStr(from_env)
    path = secret_path(settings, name)
    if not path.exists():
        _create(path)
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        raise ConfigError(f"the secret in {path} is empty: write one into it, or remove the file and one is made")
    return SecretStr(text)


def secret_path(settings: Settings, name: str) -> Path:
    return settings.home / "secrets" / name


def _create(path: Path) -> None:
    """Write 32 random bytes in URL-safe base64, padding kept: the form a Fernet key must have."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_once(path, urlsafe_b64encode(secrets.token_bytes(32)))
