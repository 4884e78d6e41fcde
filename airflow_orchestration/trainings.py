"""What a use case's ``model.yaml`` says of the DAGs of its models; what they are made of is not Airflow's affair."""

from dataclasses import dataclass
from pathlib import Path

from airflow_orchestration.declarations import UNREADABLE, content, schedule_in, tags_in, text
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
            schedule=schedule or schedule_in(declared),
            owner=text(declared, "owner", Training.owner),
            tags=tags_in(declared),
        )
    except UNREADABLE as error:
        return Training(name, trouble=f"{file}: {error}")
