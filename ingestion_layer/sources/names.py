"""Which sources a project has."""

from pathlib import Path

from tidemill.config.project import Project

FOLDER = "sources"


def source_files(project: Project) -> list[Path]:
    """The modules in the project's folder of sources."""
    files = [file for folder in project.own(FOLDER) for file in folder.glob("*.py")]
    return sorted(file for file in files if not file.stem.startswith("_"))
