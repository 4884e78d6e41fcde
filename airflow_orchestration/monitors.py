"""What a use case's ``model.yaml`` says of the DAG that looks for drift."""

from dataclasses import dataclass
from pathlib import Path

from airflow_orchestration.declarations import UNREADABLE, content, text
from airflow_orchestration.trainings import SPECIFICATION
from tidemill.config.cron import checked
from tidemill.config.project import current_project
from tidemill.config.settings import load_settings

EVERY_SIX_HOURS = "0 */6 * * *"
KEY = "monitor"


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
        monitor = declared.get(KEY, {})
        if not isinstance(monitor, dict):
            raise ValueError(f"{KEY} = {monitor!r}: a mapping is wanted")  # noqa: TRY004 - a file's content is wrong
        return Monitor(name, schedule or _schedule(text(monitor, "schedule")), text(declared, "owner", Monitor.owner))
    except UNREADABLE as error:
        return Monitor(name, schedule or EVERY_SIX_HOURS, trouble=f"{file}: {error}")


def _schedule(expression: str) -> str:
    try:
        return checked(expression) if expression else EVERY_SIX_HOURS
    except ValueError as error:
        raise ValueError(f"{KEY}.schedule = {expression!r}: {error}") from error
