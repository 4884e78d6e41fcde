"""What a declaration in YAML says to Airflow; all else in it is not Airflow's affair."""

from pathlib import Path
from typing import Any

import yaml

from tidemill.config import strict_yaml
from tidemill.config.cron import checked

UNREADABLE = (OSError, ValueError, yaml.YAMLError)
"""What reading a declaration raises; the message says what is wrong in it."""


def content(file: Path) -> dict[str, Any]:
    read = strict_yaml.read(file)
    if not isinstance(read, dict):
        raise ValueError("a mapping is wanted")  # noqa: TRY004 - what is wrong is a file's content
    return read


def section(content: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping at ``key``, empty without one."""
    value = content.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{key} = {value!r}: a mapping is wanted")  # noqa: TRY004 - what is wrong is a file's content
    return value


def text(content: dict[str, Any], key: str, default: str = "") -> str:
    value = content.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} = {value!r}: a text is wanted")  # noqa: TRY004 - what is wrong is a file's content
    return value


def schedule_in(content: dict[str, Any], where: str = "schedule") -> str | None:
    """The cron expression at the key ``schedule``, None without one; ``where`` names it in errors."""
    expression = text(content, "schedule")
    try:
        return checked(expression) if expression else None
    except ValueError as error:
        raise ValueError(f"{where} = {expression!r}: {error}") from error


def tags_in(content: dict[str, Any]) -> tuple[str, ...]:
    value = content.get("tags", [])
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise ValueError(f"tags = {value!r}: a list of texts is wanted")
    return tuple(value)
