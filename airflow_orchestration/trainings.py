"""What a use case's ``model.yaml`` says of the DAGs of its models; what they are made of is not Airflow's affair."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_orchestration.declarations import UNREADABLE, content, text
from tidemill.config.cron import checked
from tidemill.config.project import current_project
from tidemill.config.settings import load_settings

SPECIFICATION = "model.yaml"


@dataclass(frozen=True)
class Training:
    """``schedule`` is None when a model is asked for only by others; ``trouble`` is why the file cannot be followed."""

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
    schedules = load_settings().airflow.schedules.request
    project = current_project()
    folders = project.use_cases()
    return [_training(folders[name] / SPECIFICATION, schedules.get(name)) for name in project.trained()]


def _training(file: Path, schedule: str | None) -> Training:
    name = file.parent.name
    try:
        declared = content(file)
        return Training(
            use_case=name,
            description=text(declared, "description"),
            schedule=schedule or _schedule(declared),
            owner=text(declared, "owner", Training.owner),
            tags=_tags(declared),
        )
    except UNREADABLE as error:
        return Training(name, trouble=f"{file}: {error}")


def _schedule(declared: dict[str, Any]) -> str | None:
    expression = text(declared, "schedule")
    try:
        return checked(expression) if expression else None
    except ValueError as error:
        raise ValueError(f"schedule = {expression!r}: {error}") from error


def _tags(declared: dict[str, Any]) -> tuple[str, ...]:
    value = declared.get("tags", [])
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise ValueError(f"tags = {value!r}: a list of texts is wanted")
    return tuple(value)
