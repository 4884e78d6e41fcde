"""The variables of a Python program of the stack."""

from config.environment import settings_environment
from config.settings import Settings

# Two malloc arenas instead of eight a core keep a threaded process from holding memory it has freed; unbuffered
# output reaches the log also when the process is killed.
PYTHON = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}


def platform_environment(settings: Settings) -> dict[str, str]:
    """The variables of a program that builds its settings with ``load_settings``."""
    return settings_environment(settings) | PYTHON
