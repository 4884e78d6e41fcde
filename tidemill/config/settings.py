"""One typed object with everything that can differ between a laptop and a cluster.

Later wins: the defaults below, ``tidemill/config/<profile>.toml``, the project's ``tidemill.toml``,
``TIDEMILL_<SECTION>__<KEY>`` in the environment.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from tidemill.config import installation, ports
from tidemill.config.errors import ConfigError, nearest
from tidemill.config.installation import REPO
from tidemill.config.origin import ENV_PREFIX, HIDDEN, environment_values, flatten, merge, shown
from tidemill.config.project import Project, find_project, read_project
from tidemill.config.sections import (
    Airflow,
    Control,
    Drift,
    Events,
    Feast,
    Flink,
    Flume,
    Kafka,
    Lake,
    Mlflow,
    Nifi,
    Ports,
    Redis,
    Section,
    Serving,
    Spark,
    Stream,
)

__all__ = ["REPO", "ConfigError", "Settings", "load_settings", "load_with_origin"]

PROFILES = Path(__file__).resolve().parent
PATHS = ("home", "platform_environment", "spark.jars", "airflow.environment", "flink.environment", "nifi.java_home")
NO_TABLE = ("dict_type", "model_type")
"""What pydantic calls a value that is no table and should be."""
_TABLE = re.compile(r"\s*\{\s*[\"']")
UNION_MEMBERS = ("constrained-int", "int", "literal['auto']")
"""What pydantic adds to the place of an error in a value that may be one of several types."""


class Settings(Section):
    """The effective settings. Build with :func:`load_settings`, once, at an entry point."""

    project: Path | None = Field(None, description="folder of the project's tidemill.toml; none: the platform alone")
    profile: str = "local"
    home: Path = Field(Path(".tidemill"), description="where all state is; in a project, .tidemill beside its file")
    platform_environment: Path = Field(
        default_factory=installation.platform_environment, description="folder of the platform's Python environment"
    )
    keep_variables: list[str] = Field(
        default_factory=list, description="further variables of the caller's shell that reach the processes; * for any"
    )
    ports: Ports = Ports()
    kafka: Kafka = Kafka()
    redis: Redis = Redis()
    mlflow: Mlflow = Mlflow()
    lake: Lake = Lake()
    spark: Spark = Spark()
    stream: Stream = Stream()
    events: Events = Events()
    airflow: Airflow = Airflow()
    flink: Flink = Flink()
    nifi: Nifi = Nifi()
    flume: Flume = Flume()
    control: Control = Control()
    drift: Drift = Drift()
    feast: Feast = Feast()
    serving: Serving = Serving()

    def expand(self, template: str) -> str:
        """``template`` with ``{home}`` replaced by the home folder."""
        return template.replace("{home}", str(self.home))

    @property
    def lake_root(self) -> str:
        return self.expand(self.lake.root)

    def table_path(self, name: str) -> str:
        """Where the table ``name``, such as ``silver/transactions``, lies: a folder or an object-store URI."""
        return f"{self.lake_root.rstrip('/')}/{name}"

    @property
    def checkpoints(self) -> str:
        return self.expand(self.stream.checkpoints)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process; ``home`` is made absolute, one spelling for each folder.

    Raises:
        ConfigError: unknown profile or key, or a value of the wrong type or range.
    """
    return load_with_origin(environ)[0]


def load_with_origin(
    environ: Mapping[str, str] | None = None, *, choose_ports: bool = True
) -> tuple[Settings, dict[str, str]]:
    """The settings, and for each dotted key where its value came from.

    Without ``choose_ports`` nothing is written: ports that were not chosen yet stand at their defaults.
    """
    environ = os.environ if environ is None else environ
    project = read_project(find_project(environ))
    layers = _layers(environ, project)
    origin = {key: place for place, values in layers for key in _named(values, place)}
    _, variables = environment_values(environ, Settings)
    if not environ.get(f"{ENV_PREFIX}PROFILE"):
        variables.pop("profile", None)
    origin |= {**installation.cache_origins(environ), **variables}
    values: dict[str, Any] = {}
    for _, layer in layers:
        values = merge(values, layer)
    values["project"], origin["project"] = project.root, str(project.file or "default")
    settings = _validated(values, origin, project)
    settings = settings.model_copy(update={"home": _absolute(settings.home, origin.get("home", "default"))})
    moved = ports.moved(settings.home, settings.ports.offset, values, origin, choose_ports)
    if moved:
        settings = _validated(merge(values, moved), origin, project).model_copy(update={"home": settings.home})
        chosen = settings.ports.offset == "auto"
        origin |= dict.fromkeys(flatten(moved), str(ports.file_of(settings.home)) if chosen else ports.ORIGIN)
    return settings, {key: origin.get(key, "default") for key in flatten(settings.model_dump())}


def _layers(environ: Mapping[str, str], project: Project) -> list[tuple[str, Mapping[str, Any]]]:
    """What is set, the later before the earlier, each with where it is from; the environment is the last."""
    profile = environ.get(f"{ENV_PREFIX}PROFILE") or project.values.get("profile", "local")
    file = PROFILES / f"{profile}.toml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in PROFILES.glob("*.toml")))
        place = f"{ENV_PREFIX}PROFILE" if f"{ENV_PREFIX}PROFILE" in environ else project.file
        raise ConfigError(f"profile {profile!r} (from {place}) does not exist; known: {known}")
    try:
        from_file = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    from_env, _ = environment_values(environ, Settings)
    from_env.pop("project", None)
    if not from_env.get("profile"):
        from_env.pop("profile", None)
    layers: list[tuple[str, Mapping[str, Any]]] = [(f"tidemill/config/{file.name}", from_file)]
    if project.root:
        layers.insert(0, (f"{project.root}/use_cases", {"serving": {"use_cases": project.trained()}}))
        if "home" not in from_file:
            layers.insert(0, ("default", {"home": str(project.root / ".tidemill")}))
        layers.append((str(project.file), _with_absolute_paths(project.values, project.root)))
    return [*layers, ("environment", from_env)]


def _named(values: Mapping[str, Any], place: str) -> list[str]:
    return [] if place == "default" else list(flatten(values))


def _with_absolute_paths(values: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
    """A relative folder in a project's file is one beside the file."""
    for key in PATHS:
        *tables, name = key.split(".")
        part: Any = values
        for table in tables:
            part = part.get(table) if isinstance(part, Mapping) else None
        if isinstance(part, Mapping) and isinstance(part.get(name), str) and not part[name].startswith("~"):
            nested: Any = str(root / part[name])
            for step in reversed(key.split(".")):
                nested = {step: nested}
            values = merge(values, nested)
    return values


def _validated(values: Mapping[str, Any], origin: Mapping[str, str], project: Project) -> Settings:
    try:
        return Settings.model_validate(values, context={"project": project})
    except ValidationError as error:
        raise ConfigError(_explain(error, origin, str(project.file or PROFILES))) from error


def _absolute(home: Path, place: str) -> Path:
    try:
        home = home.expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"home = {str(home)!r} in {place}: whose home folder ~ is cannot be told; give the whole path"
        ) from error
    try:
        return home.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"home = {str(home)!r} in {place}: {error}") from error


def _explain(error: ValidationError, origin: Mapping[str, str], elsewhere: str) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"] if str(part) not in UNION_MEMBERS)
        place = origin.get(key) or next((o for k, o in origin.items() if k.startswith(f"{key}.")), elsewhere)
        if place.startswith("tidemill/config/"):
            place = str(PROFILES / Path(place).name)
        advice = (
            nearest(str(problem["loc"][-1]), _known(problem["loc"])) if problem["type"] == "extra_forbidden" else ""
        )
        value, why = _given(key, problem), problem["msg"].removeprefix("Value error, ")
        line = f"{key} = {value} in {place}: {why}{_no_json(problem, place)}{advice}"
        if line not in lines:
            lines.append(line)
    return "; ".join(lines)


def _given(key: str, problem: ErrorDetails) -> str:
    """The wrong value as it may be printed: nothing of a table, which may hold secrets, or of what should be one."""
    value = problem["input"]
    is_table = isinstance(value, Mapping) or (isinstance(value, str) and _TABLE.match(value))
    return repr(HIDDEN if is_table or problem["type"] in NO_TABLE else _short(shown(key, value)))


def _no_json(problem: ErrorDetails, place: str) -> str:
    """Where a variable's text stops being the JSON of the list or table that it should be."""
    text = problem["input"]
    if problem["type"] not in {*NO_TABLE, "list_type"} or not isinstance(text, str) or not place.startswith("env"):
        return ""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"; it is no JSON: {error}"
    return ""


def _known(loc: tuple[int | str, ...]) -> list[str]:
    """The keys of the table that the last part of ``loc`` was looked for in."""
    model: Any = Settings
    for part in loc[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field else None
    return list(getattr(model, "model_fields", {}))


def _short(value: Any) -> Any:
    text = repr(value)
    return value if len(text) <= 200 else f"{text[:200]}..."
