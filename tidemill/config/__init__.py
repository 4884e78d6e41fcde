"""Typed settings: defaults, then a profile's file, then a project's, then the environment; secrets apart."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemill.config.settings import ConfigError, Settings, load_settings

__all__ = ["ConfigError", "Settings", "load_settings"]


def __getattr__(name: str) -> Any:
    """Imported when first asked for: the errors beside it are needed by commands that need no settings."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("tidemill.config.settings"), name)
