"""Where a setting's value came from: reading ``TIDEMILL_*`` variables and merging layers."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from tidemill.config.installation import CACHE_VARIABLE

ENV_PREFIX = "TIDEMILL_"
SECRET_PREFIX = f"{ENV_PREFIX}SECRET_"
HIDDEN = "********"
_SECRET_KEY = re.compile(
    r"passw|secret|token|jaas|credential|(access|account|private|api)[._]?key|key[._]pem|[._]key$", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^@\s]+@")
_QUERY_SECRET = re.compile(
    r"([?&;](?:[^=&;#\s]*(?:passw|pwd|secret|token|credential|key)[^=&;#\s]*|sig|signature)=)[^&;#\s]+", re.IGNORECASE
)


def environment_values(environ: Mapping[str, str], model: type[BaseModel]) -> tuple[dict[str, Any], dict[str, str]]:
    """The nested values set by ``TIDEMILL_SECTION__KEY`` variables, and the variable behind each dotted key.

    A value that should be a list or a table is read as JSON.
    """
    values: dict[str, Any] = {}
    variables: dict[str, str] = {}
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX) or name.startswith(SECRET_PREFIX) or name == CACHE_VARIABLE:
            continue
        path = [part.lower() for part in name.removeprefix(ENV_PREFIX).split("__")]
        value = _parsed(environ[name], path, model)
        values = merge(values, _nested(path, value))
        for leaf in flatten(_nested(path, value)):
            variables[leaf] = f"environment {name}"
    return values, variables


def _parsed(text: str, path: list[str], model: type[BaseModel]) -> Any:
    annotation: Any = model
    for part in path:
        field = getattr(annotation, "model_fields", {}).get(part)
        if field is None:
            return text
        annotation = field.annotation
    is_structured = getattr(annotation, "__origin__", None) in (list, dict) or hasattr(annotation, "model_fields")
    if not is_structured:
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _nested(path: list[str], value: Any) -> dict[str, Any]:
    for part in reversed(path):
        value = {part: value}
    return dict(value)


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """``low`` with the values of ``high`` over it, table by table."""
    merged = dict(low)
    for key, value in high.items():
        both = isinstance(merged.get(key), Mapping) and isinstance(value, Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys to leaf values; an empty table is a leaf."""
    return dict(_leaves(values, prefix))


def _leaves(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def shown(key: str, value: Any) -> Any:
    """``value`` as it may be printed: hidden where the name of ``key``, or a URL's user or query, tells of a secret.

    The tables that are passed on to other clients (``kafka.client``, ``spark.conf``, ...) may hold any option.
    """
    if value and _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, str):
        return _QUERY_SECRET.sub(rf"\1{HIDDEN}", _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", value))
    return value
