"""Which sources a project has: modules, and mappings of what others bring."""

from collections.abc import Mapping
from pathlib import Path

from tidemill.config.errors import ConfigError
from tidemill.config.project import Project

FOLDER = "sources"
MAPPINGS = Path(__file__).with_name("mappings")


def source_files(project: Project) -> list[Path]:
    """The modules in the project's folder of sources."""
    files = [file for folder in project.own(FOLDER) for file in folder.glob("*.py")]
    return sorted(file for file in files if not file.stem.startswith("_"))


def mapping_files(project: Project, built_in: Path = MAPPINGS) -> Mapping[str, Path]:
    """The file of each mapping, by name: of the platform in ``built_in``, of the project in its folder of sources.

    Raises:
        ConfigError: two have the same name.
    """
    files: dict[str, Path] = {}
    for folder in project.folders(FOLDER, built_in):
        for file in sorted(folder.glob("*.yaml")):
            if (other := files.setdefault(file.stem, file)) != file:
                raise ConfigError(f"mapping {file.stem!r} is there twice: {other} and {file}: rename the second")
    return dict(sorted(files.items()))
