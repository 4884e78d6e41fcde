"""What a use case's ``model.yaml`` says of its scoring's DAG: when it runs, and whether it is of events or entities."""

from dataclasses import dataclass
from pathlib import Path

from airflow_orchestration.declarations import UNREADABLE, content, schedule_in, section, tags_in, text
from airflow_orchestration.trainings import SPECIFICATION
from tidemill.config.project import current_project


@dataclass(frozen=True)
class ScoringRun:
    """``schedule`` is None when it runs only on demand; ``trouble`` is why the file cannot be followed."""

    use_case: str
    schedule: str | None = None
    is_of_events: bool = False
    owner: str = "tidemill"
    tags: tuple[str, ...] = ()
    trouble: str = ""


def scoring_runs() -> list[ScoringRun]:
    """Of each use case of the platform and the project that can be trained, in the order of their names.

    One whose file cannot be followed has no schedule: the others run on.
    """
    project = current_project()
    folders = project.use_cases()
    return [_scoring_run(folders[name] / SPECIFICATION) for name in project.trained()]


def _scoring_run(file: Path) -> ScoringRun:
    name = file.parent.name
    try:
        declared = content(file)
        return ScoringRun(
            use_case=name,
            schedule=schedule_in(section(declared, "scoring"), "scoring.schedule"),
            is_of_events="periods" in declared,
            owner=text(declared, "owner", ScoringRun.owner),
            tags=tags_in(declared),
        )
    except UNREADABLE as error:
        return ScoringRun(name, trouble=f"{file}: {error}")
