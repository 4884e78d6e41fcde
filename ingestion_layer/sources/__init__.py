"""Where events come from: the platform's own sources here, and those of the project in its folder ``sources``."""

from pathlib import Path

from tidemill.config.project import current_project

__path__ = [str(Path(__file__).resolve().parent), *map(str, current_project().own("sources"))]
