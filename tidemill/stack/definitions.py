"""The state of a project's definitions, as a variable of those processes that read them once, when they start.

So `tidemill up` sees that one of them runs on others than those that are there, and starts it again.
"""

import hashlib
from pathlib import Path

from tidemill.config.settings import Settings

VARIABLE = "PROJECT_DEFINITIONS"
FILES = ("contracts/*.json", "use_cases/*/*.py", "use_cases/*/*.yaml")


def definitions_environment(settings: Settings) -> dict[str, str]:
    """Empty for the platform alone: its definitions change with its version."""
    return {} if settings.project is None else {VARIABLE: definitions_digest(settings.project)}


def definitions_digest(project: Path) -> str:
    """A hash of the contracts and use cases in the folder ``project``, their names and contents."""
    content = hashlib.sha256()
    for file in sorted(file for pattern in FILES for file in project.glob(pattern)):
        content.update(f"{file.relative_to(project)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return content.hexdigest()[:16]
