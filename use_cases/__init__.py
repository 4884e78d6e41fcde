"""One folder a use case: the platform's own here, and those of the project in its folder ``use_cases``."""

from pathlib import Path

from tidemill.config.project import current_project

__path__ = [str(folder) for folder in current_project().folders("use_cases", Path(__file__).resolve().parent)]
