"""The project a process works for: a folder with a ``tidemill.toml`` beside the platform, or the platform alone.

A project has contracts, use cases and sources of its own, and a layer of settings. Each process finds it in
``TIDEMILL_PROJECT``, which those before it have set; the first one looks upwards from where it was started.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tidemill.config.errors import ConfigError, nearest
from tidemill.config.installation import REPO

FILE = "tidemill.toml"
VARIABLE = "TIDEMILL_PROJECT"
OWN_TOPICS = "serving."
"""How topics of the platform's own begin: every project has them."""
SCHEMAS = REPO / "tidemill" / "contracts" / "schemas"
EXPECTATIONS = REPO / "data_lake" / "expectations"
TRAINED = ("features.py", "labels.py", "model.yaml")
"""The files of a use case that can be trained and served; ``features.py`` makes a folder a use case."""


class _Table(BaseModel):
    """``[project]`` of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    builtin: bool = True


@dataclass(frozen=True)
class Project:
    """``root`` is None for the platform alone; ``values`` are the settings of the file."""

    root: Path | None = None
    name: str = "tidemill"
    builtin: bool = True
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> Path | None:
        return self.root / FILE if self.root else None

    def folders(self, own: str, built_in: Path) -> list[Path]:
        """Where definitions lie: the platform's folder unless it is left out, and the project's folder ``own``."""
        return [*([built_in] if self.builtin else []), *self.own(own)]

    def own(self, folder: str) -> list[Path]:
        """The project's ``folder``; none for the platform alone."""
        return [self.root / folder] if self.root else []

    def contract_files(self, schemas: Path = SCHEMAS) -> list[Path]:
        """Each contract, sorted by topic, of the platform (in ``schemas``) and of the project.

        Raises:
            ConfigError: both have one for the same topic.
        """
        built_in = [path for path in schemas.glob("*.*.json") if self.builtin or path.name.startswith(OWN_TOPICS)]
        own = [path for folder in self.own("contracts") for path in folder.glob("*.json")]
        return sorted(self._apart("contract", [*built_in, *own]).values(), key=lambda path: path.stem)

    def use_cases(self) -> Mapping[str, Path]:
        """The folder of each use case, by name.

        Raises:
            ConfigError: the platform and the project have one of the same name.
        """
        places = self.folders("use_cases", REPO / "use_cases")
        found = [file.parent for place in places for file in sorted(place.glob("*/features.py"))]
        return dict(sorted(self._apart("use case", found).items()))

    def gold_files(self) -> Mapping[str, Path]:
        """The file that declares each gold table, ``use_cases/<folder>/gold/<table>.yaml``, by the table's name.

        Raises:
            ConfigError: two files are for one name.
        """
        places = self.folders("use_cases", REPO / "use_cases")
        files = [file for place in places for file in sorted(place.glob("*/gold/*.yaml"))]
        return dict(sorted(self._apart("gold table", files).items()))

    def suite_files(self, own: Path = EXPECTATIONS) -> Mapping[str, Path]:
        """The file of each suite of expectations, by name: ``tidemill.<suite>`` of the platform's own tables (in
        ``own``), ``<folder>.<suite>`` of ``use_cases/<folder>/expectations/<suite>.yaml``.

        Raises:
            ConfigError: the platform and the project have one of the same name.
        """
        files = {f"tidemill.{file.stem}": file for file in sorted(own.glob("*.yaml"))}
        for place in self.folders("use_cases", REPO / "use_cases"):
            for file in sorted(place.glob("*/expectations/*.yaml")):
                name = f"{file.parent.parent.name}.{file.stem}"
                if (other := files.setdefault(name, file)) != file:
                    raise ConfigError(f"suite {name!r} is there twice: {other} and {file}: rename one of them")
        return dict(sorted(files.items()))

    def flink_files(self) -> Mapping[str, Path]:
        """The file that declares each job of Flink, ``use_cases/<folder>/flink/<job>.yaml``, by the job's name.

        Raises:
            ConfigError: two files are for one name.
        """
        places = self.folders("use_cases", REPO / "use_cases")
        files = [file for place in places for file in sorted(place.glob("*/flink/*.yaml"))]
        return dict(sorted(self._apart("job of Flink", files).items()))

    def trained(self) -> list[str]:
        """The use cases that have all that a model needs."""
        return [name for name, folder in self.use_cases().items() if all((folder / file).is_file() for file in TRAINED)]

    def _apart(self, kind: str, paths: list[Path]) -> dict[str, Path]:
        """By name; of two with the same, those of the platform come first."""
        there: dict[str, Path] = {}
        for path in paths:
            name = path.name.removesuffix(".json").removesuffix(".yaml")
            if (other := there.setdefault(name, path)) == path:
                continue
            if self.root is None or other.is_relative_to(self.root):
                raise ConfigError(f"{kind} {name!r} is there twice: {other} and {path}: rename one of them")
            raise ConfigError(
                f"{kind} {name!r} is there twice: {other} is the platform's own, and {path}: rename the second, or "
                f"write `builtin = false` under [project] of {FILE} to leave the platform's out"
            )
        return there


def find_project(environ: Mapping[str, str]) -> Path | None:
    """The folder of the project: what ``TIDEMILL_PROJECT`` names (nothing: none), else the nearest above this one.

    Raises:
        ConfigError: the variable names a folder without a ``tidemill.toml``.
    """
    if VARIABLE not in environ:
        return next((folder for folder in _here() if (folder / FILE).is_file()), None)
    given = environ[VARIABLE]
    if not given:
        return None
    root = Path(given).expanduser().absolute()
    root = root.parent if root.name == FILE else root
    if not (root / FILE).is_file():
        raise ConfigError(f"{VARIABLE} = {given!r}: there is no {root / FILE}; `tidemill new {given}` makes a project")
    return root


def _here() -> Iterator[Path]:
    try:
        folder = Path.cwd()
    except FileNotFoundError:  # it was removed under us
        return
    yield from (folder, *folder.parents)


def read_project(root: Path | None) -> Project:
    """The project in ``root``.

    Raises:
        ConfigError: its file is no TOML, or its table ``[project]`` has a wrong key or value.
    """
    if root is None:
        return Project()
    file = root / FILE
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    table = values.pop("project", {})
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: project = {table!r}: write a table, [project]")
    try:
        read = _Table.model_validate({"name": "project", **table})
    except ValidationError as error:
        raise ConfigError("; ".join(_explained(file, problem) for problem in error.errors())) from error
    return Project(root, read.name, read.builtin, values)


def _explained(file: Path, problem: Any) -> str:
    key = problem["loc"][-1]
    if problem["type"] == "extra_forbidden":
        return f"{file}: project.{key}: there is no such key{nearest(str(key), _Table.model_fields)}"
    return f"{file}: project.{key} = {problem['input']!r}: {problem['msg']}"


@cache
def current_project() -> Project:
    """The project of this process."""
    return read_project(find_project(os.environ))
