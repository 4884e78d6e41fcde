"""What a use case's ``model.yaml`` says of the DAG that looks for drift."""

from dataclasses import dataclass
from pathlib import Path

from airflow_orchestration.declarations import UNREADABLE, content, schedule_in, section, text
from airflow_orchestration.trainings import SPECIFICATION
from tidemill.config.project import current_project
from tidemill.config.settings import load_settings

EVERY_SIX_HOURS = "0 */6 * * *"


@dataclass(frozen=True)
class Monitor:
    """When a use case is looked at, and whose it is; ``trouble`` is why the file cannot be followed."""

    use_case: str
    schedule: str = EVERY_SIX_HOURS
    owner: str = "tidemill"
    trouble: str = ""


def monitors() -> list[Monitor]:
    """Of each use case that can be trained, in the order of their names.

    One whose file cannot be followed is looked at every six hours: what is wrong in it may be about training only.
    """
    schedules = load_settings().airflow.schedules.monitor
    project = current_project()
    folders = project.use_cases()
    return [_monitor(folders[name] / SPECIFICATION, schedules.get(name)) for name in project.trained()]


def _monitor(file: Path, schedule: str | None) -> Monitor:
    name = file.parent.name
    try:
        declared = content(file)
        declared_schedule = schedule_in(section(declared, "monitor"), "monitor.schedule")
        owner = text(declared, "owner", Monitor.owner)
        return Monitor(name, schedule or declared_schedule or EVERY_SIX_HOURS, owner)
    except UNREADABLE as error:
        return Monitor(name, schedule or EVERY_SIX_HOURS, trouble=f"{file}: {error}")
