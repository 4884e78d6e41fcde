"""Typed settings: defaults, then a profile's file, then the environment; secrets apart."""

from tidemill.config.settings import ConfigError, Settings, load_settings

__all__ = ["ConfigError", "Settings", "load_settings"]
