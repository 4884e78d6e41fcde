"""Settings as ``TIDEMILL_*`` variables: how a process hands its effective settings to a child."""

import json
from collections.abc import Iterator

from pydantic import BaseModel, SecretStr

from config.origin import ENV_PREFIX
from config.settings import Settings

UTF8 = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
"""The locale of every process that the platform starts, whatever the caller's: Java takes the encoding of file names
from it, and one that cannot spell the home folder's name writes into another folder."""


def settings_environment(settings: Settings) -> dict[str, str]:
    """The variables with which :func:`config.load_settings` gives ``settings`` again in another process."""
    return dict(_variables(settings, ENV_PREFIX))


def _variables(section: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for field in type(section).model_fields:
        name, value = f"{prefix}{field.upper()}", getattr(section, field)
        if isinstance(value, BaseModel):
            yield from _variables(value, f"{name}__")
        elif value is not None:
            yield name, _text(value)


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
