"""JSON that every reader takes: Python's own writes NaN and Infinity, which no JSON parser has to know."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any


def dumps(value: Any, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> str:
    """``value`` as JSON text (RFC 8259); a number that is not finite is null: no value."""
    return json.dumps(_finite(value), indent=indent, default=default, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
