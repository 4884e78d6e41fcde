"""What a use case's ``model.yaml`` says of its training's DAG; what a model is made of is not Airflow's affair."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tidemill.config.cron import checked
from tidemill.config.project import current_project
from tidemill.config.settings import load_settings

SPECIFICATION = "model.yaml"


@dataclass(frozen=True)
class Training:
    """``schedule`` is None when it runs only on demand; ``trouble`` is why the file cannot be followed."""

    use_case: str
    description: str = ""
    schedule: str | None = None
    owner: str = "tidemill"
    tags: tuple[str, ...] = ()
    trouble: str = ""


def trainings() -> list[Training]:
    """Of each use case of the platform and the project that can be trained, in the order of their names.

    One whose file cannot be followed has no schedule: the others run on.
    """
    schedules = load_settings().airflow.schedules.train
    project = current_project()
    folders = project.use_cases()
    return [_training(folders[name] / SPECIFICATION, schedules.get(name)) for name in project.trained()]


def _training(file: Path, schedule: str | None) -> Training:
    name = file.parent.name
    try:
        content = _content(file)
        return Training(
            use_case=name,
            description=_text(content, "description"),
            schedule=schedule or _schedule(content),
            owner=_text(content, "owner", Training.owner),
            tags=_tags(content),
        )
    except (OSError, ValueError, yaml.YAMLError) as error:
        return Training(name, trouble=f"{file}: {error}")


def _content(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("a mapping is wanted")  # noqa: TRY004 - what is wrong is a file's content
    return content


def _schedule(content: dict[str, Any]) -> str | None:
    text = _text(content, "schedule")
    try:
        return checked(text) if text else None
    except ValueError as error:
        raise ValueError(f"schedule = {text!r}: {error}") from error


def _text(content: dict[str, Any], key: str, default: str = "") -> str:
    value = content.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} = {value!r}: a text is wanted")  # noqa: TRY004 - what is wrong is a file's content
    return value


def _tags(content: dict[str, Any]) -> tuple[str, ...]:
    value = content.get("tags", [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"tags = {value!r}: a list of texts is wanted")
    return tuple(value)
